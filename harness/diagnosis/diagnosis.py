"""What a diagnosis says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cause:
    cause: str
    at: str
    says: str
    formula: str
    residual: float


@dataclass(frozen=True)
class Diagnosis:
    at: str
    shown_at: str
    causes: tuple[Cause, ...]
    runner_up: Cause | None
    known: tuple[str, ...]
    should: str
    entry: Any
    explains: tuple[str, ...]
