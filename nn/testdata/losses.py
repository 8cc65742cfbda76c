"""Writes losses.json: what PyTorch gives for the losses of pairs, likelihoods, several labels, regions and quantiles, in float64.

Run it in an environment that has PyTorch: python losses.py > losses.json. Each case holds its operands, the result and the
gradient, by every float operand that is not fixed, of the sum of result[i] * cos(i). The Go tests build the same case by its
name. Losses that PyTorch does not have are written out below by their formulas.
"""
import json
import math

import torch
import torch.nn.functional as F

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
cases = []


def listing(t):
    return {"shape": list(t.shape), "data": [float("%.14g" % x) for x in t.detach().flatten().tolist()], "int": not t.is_floating_point()}


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
        "in": {k: listing(t) for k, t in operands.items()},
        "out": listing(out),
        "grad": {k: listing(t.grad) for k, t in operands.items() if t.requires_grad},
    })


def normal(*shape):
    return torch.round(torch.randn(*shape) * 1.5, decimals=2)


def unit(*shape):
    return torch.round(torch.rand(*shape) * 0.9 + 0.05, decimals=2)


def signs(*shape):
    return torch.randint(0, 2, shape).double() * 2 - 1


def counts(*shape):
    return torch.randint(0, 6, shape).double()


def reductions(name, f, operands, fixed=()):
    for suffix, r in {"": "mean", " sum": "sum", " none": "none"}.items():
        case(name + suffix, lambda *o: f(*o, reduction=r), fixed=fixed, **operands())


# Pairs.
three = lambda: {"a": normal(4, 3), "b": normal(4, 3), "c": normal(4, 3)}
reductions("TripletMargin", F.triplet_margin_loss, three)
case("TripletMargin with all", lambda a, b, c: F.triplet_margin_loss(a, b, c, margin=0.7, p=3, eps=1e-3, swap=True, reduction="none"), **three())
case("TripletMargin of norm 1", lambda a, b, c: F.triplet_margin_loss(a, b, c, p=1, reduction="none"), **three())
case("TripletMargin of vectors", F.triplet_margin_loss, a=normal(3), b=normal(3), c=normal(3))
pairs = lambda: {"a": normal(5, 3), "b": normal(5, 3), "c": signs(5)}
reductions("CosineEmbedding", F.cosine_embedding_loss, pairs, ["c"])
case("CosineEmbedding with a margin", lambda a, b, c: F.cosine_embedding_loss(a, b, c, margin=0.3, reduction="none"), ["c"], **pairs())
case("CosineEmbedding of other targets", lambda a, b, c: F.cosine_embedding_loss(a, b, c, reduction="none"), ["c"],
     a=normal(3, 2), b=normal(3, 2), c=torch.tensor([0.0, 1, -1]))
case("CosineEmbedding of vectors", F.cosine_embedding_loss, ["c"], a=normal(3), b=normal(3), c=torch.tensor(1.0))
case("CosineEmbedding of zeros", F.cosine_embedding_loss, ["c"], a=torch.zeros(1, 3), b=normal(1, 3), c=torch.ones(1))
ranks = lambda: {"a": normal(6), "b": normal(6), "c": signs(6)}
reductions("MarginRanking", F.margin_ranking_loss, ranks, ["c"])
case("MarginRanking with a margin", lambda a, b, c: F.margin_ranking_loss(a, b, c, margin=0.8, reduction="none"), ["c"], **ranks())
near = lambda: {"a": normal(6), "b": signs(6)}
reductions("HingeEmbedding", F.hinge_embedding_loss, near, ["b"])
case("HingeEmbedding with a margin", lambda a, b: F.hinge_embedding_loss(a, b, margin=0.4, reduction="none"), ["b"], **near())
case("HingeEmbedding of other targets", lambda a, b: F.hinge_embedding_loss(a, b, reduction="none"), ["b"], a=normal(3), b=torch.tensor([0.0, 1, -1]))
case("SoftMargin", F.soft_margin_loss, ["b"], **near())
case("SoftMargin none", lambda a, b: F.soft_margin_loss(a, b, reduction="none"), ["b"], **near())


def info_nce(a, b, t=0.07, symmetric=False, reduction="mean"):
    logits = F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T / t
    labels = torch.arange(len(a))
    rows = F.cross_entropy(logits, labels, reduction="none")
    if symmetric:
        rows = (rows + F.cross_entropy(logits.T, labels, reduction="none")) / 2
    return rows.mean() if reduction == "mean" else rows.sum() if reduction == "sum" else rows


def nt_xent(a, b, t=0.5, reduction="mean"):
    z = F.normalize(torch.cat([a, b]), dim=-1)
    logits = (z @ z.T / t).fill_diagonal_(-math.inf)
    n = len(a)
    return F.cross_entropy(logits, torch.cat([torch.arange(n) + n, torch.arange(n)]), reduction=reduction)


views = lambda: {"a": normal(4, 3), "b": normal(4, 3)}
reductions("InfoNCE", info_nce, views)
case("InfoNCE symmetric", lambda a, b: info_nce(a, b, 0.3, True, "none"), **views())
reductions("NTXent", nt_xent, views)
case("NTXent of another temperature", lambda a, b: nt_xent(a, b, 0.1), **views())

