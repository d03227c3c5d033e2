"""Operations that are wrong by one slip, as learners and authors of kernels make them, in many manners.

The line with the slip ends in ``# slip``: who names a line names that one.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Wrong:
    """One of them.

    Attributes:
        says: an expression for what a true cause says, besides one that names the line.
        written: the function with the slip, where it is not to be had from these.
    """

    name: str
    forward: Any
    backward: Any
    reference: Any
    inputs: dict[str, Any] | None
    says: str
    written: Any = None

    def is_named_by(self, explanation: Any) -> bool:
        """Whether what is said of a wrong gradient is true: an edit that puts it right is, and so is what `says`."""
        causes = explanation.causes
        return not causes or bool(re.search(self.says, f"{causes[0].cause}: {causes[0].says}"))

    @property
    def line(self) -> int | None:
        """Number of the line with the slip."""
        body = self.written or self.backward or getattr(self.forward, "backward", self.forward)
        lines, first = inspect.getsourcelines(body)
        return next((first + place for place, line in enumerate(lines) if line.rstrip().endswith("# slip")), None)


OPERATIONS: list[Wrong] = []


def wrong(forward: Any, reference: Any, inputs: dict[str, Any] | None = None, says: str = "$^") -> Callable[[Any], Any]:
    """List a backward pass with its forward pass; or a function that brings its own, where `forward` is None."""

    def listed(backward: Any) -> Any:
        pair = (backward, None) if forward is None else (forward, backward)
        OPERATIONS.append(Wrong(backward.__name__, *pair, reference, inputs, says))
        return backward

    return listed
