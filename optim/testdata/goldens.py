"""Records what torch.optim does, in float64, for the tests of package optim.

    python goldens.py > goldens.json

Needs torch (recorded with 2.15). Each optimizer takes 20 steps on three problems: a quadratic, Rosenbrock's function and
a small network. Start points and data are given by formulas that optim_test.go repeats.
"""
import json
import math

import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

torch.set_default_dtype(torch.float64)
STEPS = 20
KEPT = {"network": [1, 2, 5, 10, 20]}  # of a problem with many params; all steps of the others


def wave(shape, phase):
    n = math.prod(shape)
    return torch.tensor([math.sin(1.3 * i + phase) for i in range(n)]).reshape(shape)


def quadratic():
    w = torch.tensor([0.5, 0.5, -0.5])
    a, b = torch.tensor([1.0, 10.0, 0.1]), torch.tensor([1.0, -2.0, 3.0])
    return {"w": w}, lambda p: 0.5 * (a * (p["w"] - b) ** 2).sum()


def rosenbrock():
    def loss(p):
        x, y = p["x"]
        return (1 - x) ** 2 + 100 * (y - x * x) ** 2

    return {"x": torch.tensor([-1.2, 1.0])}, loss


def network():
    x, y = wave((5, 3), 0.1), wave((5, 1), 0.7)
    params = {"w1": wave((3, 4), 0.2), "b1": wave((4,), 0.3), "w2": wave((4, 1), 0.4), "b2": wave((1,), 0.5)}

    def loss(p):
        h = torch.tanh(x @ p["w1"] + p["b1"])
        return ((h @ p["w2"] + p["b2"] - y) ** 2).mean()

    return params, loss


PROBLEMS = {"quadratic": quadratic, "rosenbrock": rosenbrock, "network": network}


def run(problem, make, clip):
    params, loss = PROBLEMS[problem]()
    params = {k: v.clone().requires_grad_() for k, v in params.items()}
    made = make(params)
    opt, schedule = made if isinstance(made, tuple) else (made, None)
    path = []
    for _ in range(STEPS):
        opt.zero_grad()
        loss(params).backward()
        if clip:
            clip(params.values())
        opt.step()
        if schedule:
            schedule.step()
        path.append([x for p in params.values() for x in p.detach().flatten().tolist()])
    return [path[i - 1] for i in KEPT.get(problem, range(1, STEPS + 1))]


def plain(cls, **options):
    return lambda params: cls(params.values(), **options)


def grouped(params):
    """No decay on vectors, a tenth of the rate on the first matrix."""
    groups = []
    for name, p in params.items():
        groups.append({"params": [p], "lr": 0.01 if name == "w1" else 0.1, "weight_decay": 0.2 if p.dim() > 1 else 0})
    return torch.optim.AdamW(groups)


def frozen(params):
    return torch.optim.Adam([p for name, p in params.items() if name != "b1"], lr=0.1)


def one_cycle(params):
    opt = torch.optim.SGD(params.values(), lr=0.001)
    return opt, torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=0.002, total_steps=STEPS + 1, cycle_momentum=False)


