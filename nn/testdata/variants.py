"""Writes variants.json: what PyTorch gives for gated and learned activations, bags, cells, padding modes, adapters, unpooling, positions in attention
and the whole transformer, in float64.

Run it in an environment that has PyTorch: python variants.py > variants.json. Each case holds its operands, the state_dict of
the module under Tarn's names, the result and the gradient, by every float operand and weight, of the sum of result[i] * cos(i). The Go
tests build the same case by its name.
"""
import json
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
cases = []


def listing(t):
    return {"shape": list(t.shape), "data": [float("%.14g" % x) for x in t.detach().flatten().tolist()], "int": not t.is_floating_point()}


def case(name, f, module=None, weights=None, **operands):
    """Records f of the operands, with random weights of the module; weights are further leaves by name."""
    weights = dict(weights or {})
    if module is not None:
        for key, p in module.named_parameters():
            with torch.no_grad():
                p.copy_(torch.round(torch.randn_like(p) * 0.6, decimals=2))
                if getattr(module, "padding_idx", None) is not None:
                    p[module.padding_idx] = 0
            p.grad = None
            weights[key] = p
    every = {**operands, **weights}
    for t in every.values():
        if t.is_floating_point():
            t.requires_grad_(True)
            t.grad = None
    out = f(*operands.values())
    flat = out.flatten()
    (flat * torch.cos(torch.arange(flat.numel(), dtype=torch.float64))).sum().backward()
    cases.append({
        "name": name,
        "in": {k: listing(t) for k, t in every.items()},
        "out": listing(out),
        "grad": {k: listing(t.grad) for k, t in every.items() if t.is_floating_point()},
    })


def normal(*shape):
    return torch.round(torch.randn(*shape) * 1.5, decimals=2)


def last(f):
    """Calls f of an image with the channels in PyTorch's place, and brings them back."""
    return lambda x: f(x.movedim(-1, 1)).movedim(1, -1)


# Activations, at their kinks too.
points = torch.tensor([-40.0, -6, -1, -0.5, 0, 0.5, 1, 2.1, 6, 7, 40])
case("ReLU6", F.relu6, x=points.clone())
case("Identity", lambda x: nn.Identity()(x), x=normal(3))
m = nn.Softplus(2.5, 1)
case("Softplus with all", lambda x: m(x), x=torch.tensor([-40.0, -1, 0, 0.39, 0.41, 0.6, 40]))
case("Softplus beta", lambda x: F.softplus(x, 0.5, 1e9), x=points.clone())
p = nn.PReLU(3)
case("PReLU", last(lambda x: p(x)), p, x=torch.cat([normal(2, 2, 3), torch.zeros(2, 1, 3)], 1))
one = nn.PReLU()
case("PReLU with one slope", lambda x: one(x), one, x=points.clone())
case("GLU", lambda x: F.glu(x), x=normal(2, 6))
halves = lambda f: lambda x: f(x.chunk(2, -1)[0]) * x.chunk(2, -1)[1]
case("SwiGLU", halves(F.silu), x=normal(2, 6))
case("GeGLU", halves(F.gelu), x=normal(2, 6))

# Two inputs, and bags.
b = nn.Bilinear(3, 4, 2)
case("Bilinear", lambda x, y: b(x, y), b, x=normal(2, 2, 3), y=normal(2, 2, 4))
c = nn.Bilinear(3, 2, 2, bias=False)
case("Bilinear of vectors", lambda x, y: c(x, y), c, x=normal(3), y=normal(2))
index = torch.tensor([[0, 4, 1], [4, 4, 2]])
e = nn.Embedding(5, 3, padding_idx=4)
case("Embedding with padding", lambda x: e(x), e, x=index.clone())
for mode in ("mean", "sum", "max"):
    e1 = nn.EmbeddingBag(5, 3, mode=mode)
    case("EmbeddingBag " + mode, lambda x: e1(x), e1, x=index.clone())
    e2 = nn.EmbeddingBag(5, 3, mode=mode, padding_idx=4)
    case("EmbeddingBag %s with padding" % mode, lambda x: e2(x), e2, x=torch.tensor([[0, 4, 1], [4, 4, 4], [1, 1, 2]]))
    e3 = nn.EmbeddingBag(5, 3, mode=mode, padding_idx=2)
    case("EmbeddingBag %s with offsets" % mode, lambda x, offsets: e3(x, offsets), e3, x=torch.tensor([0, 4, 1, 2, 3, 4, 2]), offsets=torch.tensor([0, 3, 3, 6]))
