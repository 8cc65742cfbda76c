"""Records special functions, running and NaN-aware reductions, quantiles and bit operations for the tests of package tarn.

    python special.py > special.json

Needs mpmath and torch (recorded with 1.3 and 2.15). A case of EXACT is a function with its derivatives at operands over its whole range, computed
by mpmath with 60 digits. A case of TORCH is what PyTorch gives in f64: the result y, and the gradient by each operand of the sum of y*dy, where dy
is 0.5, 0.75, 1, 1.25, 1.5 and so on again.
"""
import json
import math

import mpmath as mp
import torch

mp.mp.dps = 60
INF, NAN = math.inf, math.nan
SIGNED = [s * x for x in (1e-300, 1e-20, 1e-9, 1e-5, 0.01, 0.3, 0.7, 1, 1.5, 3, 20, 1e3, 1e8, 1e15, 1e100, 1e300) for s in (1, -1)]
TINY = [1e-300, 1e-20, 1e-9, 1e-3]
GAMMA = [1e-300, 1e-100, 1e-20, 1e-9, 1e-3, 0.1, 0.3, 0.499, 0.5, 0.501, 0.75, 0.999, 1.000001, 1.25, 1.46, 1.4616321449683622, 1.4617, 1.49, 1.5, 1.75, 1.999999,
         2.000001, 2.25, 2.499, 2.5, 2.51, 3, 3.7, 4.5, 5.25, 6, 6.9, 7.5, 7.9999, 8, 8.5, 10, 33.3, 170, 1e3, 1e6, 1e10, 1e15, 1e100, 1e300,
         -1e-300, -1e-20, -1e-9, -0.1, -0.4, -0.5, -0.9, -1.1, -1.5, -1.9, -2.25, -3.3, -5.75, -10.1, -20.5, -33.25, -100.5, -1000.25]
PAIRS = [(a, x) for a in (1e-10, 1e-3, 0.1, 0.5, 0.9, 1, 1.5, 3.3, 9.9, 10, 25, 90, 150.5)
         for f in (1e-3, 0.1, 0.5, 0.9, 0.99, 1, 1.01, 1.1, 1.5, 3) for x in (a * f,)]
PAIRS += [(a, x) for a in (1e-10, 1e-3, 0.3, 1, 2.5) for x in (1e-300, 1e-10, 0.01, 0.3, 1, 1.3, 2, 5, 20, 100, 600)]
PAIRS += [(a, a + s * math.sqrt(a)) for a in (1e3, 2e4, 9e4, 1.1e5, 1e6, 1e10) for s in (-12, -5, -1, -0.01, 0, 0.01, 1, 5, 12)]


def erfinv(x):
    if abs(x) < mp.mpf("1e-25"):
        return x * mp.sqrt(mp.pi) / 2
    return mp.erfinv(x)


def digamma(x):
    return mp.psi(0, x)


def polygamma(n):
    return lambda x: mp.psi(n, x)


def part(a, lo, hi):
    """The integral of the gamma density for a large a, over t = a + s sqrt(a) for s from lo to hi."""
    r = mp.sqrt(a)
    factor = mp.exp(a * mp.log(a) - a - mp.loggamma(a)) / r
    points = [lo + (hi - lo) * mp.mpf(i) / 12 for i in range(13)]
    return factor * mp.quad(lambda s: mp.exp((a - 1) * mp.log1p(s / r) - s * r), points)


def lower(a, x):
    if a >= 1000:
        s = (x - a) / mp.sqrt(a)
        return part(a, max(-mp.sqrt(a), min(s, 0) - 30), s)
    return mp.gammainc(a, 0, x, regularized=True)


def upper(a, x):
    if a >= 1000:
        s = (x - a) / mp.sqrt(a)
        return part(a, s, max(s, 0) + 30)
    return mp.gammainc(a, x, mp.inf, regularized=True)


def density(a, x):
    return mp.exp((a - 1) * mp.log(x) - x - mp.loggamma(a))


def sinc(x):
    return mp.sincpi(x)


