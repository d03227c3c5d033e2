"""Operations in tests: one with its own backward agrees with its reference, or a test says which gradient is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.checking.operation import check_vjp
from harness.results.operation_check import OperationCheck
from harness.testing.compared import GradientMismatch, first_line
from harness.testing.tally import announce


def assert_vjp_matches(forward: Any, backward: Any = None, **options: Any) -> None:
    """Raise unless every gradient of an operation is within its allowance, in every case, and it keeps its contracts.

    Args:
        forward, backward, options: as of `harness.check_vjp`: reference, inputs, cases, upstream, dtype, seed, timeout.

    Raises:
        GradientMismatch: the verdict is not PASS; its first line names the gradient and the cause.
        UsageError: something impossible was asked for.
    """
    __tracebackhide__ = True
    matching_vjp({"forward": forward, "backward": backward, **options})


def matching_vjp(options: Mapping[str, Any], keep: Callable[[OperationCheck], None] | None = None) -> OperationCheck:
    """The check of an operation that passed; `keep` gets it, passed or not."""
    __tracebackhide__ = True
    result = check_vjp(**options)
    if keep:
        keep(result)
    announce(result)
    if result.verdict != "PASS":
        raise GradientMismatch(told(result.verdict, result.reason, str(result)), result)
    return result


def told(verdict: str, reason: str, text: str) -> str:
    """The verdict in one line of at most 80 characters, then everything."""
    return f"{first_line(f'{verdict}  {reason}')}\n\n{text}"