e4 = nn.EmbeddingBag(5, 3, mode="sum")
case("EmbeddingBag weighted", lambda x, w: e4(x, per_sample_weights=w), e4, x=index.clone(), w=normal(2, 3))
case("EmbeddingBag weighted with offsets", lambda x, offsets, w: e4(x, offsets, per_sample_weights=w), e4, x=torch.tensor([0, 4, 1, 4]), offsets=torch.tensor([0, 1]), w=normal(4))

# Cells.
for name, cell in {"RNNCell": nn.RNNCell(2, 3), "RNNCell with ReLU": nn.RNNCell(2, 3, nonlinearity="relu"), "GRUCell": nn.GRUCell(2, 3),
                   "GRUCell without bias": nn.GRUCell(2, 3, bias=False)}.items():
    case(name, lambda x, h: cell(x, h), cell, x=normal(4, 2), h=normal(4, 3))
    case(name + " from zeros", lambda x: cell(x), cell, x=normal(4, 2))
l = nn.LSTMCell(2, 3)
case("LSTMCell", lambda x, h, c: torch.cat(l(x, (h, c)), -1), l, x=normal(4, 2), h=normal(4, 3), c=normal(4, 3))
case("LSTMCell from zeros", lambda x: torch.cat(l(x), -1), l, x=normal(4, 2))

# Padding modes.
for mode in ("reflect", "replicate", "circular"):
    c1 = nn.Conv1d(2, 3, 3, padding=2, padding_mode=mode)
    case("Conv1d padded by " + mode, last(lambda x: c1(x)), c1, x=normal(2, 4, 2))
    c2 = nn.Conv2d(2, 2, (3, 2), stride=2, dilation=(1, 2), padding=(2, 1), padding_mode=mode)
    case("Conv2d padded by " + mode, last(lambda x: c2(x)), c2, x=normal(1, 4, 5, 2))
    c3 = nn.Conv2d(2, 2, (3, 4), padding="same", padding_mode=mode)
    case("Conv2d same by " + mode, last(lambda x: c3(x)), c3, x=normal(1, 4, 5, 2))
c4 = nn.Conv3d(1, 2, 2, padding=1, padding_mode="replicate")
case("Conv3d padded by replicate", last(lambda x: c4(x)), c4, x=normal(1, 2, 3, 2, 1))

# Pooling.
case("AdaptiveMaxPool1d", last(lambda x: F.adaptive_max_pool1d(x, 3)), x=normal(2, 7, 2))
case("AdaptiveMaxPool2d", last(lambda x: F.adaptive_max_pool2d(x, (2, 3))), x=normal(1, 5, 6, 2))


def repooled(pool, unpool, size=None):
    def f(x):
        y, indices = pool(x)
        return unpool(y * 2, indices, output_size=size)
    return last(f)


case("MaxUnpool1d", repooled(nn.MaxPool1d(2, return_indices=True), nn.MaxUnpool1d(2)), x=normal(2, 6, 2))
case("MaxUnpool2d", repooled(nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)), x=normal(1, 4, 6, 2))
case("MaxUnpool2d of a size", repooled(nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2), (5, 7)), x=normal(1, 5, 7, 2))
case("MaxUnpool2d with all", repooled(nn.MaxPool2d((3, 2), (3, 2), (1, 0), return_indices=True), nn.MaxUnpool2d((3, 2), (3, 2), (1, 0))), x=normal(1, 4, 4, 2))

# Adapters, by their formulas: W + scale B A.
w = {"weight": normal(5, 4), "bias": normal(5), "lora_A": normal(2, 4), "lora_B": normal(5, 2)}
case("Linear with LoRA", lambda x: F.linear(x, w["weight"] + 1.5 * w["lora_B"] @ w["lora_A"], w["bias"]), weights=w, x=normal(2, 3, 4))
v = {"weight": normal(3, 2, 3, 2), "bias": normal(3), "lora_A": normal(2, 2, 3, 2), "lora_B": normal(3, 2)}
case("Conv with LoRA", last(lambda x: F.conv2d(x, v["weight"] + 1.5 * torch.einsum("or,rikl->oikl", v["lora_B"], v["lora_A"]), v["bias"], stride=2, padding=1)),
     weights=v, x=normal(2, 4, 3, 2))
u = {"weight": normal(4, 2, 2), "bias": normal(4), "lora_A": normal(3, 2, 2), "lora_B": normal(4, 3)}
case("Conv in groups with LoRA", last(lambda x: F.conv1d(x, u["weight"] + torch.einsum("or,rik->oik", u["lora_B"], u["lora_A"]), u["bias"], groups=2)), weights=u, x=normal(2, 4, 4))

