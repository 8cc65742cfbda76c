"""Writes index.json: what PyTorch gives for pads, scatters, pooling with indices, windows, grids, searching and counting.

Run it with PyTorch installed, in this folder: python index.py
The tests read the JSON file and need neither Python nor PyTorch. Each case has the operands, the result and, where the
result is of floats, the gradient of sum(result * (1, 2, 3, ...)) by each float operand. Images have their channels last,
as in Tarn: PyTorch gets them second.
"""

import json
import torch
import torch.nn.functional as F

torch.manual_seed(13)


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
        grads = [None] * len(wrt)
        if y.requires_grad:
            grads = torch.autograd.grad((y * weights).sum(), wrt, allow_unused=True)
        entry["grads"] = [pack(torch.zeros_like(x) if d is None else d) for x, d in zip(wrt, grads)]
    assert name not in cases, name
    cases[name] = entry


def first(x):  # the channels second
    return x.movedim(-1, 1)


def last(x):  # the channels last
    return x.movedim(1, -1)


def images(f):
    return lambda x: last(f(first(x)))


# Pads: of the height of an image, and of its height and width.
image = floats(2, 4, 3, 2)
for mode in ("reflect", "replicate", "circular"):
    case("Pad " + mode, images(lambda x: F.pad(x, (1, 2, 3, 2), mode=mode)), image)

# Scatters.
x342, i, s = distinct(3, 4, 2), ints(4, 3, 6, 2), distinct(3, 6, 2) + 0.5
once = torch.stack([torch.randperm(4)[:3] for _ in range(6)]).reshape(3, 2, 3).mT
case("Scatter", lambda x, i, s: torch.scatter(x, 1, i, s), x342, once, distinct(3, 3, 2))
case("ScatterMax", lambda x, i, s: torch.scatter_reduce(x, 1, i, s, "amax"), x342, i, s)
case("ScatterMax ties", lambda x, i, s: torch.scatter_reduce(x, 0, i, s, "amax"), torch.tensor([1.0, 2, 3]).double(), torch.tensor([0, 0, 2, 2, 1]), torch.tensor([1.0, 1, 3, 2, 0]).double())
case("ScatterMin", lambda x, i, s: torch.scatter_reduce(x, 1, i, s, "amin"), x342, i, s)
case("ScatterMul", lambda x, i, s: torch.scatter_reduce(x, 1, i, s, "prod"), floats(3, 4, 2), i, floats(3, 6, 2))
case("IndexCopy", lambda x, i, s: torch.index_copy(x, 1, i, s), x342, torch.tensor([2, 0]), distinct(3, 2, 2))

# Pooling with indices.
case("MaxPoolIndices 1d", images(lambda x: F.max_pool1d(x, 3, 2, 1, return_indices=True)[1]), distinct(2, 7, 2))
case("MaxPoolIndices 2d", images(lambda x: F.max_pool2d(x, (2, 3), (2, 1), 1, return_indices=True)[1]), distinct(2, 4, 5, 2))
case("MaxPoolIndices 3d", images(lambda x: F.max_pool3d(x, 2, 1, return_indices=True)[1]), distinct(1, 3, 3, 4, 2))
case("AdaptiveMaxPool 1d", images(lambda x: F.adaptive_max_pool1d(x, 3)), distinct(2, 7, 2))
case("AdaptiveMaxPool 2d", images(lambda x: F.adaptive_max_pool2d(x, (3, 2))), distinct(2, 4, 5, 2))
case("AdaptiveMaxPool ties", images(lambda x: F.adaptive_max_pool1d(x, 3)), torch.round(floats(2, 7, 2)))
case("AdaptiveMaxPoolIndices 2d", images(lambda x: F.adaptive_max_pool2d(x, (3, 4), return_indices=True)[1]), distinct(2, 4, 5, 2))
case("AdaptiveMaxPoolIndices 3d", images(lambda x: F.adaptive_max_pool3d(x, (2, 3, 2), return_indices=True)[1]), distinct(1, 5, 4, 4, 2))
case("MaxUnpool", lambda x, i: last(F.max_unpool2d(first(x), first(i), 2, output_size=(5, 4))), distinct(2, 2, 2, 2), last(F.max_pool2d(first(distinct(2, 5, 4, 2)), 2, return_indices=True)[1]))


# Windows: Tarn's [n places... k... c] as PyTorch's [n c*k places].
def fold(size, kernel, **o):
    def f(x):
        n, c = x.shape[0], x.shape[-1]
        places, k = x.shape[1] * x.shape[2], x.shape[3] * x.shape[4]
        return last(F.fold(x.reshape(n, places, k, c).permute(0, 3, 2, 1).reshape(n, c * k, places), size, kernel, **o))
    return f


case("Fold", fold((4, 5), (2, 3)), floats(2, 3, 3, 2, 3, 2))
case("Fold strided", fold((5, 6), (2, 3), stride=(2, 1), padding=(1, 2), dilation=(1, 2)), floats(1, 3, 6, 2, 3, 2))

