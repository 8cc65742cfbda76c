"""Writes quantize.json: what PyTorch's FakeQuantize gives for three batches one after the other, in float32.

Run it in an environment that has PyTorch: python quantize.py > quantize.json. Each case holds the batches, the results, the gradients by
the batches of the sum of result[i] * cos(i), and the states at the end. The Go test builds the same layer by its name.
"""
import json
import warnings

import torch
from torch.ao.quantization import FakeQuantize, MinMaxObserver, MovingAverageMinMaxObserver, MovingAveragePerChannelMinMaxObserver, PerChannelMinMaxObserver

warnings.filterwarnings("ignore")
torch.manual_seed(0)
cases = []


def listing(t):
    return {"shape": list(t.shape), "data": [float("%.9g" % x) for x in t.detach().flatten().tolist()]}


def case(name, observer, low, high, scheme, *shape, dtype=torch.quint8, shift=0.0, **options):
    f = FakeQuantize(observer, low, high, dtype=dtype, qscheme=scheme, **options)
    batches = [torch.round(torch.randn(*shape) * s + shift, decimals=3) for s in (1.0, 2.5, 0.7)]
    out, grad = [], []
    for x in batches:
        x.requires_grad_(True)
        y = f(x)
        (y.flatten() * torch.cos(torch.arange(y.numel(), dtype=torch.float32))).sum().backward()
        out.append(listing(y))
        grad.append(listing(x.grad))
    p = f.activation_post_process
    squeeze = (lambda t: t) if f.ch_axis >= 0 else (lambda t: t.reshape(()))
    cases.append({
        "name": name, "in": [listing(x) for x in batches], "out": out, "grad": grad,
        "states": {"scale": listing(squeeze(f.scale)), "zero_point": listing(squeeze(f.zero_point)), "min_val": listing(squeeze(p.min_val)), "max_val": listing(squeeze(p.max_val))},
    })


affine, symmetric = torch.per_tensor_affine, torch.per_tensor_symmetric
case("default", MinMaxObserver, 0, 255, affine, 3, 4)
case("moving average", MovingAverageMinMaxObserver, 0, 255, affine, 3, 4, averaging_constant=0.2)
case("few bits", MovingAverageMinMaxObserver, 0, 15, affine, 5, 4, averaging_constant=0.5)
case("all positive", MinMaxObserver, 0, 15, affine, 3, 4, shift=9.0)
case("all negative", MinMaxObserver, 0, 15, affine, 3, 4, shift=-9.0)
case("symmetric", MinMaxObserver, -128, 127, symmetric, 3, 4, dtype=torch.qint8)
case("symmetric of few bits", MovingAverageMinMaxObserver, -7, 7, symmetric, 3, 4, dtype=torch.qint8, averaging_constant=0.3)
case("symmetric from 0", MinMaxObserver, 0, 255, symmetric, 3, 4)
case("each row", PerChannelMinMaxObserver, -128, 127, torch.per_channel_symmetric, 4, 3, 2, dtype=torch.qint8, ch_axis=0)
case("each column", MovingAveragePerChannelMinMaxObserver, 0, 15, torch.per_channel_affine, 3, 5, ch_axis=1, averaging_constant=0.4)

print("[")
print(",\n".join(json.dumps(c, separators=(",", ":")) for c in cases))
print("]")