# Attention: weights as a second result, windows, positions.
sdpa = F.scaled_dot_product_attention
near = lambda t, s, n, causal: torch.ones(t, s, dtype=torch.bool).tril(0 if causal else n - 1) & torch.ones(t, s, dtype=torch.bool).triu(1 - n)
case("attention in a window", lambda q, k, v: sdpa(q, k, v, attn_mask=near(5, 6, 2, False)), q=normal(1, 2, 5, 4), k=normal(1, 2, 6, 4), v=normal(1, 2, 6, 4))
case("attention in a window before", lambda q, k, v: sdpa(q, k, v, attn_mask=near(5, 5, 3, True)), q=normal(1, 2, 5, 4), k=normal(1, 2, 5, 4), v=normal(1, 2, 5, 4))
m = nn.MultiheadAttention(6, 2, batch_first=True)
past = torch.ones(4, 4, dtype=torch.bool).triu(1)
both = lambda y, w: torch.cat([y.flatten(), w.flatten()])
case("MultiHeadAttention with weights", lambda x: both(*m(x, x, x, average_attn_weights=False)), m, x=normal(2, 4, 6))
case("MultiHeadAttention with weights, causal", lambda x: both(*m(x, x, x, attn_mask=past, average_attn_weights=False)), m, x=normal(2, 4, 6))
case("MultiHeadAttention with mean weights", lambda x, y: both(*m(x, y, y)), m, x=normal(2, 4, 6), y=normal(2, 5, 6))


def rotated(x):
    t, size = x.shape[-2:]
    angle = torch.outer(torch.arange(t, dtype=torch.float64), 10000 ** (-torch.arange(0, size, 2, dtype=torch.float64) / size))
    one, two = x[..., : size // 2], x[..., size // 2:]
    return torch.cat([one * angle.cos() - two * angle.sin(), one * angle.sin() + two * angle.cos()], -1)


def positioned(x, weight, bias, out, out_bias, heads, groups, rotary=False, mask=None):
    """Self-attention with the weights of the module, where queries and keys are turned, or a mask is added."""
    n, t, width = x.shape
    d = width // heads
    q, k, v = F.linear(x, weight, bias).split([heads * d, groups * d, groups * d], -1)
    q, k, v = (y.reshape(n, t, -1, d).transpose(1, 2) for y in (q, k, v))
    if rotary:
        q, k = rotated(q), rotated(k)
    y = sdpa(q, k, v, attn_mask=mask, enable_gqa=True)
    return F.linear(y.transpose(1, 2).reshape(n, t, width), out, out_bias)


def self_attention(groups):
    return {"in_proj_weight": normal((4 + 2 * groups) * 2, 8) * 0.4, "in_proj_bias": normal((4 + 2 * groups) * 2), "out_proj.weight": normal(8, 8) * 0.4, "out_proj.bias": normal(8)}


slopes = torch.tensor([2.0 ** -2, 2.0 ** -4, 2.0 ** -6, 2.0 ** -8]).reshape(4, 1, 1)
distance = torch.arange(5).reshape(1, 5) - torch.arange(5).reshape(5, 1)
for name, groups, o in (
        ("rotary", 4, {"rotary": True}), ("rotary in groups", 2, {"rotary": True}),
        ("ALiBi", 4, {"mask": -slopes * distance.abs()}),
        ("ALiBi, causal", 4, {"mask": (slopes * distance).masked_fill(distance > 0, -math.inf)}),
        ("ALiBi and a mask", 2, {"mask": (-slopes * distance.abs()).masked_fill(torch.arange(5) == 3, -math.inf)}),
        ("ALiBi and an added mask", 2, {"mask": -slopes * distance.abs() + torch.arange(5) / 4}),
        ("a window", 4, {"mask": near(5, 5, 2, False)}),
        ("all positions", 2, {"rotary": True, "mask": (slopes * distance).masked_fill(~near(5, 5, 3, True), -math.inf)})):
    s = self_attention(groups)
    case("MultiHeadAttention with " + name, lambda x: positioned(x, *s.values(), 4, groups, **o), weights=s, x=normal(2, 5, 8))
s = {**self_attention(2), "lora_A": normal(2, 8), "lora_B": normal(16, 2)}
case("MultiHeadAttention with LoRA", lambda x: positioned(x, s["in_proj_weight"] + 0.5 * s["lora_B"] @ s["lora_A"], s["in_proj_bias"], s["out_proj.weight"], s["out_proj.bias"], 4, 2),
     weights=s, x=normal(2, 3, 8))

for first in (False, True):
    t = nn.Transformer(6, 2, 2, 1, 8, dropout=0, activation="gelu" if first else "relu", batch_first=True, norm_first=first)
    case("Transformer" + (" norm first" if first else ""), lambda x, y: t(x, y, tgt_mask=past[:3, :3]), t, x=normal(2, 4, 6), y=normal(2, 3, 6))

print("[")
print(",\n".join(json.dumps(c, separators=(",", ":")) for c in cases))
print("]")