# Searching and counting.
ordered = torch.sort(torch.round(floats(2, 5) * 2), -1)[0]
case("SearchSorted", lambda s, x: torch.searchsorted(s, x), ordered, torch.round(floats(2, 7) * 2))
case("SearchSorted right", lambda s, x: torch.searchsorted(s, x, right=True), ordered, torch.round(floats(2, 7) * 2))
case("Bucketize", lambda x, b: torch.bucketize(x, b), torch.round(floats(2, 7) * 2), ordered[0])
case("Bucketize right", lambda x, b: torch.bucketize(x, b, right=True), torch.round(floats(2, 7) * 2), ordered[0])
case("Histogram", lambda x: torch.histc(x, 6, -1, 2).long(), torch.cat((floats(50), torch.tensor([-1.0, 2.0, -0.5, 1.5]).double())))
case("BinCount", lambda x: torch.bincount(x, minlength=7), ints(6, 40))

# Slices that begin at a value, rolls, diagonals, products.
case("DynamicSlice", lambda x, i: x.narrow(1, i.item(), 2), floats(2, 4, 3), torch.tensor(1))
case("DynamicUpdate", lambda x, i, u: torch.cat((x[:, : i.item()], u, x[:, i.item() + 2 :]), 1), floats(2, 4, 3), torch.tensor(1), floats(2, 2, 3))
case("SliceStep backward", lambda x: torch.flip(x, (1,))[:, 1::2], floats(2, 6))
case("RollAxes", lambda x: torch.roll(x, (1, -2), (0, 2)), floats(2, 3, 4))
for offset in (0, 1, -2):
    case(f"DiagonalAt {offset}", lambda x: torch.diagonal(x, offset, -2, -1), floats(2, 3, 4))
    case(f"DiagEmbed {offset}", lambda x: torch.diag_embed(x, offset), floats(2, 3))
case("Diag", lambda x: torch.diag(x, -1), floats(3))
case("Diag of a matrix", lambda x: torch.diag(x, 1), floats(3, 4))
case("TrilIndices", lambda x: torch.tril_indices(3, 4, 1), floats(1))
case("TriuIndices", lambda x: torch.triu_indices(3, 4, -1), floats(1))
case("Kron", torch.kron, floats(2, 3), floats(3, 2))
case("Kron of different ranks", torch.kron, floats(2), floats(2, 2, 3))
for p in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, float("inf")):
    case(f"Cdist {p}", lambda x, y: torch.cdist(x, y, p, "donot_use_mm_for_euclid_dist"), floats(2, 4, 3), floats(2, 3, 3))
case("Cdist batches", lambda x, y: torch.cdist(x, y), floats(2, 1, 4, 3), floats(3, 2, 3))
case("MatMul batches", torch.matmul, floats(2, 1, 2, 3), floats(3, 3, 2))
case("MatMul one batch", torch.matmul, floats(2, 2, 3), floats(1, 3, 2))

# Grids, and images of other sizes.
def grid_sample(**o):
    return lambda x, grid: last(F.grid_sample(first(x), grid, **o))


square, volume = floats(2, 4, 3, 2), floats(1, 3, 2, 4, 2)
places, deep = torch.round(torch.rand(2, 3, 5, 2).double() * 4000 - 2000) / 1000, torch.round(torch.rand(1, 2, 3, 2, 3).double() * 3000 - 1500) / 1000
for padding in ("zeros", "border", "reflection"):
    for align in (False, True):
        for mode in ("bilinear", "nearest", "bicubic"):
            case(f"GridSample {mode} {padding} {str(align).lower()}", grid_sample(mode=mode, padding_mode=padding, align_corners=align), square, places)
        for mode in ("bilinear", "nearest"):
            case(f"GridSample {mode} {padding} {str(align).lower()} of a volume", grid_sample(mode=mode, padding_mode=padding, align_corners=align), volume, deep)
case("GridSample of one row", grid_sample(mode="bilinear", padding_mode="reflection", align_corners=True), floats(2, 1, 3, 2), places)
far = torch.tensor([1e30, -1e30, 7.0, -9.0, 0.5, 300.0]).double().reshape(1, 3, 1, 2)
for padding in ("zeros", "border"):
    case(f"GridSample bicubic {padding} false far out", grid_sample(mode="bicubic", padding_mode=padding, align_corners=False), floats(1, 3, 3, 1), far)
    case(f"GridSample bilinear {padding} false far out", grid_sample(mode="bilinear", padding_mode=padding, align_corners=False), floats(1, 3, 3, 1), far)
case("AffineGrid", lambda x: F.affine_grid(x, (2, 1, 3, 4), align_corners=False), floats(2, 2, 3))
case("AffineGrid corners", lambda x: F.affine_grid(x, (2, 1, 3, 1), align_corners=True), floats(2, 2, 3))
case("AffineGrid of a volume", lambda x: F.affine_grid(x, (2, 1, 2, 3, 4), align_corners=False), floats(2, 3, 4))
for name, size in (("up", (7, 5)), ("down", (2, 2)), ("one", (1, 6))):
    picture = floats(2, 5, 4, 2)
    for align in (False, True):
        case(f"ResizeCubic {name} {str(align).lower()}", images(lambda x: F.interpolate(x, size, mode="bicubic", align_corners=align)), picture)
    case(f"ResizeLinearAntialiased {name}", images(lambda x: F.interpolate(x, size, mode="bilinear", antialias=True)), picture)
    case(f"ResizeCubicAntialiased {name}", images(lambda x: F.interpolate(x, size, mode="bicubic", antialias=True)), picture)

with open("index.json", "w") as f:
    f.write("{\n" + ",\n".join(json.dumps(name) + ": " + json.dumps(entry, separators=(",", ":")) for name, entry in cases.items()) + "\n}\n")
