"""Records what PyTorch's ops give, and their gradients, for the tests of package tarn: above all at kinks and at infinity.

    python ops.py > ops.json

Needs torch (recorded with 2.15). A case is an op at some operands: its result y, and the gradient by each operand of the
sum of y*dy, where dy is 0.5, 0.75, 1, 1.25, 1.5 and so on again. Numbers are kept in the fewest digits that name them.
"""
import json
import math

import numpy as np
import torch
import torch.nn.functional as F

INF, NAN = math.inf, math.nan
LINE = [-30, -4, -3, -2.5, -1, -0.7, -1e-3, 0, 1e-3, 0.3, 1, 1.9, 3, 5, 30]  # of activations: kinks, both sides, large
UNIT = [-1, -0.9, -0.25, 0, 1e-4, 0.6, 1]
POSITIVE = [0, 1e-6, 0.25, 1, 2, 40]
ENDS = [-INF, INF, -1e4, 1e4]
TABLE = [[0.3, -1.2, 2.0, 2.0], [0.0, 0.0, 0.0, 0.0], [-1.0, 4.0, -2.5, 0.5]]  # a tie and a row of zeros

# name: (function, operands). The names are those of op_golden_test.go.
CASES = {
    "Neg": (torch.neg, [LINE]),
    "Abs": (torch.abs, [LINE]),
    "Sign": (torch.sign, [LINE]),
    "Square": (torch.square, [LINE]),
    "Reciprocal": (torch.reciprocal, [LINE]),
    "Sqrt": (torch.sqrt, [POSITIVE]),
    "Rsqrt": (torch.rsqrt, [POSITIVE]),
    "Exp": (torch.exp, [LINE]),
    "Expm1": (torch.expm1, [LINE]),
    "Log": (torch.log, [POSITIVE]),
    "Log1p": (torch.log1p, [UNIT]),
    "Sin": (torch.sin, [LINE]),
    "Cos": (torch.cos, [LINE]),
    "Tan": (torch.tan, [UNIT]),
    "Asin": (torch.asin, [UNIT]),
    "Acos": (torch.acos, [UNIT]),
    "Atan": (torch.atan, [LINE]),
    "Sinh": (torch.sinh, [UNIT]),
    "Cosh": (torch.cosh, [UNIT]),
    "Tanh": (torch.tanh, [LINE]),
    "Sigmoid": (torch.sigmoid, [LINE]),
    "Softplus": (lambda x: F.softplus(x, threshold=1000), [LINE]),
    "Erf": (torch.erf, [LINE]),
    "Floor": (torch.floor, [LINE]),
    "Ceil": (torch.ceil, [LINE]),
    "Round": (torch.round, [[-2.5, -1.5, -0.5, 0, 0.5, 1.5, 2.5, 0.49]]),
    "Pow": (torch.pow, [[0, 0, 0, 1, 2, -2, -2, 0.5, 3], [0, 2, 0.5, 0, 3, 3, -2, -1.5, 0]]),
    "Minimum": (torch.minimum, [[0, 1, 2], [1, 1, 1]]),
    "Maximum": (torch.maximum, [[0, 1, 2], [1, 1, 1]]),
    "Atan2": (torch.atan2, [[0, 1, -1, 0, -2, 0.5], [1, 0, 0, -1, -3, 0.25]]),
    "Clip": (lambda x: torch.clamp(x, -1, 1), [[-2, -1, 0, 1, 2]]),
    "Clip by values": (torch.clamp, [[-2, 0, 2, 0, -3, 3, 1, 1, 2, 2], [-1, -1, -1, 2, 1, 1, 1, 1, 1, 2], [1, 1, 1, -2, 1, 1, 1, 2, 2, -2]]),
    "Div": (torch.div, [[1, -1, 0, 3], [2, 0, 5, -0.5]]),
    "ReLU": (F.relu, [LINE]),
    "LeakyReLU": (lambda x: F.leaky_relu(x, 0.1), [LINE]),
    "ELU": (lambda x: F.elu(x, 0.7), [LINE]),
    "SELU": (F.selu, [LINE]),
    "CELU": (lambda x: F.celu(x, 0.5), [LINE]),  # torch rounds 1/alpha to float32
    "GELU": (F.gelu, [LINE]),
    "GELUTanh": (lambda x: F.gelu(x, approximate="tanh"), [LINE]),
    "SiLU": (F.silu, [LINE]),
    "Mish": (F.mish, [LINE]),
    "HardSigmoid": (F.hardsigmoid, [LINE]),
    "HardSwish": (F.hardswish, [LINE]),
    "HardTanh": (lambda x: F.hardtanh(x, -1, 1.9), [LINE]),
    "Softsign": (F.softsign, [LINE]),
    "LogSigmoid": (F.logsigmoid, [LINE]),
    "Prod": (torch.prod, [[3, -2, 0.5, 4]]),
    "Prod 1": (lambda x: torch.prod(x, 1), [[[1, 2, 3], [0, 2, 3], [0, 2, 0], [0, 0, 0]]]),
    "Max 1": (lambda x: torch.amax(x, 1), [TABLE]),
    "Min 1": (lambda x: torch.amin(x, 1), [TABLE]),
    "Mean 0": (lambda x: torch.mean(x, 0), [TABLE]),
    "Sum 0 1": (lambda x: torch.sum(x, (0, 1)), [TABLE]),
    "Var 1 1": (lambda x: torch.var(x, 1), [TABLE]),
    "Var 0 0": (lambda x: torch.var(x, 0, correction=0), [TABLE]),
    "Std 1 1": (lambda x: torch.std(x, 1), [TABLE]),
    "Std 1 all": (torch.std, [TABLE]),
    "Var of one": (lambda x: torch.var(x, 0), [[2.0]]),
    "LogSumExp 1": (lambda x: torch.logsumexp(x, 1), [TABLE]),
    "LogSumExp ends": (lambda x: torch.logsumexp(x, 1), [[[-INF, 0], [1e4, -1e4], [-2, -2]]]),
    "Softmax 1": (lambda x: torch.softmax(x, 1), [TABLE]),
    "Softmax 0": (lambda x: torch.softmax(x, 0), [TABLE]),
    "Softmax ends": (lambda x: torch.softmax(x, 1), [[[-INF, 0], [1e4, -1e4], [-1e4, -1e4], [-INF, -INF]]]),
    "LogSoftmax 1": (lambda x: torch.log_softmax(x, 1), [TABLE]),
    "LogSoftmax ends": (lambda x: torch.log_softmax(x, 1), [[[-INF, 0], [1e4, -1e4], [-1e4, -1e4]]]),
    "CumSum 1": (lambda x: torch.cumsum(x, 1), [TABLE]),
    "ArgMax 1": (lambda x: torch.argmax(x, 1), [TABLE + [[0, NAN, INF, NAN]]]),
    "ArgMin 1": (lambda x: torch.argmin(x, 1), [TABLE + [[0, NAN, INF, NAN]]]),
    "Mean of nothing": (torch.mean, [[]]),
    "Prod of nothing": (torch.prod, [[]]),
}
for p in (2, 1, 3, 1.5, 0.5, 0, INF, -INF):
    CASES[f"Norm {p:g}"] = (lambda x, p=p: torch.linalg.vector_norm(x, p, 1), [TABLE])
