"""Records what a plain Hessian-free optimizer does, in float64, for the tests of package optim: no library has one.

    python newtoncg.py > newtoncg.json

Needs torch (recorded with 2.15). The matrices are formed whole. The problems are those of goldens.py; five of 20 steps are kept.
"""
import json

import numpy as np
import torch

from goldens import PROBLEMS, STEPS, wave

KEPT = [1, 2, 5, 10, 20]
torch.set_num_threads(1)


def flattened(problem):
    """The loss as a function of one vector, and for the network its outputs with the loss of them."""
    params, loss = PROBLEMS[problem]()
    shapes = [(k, v.shape, v.numel()) for k, v in params.items()]

    def split(w):
        out = {}
        for k, shape, n in shapes:
            out[k], w = w[:n].reshape(shape), w[n:]
        return out

    start = torch.cat([v.flatten() for v in params.values()]).detach()
    outputs = rest = None
    if problem == "network":
        x, y = wave((5, 3), 0.1), wave((5, 1), 0.7)

        def outputs(w):
            p = split(w)
            return (torch.tanh(x @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"]).flatten()

        def rest(z):
            return ((z - y.flatten()) ** 2).mean()

    return start, lambda w: loss(split(w)), outputs, rest


def solve(a, b, x, iterations, progress):
    def model(x):
        return 0.5 * x @ a @ x - b @ x

    if not model(x) < 0:
        x = np.zeros_like(x)
    r = b - a @ x
    p, falls = r.copy(), []
    for i in range(iterations):
        rr = r @ r
        if not rr > 1e-24 * (b @ b):
            break
        ap = a @ p
        curvature = p @ ap
        if not curvature > 0 and i > 0:
            break
        step = rr / max(abs(curvature), 1e-12 * rr)
        x, r = x + step * p, r - step * ap
        falls.append(model(x))
        if not curvature > 0:
            break
        if i >= 10 and falls[-1] < 0 and (falls[-1] - falls[-11]) / falls[-1] < 10 * progress:
            break
        p = r + (r @ r) / rr * p
    return x


def run(problem, gauss=False, rate=1.0, iterations=50, progress=5e-4, warm=0.95, damping=1.0):
    w, loss, outputs, rest = flattened(problem)
    last, path = np.zeros(len(w)), []
    for _ in range(STEPS):
        g = torch.func.grad(loss)(w).numpy()
        if gauss:
            j = torch.func.jacrev(outputs)(w)
            b = (j.T @ torch.func.hessian(rest)(outputs(w)) @ j).numpy()
        else:
            b = torch.func.hessian(loss)(w).numpy()
        d = solve(b + damping * np.eye(len(w)), g, warm * last, iterations, progress)
        step = rate * d
        change = float(loss(w - torch.tensor(step)) - loss(w))
        foreseen = 0.5 * step @ b @ step - g @ step
        ratio = change / foreseen if foreseen < 0 else 0
        still = abs(change) <= 2**-50 * abs(float(loss(w)))
        if still or change < 0:
            w, last = w - torch.tensor(step), d
            if not still:
                damping *= 1.5 if ratio < 0.25 else 2 / 3 if ratio > 0.75 else 1
        else:
            last, damping = np.zeros(len(w)), damping * 4
        damping = min(max(damping, 1e-12), 1e12)
        path.append([float(f"{x:.14g}") for x in w.tolist()])
    return [path[i - 1] for i in KEPT]


ALL = list(PROBLEMS)
CASES = {
    "newton": (ALL, {}),
    "newton options": (ALL, dict(rate=0.6, iterations=3, warm=0.5, damping=0.01)),
    "newton undamped": (ALL, dict(damping=1e-9, warm=0, progress=0)),
    "gauss-newton": (["network"], dict(gauss=True)),
    "gauss-newton options": (["network"], dict(gauss=True, rate=0.8, iterations=12, progress=0.01, warm=0.3, damping=0.001)),
}


def main():
    lines = []
    for name, (problems, options) in CASES.items():
        paths = {problem: run(problem, **options) for problem in problems}
        lines.append(f" {json.dumps(name)}: {json.dumps(paths)}")
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main()
