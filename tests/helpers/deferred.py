"""A module that is imported when it is first used, so that collecting tests loads no framework."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Deferred:
    """Stands for a module until something of it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "pytestmark":  # pytest asks that of whatever a module holds
            raise AttributeError(name)
        return getattr(import_module(self._name), name)
