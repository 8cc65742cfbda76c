"""Records further optimizers of torch.optim and Optax and variants of known ones, in float64, for the tests of package optim.

    python variants.py > variants.json

Needs torch (recorded with 2.15), jax and optax (0.2.8). Problems and steps are those of first_order.py. What neither library has
follows its paper, in PyTorch, below: Ftrl, MARS, the cautious optimizers and Grokfast.
"""
import json
import math

import jax.numpy as jnp
import optax
import optax.contrib as contrib
import torch
from torch.nn.utils import clip_grad_norm_

from first_order import LOSSES, PROBLEMS, Problem, STEPS, flat, kept, one, plateau, with_optax, with_torch
from goldens import O, S, plain, rates


def asgd(**options):
    """torch.optim.ASGD with its averages."""

    def run(name):
        problem = Problem(name)
        params = {k: v.clone().requires_grad_() for k, v in problem.params.items()}
        opt = O.ASGD(params.values(), **options)
        path, averages = [], []
        for _ in range(STEPS):
            opt.zero_grad()
            problem.loss(params).backward()
            opt.step()
            path.append(flat({k: p.detach() for k, p in params.items()}))
            averages.append(flat({k: opt.state[p]["ax"] for k, p in params.items()}))
        return kept(path), kept(averages)

    return run


def by_rule(make):
    """make gives a function that changes one param, given its gradient and what it remembers, at the t-th step."""

    def run(name):
        problem = Problem(name)
        params = {k: v.clone().requires_grad_() for k, v in problem.params.items()}
        rule, memory, path = make(), {k: {} for k in params}, []
        for t in range(1, STEPS + 1):
            grads = torch.autograd.grad(problem.loss(params), list(params.values()))
            with torch.no_grad():
                for (k, p), g in zip(params.items(), grads):
                    rule(p, g, memory[k], t)
            path.append(flat({k: p.detach() for k, p in params.items()}))
        return kept(path), None

    return run


def ftrl(rate, initial=0.1, l1=0.0, l2=0.0, beta=0.0):
    """McMahan et al. 2013, algorithm 1, for a constant rate, begun such that without penalties the first weights are those given. Its penalty
    of squares is half of l2 times the sum of squares; here, as in Keras, it is l2 times that."""

    def rule(p, g, m, t):
        if t == 1:
            m["n"] = torch.full_like(p, initial)
            m["z"] = -(beta + m["n"].sqrt()) / rate * p
        sigma = ((m["n"] + g * g).sqrt() - m["n"].sqrt()) / rate
        m["z"] = m["z"] + g - sigma * p
        m["n"] = m["n"] + g * g
        weight = -(m["z"] - l1 * m["z"].sign()) / ((beta + m["n"].sqrt()) / rate + 2 * l2)
        p.copy_(torch.where(m["z"].abs() <= l1, torch.zeros_like(p), weight))

    return lambda: rule


def adam_direction(m, g, t, b1, b2, eps):
    m["m"] = b1 * m.get("m", 0) + (1 - b1) * g
    m["v"] = b2 * m.get("v", 0) + (1 - b2) * g * g
    return m["m"] / (1 - b1**t) / ((m["v"] / (1 - b2**t)).sqrt() + eps)


def mars(rate, b1=0.95, b2=0.99, eps=1e-8, gamma=0.025, decay=0.0):
    """Yuan et al. 2024, algorithm 2 (MARS-AdamW) with the approximate gradient of the last step."""

    def rule(p, g, m, t):
        c = g + gamma * b1 / (1 - b1) * (g - m.get("last", g))
        m["last"] = g
        c = c / max(1, c.norm().item())
        p.sub_(rate * (adam_direction(m, c, t, b1, b2, eps) + decay * p))

    return lambda: rule


def masked(u, g):
    mask = (u * g > 0).to(u.dtype)
    return u * mask / mask.mean().clamp(min=1e-3)


def cautious_adamw(rate, decay):
    """Liang et al. 2024, algorithm 1."""

    def rule(p, g, m, t):
        p.sub_(rate * (masked(adam_direction(m, g, t, 0.9, 0.999, 1e-8), g) + decay * p))

    return lambda: rule


