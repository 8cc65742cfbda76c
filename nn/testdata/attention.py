"""Writes attention.json: what PyTorch gives for attention and transformer layers, in float64.

Run it in an environment that has PyTorch: python attention.py > attention.json. Each case holds its operands, the
state_dict of the module, the result and the gradient, by every operand and weight, of the sum of result[i] * cos(i). The Go
tests build the same case by its name.
"""
import json

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
cases = []


def listing(t):
    return {"shape": list(t.shape), "data": [float("%.14g" % x) for x in t.detach().flatten().tolist()]}


def case(name, f, module=None, **operands):
    """Records f of the operands, with random weights of the module."""
    weights = {}
    if module is not None:
        for key, p in module.named_parameters():
            with torch.no_grad():
                p.copy_(torch.round(torch.randn_like(p) * 0.6, decimals=2))
            p.grad = None
            weights[key] = p
    for t in operands.values():
        t.requires_grad_(True)
    out = f(*operands.values())
    flat = out.flatten()
    (flat * torch.cos(torch.arange(flat.numel(), dtype=torch.float64))).sum().backward()
    every = {**operands, **weights}
    cases.append({
        "name": name,
        "in": {k: listing(t) for k, t in every.items()},
        "out": listing(out),
        "grad": {k: listing(t.grad) for k, t in every.items()},
    })


def normal(*shape):
    return torch.round(torch.randn(*shape) * 1.5, decimals=2)


sdpa = F.scaled_dot_product_attention
case("attention", lambda q, k, v: sdpa(q, k, v), q=normal(2, 2, 3, 4), k=normal(2, 2, 5, 4), v=normal(2, 2, 5, 3))
case("attention causal", lambda q, k, v: sdpa(q, k, v, is_causal=True), q=normal(1, 2, 4, 4), k=normal(1, 2, 4, 4), v=normal(1, 2, 4, 4))
case("attention scaled", lambda q, k, v: sdpa(q, k, v, scale=0.3), q=normal(1, 2, 3, 4), k=normal(1, 2, 5, 4), v=normal(1, 2, 5, 4))
case("attention grouped", lambda q, k, v: sdpa(q, k, v, enable_gqa=True), q=normal(1, 4, 3, 4), k=normal(1, 2, 5, 4), v=normal(1, 2, 5, 4))
case("attention masked", lambda q, k, v: sdpa(q, k, v, attn_mask=torch.ones(3, 5, dtype=torch.bool).tril(1)),
     q=normal(2, 2, 3, 4), k=normal(2, 2, 5, 4), v=normal(2, 2, 5, 4))
case("attention without keys", lambda q, k, v: sdpa(q, k, v, attn_mask=torch.ones(3, 5, dtype=torch.bool).tril(-1)),
     q=normal(1, 2, 3, 4), k=normal(1, 2, 5, 4), v=normal(1, 2, 5, 4))
case("attention with added mask", lambda q, k, v, mask: sdpa(q, k, v, attn_mask=mask),
     q=normal(2, 2, 3, 4), k=normal(2, 2, 5, 4), v=normal(2, 2, 5, 4), mask=normal(3, 5))

past = torch.ones(4, 4, dtype=torch.bool).triu(1)  # True: does not count, in PyTorch's modules
m = nn.MultiheadAttention(6, 2, batch_first=True)
case("MultiHeadAttention", lambda x: m(x, x, x, need_weights=False)[0], m, x=normal(2, 4, 6))
case("MultiHeadAttention causal", lambda x: m(x, x, x, attn_mask=past, need_weights=False)[0], m, x=normal(2, 4, 6))
case("MultiHeadAttention to others", lambda x, y: m(x, y, y, need_weights=False)[0], m, x=normal(2, 4, 6), y=normal(2, 5, 6))
padding = torch.tensor([[False] * 5, [False, False, False, True, True]])
case("MultiHeadAttention padded", lambda x, y: m(x, y, y, key_padding_mask=padding, need_weights=False)[0], m, x=normal(2, 4, 6), y=normal(2, 5, 6))
b = nn.MultiheadAttention(6, 3, bias=False, batch_first=True)
case("MultiHeadAttention without bias", lambda x: b(x, x, x, need_weights=False)[0], b, x=normal(2, 4, 6))
c = nn.MultiheadAttention(6, 2, kdim=3, vdim=5, batch_first=True)
case("MultiHeadAttention cross", lambda x, k, v: c(x, k, v, need_weights=False)[0], c, x=normal(2, 4, 6), k=normal(2, 3, 3), v=normal(2, 3, 5))

for first in (False, True):
    name = " norm first" if first else ""
    e = nn.TransformerEncoderLayer(6, 2, 10, dropout=0, activation="gelu" if first else "relu", batch_first=True, norm_first=first)
    case("TransformerEncoderLayer" + name, lambda x: e(x), e, x=normal(2, 4, 6))
    case("TransformerEncoderLayer causal" + name, lambda x: e(x, src_mask=past), e, x=normal(2, 4, 6))
    d = nn.TransformerDecoderLayer(6, 2, 10, dropout=0, batch_first=True, norm_first=first)
    case("TransformerDecoderLayer" + name, lambda x, y: d(x, y, tgt_mask=past), d, x=normal(2, 4, 6), y=normal(2, 3, 6))
stack = nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 8, dropout=0, batch_first=True), 2, nn.LayerNorm(6), enable_nested_tensor=False)
case("TransformerEncoder", lambda x: stack(x), stack, x=normal(2, 3, 6))
other = nn.TransformerDecoder(nn.TransformerDecoderLayer(6, 2, 8, dropout=0, batch_first=True), 2, nn.LayerNorm(6))
case("TransformerDecoder", lambda x, y: other(x, y), other, x=normal(2, 3, 6), y=normal(2, 2, 6))


def rotated(x, interleaved):
    t, size = x.shape[-2:]
    angle = torch.outer(torch.arange(t, dtype=torch.float64), 10000 ** (-torch.arange(0, size, 2, dtype=torch.float64) / size))
    turn = torch.polar(torch.ones_like(angle), angle)
    if interleaved:
        pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], size // 2, 2))
        return torch.view_as_real(pairs * turn).reshape(x.shape)
    pairs = torch.complex(x[..., : size // 2], x[..., size // 2:]) * turn
    return torch.cat([pairs.real, pairs.imag], -1)


case("RotaryPosition", lambda x: rotated(x, False), x=normal(2, 5, 6))
case("RotaryPosition interleaved", lambda x: rotated(x, True), x=normal(2, 5, 6))

print("[")
print(",\n".join(json.dumps(c, separators=(",", ":")) for c in cases))
print("]")
