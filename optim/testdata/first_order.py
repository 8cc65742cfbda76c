"""Records what torch.optim, Optax and dadaptation do, in float64, for the tests of package optim.

    python first_order.py > first_order.json

Needs torch (recorded with 2.15), jax, optax (0.2.8) and dadaptation (3.2). The problems are those of goldens.py, of which
these are the further optimizers; five of 20 steps are kept. Gradients are PyTorch's throughout. "averages" are the weights
that an optimizer keeps for evaluation.
"""
import contextlib
import json
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib as contrib
import torch
from optax.contrib._muon import scale_by_shape
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from goldens import PROBLEMS, STEPS, O, S, plain, rates

jax.config.update("jax_enable_x64", True)
KEPT = [1, 2, 5, 10, 20]
ORDER = ["w", "x", "w1", "b1", "w2", "b2"]  # of the params; JAX sorts them


def flat(params):
    """All elements of all params, to 14 digits."""
    return [float(f"{x:.14g}") for k in sorted(params, key=ORDER.index) for x in np.asarray(params[k]).flatten()]


def kept(path):
    return [path[i - 1] for i in KEPT]


class Problem:
    def __init__(self, name):
        self.params, self.loss = PROBLEMS[name]()

    def arrays(self):
        return {k: jnp.asarray(v.numpy()) for k, v in self.params.items()}

    def tensors(self, params):
        return {k: torch.tensor(np.asarray(v), requires_grad=True) for k, v in params.items()}

    def grad(self, params):
        ps = self.tensors(params)
        gs = torch.autograd.grad(self.loss(ps), list(ps.values()))
        return {k: jnp.asarray(g.numpy()) for k, g in zip(ps, gs)}

    def hessian_times_ones(self, params):
        ps = self.tensors(params)
        gs = torch.autograd.grad(self.loss(ps), list(ps.values()), create_graph=True)
        hs = torch.autograd.grad(sum(g.sum() for g in gs), list(ps.values()))
        return {k: jnp.asarray(h.numpy()) for k, h in zip(ps, hs)}


def with_torch(make, average=None):
    """average makes an AveragedModel of a module, and says at which steps it is updated."""

    def run(name):
        problem = Problem(name)
        module = torch.nn.ParameterDict({k: v.clone() for k, v in problem.params.items()})
        params = {k: module[k] for k in problem.params}
        opt = make(params)
        averaged, due = average(module) if average else (None, None)
        path, averages = [], []
        for step in range(STEPS):
            opt.zero_grad()
            problem.loss(params).backward()
            with contextlib.redirect_stdout(sys.stderr):
                opt.step()
            detached = {k: p.detach().numpy() for k, p in params.items()}
            path.append(flat(detached))
            if averaged:
                if due(step):
                    averaged.update_parameters(module)
                averages.append(flat({k: averaged.module[k].detach().numpy() for k in params}))
        return kept(path), kept(averages) if averaged else None

    return run


def ema(decay):
    return lambda m: (AveragedModel(m, multi_avg_fn=get_ema_multi_avg_fn(decay)), lambda step: True)


def swa(start, every):
    # Before the first update of the mean, ours is the weights as they are.
    return lambda m: (AveragedModel(m), lambda step: step >= start and (step - start) % every == 0)


def with_optax(make, averages=None, **extra):
    """make gives a transformation; averages, the weights for evaluation from the state and the params."""

    def run(name):
        problem = Problem(name)
        opt = make(problem)
        params = problem.arrays()
        state = opt.init(params)
        path, averaged = [], []
        for _ in range(STEPS):
            more = {k: f(problem) for k, f in extra.items()}
            updates, state = opt.update(problem.grad(params), state, params, **more)
            params = optax.apply_updates(params, updates)
            path.append(flat(params))
            if averages:
                averaged.append(flat(averages(state, params)))
        return kept(path), kept(averaged) if averages else None

    return run


def with_lookahead(fast, steps, share):
    def run(name):
        problem = Problem(name)
        opt = optax.lookahead(fast, steps, share)
        params = optax.LookaheadParams.init_synced(problem.arrays())
        state = opt.init(params)
        path, averaged = [], []
        for _ in range(STEPS):
            updates, state = opt.update(problem.grad(params.fast), state, params)
            params = optax.apply_updates(params, updates)
            path.append(flat(params.fast))
            averaged.append(flat(params.slow))
        return kept(path), kept(averaged)

    return run


def one(transformation):
    return lambda problem: transformation


def hessian_by_ones(problem):
    """An estimate of the Hessian's diagonal without random numbers: the Hessian times ones."""

    def update(updates, state, params=None, **_):
        return problem.hessian_times_ones(params), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


def rows(params):
    """Units lie along the first axis."""
    numbers = contrib.MuonDimensionNumbers(reduction_axis=1, output_axis=0)
    return {k: numbers if getattr(p, "ndim", 0) == 2 else None for k, p in params.items()}


