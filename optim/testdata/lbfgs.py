"""Records what torch.optim.LBFGS and optax.scale_by_lbfgs do, in float64, for the tests of package optim.

    python lbfgs.py > lbfgs.json

Needs torch (recorded with 2.15), jax and optax (0.2.8). The problems are those of goldens.py; five of 20 steps are kept. The
rates are such that s'y stays positive on the way, but for "skip", where PyTorch passes over pairs with a small or negative s'y.
"""
import json

import jax
import numpy as np
import optax
import torch

from first_order import KEPT, Problem, flat
from goldens import PROBLEMS, STEPS

jax.config.update("jax_enable_x64", True)


def with_torch(problem, **options):
    params, loss = PROBLEMS[problem]()
    params = {k: v.clone().requires_grad_() for k, v in params.items()}
    opt = torch.optim.LBFGS(params.values(), max_iter=1, tolerance_grad=0, tolerance_change=0, **options)
    path = []
    for _ in range(STEPS):
        def closure():
            opt.zero_grad()
            value = loss(params)
            value.backward()
            return value

        opt.step(closure)
        path.append(flat({k: v.detach().numpy() for k, v in params.items()}))
    return path


def with_optax(problem, rate, **options):
    p = Problem(problem)
    params, transform = p.arrays(), optax.scale_by_lbfgs(**options)
    state, path, update = transform.init(params), [], jax.jit(transform.update)
    for _ in range(STEPS):
        u, state = update(p.grad(params), state, params)
        params = {k: params[k] - rate * u[k] for k in params}
        path.append(flat(params))
    return path


RATES = {"quadratic": 0.4, "rosenbrock": 0.05, "network": 0.3}
CASES = {
    "lbfgs": lambda p: with_torch(p, lr=RATES[p], history_size=10),
    "lbfgs short": lambda p: with_torch(p, lr=RATES[p], history_size=3),
    "lbfgs one": lambda p: with_torch(p, lr=RATES[p], history_size=1),
    "lbfgs skip": lambda p: with_torch(p, lr={"quadratic": 1, "rosenbrock": 0.3, "network": 1}[p], history_size=10),
    "lbfgs euclidean": lambda p: with_optax(p, RATES[p]),
    "lbfgs euclidean short": lambda p: with_optax(p, RATES[p], memory_size=4),
}


def main():
    lines = []
    for name, run in CASES.items():
        paths = {problem: [run(problem)[i - 1] for i in KEPT] for problem in PROBLEMS}
        assert np.isfinite([x for path in paths.values() for point in path for x in point]).all(), name
        lines.append(f" {json.dumps(name)}: {json.dumps(paths)}")
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main()