def sincslope(x):
    if abs(x) < mp.mpf("1e-10"):
        return -mp.pi**2 * x / 3
    return (mp.cospi(x) - mp.sincpi(x)) / x


def softlog(a, b):
    m = max(a, b)
    return m + mp.log1p(mp.exp(-abs(a - b)))


# name: (function, derivatives, operands). The names are those of op_special_golden_test.go.
EXACT = {
    "Asinh": (mp.asinh, [lambda x: 1 / mp.sqrt(1 + x * x)], SIGNED),
    "Acosh": (mp.acosh, [lambda x: 1 / mp.sqrt((x - 1) * (x + 1))], [1 + 2**-52, 1.000001, 1.01, 1.5, 2, 10, 1e8, 2**28, 2**29, 1e15, 1e100, 1e300]),
    "Atanh": (mp.atanh, [lambda x: 1 / ((1 - x) * (1 + x))], [s * x for x in TINY + [0.1, 0.5, 0.9, 0.999999, 1 - 2**-53] for s in (1, -1)]),
    "Exp2": (lambda x: mp.power(2, x), [lambda x: mp.power(2, x) * mp.log(2)], [-1021.5, -1000.3, -100, -3, -0.5, 1e-20, 0.1, 0.7, 1, 10, 52, 100.9, 1023, 1023.9]),
    "Log2": (lambda x: mp.log(x, 2), [lambda x: 1 / x / mp.log(2)], [1e-300, 1e-10, 0.3, 0.5, 0.7, 0.999999999, 1.0000001, 1.4, 1.5, 2, 3, 8, 1000, 2**52, 1e100, 1e300]),
    "Log10": (mp.log10, [lambda x: 1 / x / mp.log(10)], [1e-300, 1e-10, 0.3, 0.999999999, 1.0000001, 1.5, 2, 10, 1000, 1e100, 1e300]),
    "Logit": (lambda x: mp.log(x / (1 - x)), [lambda x: 1 / (x * (1 - x))], TINY + [0.1, 0.4, 0.501, 0.6, 0.9, 0.999999, 1 - 2**-53]),
    "Erfc": (mp.erfc, [lambda x: -2 / mp.sqrt(mp.pi) * mp.exp(-x * x)], [-20, -5, -2, -1, -0.5, -1e-3, -1e-20, 1e-20, 1e-3, 0.1, 0.3, 0.47, 0.5, 0.8, 0.9, 1, 1.3, 2, 3, 4.5, 5, 6.7, 8, 10, 15, 20, 25, 26]),
    "Ndtr": (mp.ncdf, [lambda x: mp.npdf(x)], [-37, -20, -8, -5, -2, -0.5, -1e-9, 1e-20, 0.3, 1, 3, 8]),
    "ErfInv": (erfinv, [lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(erfinv(x) ** 2)], [s * x for x in TINY + [0.1, 0.5, 0.84, 0.85, 0.86, 0.9, 0.99, 0.9999, 1 - 1e-10, 1 - 2**-53] for s in (1, -1)]),
    "Lgamma": (lambda x: mp.log(abs(mp.gamma(x))) if abs(x) < 1e5 else mp.loggamma(x), [digamma], GAMMA),
    "Digamma": (digamma, [polygamma(1)], GAMMA),
    "Polygamma 1": (polygamma(1), [polygamma(2)], [x for x in GAMMA if 1e-100 <= abs(x) < 1e100]),
    "Polygamma 2": (polygamma(2), [polygamma(3)], [x for x in GAMMA if 1e-20 <= abs(x) < 1e20]),
    "Polygamma 5": (polygamma(5), [polygamma(6)], [x for x in GAMMA if 1e-20 <= abs(x) < 1e20]),
    "IGamma": (lower, [None, density], PAIRS),
    "IGammaC": (upper, [None, lambda a, x: -density(a, x)], PAIRS),
    "Sinc": (sinc, [sincslope], [1e-300, 1e-9, 1e-3, 0.1, 0.3, 0.5, 0.51, 0.9, 0.999999, 1.000001, 1.2, 1.5, 2.3, 2.999, 10.25, 100.75, 12345.678, -0.3, -1.7, -33.1]),
    "Xlogy": (lambda x, y: x * mp.log(y), [lambda x, y: mp.log(y), lambda x, y: x / y], [(2, 3), (1e-300, 1e-10), (-3, 0.5), (5, 1 + 2**-50), (1e10, 1e200)]),
    "Xlog1py": (lambda x, y: x * mp.log1p(y), [lambda x, y: mp.log1p(y), lambda x, y: x / (1 + y)], [(2, 3), (3, 1e-20), (-3, -0.5), (1e10, 1e200)]),
    "Entr": (lambda x: -x * mp.log(x), [lambda x: -mp.log(x) - 1], [1e-300, 1e-5, 0.3, 0.9, 1.5, 20, 1e100]),
    "Logaddexp": (softlog, [lambda a, b: 1 / (1 + mp.exp(b - a)), lambda a, b: 1 / (1 + mp.exp(a - b))], [(1, 2), (-3, -3), (500, -500), (1000, 999.5), (-1000, -1001), (1e5, 3), (0.1, 30)]),
    "Logaddexp2": (lambda a, b: mp.log(mp.power(2, a) + mp.power(2, b), 2), [lambda a, b: 1 / (1 + mp.power(2, b - a)), lambda a, b: 1 / (1 + mp.power(2, a - b))], [(1, 2), (-3, -3), (500, 480), (1000, 999.5), (0.1, 30)]),
    "Hypot": (mp.hypot, [lambda a, b: a / mp.hypot(a, b), lambda a, b: b / mp.hypot(a, b)], [(3, 4), (1e300, 1e300), (1e-300, -1e-300), (1, 1e-10), (-2, 0.5), (1e200, 3), (0.7, 0.7)]),
}

