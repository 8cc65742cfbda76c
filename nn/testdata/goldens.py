"""Writes goldens.json: what PyTorch gives for every layer, loss and option of package nn, in float64.

Run it in an environment that has PyTorch: python goldens.py > goldens.json. Each case holds its operands, the result and
the gradient, by every float operand, of the sum of result[i] * cos(i). The Go tests build the same case by its name.
"""
import json
import math

import torch
import torch.nn.functional as F

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
cases = []


def number(x):
    return float("%.14g" % x)


def listing(t):
    return {"shape": list(t.shape), "data": [number(x) for x in t.detach().flatten().tolist()]}


def case(name, f, fixed=(), **operands):
    """Records f of the operands; those named in fixed, and integers, get no gradient."""
    for key, t in operands.items():
        if t.is_floating_point():
            t.requires_grad_(key not in fixed)
    out = f(*operands.values())
    flat = out.flatten()
    (flat * torch.cos(torch.arange(flat.numel(), dtype=torch.float64))).sum().backward()
    cases.append({
        "name": name,
        "in": {k: {**listing(t), "int": not t.is_floating_point()} for k, t in operands.items()},
        "out": listing(out),
        "grad": {k: listing(t.grad) for k, t in operands.items() if t.requires_grad},
    })


def normal(*shape):
    return torch.round(torch.randn(*shape) * 1.5, decimals=2)


def unit(*shape):
    return torch.round(torch.rand(*shape) * 0.9 + 0.05, decimals=2)


def labels(high, *shape):
    return torch.randint(0, high, shape)


def distribution(*shape):
    t = unit(*shape)
    return torch.round(t / t.sum(-1, keepdim=True), decimals=3)


def classes_second(f):
    """Moves the last axis, Tarn's axis of classes, to PyTorch's place."""
    return lambda x, y: f(x.movedim(-1, 1), y.movedim(-1, 1) if y.is_floating_point() else y)


# Layers.
linear = lambda x, weight, bias=None: F.linear(x, weight, bias)
case("Linear", linear, x=normal(3, 4), weight=normal(5, 4), bias=normal(5))
case("Linear without bias", linear, x=normal(3, 4), weight=normal(5, 4))
case("Linear of a vector", linear, x=normal(4), weight=normal(5, 4), bias=normal(5))
case("Linear of three axes", linear, x=normal(2, 3, 4), weight=normal(5, 4), bias=normal(5))
case("Embedding", lambda x, weight: F.embedding(x, weight), x=torch.tensor([[0, 4, 1], [4, 4, 2]]), weight=normal(5, 3))
case("LayerNorm", lambda x, weight, bias: F.layer_norm(x, (4,), weight, bias), x=normal(2, 3, 4), weight=normal(4), bias=normal(4))
case("LayerNorm over two axes", lambda x, weight, bias: F.layer_norm(x, (3, 4), weight, bias, 0.1),
     x=normal(2, 3, 4), weight=normal(3, 4), bias=normal(3, 4))
case("LayerNorm without weights", lambda x: F.layer_norm(x, (4,)), x=normal(3, 4))
case("Flatten", lambda x: torch.flatten(x, 1), x=normal(2, 3, 2))
case("Sequential", lambda x, w0, b0, w2, b2: F.linear(torch.tanh(F.linear(x, w0, b0)), w2, b2),
     **{"x": normal(2, 3), "0.weight": normal(4, 3), "0.bias": normal(4), "2.weight": normal(2, 4), "2.bias": normal(2)})

# Activations, at their kinks too.
points = torch.tensor([-40.0, -6, -3.5, -3, -2.1, -1, -0.5, -0.01, 0, 0.01, 0.5, 1, 2.1, 3, 3.5, 6, 40])
for name, f in {
    "ReLU": F.relu, "LeakyReLU": lambda x: F.leaky_relu(x, 0.2), "ELU": lambda x: F.elu(x, 0.7), "SELU": F.selu,
    "CELU": lambda x: F.celu(x, 0.7), "GELU": F.gelu, "GELUTanh": lambda x: F.gelu(x, approximate="tanh"), "SiLU": F.silu,
    "Mish": F.mish, "HardSigmoid": F.hardsigmoid, "HardSwish": F.hardswish, "HardTanh": F.hardtanh, "Softsign": F.softsign,
    "Sigmoid": torch.sigmoid, "Tanh": torch.tanh, "Softplus": F.softplus,
}.items():
    case(name, f, x=points.clone())
case("Softmax", lambda x: F.softmax(x, -1), x=normal(3, 4))
case("LogSoftmax", lambda x: F.log_softmax(x, -1), x=normal(3, 4))

# Losses of real values.
for name, f in {
    "MSE": F.mse_loss, "MAE": F.l1_loss, "Huber": F.huber_loss, "SmoothL1": F.smooth_l1_loss,
    "Huber delta": lambda x, y, **o: F.huber_loss(x, y, delta=0.6, **o),
    "SmoothL1 beta": lambda x, y, **o: F.smooth_l1_loss(x, y, beta=0.6, **o),
}.items():
    case(name, f, x=normal(3, 4), y=normal(3, 4))
    case(name + " sum", lambda x, y: f(x, y, reduction="sum"), x=normal(3, 4), y=normal(3, 4))
    case(name + " none", lambda x, y: f(x, y, reduction="none"), x=normal(3, 4), y=normal(3, 4))
case("Huber at its kinks", lambda x, y: F.huber_loss(x, y, reduction="none"), x=torch.tensor([-1.0, 0, 1]), y=torch.zeros(3))

