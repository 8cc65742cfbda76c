"""Writes arrange.json: what PyTorch gives for the ops that rearrange, look up, sort, contract and factor.

Run it with PyTorch installed, in this folder: python arrange.py
The tests read the JSON file and need neither Python nor PyTorch. Each case has the operands, the result and, where the
result is of floats, the gradient of sum(result * (1, 2, 3, ...)) by each float operand.
"""

import json
import torch
import torch.nn.functional as F

torch.manual_seed(7)


def floats(*shape):
    return torch.round(torch.randn(*shape, dtype=torch.float64) * 1000) / 1000


def distinct(*shape):
    n = 1
    for d in shape:
        n *= d
    return (torch.randperm(n).double() - n / 2).reshape(shape)


def ints(high, *shape):
    return torch.randint(0, high, shape)


def pack(t):
    dtype = {torch.float64: "f64", torch.int64: "i64", torch.bool: "bool"}[t.dtype]
    return {"dtype": dtype, "shape": list(t.shape), "data": t.reshape(-1).double().tolist()}


cases = {}


def case(name, f, *operands):
    leaves = [x.clone().requires_grad_() if x.is_floating_point() else x for x in operands]
    y = f(*leaves)
    entry = {"in": [pack(x) for x in operands], "out": pack(y.detach())}
    if y.is_floating_point():
        weights = torch.arange(1, y.numel() + 1, dtype=torch.float64).reshape(y.shape)
        wrt = [x for x in leaves if x.is_floating_point()]
        grads = torch.autograd.grad((y * weights).sum(), wrt, allow_unused=True)
        entry["grads"] = [pack(torch.zeros_like(x) if d is None else d) for x, d in zip(wrt, grads)]
    assert name not in cases, name
    cases[name] = entry


x234 = floats(2, 3, 4)
case("Flip", lambda x: torch.flip(x, (0, 2)), x234)
case("Roll", lambda x: torch.roll(x, 3, 2), x234)
case("Roll back", lambda x: torch.roll(x, -5, 1), x234)
case("Tile", lambda x: torch.tile(x, (2, 1, 3)), floats(3, 2))
case("Expand", lambda x: x.expand(2, 3, 4), floats(3, 1))
case("Flatten", lambda x: torch.flatten(x, 1), x234)
case("Squeeze", lambda x: torch.squeeze(x), floats(1, 3, 1))
case("Stack", lambda a, b: torch.stack((a, b), -1), floats(2, 3), floats(2, 3))
case("Concat", lambda a, b: torch.cat((a, b), 1), floats(2, 3), floats(2, 1))
case("Split", lambda x: torch.split(x, [1, 2, 1], 2)[1], x234)
case("Chunk", lambda x: torch.chunk(x, 2, 2)[1], x234)
case("Pad", lambda x: F.pad(x, (0, 0, 2, 1)), floats(3, 2))
case("PadValue", lambda x: F.pad(x, (2, 1), value=-1.5), floats(3, 2))
case("Permute", lambda x: x.permute(2, 0, 1), x234)
case("SliceStep", lambda x: x[:, :, 1:4:2], x234)
case("Tril", lambda x: torch.tril(x, -1), floats(2, 3, 4))
case("Triu", lambda x: torch.triu(x, 1), floats(2, 3, 4))
case("Diagonal", lambda x: torch.diagonal(x, dim1=-2, dim2=-1), floats(2, 3, 4))
case("Trace", torch.trace, floats(3, 3))

case("Gather", lambda x, i: torch.gather(x, 1, i), x234, ints(3, 2, 5, 4))
case("Take", lambda x, i: torch.index_select(x, 1, i), x234, ints(3, 5))
case("Embedding", lambda table, i: F.embedding(i, table), floats(5, 3), ints(5, 2, 4))
case("ScatterAdd", lambda x, i, s: torch.scatter_add(x, 0, i, s), floats(3, 2), ints(3, 6, 2), floats(6, 2))
case("IndexAdd", lambda x, i, s: torch.index_add(x, 1, i, s), x234, ints(3, 5), floats(2, 5, 4))
case("OneHot", lambda i: F.one_hot(i, 4), ints(4, 2, 3))
case("ArgSort", lambda x: torch.argsort(x, dim=1, stable=True), torch.round(floats(2, 6, 2)))
case("ArgSort descending", lambda x: torch.argsort(x, dim=-1, descending=True, stable=True), torch.round(floats(3, 7)))
case("Sort", lambda x: torch.sort(x, dim=0, stable=True)[0], distinct(5, 2))
case("TopK", lambda x: torch.topk(x, 3, dim=-1)[0], distinct(2, 6))
case("TopK indices", lambda x: torch.topk(x, 3, dim=-1)[1], distinct(2, 6))