def cautious_lion(rate):
    def rule(p, g, m, t):
        old = m.get("m", torch.zeros_like(p))
        p.sub_(rate * masked((0.9 * old + 0.1 * g).sign(), g))
        m["m"] = 0.99 * old + 0.01 * g

    return lambda: rule


def grokfast(rate, alpha, lamb):
    """Lee et al. 2024, algorithm 2, before gradient descent; the first mean is the first gradient, as in the authors' program."""

    def rule(p, g, m, t):
        m["h"] = alpha * m.get("h", g) + (1 - alpha) * g
        p.sub_(rate * (g + lamb * m["h"]))

    return lambda: rule


def adafactor(rate, decay=0.8, limit=1.0, scaled=True, factored=True):
    """optax.adafactor, whose decay is computed in float32, with one in float64. It factors any matrix."""
    transforms = [
        optax.scale_by_factored_rms(
            factored, decay, min_dim_size_to_factor=1, decay_rate_fn=lambda i, power: 1 - jnp.float64(i + 1) ** -power
        ),
        optax.clip_by_block_rms(limit),
        optax.scale(rate),
    ]
    if scaled:
        transforms.append(optax.scale_by_param_block_rms())
    return with_optax(one(optax.chain(*transforms, optax.scale(-1))))


def clipped(order, limit):
    def run(name):
        problem = Problem(name)
        params = {k: v.clone().requires_grad_() for k, v in problem.params.items()}
        opt, path = O.SGD(params.values(), lr=0.01), []
        for _ in range(STEPS):
            opt.zero_grad()
            problem.loss(params).backward()
            clip_grad_norm_(params.values(), limit, norm_type=order)
            opt.step()
            path.append(flat({k: p.detach() for k, p in params.items()}))
        return kept(path), None

    return run


def mix(b1, b3, alpha, steps):
    """The schedules of Pagliardini et al. 2024, section 3.1; Optax counts steps from 0."""

    def of_b3(count):
        x = jnp.float64(count + 1) / steps
        a, b = math.log(b1), math.log(b3)
        return jnp.where(x < 1, jnp.exp(a * b / ((1 - x) * b + x * a)), b3)

    return {"b3": of_b3, "alpha": lambda count: jnp.minimum(jnp.float64(count + 1) / steps * alpha, alpha)}


CASES = {
    "asgd": asgd(lr=0.001),
    "asgd options": asgd(lr=0.001, lambd=0.1, alpha=0.5, t0=4, weight_decay=0.1),
    "yogi": with_optax(one(optax.yogi(0.1))),
    "yogi options": with_optax(one(optax.yogi(0.1, b1=0.8, b2=0.9, eps=1e-2))),
    "novograd": with_optax(one(optax.novograd(0.01))),
    "novograd options": with_optax(one(optax.novograd(0.01, b1=0.8, b2=0.5, eps=1e-3, weight_decay=0.1))),
    "ftrl": by_rule(ftrl(0.1)),
    "ftrl options": by_rule(ftrl(0.1, initial=0.5, l1=0.3, l2=0.2, beta=0.4)),
    "ademamix": with_optax(one(contrib.ademamix(0.01))),
    "ademamix options": with_optax(
        one(contrib.ademamix(0.01, b1=0.8, b2=0.9, b3=0.99, alpha=2, eps=1e-3, weight_decay=0.1))
    ),
    "ademamix warmup": with_optax(one(contrib.ademamix(0.01, **mix(0.9, 0.9999, 5, 12)))),
    "mars": by_rule(mars(0.01)),
    "mars options": by_rule(mars(0.01, b1=0.9, b2=0.8, eps=1e-3, gamma=0.1, decay=0.1)),
    "cautious adamw": by_rule(cautious_adamw(0.1, 0.1)),
    "cautious lion": by_rule(cautious_lion(0.01)),
    "grokfast": by_rule(grokfast(0.001, 0.9, 1.5)),
    "adam epsilon root": with_optax(one(optax.adam(0.1, b2=0.9, eps=1e-4, eps_root=1e-3))),
    "adamw epsilon root": with_optax(one(optax.adamw(0.1, eps_root=1e-3, weight_decay=0.1))),
    "nadam decoupled": with_torch(plain(O.NAdam, lr=0.1, weight_decay=0.1, decoupled_weight_decay=True)),
    "nadam constant": with_optax(one(optax.nadam(0.1))),
    "rmsprop nesterov": with_optax(one(optax.rmsprop(0.01, decay=0.99, eps_in_sqrt=False, momentum=0.5, nesterov=True))),
    "rmsprop corrected": with_optax(
        one(optax.rmsprop(0.01, decay=0.9, eps=1e-6, initial_scale=0.1, bias_correction=True))
    ),
    "rmsprop corrected centered": with_optax(
        one(optax.rmsprop(0.01, decay=0.8, eps=25, centered=True, bias_correction=True))
    ),
    "radam nesterov": with_optax(one(optax.radam(0.001, eps=0, nesterov=True))),
    "radam nesterov options": with_optax(one(optax.radam(0.001, b1=0.8, b2=0.9, eps=0, nesterov=True))),
    "adafactor unscaled": adafactor(0.05, scaled=False),
    "adafactor unfactored": adafactor(0.1, factored=False),
    "adafactor unscaled unfactored": adafactor(0.05, 0.6, 1.5, scaled=False, factored=False),
    "clip order 1": clipped(1, 0.5),
    "clip order infinity": clipped(math.inf, 0.1),
}


