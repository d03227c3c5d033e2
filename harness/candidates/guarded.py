"""Somebody else's code, called under guard: whatever it raises, prints or takes too long for is about it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np

from harness.candidates.deadline import OverdueError, deadline
from harness.candidates.isolated import interruptible
from harness.candidates.printing import Printed
from harness.candidates.replaced import replaced
from harness.comparison.judge import Kind
from harness.usage import UsageError, short_of_memory, told


class Failure(NamedTuple):
    """Why a call gave no answer: ``timeout``, or ``raised`` with what it raised, in words that follow its name."""

    kind: Kind
    message: str
    error: BaseException | None = None

    def where(self, function: Any) -> str:
        """The line of the function's own file that was running, in words; nothing where it raised none."""
        file = getattr(getattr(inspect.unwrap(function), "__code__", None), "co_filename", None)
        traceback, line = self.error.__traceback__ if self.error else None, None
        while traceback:
            if traceback.tb_frame.f_code.co_filename == file:
                line = traceback.tb_lineno
            traceback = traceback.tb_next
        return f" (line {line})" if line else ""


def guarded(
    call: Callable[[], Any], timeout: float | None, printed: Printed, *, reading: bool = False
) -> tuple[Any, Failure | None]:
    """What a call returns, or how it failed; what it prints goes to stderr, overflow and the like are not mentioned.

    Args:
        call: it.
        timeout: seconds that it may take, or None.
        printed: what calls before this one have printed.
        reading: whether it is the harness that reads there what somebody's code returned, which may run more of that.

    Raises:
        KeyboardInterrupt, MemoryError, UsageError: they are nobody's fault, or the caller's.
    """
    try:
        calling = nullcontext() if reading else replaced()
        with deadline(timeout), printed.redirected(), np.errstate(all="ignore"), calling:
            return call(), None
    except (MemoryError, UsageError):
        raise
    except OverdueError:
        return None, Failure("timeout", f"did not answer within {timeout:g} s")
    except BaseException as error:  # SystemExit included: who leaves by sys.exit(0) would end the caller's tests
        if short_of_memory(error):
            raise MemoryError(told(error)) from None
        if isinstance(error, KeyboardInterrupt) and interruptible():
            raise
        return None, Failure("raised", told(error), error)
