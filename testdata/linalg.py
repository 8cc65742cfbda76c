"""Writes linalg.json: what PyTorch, and SciPy where PyTorch has no such function, give for functions of matrices and Fourier transforms.

Run it with PyTorch and SciPy installed, in this folder: python linalg.py
The tests read the JSON file and need neither. Each case has the operands, the result, the gradient of sum(result * (1, 2, 3, ...)) with respect
to each operand, and the gradient of the sum of the squares of those gradients. The derivatives of SciPy's functions are PyTorch's of what defines them.
"""

import json

import numpy as np
import scipy.linalg
import torch

torch.manual_seed(13)


def floats(*shape):
    return torch.round(torch.randn(*shape, dtype=torch.float64) * 1000) / 1000


def pack(t):
    dtype = {torch.float64: "f64", torch.int64: "i64"}[t.dtype]
    return {"dtype": dtype, "shape": list(t.shape), "data": t.reshape(-1).double().tolist()}


cases = {}


def case(name, f, *operands, value=None):
    leaves = [x.clone().requires_grad_() for x in operands]
    y = f(*leaves)
    if value is not None:
        assert (y - value).abs().max() < 1e-12, name
    entry = {"in": [pack(x) for x in operands], "out": pack(y.detach())}
    if y.requires_grad:
        weights = torch.arange(1, y.numel() + 1, dtype=torch.float64).reshape(y.shape)
        grads = torch.autograd.grad((y * weights).sum(), leaves, create_graph=True)
        entry["grads"] = [pack(d.detach()) for d in grads]
        squares = sum(d.square().sum() for d in grads)
        if squares.requires_grad:
            second = torch.autograd.grad(squares, leaves, allow_unused=True)
            entry["second"] = [pack(torch.zeros_like(x) if d is None else d) for x, d in zip(leaves, second)]
    assert name not in cases, name
    cases[name] = entry


eye = lambda n: torch.eye(n, dtype=torch.float64)
square, tall, wide = floats(2, 3, 3), floats(2, 5, 3), floats(2, 4)
regular = floats(2, 4, 4) + 4 * eye(4)

for name, x in {"square": square, "tall": tall, "wide": wide}.items():
    case("LU permutation " + name, lambda x: torch.linalg.lu(x)[0].detach().argmax(-2), x)
    case("LU lower " + name, lambda x: torch.linalg.lu(x)[1], x)
    case("LU upper " + name, lambda x: torch.linalg.lu(x)[2], x)
    case("SVD values " + name, lambda x: torch.linalg.svdvals(x), x)
    case("SVD squares of left vectors " + name, lambda x: torch.linalg.svd(x, full_matrices=False)[0].square(), x)
    case("SVD squares of right vectors " + name, lambda x: torch.linalg.svd(x, full_matrices=False)[2].square(), x)
    case("Pinv " + name, torch.linalg.pinv, x)
case("Det", torch.linalg.det, square)
case("SlogDet sign", lambda x: torch.linalg.slogdet(x)[0].detach(), square)
case("SlogDet logarithm", lambda x: torch.linalg.slogdet(x)[1], square)
for name, a, b in [("tall", tall, floats(2, 5, 2)), ("wide", wide, floats(2, 3))]:
    case("LstSq " + name, lambda a, b: torch.linalg.lstsq(a, b, driver="gelsd")[0], a, b)
case("MatrixPower", lambda x: torch.linalg.matrix_power(x, 5), square)
case("MatrixPower of the inverse", lambda x: torch.linalg.matrix_power(x, -3), regular)
case("MatrixExp", torch.linalg.matrix_exp, square, value=torch.tensor(np.stack([scipy.linalg.expm(x) for x in square.numpy()])))
case("MatrixExp of a large matrix", lambda x: torch.linalg.matrix_exp(x) / 1000, 3 * square)


def sqrtm(x):  # Newton's iteration of Denman and Beavers
    y, z = x, eye(x.shape[-1]).expand(x.shape)
    for _ in range(12):
        y, z = (y + torch.linalg.inv(z)) / 2, (z + torch.linalg.inv(y)) / 2
    return y


def sylvester(a, b, c):
    kron = torch.kron(a, eye(len(b))) + torch.kron(eye(len(a)), b.T.contiguous())
    return torch.linalg.solve(kron, c.reshape(-1)).reshape(c.shape)


case("MatrixSqrt", sqrtm, regular, value=torch.tensor(np.stack([scipy.linalg.sqrtm(x) for x in regular.numpy()])))
turned = floats(3, 3) + torch.tensor([[1, -3, 0], [3, 1, 0], [0, 0, 2.0]])
case("MatrixSqrt of complex eigenvalues", sqrtm, turned, value=torch.tensor(scipy.linalg.sqrtm(turned.numpy())))
a, b, c = regular[0], floats(3, 3) + 2 * eye(3), floats(4, 3)
case("SolveSylvester", sylvester, a, b, c, value=torch.tensor(scipy.linalg.solve_sylvester(a.numpy(), b.numpy(), c.numpy())))



def pair(f, **options):
    def both(re, im):
        y = f(torch.complex(re, im), **options)
        return torch.cat((y.real, y.imag), -1) if y.is_complex() else y

    return both


def spectrum(f, **options):
    def both(x):
        y = f(x, **options)
        return torch.cat((y.real, y.imag), -1)

    return both


fft = torch.fft
for n in (1, 6, 16, 37):
    case(f"FFT {n}", pair(fft.fft), floats(2, n), floats(2, n))
    case(f"IFFT {n}", pair(fft.ifft), floats(2, n), floats(2, n))
    case(f"RFFT {n}", spectrum(fft.rfft), floats(2, n))
    case(f"IRFFT {n}", pair(fft.irfft, n=n), floats(2, n // 2 + 1), floats(2, n // 2 + 1))
for norm in ("ortho", "forward"):
    case("FFT " + norm, pair(fft.fft, norm=norm), floats(10), floats(10))
    case("IRFFT " + norm, pair(fft.irfft, n=10, norm=norm), floats(6), floats(6))
case("FFT2", pair(fft.fft2), floats(2, 3, 4), floats(2, 3, 4))
case("IFFT2", pair(fft.ifft2), floats(2, 3, 4), floats(2, 3, 4))
case("RFFT2", spectrum(fft.rfft2), floats(2, 3, 5))
case("IRFFT2", pair(fft.irfft2, s=(3, 5)), floats(2, 3, 3), floats(2, 3, 3))


def stft(x, window, hop, center):
    y = torch.stft(x, len(window), hop, window=window, center=center, return_complex=True)
    return torch.cat((y.real, y.imag), -1)


for center in (False, True):
    name = "centered" if center else "plain"
    case("STFT " + name, lambda x, w, c=center: stft(x, w, 3, c), floats(2, 20), torch.hamming_window(8, dtype=torch.float64))
    window = torch.hamming_window(7, dtype=torch.float64)
    case("ISTFT " + name, lambda re, im, c=center: torch.istft(torch.complex(re, im), 7, 2, window=window, center=c), floats(2, 4, 6), floats(2, 4, 6))
for n in (1, 6, 7):
    case(f"HannWindow {n}", lambda x: torch.hann_window(len(x), dtype=torch.float64), floats(n))
    case(f"HammingWindow {n}", lambda x: torch.hamming_window(len(x), dtype=torch.float64), floats(n))

with open("linalg.json", "w") as f:
    f.write("{\n" + ",\n".join(json.dumps(name) + ": " + json.dumps(entry, separators=(",", ":")) for name, entry in cases.items()) + "\n}\n")
