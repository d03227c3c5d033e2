"""What somebody's code replaces in NumPy or in Python is in force while that code runs, and nowhere else.

A program that sets ``np.sum``, ``np.abs`` or ``np.isfinite`` to something of its own computes with that; it is judged
by what was there before.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from operator import is_
from types import ModuleType
from typing import Any

MODULES = ("builtins", "math", "numpy", "numpy.linalg", "numpy.random", "scipy.special")
"""Whose functions judge."""

_theirs: dict[str, dict[str, Any]] = {}
"""Of each module: what somebody's code put in place of something, by name."""


@contextmanager
def replaced() -> Iterator[None]:
    """Somebody's code runs in the block: with what it replaced before, and what it replaces now is put back after."""
    modules: list[ModuleType] = [sys.modules[name] for name in MODULES if name in sys.modules]
    ours = [dict(vars(module)) for module in modules]
    for module in modules:
        vars(module).update(_theirs.get(module.__name__, {}))
    try:
        yield
    finally:
        for module, before in zip(modules, ours, strict=True):
            now = vars(module)
            same = len(now) == len(before) and all(map(is_, now.values(), before.values()))  # nearly always
            changed = [] if same else [name for name, value in before.items() if now.get(name) is not value]
            _theirs[module.__name__] = {name: now[name] for name in changed if name in now}
            now.update({name: before[name] for name in changed})