def rows_clipped(limit, eps):
    """optax.adaptive_grad_clip with the units of matrices along the first axis."""
    matrices, vectors = optax.adaptive_grad_clip(limit, eps, axis=1), optax.adaptive_grad_clip(limit, eps)
    return optax.chain(
        optax.masked(matrices, lambda ps: jax.tree.map(lambda p: p.ndim == 2, ps)),
        optax.masked(vectors, lambda ps: jax.tree.map(lambda p: p.ndim < 2, ps)),
    )


def dadapt_sgd(**options):
    def make(params):
        import dadaptation

        return dadaptation.DAdaptSGD(params.values(), **options)

    return make


def matrices(params):
    return jax.tree.map(lambda p: p.ndim == 2, params)


def muon_and_adamw(rate):
    """optax.contrib.muon, with its Adam for the other params as it is without nesterov."""

    def rows_of(params):
        return {k: v or optax.MaskedNode() for k, v in rows(params).items()}

    matrix = optax.chain(
        contrib.scale_by_muon(weight_dimension_numbers=rows_of),
        scale_by_shape(weight_dimension_numbers=rows_of),
        optax.scale_by_learning_rate(rate),
    )
    return optax.partition(
        {True: matrix, False: optax.adamw(rate, weight_decay=0)}, lambda ps: jax.tree.map(lambda p: p.ndim == 2, ps)
    )


sam_adversary = optax.chain(contrib.normalize(), optax.sgd(0.05))

CASES = {
    "adadelta": with_torch(plain(O.Adadelta, lr=1)),
    "adadelta options": with_torch(plain(O.Adadelta, lr=0.5, rho=0.8, eps=1e-3, weight_decay=0.1)),
    "rprop": with_torch(plain(O.Rprop, lr=0.01)),
    "rprop options": with_torch(plain(O.Rprop, lr=0.01, etas=(0.4, 1.5), step_sizes=(0.004, 0.03))),
    "adam amsgrad": with_torch(plain(O.Adam, lr=0.1, betas=(0.9, 0.8), amsgrad=True)),
    "adamw amsgrad": with_torch(plain(O.AdamW, lr=0.1, betas=(0.9, 0.8), amsgrad=True)),
    "adamax": with_torch(plain(O.Adamax, lr=0.1)),
    "adamax options": with_torch(plain(O.Adamax, lr=0.1, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1)),
    "nadam": with_torch(plain(O.NAdam, lr=0.1)),
    "nadam options": with_torch(
        plain(O.NAdam, lr=0.1, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1, momentum_decay=0.1)
    ),
    "radam": with_torch(plain(O.RAdam, lr=0.001)),
    "radam options": with_torch(plain(O.RAdam, lr=0.001, betas=(0.8, 0.99), eps=1e-3, weight_decay=0.1)),
    "radam decoupled": with_torch(plain(O.RAdam, lr=0.001, weight_decay=0.1, decoupled_weight_decay=True)),
    "adafactor": with_torch(plain(O.Adafactor, lr=0.1)),
    "adafactor options": with_torch(
        plain(O.Adafactor, lr=0.5, beta2_decay=-0.6, eps=(1e-4, 0.1), d=1.5, weight_decay=0.1)
    ),
    "dadapt sgd": with_torch(dadapt_sgd(d0=1e-3)),
    "dadapt sgd options": with_torch(dadapt_sgd(lr=0.5, momentum=0.5, weight_decay=0.1, d0=1e-3, growth_rate=1.5)),
    "sgd ema": with_torch(plain(O.SGD, lr=0.001), ema(0.8)),
    "sgd swa": with_torch(plain(O.SGD, lr=0.001), swa(0, 3)),
    "adan": with_optax(one(optax.adan(0.1, eps_root=0))),
    "adan options": with_optax(one(optax.adan(0.1, 0.9, 0.8, 0.95, eps=1e-3, eps_root=0, weight_decay=0.1))),
    "lion": with_optax(one(optax.lion(0.01, weight_decay=0))),
    "lion options": with_optax(one(optax.lion(0.01, b1=0.8, b2=0.9, weight_decay=0.5))),
    "lamb": with_optax(one(optax.lamb(0.05))),
    "lamb options": with_optax(one(optax.lamb(0.05, b1=0.8, b2=0.9, eps=1e-3, weight_decay=0.1))),
    "lars": with_optax(one(optax.lars(10))),
    "lars options": with_optax(
        one(
            optax.lars(
                0.001, weight_decay=0.1, trust_coefficient=20, eps=0.1, momentum=0.5, nesterov=True,
                trust_ratio_mask=matrices,
            )
        )
    ),  # fmt: skip
    "adabelief": with_optax(one(optax.adabelief(0.01))),
    "adabelief options": with_optax(one(optax.adabelief(0.01, b1=0.8, b2=0.9, eps=1e-5, eps_root=1e-5))),
    "muon": with_optax(one(muon_and_adamw(0.02))),
    "muon options": with_optax(
        one(
            contrib.muon(
                0.02, ns_steps=3, beta=0.8, eps=1e-3, weight_decay=0.1, adam_weight_decay=0.1, nesterov=False,
                adam_b1=0.8, adam_b2=0.9, consistent_rms=0.2, muon_weight_dimension_numbers=rows,
            )
        )
    ),  # fmt: skip
    "sophia": with_optax(
        lambda p: contrib.sophia(0.01, weight_decay=0, update_interval=3, hessian_diagonal_fn=hessian_by_ones(p))
    ),
    "sophia options": with_optax(
        lambda p: contrib.sophia(
            0.01, b1=0.8, b2=0.9, eps=1e-3, weight_decay=0.1, gamma=0.5, clip_threshold=0.3, update_interval=1,
            hessian_diagonal_fn=hessian_by_ones(p),
        )
    ),  # fmt: skip
    "prodigy": with_optax(one(contrib.prodigy(estim_lr0=1e-3))),
    "prodigy options": with_optax(
        one(
            contrib.prodigy(
                0.5, betas=(0.8, 0.9), beta3=0.7, eps=1e-3, estim_lr0=1e-3, estim_lr_coef=2, weight_decay=0.1,
                safeguard_warmup=True,
            )
        )
    ),  # fmt: skip
    "dadapt adam": with_optax(one(contrib.dadapt_adamw(estim_lr0=1e-3))),
    "dadapt adam options": with_optax(
        one(contrib.dadapt_adamw(0.5, betas=(0.8, 0.9), eps=1e-3, estim_lr0=1e-2, weight_decay=0.1))
    ),
    "schedule-free sgd": with_optax(
        one(contrib.schedule_free_sgd(0.002, b1=0.8, weight_decay=0.1)), contrib.schedule_free_eval_params
    ),
    "schedule-free adamw": with_optax(
        one(contrib.schedule_free_adamw(0.05, b2=0.95, weight_decay=0.1)), contrib.schedule_free_eval_params
    ),
    "sam": with_optax(
        one(contrib.sam(optax.sgd(0.001, momentum=0.9), sam_adversary, opaque_mode=True)),
        grad_fn=lambda problem: lambda params, _: problem.grad(params),
    ),
    "lookahead": with_lookahead(optax.adam(0.05), 3, 0.4),
    "centralize": with_optax(one(optax.chain(optax.centralize(), optax.sgd(0.001)))),
    "clip adaptive": with_optax(one(optax.chain(rows_clipped(0.1, 1e-3), optax.sgd(0.1)))),
}