TABLE = [[0.3, -1.2, 2.0, 2.0], [0.0, 0.0, 0.0, 0.0], [-1.0, 4.0, -2.5, 0.5]]
HOLES = [[0.3, NAN, 2.0, -1.5], [NAN, NAN, NAN, NAN], [-1.0, 4.0, NAN, 4.0]]
INTS = [[-2**31, -7, -1, 0, 1, 5, 2**31 - 1], [-3, 12, 31, 33, 2, 1, 0]]


TORCH = {
    "Xlogy edges": (torch.xlogy, [[0, 0, 0, 1, 1, 0], [2, INF, 0.5, 0, -1, NAN]]),
    "Logaddexp edges": (torch.logaddexp, [[INF, -INF, 1, -INF], [1, 2, -INF, INF]]),
    "Hypot edges": (lambda x, y: torch.hypot(x.detach(), y.detach()), [[INF, NAN, NAN, 0], [NAN, -INF, 1, -0.0]]),
    "Sinc edges": (torch.sinc, [[0, 0.25]]),
    "Lgamma edges": (lambda x: torch.lgamma(x.detach()), [[0, -0.0, -1, -7, INF, -INF, NAN, -1e20]]),
    "Digamma edges": (lambda x: torch.digamma(x.detach()), [[0, -0.0, -1, -7, INF, NAN]]),
    "Erfc edges": (torch.special.erfc, [[-INF, INF, 30, -30, 0]]),
    "ErfInv edges": (lambda x: torch.erfinv(x.detach()), [[-1, 1, 1.5, -2, NAN, 0]]),
    "Exp2 edges": (torch.exp2, [[-INF, INF, -1080, 1024, 3, -4, 0]]),
    "Log2 edges": (lambda x: torch.log2(x.detach()), [[0, -1, INF, NAN, 8, 0.125, 2.2250738585072014e-308]]),
    "Asinh edges": (torch.asinh, [[-INF, INF, 0]]),
    "Acosh edges": (lambda x: torch.acosh(x.detach()), [[1, 0.5, -3, -1e10, INF, NAN]]),
    "Atanh edges": (lambda x: torch.atanh(x.detach()), [[1, -1, 2, 0, NAN]]),
    "IGamma edges": (lambda a, x: torch.special.gammainc(a.detach(), x.detach()), [[1, 1, 1, 0, 0, -1, INF, 2], [0, INF, -1, 1, 0, 1, 1, NAN]]),
    "IGammaC edges": (lambda a, x: torch.special.gammaincc(a.detach(), x.detach()), [[1, 1, 1, 0, 0, -1, INF, 2], [0, INF, -1, 1, 0, 1, 1, NAN]]),
    "IsNaN": (lambda x: torch.isnan(x), [[0, NAN, INF, -INF]]),
    "IsInf": (lambda x: torch.isinf(x), [[0, NAN, INF, -INF]]),
    "NanToNum": (lambda x: torch.nan_to_num(x, 0.5, 7, -8), [[1, NAN, INF, -INF]]),
    "Fmax": (torch.fmax, [[1, NAN, 3, INF], [2, 5, NAN, 1]]),
    "Fmin": (torch.fmin, [[1, NAN, 3, INF], [2, 5, NAN, 1]]),
    "Heaviside": (lambda x, y: torch.heaviside(x.detach(), y.detach()), [[-2, 0, 3, -0.0, INF, -INF], [5, 0.5, 5, 7, 5, 5]]),
    "KthValue 3": (lambda x: torch.kthvalue(x, 3, 1).values, [[[3, 1, 2, 7], [0, 5, -5, 2]]]),
    "KthValue index 3": (lambda x: torch.kthvalue(x, 3, 1).indices, [[[3, 1, 2, 7], [0, 5, -5, NAN]]]),
    "Trunc": (torch.trunc, [[-2.5, -0.5, 0, 1.9, -1e20]]),
    "Frac": (torch.frac, [[-2.5, -0.5, 0, 1.9, -1e20]]),
    "CopySign": (torch.copysign, [[1, -2, 3, -0.0, 5], [-0.0, 0.0, -1, -2, INF]]),
    "Deg2Rad": (torch.deg2rad, [[-90, 30]]),
    "Rad2Deg": (torch.rad2deg, [[-1, 3]]),
    "Lerp": (torch.lerp, [[1, 2, 3, -4], [5, 5, -5, 8], [0, 1, 0.25, 0.75]]),
    "CumProd 1": (lambda x: torch.cumprod(x, 1), [TABLE + [[1, 0, 3, 4], [2, 0, 0, 5]]]),
    "CumProd 0": (lambda x: torch.cumprod(x, 0), [TABLE]),
    "CumMax 1": (lambda x: torch.cummax(x, 1).values, [TABLE + [[1, NAN, 3, NAN]]]),
    "CumMin 1": (lambda x: torch.cummin(x, 1).values, [TABLE + [[1, NAN, 3, NAN]]]),
    "CumMax index 1": (lambda x: torch.cummax(x, 1).indices, [TABLE + [[1, NAN, 3, NAN]]]),
    "CumMin index 0": (lambda x: torch.cummin(x, 0).indices, [TABLE]),
    "LogCumSumExp 1": (lambda x: torch.logcumsumexp(x, 1), [TABLE + [[-700, 900, -900, 899.5], [-1000, 0, 1, 1]]]),
    "LogCumSumExp ends": (lambda x: torch.logcumsumexp(x.detach(), 1), [[[-INF, -INF, 0, 1], [0, INF, 1, INF], [1, NAN, 0, 0]]]),
    "Diff 1": (lambda x: torch.diff(x, dim=1), [TABLE]),
    "Diff 1 twice": (lambda x: torch.diff(x, 2, dim=1), [TABLE]),
    "Quantile 0.3": (lambda x: torch.quantile(x, 0.3, dim=1), [[[3, 1, 2, 7], [0, 5, -5, 2]]]),
    "Quantile nan": (lambda x: torch.quantile(x.detach(), 0.3, dim=1), [HOLES]),
    "Quantile 1": (lambda x: torch.quantile(x, 1.0, dim=1), [[[3, 1, 2, 7], [0, 5, -5, 2]]]),
    "Quantile all": (lambda x: torch.quantile(x, 0.62), [[[3, 1, 2, 7], [0, 5, -5, 2.5]]]),
    "Median 1": (lambda x: torch.median(x, 1).values, [[[3, 1, 2, 7], [0, 5, -5, 2]]]),
    "Median nan": (lambda x: torch.median(x.detach(), 1).values, [HOLES]),
    "Mode 1": (lambda x: torch.mode(x, 1).values, [TABLE + [[1, 2, 1, 2]]]),
    "Mode index 1": (lambda x: torch.mode(x, 1).indices, [[[1, 2, 1, 2], [5, 5, 5, 1], [3, 2, 1, 1]]]),
    "NanSum 1": (lambda x: torch.nansum(x, 1), [HOLES]),
    "NanMean 1": (lambda x: torch.nanmean(x, 1), [[HOLES[0], HOLES[2]]]),
    "NanMean none": (lambda x: torch.nanmean(x.detach(), 1), [HOLES]),
    "NanQuantile 0.3": (lambda x: torch.nanquantile(x, 0.3, dim=1), [[HOLES[0], HOLES[2]]]),
    "NanQuantile none": (lambda x: torch.nanquantile(x.detach(), 0.3, dim=1), [HOLES]),
    "NanMedian 1": (lambda x: torch.nanmedian(x.detach(), 1).values, [HOLES]),
    "CountNonzero 1": (lambda x: torch.count_nonzero(x, 1), [TABLE + [[NAN, 0, 0, -0.0]]]),
    "Sum of bools": (lambda x: torch.sum(x > 0.4, 1), [TABLE]),
    "CumSum of bools": (lambda x: torch.cumsum(x > 0.4, 1), [TABLE]),
    "KeepDims 1": (lambda x: torch.mean(x, 1, keepdim=True), [TABLE]),
}
INTEGER = {
    "And": torch.bitwise_and, "Or": torch.bitwise_or, "Xor": torch.bitwise_xor, "ShiftLeft": torch.bitwise_left_shift,
    "ShiftRight": torch.bitwise_right_shift, "Not": lambda x, y: torch.bitwise_not(x), "Pow": lambda x, y: torch.pow(x, y.abs()),
}


