"""Surveys of what is installed: how accurate it is, and what it chooses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from harness.candidates.conformance import BreachError
from impls.contract import CannotCompareError
from impls.registry import REFERENCE, NotInstalledError


@dataclass(kw_only=True)
class Survey:
    """Who was asked, and whether all was: what surveys have in common.

    Attributes:
        named: whether implementations were asked for by name.
        implementations: version of each that could be built.
        missing: why another could not, by name.
        how: finished or interrupted.
    """

    unusable: ClassVar[str]
    """What is said of an implementation that raises something unforeseen."""
    named: bool
    implementations: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    how: str = "finished"

    @property
    def who(self) -> str:
        """The implementations with their versions, on one line."""
        versions = self.implementations.items()
        return " · ".join(f"{name} {v}" if name == REFERENCE else v for name, v in versions) or "nothing"

    def marked(self, text: str) -> str:
        """A reason, which says where the survey was interrupted."""
        return f"{text} (interrupted: what was finished)" if self.how == "interrupted" else text

    def why_not(self, name: str, error: Exception) -> str:
        """Why an implementation could not be asked; it is somebody else's code: whatever it raises is about it."""
        text = " ".join(str(error).split())[:300]
        expected = isinstance(error, NotInstalledError | CannotCompareError | BreachError)
        return text if expected else f"{name} {self.unusable}: {type(error).__name__}: {text}"