SCHEDULES = {
    "polynomial": (0.3, lambda o: S.PolynomialLR(o, total_iters=12, power=1.7), 20),
    "multi-step": (0.3, lambda o: S.MultiStepLR(o, milestones=[3, 4, 11], gamma=0.2), 20),
    "warm restarts": (0.3, lambda o: S.CosineAnnealingWarmRestarts(o, T_0=7, eta_min=0.01), 30),
    "warm restarts double": (0.3, lambda o: S.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2), 50),
    "warm restarts triple": (0.3, lambda o: S.CosineAnnealingWarmRestarts(o, T_0=1, T_mult=3), 45),
    "noam": (1.0, lambda o: S.LambdaLR(o, lambda t: 512**-0.5 * min((t + 1) ** -0.5, (t + 1) * 8**-1.5)), 20),
    "product": (
        0.3,
        lambda o: S.ChainedScheduler([S.ExponentialLR(o, 0.9), S.MultiStepLR(o, [5], 0.5)]),
        20,
    ),
}

LOSSES = [5, 4, 4, 3.9999, 4.5, 3, 3.5, float("nan"), 3.2, 3.1, 3, 2.9, 2.9, 2.8999, 2.9, 2.95, 2.7, 2.8, 2.8, 2.8, 2.8]


def plateau(losses, **options):
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    schedule = S.ReduceLROnPlateau(opt, **options)
    out = []
    for loss in losses:
        schedule.step(loss)
        out.append(opt.param_groups[0]["lr"])
    return out


PLATEAUS = {
    "min": plateau(LOSSES, factor=0.5, patience=1, min_lr=0.01),
    "cooldown": plateau(LOSSES, factor=0.2, patience=0, cooldown=2, threshold=0.01),
    "max": plateau([-x for x in LOSSES], mode="max", patience=2, factor=0.5),
}


def main():
    paths, averages = {}, {}
    for name, run in CASES.items():
        got = {problem: run(problem) for problem in PROBLEMS}
        paths[name] = {p: path for p, (path, _) in got.items()}
        if got["network"][1]:
            averages[name] = {p: average for p, (_, average) in got.items()}
    sections = {
        "paths": paths,
        "averages": averages,
        "schedules": {name: rates(*case) for name, case in SCHEDULES.items()},
        "plateaus": PLATEAUS,
    }
    text = []
    for section, entries in sections.items():
        lines = ",\n".join(f"  {json.dumps(n)}: {json.dumps(e)}" for n, e in entries.items())
        text.append(f' "{section}": {{\n{lines}\n }}')
    print("{\n" + ",\n".join(text) + "\n}")


if __name__ == "__main__":
    main()
