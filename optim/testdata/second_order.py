"""Records what Shampoo and SOAP do, in float64, for the tests of package optim.

    python second_order.py > second_order.json

Needs torch (recorded with 2.15), from which come the gradients, and numpy. Neither optimizer is in torch.optim or Optax: they are
written here anew from Gupta et al. 2018, Anil et al. 2020 and Vyas et al. 2024, with the details of the authors' SOAP, which
gives the same to 1e-12 once it factors in float64 too, and with other means than ours: roots by singular values, unfoldings by moveaxis, products by tensordot. Five of 20 steps are kept.
"""
import json

import numpy as np
import torch

from goldens import PROBLEMS, STEPS

KEPT = [1, 2, 5, 10, 20]


def chirp(shape, phase):
    """Numbers without a pattern, so that matrices of them have full rank."""
    n = int(np.prod(shape))
    return torch.tensor([np.sin(0.37 * i * i + phase) for i in range(n)]).reshape(shape)


def matrices():
    x, y, target = chirp((7, 3), 0.1), chirp((7, 3), 0.7), chirp((2, 3, 2), 0.4)
    params = {"a": chirp((3, 3), 0.2), "b": chirp((2, 3, 2), 0.9), "c": chirp((3,), 0.3), "d": torch.tensor(0.5)}

    def loss(p):
        h = torch.tanh(x @ p["a"] + p["c"])
        return ((h - y) ** 2).mean() + ((torch.sin(p["b"]) - target) ** 2).mean() + (p["d"] * p["b"].sum()) ** 2

    return params, loss


ALL = {**PROBLEMS, "matrices": matrices}


def unfold(g, axis):
    return np.moveaxis(g, axis, 0).reshape(g.shape[axis], -1)


def times(g, matrix, axis):
    """g with each of its vectors along an axis multiplied by the matrix."""
    return np.moveaxis(np.tensordot(matrix, g, (1, axis)), 0, axis)


class Adam:
    def __init__(self, beta1, beta2, eps):
        self.beta1, self.beta2, self.eps, self.t, self.m, self.v = beta1, beta2, eps, 0, 0, 0

    def __call__(self, g):
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * g * g
        return self.m / (1 - self.beta1**self.t) / (np.sqrt(self.v / (1 - self.beta2**self.t)) + self.eps)


class Shampoo:
    """One param. graft makes the optimizer that gives the length of a step."""

    def __init__(self, shape, rate, beta1=0.9, beta2=0.999, eps=1e-12, every=10, most=1024, start=0, decay=0, vectors=False, graft="adam"):
        self.rate, self.beta1, self.beta2, self.eps = rate, beta1, beta2, eps
        self.every, self.start, self.decay, self.t, self.m = every, start, decay, 0, 0
        self.graft = {"adam": Adam(beta1, beta2, 1e-8), "sgd": lambda g: g, None: None}[graft]
        shape = shape or (1,)
        self.plain = len(shape) == 1 and not vectors
        self.blocks = []
        for axis, n in enumerate(shape if not self.plain else ()):
            for first in range(0, n, most):
                self.blocks.append((axis, slice(first, min(n, first + most))))
        self.moments = [np.zeros((s.stop - s.start,) * 2) for _, s in self.blocks]
        self.roots = [None] * len(self.blocks)
        self.shape = shape

    def step(self, p, g):
        self.t += 1
        grafted = self.graft and self.graft(g)
        g = g.reshape(self.shape)
        for i, (axis, part) in enumerate(self.blocks):
            rows = unfold(g, axis)[part]
            new = 1 if self.beta2 == 1 else 1 - self.beta2
            self.moments[i] = self.beta2 * self.moments[i] + new * rows @ rows.T
            if self.t > self.start and (self.t - 1 - self.start) % self.every == 0:
                corrected = self.moments[i] / (1 if self.beta2 == 1 else 1 - self.beta2**self.t)
                u, s, _ = np.linalg.svd(corrected, hermitian=True)
                self.roots[i] = u @ np.diag((s + self.eps) ** (-1 / (2 * len(self.shape)))) @ u.T
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        if self.plain or self.t <= self.start:
            d = self.m / (1 - self.beta1**self.t) if self.graft is None else grafted
            return p - self.rate * (d.reshape(p.shape) + self.decay * p)
        d = self.m / (1 - self.beta1**self.t)
        for axis in range(len(self.shape)):
            whole = np.zeros((self.shape[axis],) * 2)
            for (a, part), root in zip(self.blocks, self.roots):
                if a == axis:
                    whole[part, part] = root
            d = times(d, whole, axis)
        d = d.reshape(p.shape)
        if self.graft:
            d = d * np.linalg.norm(grafted) / np.linalg.norm(d)
        return p - self.rate * (d + self.decay * p)


