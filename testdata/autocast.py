"""Records what torch.autocast(dtype=torch.bfloat16) makes of a linear layer, a convolution and an attention, and their gradients: autocast.json."""

import json, math, sys
import torch
import torch.nn.functional as F


def wave(seed, *shape):
    n = math.prod(shape)
    return torch.tensor([math.sin(0.7 * i + seed) for i in range(n)], dtype=torch.float32).reshape(shape).requires_grad_()


def record(f, *inputs):
    with torch.autocast("cpu", torch.bfloat16):
        y = f(*inputs)
    dy = wave(9, *y.shape).detach()
    y.float().backward(dy)
    return dict(y=y.float().flatten().tolist(), gradients=[x.grad.flatten().tolist() for x in inputs])


cases = {
    "linear": record(lambda x, w: F.linear(x, w), wave(1, 5, 24), wave(2, 7, 24)),
    "conv": record(lambda x, w: F.conv2d(x.permute(0, 3, 1, 2), w, padding=1).permute(0, 2, 3, 1), wave(3, 2, 5, 6, 4), wave(4, 3, 4, 3, 3)),
    "attention": record(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), wave(5, 2, 3, 9, 16), wave(6, 2, 3, 9, 16), wave(7, 2, 3, 9, 16)),
}
with open(sys.argv[1] if len(sys.argv) > 1 else "autocast.json", "w") as f:
    json.dump(dict(torch=torch.__version__, cases=cases), f)
    f.write("\n")