case("MatMul", torch.matmul, floats(2, 2, 3), floats(3, 2))
case("MatMul vector vector", torch.matmul, floats(3), floats(3))
case("MatMul vector matrix", torch.matmul, floats(3), floats(2, 3, 2))
case("MatMul matrix vector", torch.matmul, floats(2, 2, 3), floats(3))
case("Outer", torch.outer, floats(3), floats(2))
for spec, shapes in {
    "ij->ji": [(2, 3)],
    "ba": [(2, 3)],
    "ij->j": [(2, 3)],
    "ii": [(3, 3)],
    "ii->i": [(3, 3)],
    "ijkj->kji": [(2, 3, 4, 3)],
    "i,j->ij": [(3,), (2,)],
    " i j , j k -> k i ": [(2, 3), (3, 4)],
    "ji,kj": [(3, 2), (4, 3)],
    "bi,bi->b": [(2, 3), (2, 3)],
    "bhqd,bhkd->bhqk": [(2, 2, 3, 2), (2, 2, 4, 2)],
    "bqhd,bkhd->bhqk": [(2, 3, 2, 2), (2, 4, 2, 2)],
    "abc,cbd->ad": [(2, 2, 3), (3, 2, 2)],
    "ij,kl->": [(2, 3), (3, 2)],
    "ij,ik,il->jkl": [(2, 2), (2, 3), (2, 1)],
    "ij,jk,kl->il": [(2, 3), (3, 2), (2, 2)],
    "i,ij,j": [(2,), (2, 3), (3,)],
    "...ij,...jk->...ik": [(2, 1, 2, 3), (2, 1, 3, 2)],
    "...ij,jk": [(2, 2, 3), (3, 2)],
    "i...->...": [(2, 2, 3)],
    "bij,bkj,bk->ib": [(2, 3, 4), (2, 5, 4), (2, 5)],
}.items():
    case("Einsum " + spec, lambda *xs, spec=spec: torch.einsum(spec, *xs), *[floats(*s) for s in shapes])



def positive(x):
    return x @ x.mT + 2 * torch.eye(x.shape[-1], dtype=torch.float64)


def spectral(x, f):
    w, v = torch.linalg.eigh((x + x.mT) / 2)
    return f(w, v)


square = floats(2, 4, 4)
invertible = floats(2, 3, 3) + 3 * torch.eye(3, dtype=torch.float64)
case("Cholesky", lambda x: torch.linalg.cholesky(positive(x)), square)
case("CholeskySolve", lambda x, b: torch.cholesky_solve(b, torch.linalg.cholesky(positive(x))), square, floats(2, 4, 3))
case("LogDet", lambda x: torch.logdet(positive(x)), square)
case("EigH values", lambda x: spectral(x, lambda w, v: w), square)
case("EigH squares of vectors", lambda x: spectral(x, lambda w, v: v.square()), square)
case("EigH function", lambda x: spectral(x, lambda w, v: (v * torch.sin(w).unsqueeze(-2)) @ v.mT), square)
for name, shape in {"square": (3, 3), "tall": (2, 5, 3), "wide": (2, 5)}.items():
    x = floats(*shape)
    case("QR orthogonal " + name, lambda x: torch.linalg.qr(x)[0], x)
    case("QR triangular " + name, lambda x: torch.linalg.qr(x)[1], x)
case("Inverse", torch.linalg.inv, invertible)
case("Solve", torch.linalg.solve, invertible, floats(2, 3, 2))
case("SolveTriangular lower", lambda a, b: torch.linalg.solve_triangular(a, b, upper=False), invertible, floats(2, 3, 2))
case("SolveTriangular lower transposed", lambda a, b: torch.linalg.solve_triangular(a.mT, b, upper=True), invertible, floats(2, 3, 2))
case("SolveTriangular upper", lambda a, b: torch.linalg.solve_triangular(a, b, upper=True), invertible, floats(2, 3, 2))
case("SolveTriangular upper transposed", lambda a, b: torch.linalg.solve_triangular(a.mT, b, upper=False), invertible, floats(2, 3, 2))

with open("arrange.json", "w") as f:
    f.write("{\n" + ",\n".join(json.dumps(name) + ": " + json.dumps(entry, separators=(",", ":")) for name, entry in cases.items()) + "\n}\n")
