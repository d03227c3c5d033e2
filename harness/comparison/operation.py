"""Judging one tensor of an operation against what it should be at its point: a kink's other side is a convention."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from harness.comparison.judge import Check, Row, judge
from harness.evaluation.references.expected import Expected
from impls.contract import Array


def check_of(dtype: str) -> Check:
    """What an operation's rows are called: the formula in float64, the rounding in any other dtype."""
    return "formula" if dtype == "float64" else "rounding"


def row_of(expected: Expected, tensor: str, shown: Mapping[str, Array], against: str, step: int) -> Row:
    """The row of a tensor that is shown, given all that are."""
    right = expected.tensors[tensor]
    row = judge(
        check_of(expected.dtype), tensor, against, step,
        actual=shown[tensor], expected=right.value, allowed=right.bound,
    )  # fmt: skip
    if row.verdict == "FAULT" and expected.convention(tensor, shown):
        return replace(row, verdict="convention", reason="exactly on a kink, another valid subgradient is taken")
    return row
