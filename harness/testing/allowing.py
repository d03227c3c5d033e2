"""Allowances in tests: ``assert mine == harness.allow(reference)``.

The reference is a pass of the hand code; the allowance is derived where it was taken. In float64 every gradient
is judged end to end as well; in float32 a tensor is judged given what is shown before it, and end to end where
nothing is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.evaluation.point import Point
from harness.formats import DTYPES
from harness.inputs.plain import as_flag
from harness.results.check import Check
from harness.testing.compared import GradientMismatch, compared, told
from harness.testing.reference_pass import reference as take_reference
from harness.testing.tally import announce
from harness.usage import UsageError
from impls.contract import Pass, tensors_of
from impls.hand_numpy import HandPass


class Allowance:
    """What a pass may differ from a reference by, through rounding alone.

    Equal to a pass, or to arrays by name, whose every gradient of a weight is there and within its allowance.
    """

    __array_ufunc__ = None  # an array on the left does not spread itself over it
    __hash__ = None  # type: ignore[assignment]  # equal to more than itself

    def __init__(self, point: Point, *, strict: bool = False) -> None:
        self.point, self.strict = point, strict
        self._judged: tuple[object, Check] | None = None

    def compare(self, mine: Any) -> Check:
        """Check a pass, or arrays by name, link by link.

        Raises:
            UsageError: it is neither.
        """
        tensors = tensors_of(mine) if isinstance(mine, Pass) else mine
        if not isinstance(tensors, Mapping):
            raise UsageError(
                f"Cannot compare {type(mine).__name__} with an allowance, because it is neither a Pass nor a "
                f"dictionary of gradients by name; give one, such as {{{self.point.network.gradients[0]!r}: ...}}."
            )
        return compared(tensors, self.point, strict=self.strict)

    def __eq__(self, mine: object) -> bool:
        result = self.compare(mine)
        self._judged = mine, result
        announce(result)
        return result.verdict == "PASS"

    def told(self, mine: object) -> str:
        """What there is to say of the comparison with `mine` that was just made."""
        if self._judged and self._judged[0] is mine:
            return told(self._judged[1])
        return told(self.compare(mine))

    def __repr__(self) -> str:
        point = self.point
        return f"allow(gradients of {point.network!r} on {point.rows} rows in {point.dtype})"


def allow(reference: Pass, *, strict: bool = False) -> Allowance:
    """What may differ from a reference through rounding alone, derived entry by entry.

    Args:
        reference: a pass of the hand code, from `harness.reference` or `impls.hand_numpy.Hand.differentiate`.
        strict: whether a gradient in another shape of as many entries, or under another name that can mean nothing
            else, fails too.

    Raises:
        UsageError: it is something else, or neither in float32 nor in float64.
    """
    strict = as_flag("strict", strict)
    if not isinstance(reference, HandPass):
        raise UsageError(
            f"Cannot derive an allowance from {type(reference).__name__}, because it does not say where it was taken; "
            f"give a pass of the hand code, such as harness.reference(network, weights, x, y)."
        )
    reals = [*reference.network.given(reference.x).values(), *reference.weights.values()]
    dtypes = sorted({array.dtype.name for array in reals if array.dtype.kind not in "iu"})
    if len(dtypes) > 1 or dtypes[0] not in DTYPES:
        raise UsageError(
            f"Cannot derive an allowance in {' and '.join(dtypes)}, because there are bounds for "
            f"{', '.join(DTYPES)}, one at a time; take the reference in one of them."
        )
    return Allowance(Point(reference.network, reference.weights, reference.x, reference.y, 1), strict=strict)


def assert_gradients_match(
    mine: Any,
    reference: Pass | None = None,
    *,
    network: Any = None,
    weights: Mapping[str, Any] | None = None,
    x: Any = None,
    y: Any = None,
    strict: bool = False,
) -> None:
    """Raise unless every gradient is there and within its allowance.

    Args:
        mine: a `Pass`, or arrays of NumPy, torch or JAX by name: dW1, db1, also dz1, da1, z1, a1, loss.
        reference: a pass of the hand code.
        network, weights, x, y: where to take one, in the dtype of x, instead of a reference; x holds several inputs by
            name.
        strict: as of `allow`.

    Raises:
        GradientMismatch: some gradient is missing, outside its allowance, or judged without power.
        UsageError: there is nothing to compare with.
    """
    __tracebackhide__ = True
    given = {"network": network, "weights": weights, "x": x, "y": y}
    missing = [name for name, value in given.items() if value is None]
    if reference is None and missing:
        raise UsageError(
            f"Cannot compare gradients without {', '.join(missing)}, because nothing says where they were taken; give "
            f"a reference, or network, weights, x and y."
        )
    if reference is not None and len(missing) < len(given):
        raise UsageError("Cannot use a reference and network, weights, x or y, because it has its own; give one.")
    if reference is None:
        reference = take_reference(
            network, weights, x, y, dtype=None if isinstance(x, Mapping) else np.asarray(x).dtype.name
        )
    result = allow(reference, strict=strict).compare(mine)
    announce(result)
    if result.verdict != "PASS":
        raise GradientMismatch(told(result), result)
