"""Records what K-FAC does, in float64, for the tests of package optim.

    python kfac.py > kfac.json

Needs torch (recorded with 2.15) and numpy. This is the algorithm of the papers written out for layers one by one: PyTorch
gives the inputs of the layers and the gradients by their results, everything else is NumPy. The Fisher matrix is the empirical
one. Five of 20 steps are kept.
"""
import json
import math

import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
STEPS, KEPT = 20, [1, 2, 5, 10, 20]


def wave(shape, phase):
    n = math.prod(shape)
    return torch.tensor([math.sin(1.3 * i + phase) for i in range(n)]).reshape(shape)


class Linear:
    def __init__(self, weight, bias=None):
        self.weight, self.bias = weight, bias

    def forward(self, p, x):
        self.x = x.detach().numpy()
        self.y = x @ p[self.weight].T
        self.y.retain_grad()
        return self.y + p[self.bias] if self.bias else self.y

    def rows(self):
        """The inputs and the gradients, a list of groups of rows."""
        return [(self.x, self.y.grad.numpy())]


class Conv:
    def __init__(self, weight, bias=None, stride=1, padding=0, groups=1):
        self.weight, self.bias, self.options = weight, bias, dict(stride=stride, padding=padding)
        self.groups = groups

    def forward(self, p, x):
        self.x, self.size = x.detach(), p[self.weight].shape[2:]
        self.y = F.conv2d(x, p[self.weight], groups=self.groups, **self.options)
        self.y.retain_grad()
        return self.y + p[self.bias][:, None, None] if self.bias else self.y

    def rows(self):
        n = self.x.shape[0]
        # [n, channels * window, places], the channels outermost, as in the weight [f, c, k, k]
        windows = F.unfold(self.x, self.size, **self.options).numpy()
        dy = self.y.grad.numpy().reshape(n, self.y.shape[1], -1)
        out = []
        for a, d in zip(np.split(windows, self.groups, 1), np.split(dy, self.groups, 1)):
            out.append((a.transpose(0, 2, 1).reshape(-1, a.shape[1]), d.transpose(0, 2, 1).reshape(-1, d.shape[1])))
        return out


class KFAC:
    def __init__(self, layers, params, examples, rate, decay=0.95, damping=3e-3, kl=0.01, momentum=0.5, weight_decay=0.0, every=20, factors_every=5):
        self.layers, self.params, self.examples, self.rate = layers, params, examples, rate
        self.decay, self.damping, self.kl, self.momentum, self.weight_decay = decay, damping, kl, momentum, weight_decay
        self.every, self.factors_every = every, factors_every
        self.step_number, self.renewals = 0, 0
        self.factors, self.inverses = {}, {}
        self.buffers = {k: np.zeros(v.shape) for k, v in params.items()}

    def average(self):
        self.renewals += 1
        d = min(1 - 1 / self.renewals, self.decay)
        for l in self.layers:
            for g, (a, dy) in enumerate(l.rows()):
                if l.bias:
                    a = np.hstack([a, np.ones((len(a), 1))])
                A = sum(np.outer(r, r) for r in a) / len(a)
                # The loss is a mean: the gradient of an example by itself is as many times as large as there are examples.
                G = sum(np.outer(self.examples * r, self.examples * r) for r in dy) / self.examples
                old = self.factors.get((l.weight, g), (0 * A, 0 * G))
                self.factors[l.weight, g] = (d * old[0] + (1 - d) * A, d * old[1] + (1 - d) * G)

    def invert(self):
        for key, (a, g) in self.factors.items():
            p = math.sqrt((np.trace(a) / len(a)) / (np.trace(g) / len(g)))
            root = math.sqrt(self.damping)
            self.inverses[key] = (np.linalg.inv(a + p * root * np.eye(len(a))), np.linalg.inv(g + root / p * np.eye(len(g))))

    def step(self):
        if self.step_number % self.factors_every == 0 or self.step_number < 3:
            self.average()
        if self.step_number % self.every == 0 or self.step_number < 3:
            self.invert()
        self.step_number += 1
        grads = {k: v.grad.numpy().copy() for k, v in self.params.items()}
        updates, total = dict(grads), 0.0
        for l in self.layers:
            w = grads[l.weight]
            groups = len(l.rows())
            parts, biases = np.split(w.reshape(w.shape[0], -1), groups, 0), [None] * groups
            if l.bias:
                biases = np.split(grads[l.bias], groups)
            new_w, new_b = [], []
            for g in range(groups):
                m = parts[g] if not l.bias else np.hstack([parts[g], biases[g][:, None]])
                a, b = self.inverses[l.weight, g]
                u = b @ m @ a
                total += self.rate**2 * (u * m).sum()
                new_w.append(u[:, : parts[g].shape[1]])
                new_b.append(u[:, -1])
            updates[l.weight] = np.concatenate(new_w).reshape(w.shape)
            if l.bias:
                updates[l.bias] = np.concatenate(new_b)
        factor = min(1, math.sqrt(self.kl / total)) if self.kl else 1
        for l in self.layers:
            for name in (l.weight, l.bias):
                if name:
                    updates[name] = factor * updates[name]
        for k, v in self.params.items():
            self.buffers[k] = self.momentum * self.buffers[k] + updates[k] + self.weight_decay * v.detach().numpy()
            v.data -= self.rate * torch.tensor(self.buffers[k])


