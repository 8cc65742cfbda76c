# Writes goldens.json: logarithms of probabilities, entropies, divergences and their gradients by torch.distributions, in f64. Run as:
# python goldens.py > goldens.json
import json

import torch
from torch import distributions as D

torch.set_default_dtype(torch.float64)
T = torch.tensor
cases = []


def case(name, make, p, q, x, differentiable=True):
    p = [T(v).requires_grad_() for v in p]
    q = [T(v).requires_grad_() for v in q]
    x = T(x)
    if differentiable:
        x.requires_grad_()
    dp, dq = make(*p), make(*q)
    log_prob, entropy, kl = dp.log_prob(x), dp.entropy(), D.kl_divergence(dp, dq)
    total = log_prob.sum() + 2 * entropy.sum() + 3 * kl.sum()
    ends = p + q + ([x] if differentiable else [])
    grads = torch.autograd.grad(total, ends, allow_unused=True)
    tensor = lambda t: {"shape": list(t.shape), "data": t.detach().to(torch.float64).flatten().tolist()}
    zero = lambda g, end: torch.zeros_like(end) if g is None else g
    cases.append({"name": name, "p": [tensor(v) for v in p], "q": [tensor(v) for v in q], "x": tensor(x), "log_prob": tensor(log_prob),
                  "entropy": tensor(entropy), "kl": tensor(kl), "grads": [tensor(zero(g, e)) for g, e in zip(grads, ends)]})


case("Normal", D.Normal, [[0.5, -1.0, 3.0], [1.0, 0.2, 5.0]], [[0.0, 1.0, 2.0], [2.0, 0.5, 4.0]], [0.3, 2.0, -7.0])
case("Bernoulli", lambda l: D.Bernoulli(logits=l), [[0.5, -3.0, 3.0, -2.0]], [[0.0, 1.0, 2.0, 4.0]], [1.0, 0.0, 1.0, 1.0], False)
case("Categorical", lambda l: D.Categorical(logits=l), [[0.5, -3.0, 30.0, -2.0]], [[0.0, 1.0, 2.0, 4.0]], [1, 0, 3, 2, 2], False)
case("Categorical", lambda l: D.Categorical(logits=l), [[[0.5, -3.0, 3.0], [1.0, 2.0, -2.0]]], [[[0.0, 1.0, 2.0], [4.0, 0.0, 1.0]]], [1, 2], False)
case("Gamma", D.Gamma, [[0.5, 1.0, 30.0], [1.0, 0.2, 5.0]], [[0.7, 1.0, 2.0], [2.0, 0.5, 4.0]], [0.3, 2.0, 7.0])
case("Beta", D.Beta, [[0.5, 1.0, 30.0], [1.0, 0.2, 5.0]], [[0.7, 1.0, 2.0], [2.0, 0.5, 4.0]], [0.3, 0.01, 0.9])
case("Dirichlet", D.Dirichlet, [[0.5, 1.0, 30.0]], [[0.7, 3.0, 2.0]], [0.2, 0.1, 0.7])
case("Dirichlet", D.Dirichlet, [[[0.5, 2.0], [3.0, 4.0]]], [[[0.7, 3.0], [1.0, 1.0]]], [[0.2, 0.8], [0.9, 0.1]])
normal = lambda m, l: D.MultivariateNormal(m, scale_tril=l.tril())
case("MultivariateNormal", normal, [[0.5, -1.0], [[1.0, 0.0], [0.3, 2.0]]], [[0.0, 1.0], [[0.5, 0.0], [-0.7, 1.5]]], [[0.2, 0.1], [1.0, -3.0], [0.0, 0.0]])
case("MultivariateNormal", normal, [[[0.5, -1.0], [2.0, 1.0]], [[[1.0, 0.0], [0.3, 2.0]], [[2.0, 0.0], [-0.3, 1.0]]]],
     [[[0.0, 1.0], [1.0, 1.0]], [[[0.5, 0.0], [-0.7, 1.5]], [[1.0, 0.0], [0.0, 1.0]]]], [[0.2, 0.1], [1.0, -3.0]])
print(json.dumps(cases, indent=1))
