"""Torch's own database of operators, OpInfo: its samples, each a program of one line.

Source: torch.testing._internal.common_methods_invocations, which torch's tests use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import islice
from typing import Any

from harness.programs.check import check_program
from harness.usage import UsageError
from reports.coverage.judged import BEST, Judged

WEIGHING = 3
"""Operations by which the loss is made of what an operator gives: a product, a sum, an addition."""
KNOWN = ("nn.functional.hardsigmoid", "nn.functional.layer_norm", "native_layer_norm")
"""In float64 the first has a constant of float32; the others, over one element, give a gain a gradient, which is 0."""
OVERFLOWING = {"float16": ("nn.functional.soft_margin_loss", "logaddexp")}
"""What is infinite on the way to a result that is not, so that the result is wrong."""


def operators(of: Sequence[str] = (), dtype: str = "float64") -> list[Any]:
    """Every differentiable operator of torch's database that has the dtype, or those of these names."""
    database = import_module("torch.testing._internal.common_methods_invocations").op_db
    torch = import_module("torch")
    every = [
        each for each in database if each.supports_autograd and getattr(torch, dtype) in each.supported_dtypes("cpu")
    ]
    return [each for each in every if not of or _name(each) in of]


def judged(operator: Any, samples: int | None = None, dtype: str = "float64") -> Judged | None:
    """One operator on its first samples, on all if None; None where none of them has a gradient."""
    torch = import_module("torch")
    kinds: list[str] = []
    wrong, why = "", ""
    for sample in islice(operator.sample_inputs("cpu", getattr(torch, dtype), requires_grad=True), samples):
        try:
            found = check_program(_program(operator, sample), sample.input, *sample.args, name=_name(operator))
        except UsageError:  # it has no gradient, or no tensor among its arguments
            continue
        own = [each for each in found.operations if not each.meets]
        ours = own[WEIGHING:] or own
        kinds.append(max((each.kind for each in ours), key=BEST.index))
        why = why or next((each.why_not for each in ours if each.kind == "none"), "")
        wrong = wrong or (found.reason if found.verdict == "FAIL" else "")
    return Judged(_name(operator), max(kinds, key=BEST.index), wrong, why) if kinds else None


def _name(operator: Any) -> str:
    return f"{operator.name}.{operator.variant_test_name}" if operator.variant_test_name else str(operator.name)


def _program(operator: Any, sample: Any) -> Callable[..., Any]:
    """What an operator gives, weighed by numbers of its own and added up."""
    torch, pytree = import_module("torch"), import_module("torch.utils._pytree")

    def program(*arguments: Any) -> Any:
        returned = operator(*arguments, **sample.kwargs)
        if sample.output_process_fn_grad is not None:
            returned = sample.output_process_fn_grad(returned)
        weights = torch.Generator().manual_seed(0)
        reals = (leaf for leaf in pytree.tree_leaves(returned) if isinstance(leaf, torch.Tensor) and leaf.requires_grad)
        return sum((r * torch.rand(r.shape, generator=weights, dtype=r.dtype)).sum() for r in reals)

    return program