O = torch.optim
CASES = {
    "sgd": plain(O.SGD, lr=0.001),
    "sgd decay": plain(O.SGD, lr=0.001, weight_decay=0.1),
    "sgd momentum": plain(O.SGD, lr=0.001, momentum=0.9),
    "sgd momentum decay": plain(O.SGD, lr=0.001, momentum=0.8, weight_decay=0.1),
    "sgd dampening": plain(O.SGD, lr=0.001, momentum=0.9, dampening=0.5),
    "sgd nesterov": plain(O.SGD, lr=0.001, momentum=0.9, nesterov=True),
    "rmsprop": plain(O.RMSprop, lr=0.01),
    "rmsprop alpha epsilon decay": plain(O.RMSprop, lr=0.01, alpha=0.9, eps=1e-3, weight_decay=0.1),
    "rmsprop momentum": plain(O.RMSprop, lr=0.01, momentum=0.9),
    "rmsprop centered": plain(O.RMSprop, lr=0.01, centered=True),
    "rmsprop centered momentum": plain(O.RMSprop, lr=0.01, centered=True, momentum=0.5),
    "adagrad": plain(O.Adagrad, lr=0.1),
    "adagrad decays": plain(O.Adagrad, lr=0.1, lr_decay=0.1, weight_decay=0.1),
    "adagrad initial epsilon": plain(O.Adagrad, lr=0.1, initial_accumulator_value=0.1, eps=1e-3),
    "adam": plain(O.Adam, lr=0.1),
    "adam betas epsilon": plain(O.Adam, lr=0.1, betas=(0.8, 0.9), eps=1e-3),
    "adam decay": plain(O.Adam, lr=0.1, weight_decay=0.1),
    "adamw": plain(O.AdamW, lr=0.1),
    "adamw decay": plain(O.AdamW, lr=0.1, weight_decay=0.3),
    "sgd clip norm": (plain(O.SGD, lr=0.01), lambda ps: clip_grad_norm_(ps, 0.5)),
    "sgd clip value": (plain(O.SGD, lr=0.01), lambda ps: clip_grad_value_(ps, 0.25)),
    "adam clip both": (
        plain(O.Adam, lr=0.1),
        lambda ps: (lambda ps: (clip_grad_value_(ps, 0.25), clip_grad_norm_(ps, 0.3)))(list(ps)),
    ),
    "sgd one cycle": one_cycle,
    "adamw groups": grouped,
    "adam frozen": frozen,
}

S = torch.optim.lr_scheduler


def sequential(milestone, first, then):
    return lambda opt: S.SequentialLR(opt, [first(opt), then(opt)], milestones=[milestone])


SCHEDULES = {
    "constant": (0.3, lambda o: S.LambdaLR(o, lambda t: 1.0), 30),
    "linear": (0.5, lambda o: S.LinearLR(o, start_factor=0.2, end_factor=0.8, total_iters=12), 30),
    "step": (0.1, lambda o: S.StepLR(o, step_size=7, gamma=0.3), 40),
    "exponential": (0.1, lambda o: S.ExponentialLR(o, gamma=0.93), 40),
    "cosine": (0.1, lambda o: S.CosineAnnealingLR(o, T_max=25, eta_min=0.01), 25),
    "warmup cosine": (
        0.1,
        sequential(
            5,
            lambda o: S.LinearLR(o, start_factor=1 / 5, total_iters=4),
            lambda o: S.CosineAnnealingLR(o, T_max=20),
        ),
        25,
    ),
    "join": (
        0.1,
        sequential(10, lambda o: S.ExponentialLR(o, gamma=0.9), lambda o: S.StepLR(o, step_size=4, gamma=0.5)),
        30,
    ),
    "one cycle": (0.1, lambda o: S.OneCycleLR(o, max_lr=0.1, total_steps=40, cycle_momentum=False), 39),
    "one cycle options": (
        0.1,
        lambda o: S.OneCycleLR(
            o, max_lr=0.2, total_steps=33, pct_start=0.45, div_factor=10, final_div_factor=100, cycle_momentum=False
        ),
        32,
    ),
}


def rates(lr, make, last):
    """The rates at the steps 0 to last."""
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    schedule = make(opt)
    out = []
    for _ in range(last + 1):
        out.append(opt.param_groups[0]["lr"])
        opt.step()
        if len(out) <= last:
            schedule.step()
    return out


def main():
    paths = {}
    for name, case in CASES.items():
        make, clip = case if isinstance(case, tuple) else (case, None)
        problems = ["network"] if name in ("adamw groups", "adam frozen") else PROBLEMS
        paths[name] = {p: run(p, make, clip) for p in problems}
    schedules = {name: rates(*case) for name, case in SCHEDULES.items()}
    print("{")
    print(' "paths": {')
    print(",\n".join(f"  {json.dumps(n)}: {json.dumps(p)}" for n, p in paths.items()))
    print(' },\n "schedules": {')
    print(",\n".join(f"  {json.dumps(n)}: {json.dumps(r)}" for n, r in schedules.items()))
    print(" }\n}")


if __name__ == "__main__":
    main()