def stable(opt):
    """A rise over 5 steps, 6 at the full rate, a straight fall to a tenth over 7."""
    return S.SequentialLR(
        opt,
        [S.LinearLR(opt, 1 / 5, 1, 4), S.ConstantLR(opt, 1, 1), S.LinearLR(opt, 1, 0.1, 7)],
        milestones=[5, 11],
    )


def from_optax(schedule, n):
    return [float(schedule(i)) for i in range(n)]


SCHEDULES = {
    "cyclic": rates(0.01, lambda o: S.CyclicLR(o, 0.01, 0.3, step_size_up=4, cycle_momentum=False), 25),
    "cyclic halved": rates(
        0.01, lambda o: S.CyclicLR(o, 0.01, 0.3, step_size_up=3, step_size_down=5, mode="triangular2", cycle_momentum=False), 25
    ),
    "cyclic exponential": rates(
        0.01, lambda o: S.CyclicLR(o, 0.01, 0.3, step_size_up=2, mode="exp_range", gamma=0.9, cycle_momentum=False), 25
    ),
    "cosine power": from_optax(optax.cosine_decay_schedule(0.3, 12, alpha=0.1, exponent=2.5), 20),
    "stable": rates(0.3, stable, 22),
    "inverse root": rates(0.3, lambda o: S.LambdaLR(o, lambda t: min((t + 1) / 6, (6 / (t + 1)) ** 0.5)), 25),
}

PLATEAUS = {
    "absolute": plateau(LOSSES, factor=0.5, patience=1, threshold=0.15, threshold_mode="abs"),
    "absolute max": plateau([-x for x in LOSSES], mode="max", factor=0.5, patience=1, threshold=0.15, threshold_mode="abs"),
}


def main():
    paths, averages = {}, {}
    for name, run in CASES.items():
        got = {problem: run(problem) for problem in PROBLEMS}
        paths[name] = {p: path for p, (path, _) in got.items()}
        if got["network"][1]:
            averages[name] = {p: average for p, (_, average) in got.items()}
    sections = {"paths": paths, "averages": averages, "schedules": SCHEDULES, "plateaus": PLATEAUS}
    text = []
    for section, entries in sections.items():
        lines = ",\n".join(f"  {json.dumps(n)}: {json.dumps(e)}" for n, e in entries.items())
        text.append(f' "{section}": {{\n{lines}\n }}')
    print("{\n" + ",\n".join(text) + "\n}")


if __name__ == "__main__":
    main()