# Likelihoods.
gauss = lambda: {"a": normal(4, 3), "b": normal(4, 3), "c": unit(4, 3)}
reductions("GaussianNLL", F.gaussian_nll_loss, gauss)
case("GaussianNLL full", lambda a, b, c: F.gaussian_nll_loss(a, b, c, full=True, eps=0.4, reduction="none"), **gauss())
case("GaussianNLL of one variance a row", F.gaussian_nll_loss, a=normal(4, 3), b=normal(4, 3), c=unit(4, 1))
case("GaussianNLL of fewer axes", F.gaussian_nll_loss, a=normal(4, 3), b=normal(4, 3), c=unit(4))
poisson = lambda: {"a": normal(4, 3), "b": counts(4, 3)}
reductions("PoissonNLL", F.poisson_nll_loss, poisson)
case("PoissonNLL full", lambda a, b: F.poisson_nll_loss(a, b, full=True, reduction="none"), ["b"], **poisson())
case("PoissonNLL of rates", lambda a, b: F.poisson_nll_loss(a, b, log_input=False, full=True, eps=1e-3), ["b"], a=unit(4, 3) * 3, b=counts(4, 3))

# Several labels.
lists = torch.tensor([[3, 0, -1, 1], [-1, 2, 2, 2], [0, 1, 2, 3], [2, -1, -1, -1]])
reductions("MultiLabelMargin", F.multilabel_margin_loss, lambda: {"a": normal(4, 4), "b": lists.clone()})
case("MultiLabelMargin of one example", F.multilabel_margin_loss, a=normal(4), b=torch.tensor([1, 3, -1, 0]))
many = lambda: {"a": normal(3, 4), "b": unit(3, 4)}
reductions("MultiLabelSoftMargin", F.multilabel_soft_margin_loss, many)
w = torch.tensor([0.5, 2, 1, 0.25])
case("MultiLabelSoftMargin weighted", lambda a, b: F.multilabel_soft_margin_loss(a, b, weight=w), **many())

# Element weights of the binary losses.
case("BCE of weighted elements", lambda a, b, c: F.binary_cross_entropy(a, b, weight=c), fixed=["c"], a=unit(3, 4), b=unit(3, 4), c=unit(3, 4))
case("BCE of weighted columns", lambda a, b, c: F.binary_cross_entropy(a, b, weight=c, reduction="none"), fixed=["c"], a=unit(3, 4), b=unit(3, 4), c=unit(4))
case("BCE of weighted rows", lambda a, b, c: F.binary_cross_entropy(a, b, weight=c, reduction="sum"), fixed=["c"], a=unit(3, 4), b=unit(3, 4), c=unit(3, 1))
case("BCEWithLogits of weighted elements", lambda a, b, c: F.binary_cross_entropy_with_logits(a, b, weight=c, pos_weight=torch.tensor([2.5])),
     fixed=["c"], a=normal(3, 4), b=unit(3, 4), c=unit(3, 4))
case("BCEWithLogits of weighted columns", lambda a, b, c: F.binary_cross_entropy_with_logits(a, b, weight=c, reduction="none"),
     fixed=["c"], a=normal(3, 4), b=unit(3, 4), c=unit(4))


# Regions and quantiles.
def focal(a, b, alpha=0.25, gamma=2, reduction="mean"):
    """As torchvision.ops.sigmoid_focal_loss."""
    p = torch.sigmoid(a)
    ce = F.binary_cross_entropy_with_logits(a, b, reduction="none")
    loss = ce * (1 - (p * b + (1 - p) * (1 - b))) ** gamma
    if alpha >= 0:
        loss = (alpha * b + (1 - alpha) * (1 - b)) * loss
    return loss.mean() if reduction == "mean" else loss.sum() if reduction == "sum" else loss


def dice(a, b, logits=False, squared=False, smooth=1e-5, reduction="mean"):
    """As monai.losses.DiceLoss, with the channels last."""
    axes = tuple(range(1, a.dim() - 1))
    p = torch.sigmoid(a) if logits else a
    size = (p * p).sum(axes) + (b * b).sum(axes) if squared else p.sum(axes) + b.sum(axes)
    loss = 1 - (2 * (p * b).sum(axes) + smooth) / (size + smooth)
    return loss.mean() if reduction == "mean" else loss.sum() if reduction == "sum" else loss


def pinball(a, b, q, reduction="mean"):
    d = b - a
    loss = torch.maximum(q * d, (q - 1) * d)
    return loss.mean() if reduction == "mean" else loss


reductions("Focal", focal, lambda: {"a": normal(3, 4), "b": unit(3, 4)})
case("Focal of hard targets", focal, ["b"], a=normal(3, 4), b=torch.randint(0, 2, (3, 4)).double())
case("Focal of another power", lambda a, b: focal(a, b, 0.6, 0.5, "none"), a=normal(3, 4), b=unit(3, 4))
case("Focal without weights", lambda a, b: focal(a, b, -1, 3), a=normal(3, 4), b=unit(3, 4))
regions = lambda: {"a": unit(2, 3, 4, 2), "b": torch.randint(0, 2, (2, 3, 4, 2)).double()}
reductions("Dice", dice, regions)
case("Dice of logits", lambda a, b: dice(a, b, True, True, 1, "none"), ["b"], a=normal(2, 5, 3), b=torch.randint(0, 2, (2, 5, 3)).double())
case("Dice of nothing", dice, ["b"], a=torch.zeros(1, 2, 1), b=torch.zeros(1, 2, 1))
case("Quantile", lambda a, b: pinball(a, b, 0.5), a=normal(3, 4), b=normal(3, 4))
case("Quantile 0.9", lambda a, b: pinball(a, b, 0.9, "none"), a=normal(3, 4), b=normal(3, 4))
q = torch.tensor([0.1, 0.5, 0.95])
case("Quantile of three", lambda a, b: pinball(a, b.unsqueeze(-1), q), a=normal(5, 3), b=normal(5))

print("[")
print(",\n".join(json.dumps(c, separators=(",", ":")) for c in cases))
print("]")
