"""An explanation: why one gradient of an operation is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.faults.cause import Cause


@dataclass(frozen=True)
class Explanation:
    """Why a gradient is wrong.

    Attributes:
        at: its name.
        causes: mistakes that give the same numbers in every case looked at, the first the likeliest; none if unknown.
        known: of the numbers, where the cause is not.
        reproduced: cases in which the causes give these numbers within the allowance.
        runner_up: the mistake that comes nearest of those that do not reproduce the numbers.
        repair: an edit of somebody's own code with which the gradient is right in every case.
    """

    at: str
    causes: tuple[Cause, ...]
    known: str
    reproduced: int
    runner_up: Cause | None
    repair: Cause | None = None

    @property
    def likeliest(self) -> Cause | None:
        """The likeliest mistake, or the edit of somebody's code that puts it right."""
        return self.causes[0] if self.causes else self.repair

    @property
    def cause(self) -> str:
        """The name of the likeliest mistake, or ``unknown``."""
        return self.likeliest.cause if self.likeliest else "unknown"

    @property
    def says(self) -> str:
        """The likeliest mistake in one line, or what is known."""
        return self.likeliest.says if self.likeliest else self.known

    @property
    def briefly(self) -> str:
        """The same for a line that says more: of an edit only where it is made; nothing if it is unknown."""
        if self.causes or self.repair is None:
            return self.causes[0].says if self.causes else ""
        return f"one edit of {self.repair.formula} puts it right"

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "gradient": self.at,
            "cause": self.cause,
            "says": self.says,
            "off": self.causes[0].residual if self.causes else None,
            "reproduced": self.reproduced,
            "repair": self.repair.says if self.repair else None,
            "also": [cause.says for cause in self.causes[1:]],
            "runner_up": self.runner_up.says if self.runner_up else None,
            "runner_up_off": self.runner_up.residual if self.runner_up else None,
        }
