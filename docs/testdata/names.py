"""Writes the names that users of PyTorch, JAX and Optax know, for the page of coverage.

    python names.py > names.json

Needs torch (recorded with 2.15) with expecttest, jax (0.10) and optax (0.2.8). The ops of PyTorch are those of its own table of ops, which its tests
go through.
"""
import inspect
import json
import warnings

warnings.simplefilter("ignore")

import jax  # noqa: E402
import jax.numpy  # noqa: E402
import optax  # noqa: E402
import optax.contrib  # noqa: E402
import torch  # noqa: E402
from torch.testing._internal.common_methods_invocations import op_db  # noqa: E402

# Helpers of the libraries themselves, which they do not document.
INTERNAL = {
    "Optional", "assert_int_or_pair", "boolean_dispatch", "handle_torch_function", "has_torch_function", "has_torch_function_unary",
    "has_torch_function_variadic", "MaskOrFn", "OptState", "Params", "ScalarOrSchedule", "Schedule", "Updates",
}  # fmt: skip


def public(module, keep):
    return sorted(n for n in dir(module) if not n.startswith("_") and n not in INTERNAL and keep(getattr(module, n)))


def function(x):
    return callable(x) and not inspect.isclass(x) and not inspect.ismodule(x)


def subclass(base):
    return lambda x: inspect.isclass(x) and issubclass(x, base) and x is not base


schedules = torch.optim.lr_scheduler
names = {
    "torch.nn": public(torch.nn, subclass(torch.nn.Module)),
    "torch.nn.functional": public(torch.nn.functional, function),
    "torch": sorted({op.name for op in op_db if not op.name.startswith("nn.functional.")}),
    "torch.optim": public(torch.optim, subclass(torch.optim.Optimizer)),
    "torch.optim.lr_scheduler": public(schedules, lambda x: inspect.isclass(x) and x.__module__ == schedules.__name__ and x is not schedules.LRScheduler),
    "jax.numpy": public(jax.numpy, function),
    "jax.lax": public(jax.lax, function),
    "jax.scipy.special": public(jax.scipy.special, function),
    "jax.nn": public(jax.nn, function),
    "optax": public(optax, function),
    "optax.contrib": public(optax.contrib, function),
}
print(json.dumps(names, indent=1))