# Binary losses.
case("BCEWithLogits", F.binary_cross_entropy_with_logits, x=torch.tensor([[-30.0, -1, 0], [0.5, 2, 25]]), y=unit(2, 3))
case("BCEWithLogits hard", F.binary_cross_entropy_with_logits, fixed=["y"], x=normal(2, 4), y=labels(2, 2, 4).double())
case("BCEWithLogits weighted", lambda x, y: F.binary_cross_entropy_with_logits(x, y, pos_weight=torch.tensor([0.5, 2, 3])),
     x=normal(4, 3), y=unit(4, 3))
case("BCEWithLogits none", lambda x, y: F.binary_cross_entropy_with_logits(x, y, pos_weight=torch.tensor([2.5]), reduction="none"),
     x=normal(4, 3), y=unit(4, 3))
case("BCE", F.binary_cross_entropy, x=unit(3, 4), y=unit(3, 4))
case("BCE at its ends", lambda x, y: F.binary_cross_entropy(x, y, reduction="none"), fixed=["y"],
     x=torch.tensor([0.0, 0, 1, 1]), y=torch.tensor([0.0, 1, 0, 1]))

# Classification.
w = torch.tensor([0.5, 2, 1, 0.25])
some = torch.tensor([3, 1, -100, 0, 1])
for name, o in {
    "": {}, " sum": {"reduction": "sum"}, " none": {"reduction": "none"}, " weighted": {"weight": w},
    " weighted none": {"weight": w, "reduction": "none"}, " smoothed": {"label_smoothing": 0.2},
    " weighted smoothed": {"weight": w, "label_smoothing": 0.2},
    " weighted smoothed none": {"weight": w, "label_smoothing": 0.2, "reduction": "none"},
    " weighted smoothed sum": {"weight": w, "label_smoothing": 0.2, "reduction": "sum"},
}.items():
    case("CrossEntropy" + name, lambda x, y: F.cross_entropy(x, y, **o), x=normal(5, 4), y=some.clone())
    case("CrossEntropy dense" + name, lambda x, y: F.cross_entropy(x, y, **o), x=normal(3, 4), y=distribution(3, 4))
case("CrossEntropy ignoring 0", lambda x, y: F.cross_entropy(x, y, ignore_index=0, label_smoothing=0.1, weight=w), x=normal(6, 4), y=labels(4, 6))
case("CrossEntropy of three axes", classes_second(lambda x, y: F.cross_entropy(x, y, weight=w)), x=normal(2, 3, 4), y=labels(4, 2, 3))
case("CrossEntropy of one example", lambda x, y: F.cross_entropy(x, y), x=normal(4), y=torch.tensor(2))
case("CrossEntropy dense of three axes", classes_second(lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1)),
     x=normal(2, 3, 4), y=distribution(2, 3, 4))
case("CrossEntropy of large logits", lambda x, y: F.cross_entropy(x, y), x=normal(3, 4) * 500, y=labels(4, 3))
case("NLL", F.nll_loss, x=normal(5, 4), y=some.clone())
case("NLL weighted", lambda x, y: F.nll_loss(x, y, weight=w), x=normal(5, 4), y=some.clone())
case("NLL weighted none", lambda x, y: F.nll_loss(x, y, weight=w, reduction="none"), x=normal(5, 4), y=some.clone())
case("NLL ignoring 1", lambda x, y: F.nll_loss(x, y, ignore_index=1, reduction="sum"), x=normal(6, 4), y=labels(4, 6))

# Divergence and margins.
for name, r in {"": "mean", " batch": "batchmean", " sum": "sum", " none": "none"}.items():
    case("KL" + name, lambda x, y: F.kl_div(x, y, reduction=r), x=normal(3, 4), y=distribution(3, 4))
case("KL of a target with zeros", lambda x, y: F.kl_div(x, y, reduction="batchmean"), fixed=["y"],
     x=normal(2, 3), y=torch.tensor([[0.0, 0.25, 0.75], [1, 0, 0]]))
case("KL of log targets", lambda x, y: F.kl_div(x, y, reduction="batchmean", log_target=True), x=normal(3, 4), y=normal(3, 4))
case("Hinge", lambda x, y: (1 - x * y).clamp(min=0).mean(), fixed=["y"], x=normal(6), y=torch.tensor([1.0, -1, 1, 1, -1, -1]))
case("MultiMargin", F.multi_margin_loss, x=normal(5, 4), y=labels(4, 5))
case("MultiMargin squared", lambda x, y: F.multi_margin_loss(x, y, p=2, margin=0.7, weight=w), x=normal(5, 4), y=labels(4, 5))
case("MultiMargin none", lambda x, y: F.multi_margin_loss(x, y, margin=2, reduction="none"), x=normal(5, 4), y=labels(4, 5))

gains = {
    "ReLU": torch.nn.init.calculate_gain("relu"), "Tanh": torch.nn.init.calculate_gain("tanh"),
    "SELU": torch.nn.init.calculate_gain("selu"), "Sigmoid": torch.nn.init.calculate_gain("sigmoid"),
    "LeakyReLU 0.2": torch.nn.init.calculate_gain("leaky_relu", 0.2), "LeakyReLU sqrt 5": torch.nn.init.calculate_gain("leaky_relu", math.sqrt(5)),
}
fans = [{"shape": s, "fans": list(torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(s)))} for s in ([5, 4], [8, 3, 5, 7], [2, 6, 3])]
print("{\n" + '"gains": ' + json.dumps(gains) + ',\n"fans": ' + json.dumps(fans) + ',\n"cases": [')
print(",\n".join(json.dumps(c, separators=(",", ":")) for c in cases))
print("]\n}")