def text(values):
    return " ".join(repr(float(x)).replace(".0 ", " ") for x in values)


def flat(t):
    t = t.detach().reshape(-1)
    if t.dtype == torch.bool:
        t = t.long()
    return " ".join(str(x) for x in t.tolist())


def exact(f, slopes, operands):
    columns = list(zip(*[x if isinstance(x, tuple) else (x,) for x in operands]))
    case = {"in": [text(c) for c in columns], "shapes": [[len(operands)]] * len(columns)}
    points = list(zip(*[[mp.mpf(float(x)) for x in c] for c in columns]))
    case["y"] = text(mp.re(f(*p)) for p in points)
    case["d"] = [text(mp.re(d(*p)) for p in points) if d else "" for d in slopes]
    return case


def record(f, operands, dtype):
    xs = [torch.tensor(x, dtype=dtype, requires_grad=dtype.is_floating_point) for x in operands]
    y = f(*xs)
    case = {"in": [flat(x) for x in xs], "shapes": [list(x.shape) for x in xs], "y": flat(y)}
    if y.requires_grad:
        dy = (0.5 + 0.25 * (torch.arange(y.numel()) % 5)).to(dtype).reshape(y.shape)
        case["d"] = [flat(d) for d in torch.autograd.grad(y, xs, dy, materialize_grads=True)]
    return case


def main():
    out = {"exact": {n: exact(*c) for n, c in EXACT.items()}, "f64": {n: record(*c, torch.float64) for n, c in TORCH.items()}}
    for name, dtype in (("i32", torch.int32), ("i64", torch.int64)):
        out[name] = {n: record(f, INTS, dtype) for n, f in INTEGER.items()}
    groups = []
    for group, cases in out.items():
        groups.append(json.dumps(group) + ": {\n" + ",\n".join(json.dumps(n) + ": " + json.dumps(c) for n, c in cases.items()) + "\n}")
    print("{\n" + ",\n".join(groups) + "\n}")


main()