class SOAP:
    """One param."""

    def __init__(self, shape, rate, beta1=0.95, beta2=0.95, eps=1e-8, beta=0.95, every=10, most=10000, vectors=False, decay=0):
        self.rate, self.beta1, self.beta2, self.eps, self.beta = rate, beta1, beta2, eps, beta
        self.every, self.decay, self.t = every, decay, 0
        self.axes = [a for a, n in enumerate(shape) if n <= most and (len(shape) > 1 or vectors)]
        self.moments = {a: np.zeros((shape[a],) * 2) for a in self.axes}
        self.q, self.m, self.v = {}, np.zeros(shape), np.zeros(shape)

    def turn(self, g):
        for a in self.axes:
            g = times(g, self.q[a].T, a)
        return g

    def back(self, g):
        for a in self.axes:
            g = times(g, self.q[a], a)
        return g

    def collect(self, g):
        for a in self.axes:
            self.moments[a] = self.beta * self.moments[a] + (1 - self.beta) * unfold(g, a) @ unfold(g, a).T

    def step(self, p, g):
        p = p - self.rate * self.decay * p
        if self.t == 0:
            self.collect(g)
            self.q = {a: np.linalg.eigh(l)[1][:, ::-1] for a, l in self.moments.items()}
            self.t = 1
            return p
        turned = self.turn(g)
        # The mean is kept as it is without the basis.
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * turned**2
        size = self.rate * np.sqrt(1 - self.beta2**self.t) / (1 - self.beta1**self.t)
        p = p - size * self.back(self.turn(self.m) / (np.sqrt(self.v) + self.eps))
        self.collect(g)
        if self.t % self.every == 0:
            for a in self.axes:
                order = np.argsort(-np.diag(self.q[a].T @ self.moments[a] @ self.q[a]), kind="stable")
                self.v = np.take(self.v, order, a)
                self.q[a] = np.linalg.qr(self.moments[a] @ self.q[a][:, order])[0]
        self.t += 1
        return p


CASES = {
    "shampoo": lambda shape: Shampoo(shape, 0.05, eps=1e-6, start=10),
    "shampoo paper": lambda shape: Shampoo(shape, 0.1, beta1=0, beta2=1, eps=1e-4, every=1, vectors=True, graft=None),
    "shampoo options": lambda shape: Shampoo(
        shape, 0.0005, beta1=0.8, beta2=0.9, eps=1e-6, every=3, most=2, start=4, decay=0.1, vectors=True, graft="sgd"
    ),
    "soap": lambda shape: SOAP(shape, 0.05, eps=1e-4, most=3),
    "soap options": lambda shape: SOAP(
        shape, 0.05, beta1=0.8, beta2=0.9, eps=1e-3, beta=0.7, every=2, most=3, decay=0.1
    ),
    "soap vectors": lambda shape: SOAP(shape, 0.05, eps=1e-2, every=3, most=2, vectors=True),
}


def run(make, problem):
    params, loss = ALL[problem]()
    rules = {k: make(tuple(p.shape)) for k, p in params.items()}
    path = []
    for _ in range(STEPS):
        params = {k: p.clone().requires_grad_() for k, p in params.items()}
        grads = torch.autograd.grad(loss(params), list(params.values()))
        with torch.no_grad():
            params = {
                k: torch.tensor(rules[k].step(p.numpy(), g.numpy())) for (k, p), g in zip(params.items(), grads)
            }
        path.append([float(f"{x:.14g}") for p in params.values() for x in p.flatten()])
    return [path[i - 1] for i in KEPT]


def main():
    entries = {name: {problem: run(make, problem) for problem in ALL} for name, make in CASES.items()}
    print("{\n" + ",\n".join(f" {json.dumps(n)}: {json.dumps(e)}" for n, e in entries.items()) + "\n}")


if __name__ == "__main__":
    main()