def mlp():
    """A network with a scale between two linear layers, which has no factors."""
    x, y = wave((6, 3), 0.1), wave((6, 2), 0.7)
    params = {"w1": wave((4, 3), 0.2), "b1": wave((4,), 0.3), "s": 1 + wave((4,), 0.6) / 2, "w2": wave((2, 4), 0.4), "b2": wave((2,), 0.5)}
    layers = [Linear("w1", "b1"), Linear("w2", "b2")]

    def loss(p):
        h = torch.tanh(layers[0].forward(p, x)) * p["s"]
        return ((layers[1].forward(p, h) - y) ** 2).mean()

    return params, layers, loss, 6


def cnn():
    """A convolution with stride and padding, one in groups without a bias, and a linear layer over the pixels, channels last."""
    x, labels = wave((4, 5, 5, 2), 0.1).permute(0, 3, 1, 2), torch.tensor([2, 0, 1, 2])
    params = {"k1": wave((4, 2, 3, 3), 0.2) / 2, "b1": wave((4,), 0.3), "k2": wave((4, 2, 2, 2), 0.4), "w": wave((3, 16), 0.5), "b": wave((3,), 0.6)}
    layers = [Conv("k1", "b1", stride=2, padding=1), Conv("k2", groups=2), Linear("w", "b")]

    def loss(p):
        h = torch.tanh(layers[0].forward(p, x))
        h = torch.tanh(layers[1].forward(p, h))
        return F.cross_entropy(layers[2].forward(p, h.permute(0, 2, 3, 1).reshape(4, 16)), labels)

    return params, layers, loss, 4


def run(problem, options):
    params, layers, loss, examples = problem()
    params = {k: v.clone().requires_grad_() for k, v in params.items()}
    opt = KFAC(layers, params, examples, **options)
    path = []
    for _ in range(STEPS):
        for p in params.values():
            p.grad = None
        loss(params).backward()
        opt.step()
        path.append([float(f"{x:.14g}") for p in params.values() for x in p.detach().flatten().tolist()])
    return [path[i - 1] for i in KEPT]


CASES = {
    "kfac": dict(rate=0.1, every=10),
    "kfac options": dict(rate=0.05, decay=0.7, damping=0.03, kl=1e-4, momentum=0.9, weight_decay=0.1, every=6, factors_every=4),
    "kfac without limit": dict(rate=0.02, damping=0.1, kl=0, momentum=0, every=1, factors_every=1),
}

if __name__ == "__main__":
    lines = [f' "{name}": ' + json.dumps({p.__name__: run(p, o) for p in (mlp, cnn)}) for name, o in CASES.items()]
    print("{\n" + ",\n".join(lines) + "\n}")
