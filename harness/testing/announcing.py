"""Announcing: whoever judges gradients tells whoever counts what is judged, if somebody does.

The pytest plugin counts for the time of one test. Nothing is imported here, because the plugin loads this.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

listeners: list[Callable[[Any], None]] = []
"""Who counts; the last one hears."""


def announce(result: Any) -> None:
    """Tell of a run or a comparison that was just judged."""
    if listeners:
        listeners[-1](result)