SMOOTH = "Exp Expm1 Tanh Sigmoid Erf Atan ELU SELU CELU GELUTanh SiLU Mish HardSigmoid HardSwish HardTanh Softsign LogSigmoid"
for name in ("Abs Sign Floor ReLU LeakyReLU " + SMOOTH).split():
    CASES[name + " ends"] = (CASES[name][0], [ENDS])
for name in ("Abs Floor ReLU LeakyReLU GELU " + SMOOTH).split():  # a NaN comes out; what its gradient is does not matter
    CASES[name + " nan"] = (lambda x, f=CASES[name][0]: f(x.detach()), [[NAN]])
for name in ("Minimum", "Maximum"):
    CASES[name + " nan"] = (lambda x, y, f=CASES[name][0]: f(x.detach(), y.detach()), [[NAN, 0, -INF], [0, NAN, NAN]])


def numbers(t):
    t = t.detach().reshape(-1)
    if not t.is_floating_point():
        return " ".join(map(str, t.tolist()))
    digits = np.float32 if t.dtype == torch.float32 else np.float64
    return " ".join(np.format_float_scientific(digits(x), unique=True, trim="-", exp_digits=1) for x in t.tolist())


def record(f, operands, dtype):
    xs = [torch.tensor(x, dtype=dtype, requires_grad=True) for x in operands]
    y = f(*xs)
    case = {"in": [numbers(x) for x in xs], "shapes": [list(x.shape) for x in xs], "y": numbers(y)}
    if y.requires_grad:
        dy = (0.5 + 0.25 * (torch.arange(y.numel()) % 5)).to(dtype).reshape(y.shape)
        case["d"] = [numbers(d) for d in torch.autograd.grad(y, xs, dy, materialize_grads=True)]
    return case


def main():
    out = {}
    for name, (f, operands) in CASES.items():
        out[name] = {"f64": record(f, operands, torch.float64), "f32": record(f, operands, torch.float32)}
    print("{\n" + ",\n".join(json.dumps(k) + ": " + json.dumps(v) for k, v in out.items()) + "\n}")


main()
