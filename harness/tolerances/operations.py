"""Operations: the tensors of one, each with its allowance, and with what right programs give for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.arithmetic import Bounded, Context, profile_of
from harness.arithmetic.profile import on_tensor_cores
from harness.candidates.operation import Operation
from harness.checking.operation_points import Points, References, points_of, with_upstream
from harness.evaluation.references.derived import HandReference
from harness.evaluation.references.expected import Expected, gradient_of
from harness.formats import FORMATS, WIDE, rounded_to
from harness.inputs.arguments import as_dtype
from harness.inputs.outputs import OUTPUT
from harness.tolerances.orders import from_last
from harness.tolerances.subject import Floats, Subject
from harness.usage import UsageError
from impls.contract import Arithmetic, Array

PRODUCT_BLOCK = 16
"""Products that a kernel of matrix products forgets, where it forgets the last of them."""
LONG = 2**30
"""Entries of the largest tensor times the longest axis, up to which terms are added one after the other: seconds."""
KERNEL = Arithmetic(products="float32", sums="float32", meetings="float32", within="float32")
"""Below float32: every step in float32, and one rounding in the end."""
NARROWER = {"float64": "float32", "float32": "bfloat16"}
"""In which operands may be read by a program that calls itself one of the wider dtype."""


@dataclass(frozen=True)
class Candidate:
    """Somebody's own program of the operation, presumed right where it is within its allowance."""

    forward: Any
    backward: Any = None


def operation_subjects(
    reference: Any,
    *,
    inputs: Mapping[str, Any] | str | None = None,
    upstream: Any = None,
    dtype: str = "float32",
    seed: int = 0,
    candidate: Candidate | None = None,
    timeout: float | None = None,
    tensor_cores: str | None = None,
) -> list[Subject]:
    """The output and every gradient of an operation, at one point.

    Args:
        reference, inputs, upstream, seed: as of `harness.check_vjp`; the first of its cases is taken.
        candidate: whose numbers are tried as those of a right program.
        tensor_cores: of which architecture matrix products run on, H100, say; on none if None.

    Raises:
        UsageError: as `harness.check_vjp` does.
    """
    dtype = as_dtype(dtype)
    points = points_of(reference, inputs, (), dtype, seed, None)
    case = points.cases[0]
    if upstream is not None:
        case = with_upstream(Points(points.signature, [case], {}), upstream, dtype).cases[1]
    references = References(reference, None, points.signature)
    at = references.expected(case, dtype, np.random.default_rng(seed))
    programs = dict(_programs(at))
    if candidate is not None:
        own = Operation(candidate.forward, candidate.backward, points.signature, case.inputs, dtype, timeout)
        programs = {own.name: dict(own.answer(at).shown)} | programs
    tensors = allowed_tensors(at, tensor_cores)
    return [
        Subject(
            name=name, expected=np.array(right.value, np.float64), allowed=np.array(right.bound, np.float64),
            dtype=dtype, source="measured" if at.reference.measured else "derived",
            programs={who: _wide(made[name]) for who, made in programs.items() if _fits(made.get(name), right.shape)},
            mistakes=_mistakes(at, name, dtype),
        )
        for name, right in tensors.items()
    ]  # fmt: skip


def allowed_tensors(at: Expected, tensor_cores: str | None = None) -> dict[str, Bounded]:
    """Output and gradients as programs of the dtype may give them; on tensor cores float32 is read as TF32.

    Below float32 a hand layer is one kernel.
    """
    reference = at.reference
    if not isinstance(reference, HandReference):
        if tensor_cores is None:
            return at.tensors
        raise UsageError(
            f"Cannot derive an allowance for tensor cores with {reference.name}, because it is measured, and not "
            f"there; give a hand layer, or matmul(T, M, K)."
        )
    profile = profile_of(at.dtype, arithmetic=KERNEL)
    if tensor_cores is not None:
        operands = {"float32": "tf32"}.get(at.dtype, at.dtype)
        try:
            profile = on_tensor_cores(profile, tensor_cores, operands)
        except ValueError as error:
            raise UsageError(str(error)) from None
    elif at.dtype in WIDE:
        return at.tensors
    output, gradients = reference.computed(at.given, at.upstream, Context(profile).exact)
    found = {OUTPUT: output, **{gradient_of(name): gradient for name, gradient in gradients.items()}}
    return {name: bounded.stored() for name, bounded in found.items()}


def _programs(at: Expected) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the hand code gives in the dtype, in the order in which NumPy adds and in another one."""
    reference = at.reference
    if not isinstance(reference, HandReference):
        return
    within = at.dtype if at.dtype in WIDE else "float32"
    orders: dict[str, Callable[[Array], Any]] = {
        "the hand code in NumPy": lambda array: np.asarray(array, within),
        "the same, summed from last to first": lambda array: from_last(np.asarray(array, within)),
    }
    arrays = [*at.given.values(), at.upstream]
    if max(array.size for array in arrays) * max(max(array.shape, default=1) for array in arrays) > LONG:
        del orders["the same, summed from last to first"]
    for name, give in orders.items():
        with np.errstate(all="ignore"):
            output, gradients = reference.computed(at.given, at.upstream, give)
        found = {OUTPUT: output} if list(at.parts) == [OUTPUT] else {}
        found |= {gradient_of(each): gradient for each, gradient in gradients.items()}
        yield name, {each: rounded_to(np.asarray(array), at.dtype) for each, array in found.items()}


def _mistakes(at: Expected, tensor: str, dtype: str) -> dict[str, Callable[[], Floats]]:
    """Of a matrix product: what kernels forget, and what they read of their operands."""
    layer = getattr(at.reference, "layer", None)
    if not getattr(layer, "multiplied", 0) or tensor != OUTPUT:
        return {}
    p, q = (_wide(at.given[name]) for name in at.reference.inputs)
    found: dict[str, Callable[[], Floats]] = {}
    if (terms := p.shape[-1]) > PRODUCT_BLOCK:
        rest = terms % PRODUCT_BLOCK or PRODUCT_BLOCK
        found[f"the last {rest} of {terms} products"] = lambda: p[..., :-rest] @ q[..., :-rest, :]
    if (narrow := NARROWER.get(dtype)) in FORMATS:
        found[f"operands in {narrow}"] = lambda: rounded_to(p, narrow) @ rounded_to(q, narrow)
    return found


def _wide(array: Any) -> Floats:
    return np.asarray(np.asarray(array), np.float64)


def _fits(array: Any, shape: tuple[int, ...]) -> bool:
    return array is not None and np.shape(array) == shape
