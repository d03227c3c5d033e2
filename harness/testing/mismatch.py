"""What a test raises where gradients do not agree: an AssertionError that carries what was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.comparison.judge import Row


class GradientMismatch(AssertionError):  # noqa: N818  (it says what is wrong, as AssertionError's message would)
    """Gradients do not agree up to rounding, or could not be told from zeros.

    Its first line has at most 80 characters.

    Attributes:
        result: the `Run` or the `Check`.
        rows: one per tensor: what was judged.
    """

    __module__ = "harness"  # where it is imported from, and what pytest prints in its short summary

    def __init__(self, message: str, result: Any) -> None:
        super().__init__(message)
        self.result = result
        self.rows: Sequence[Row] = result.rows
