# Writes private.json: the privacy that the accountant of Opacus counts, and a clipped mean gradient by PyTorch. Run as:
# python private.py > private.json
import json

import torch
from opacus.accountants.analysis import rdp

orders = list(range(2, 65)) + [128, 256, 512]
spent = []
for noise, rate, steps, delta in [(1.1, 0.01, 10000, 1e-5), (0.7, 256 / 60000, 2000, 1e-5), (4, 1.0, 100, 1e-6), (2, 0.5, 30, 1e-3), (20, 0.001, 10, 1e-5)]:
    total = rdp.compute_rdp(q=rate, noise_multiplier=noise, steps=steps, orders=orders)
    epsilon, _ = rdp.get_privacy_spent(orders=orders, rdp=total, delta=delta)
    spent.append([noise, rate, steps, delta, float(epsilon)])

torch.set_default_dtype(torch.float64)
torch.manual_seed(1)
x, y = torch.randn(5, 3), torch.randint(0, 4, (5,))
w, b = torch.randn(3, 4, requires_grad=True), torch.randn(4, requires_grad=True)
bound = 1.5
norms, total, mean = [], None, 0
for i in range(5):
    loss = torch.nn.functional.cross_entropy((x[i : i + 1] @ w + b).tanh() * 2, y[i : i + 1])
    mean += loss.item() / 5
    ds = torch.autograd.grad(loss, [w, b])
    norm = torch.sqrt(sum((d**2).sum() for d in ds))
    norms.append(norm.item())
    part = [d * min(1.0, bound / norm.item()) / 5 for d in ds]
    total = part if total is None else [a + p for a, p in zip(total, part)]
flat = lambda t: t.detach().flatten().tolist()
print(json.dumps({"spent": spent, "x": flat(x), "y": y.tolist(), "w": flat(w), "b": flat(b), "bound": bound, "loss": mean, "norms": norms,
                  "dw": flat(total[0]), "db": flat(total[1])}, indent=1))
