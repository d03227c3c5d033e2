"""A call: somebody's function of arguments, tensors in trees and others, as a function of the tensors alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

Settings = Mapping[str, Any]
"""A value for each argument that is no tensor, by its name."""


class Places(Protocol):
    """Who knows where each tensor goes: `harness.inputs.signature.Signature`."""

    @property
    def tensors(self) -> Mapping[str, Any]: ...  # noqa: D102

    def placed(self, own: Mapping[str, Any], settings: Settings) -> list[Any]: ...  # noqa: D102


class Call:
    """A function of the tensors of a signature, in their order."""

    def __init__(self, function: Callable[..., Any], signature: Places, settings: Settings) -> None:
        self.function = self.__wrapped__ = function
        self.signature, self.settings = signature, settings
        self.__name__ = str(getattr(function, "__name__", type(function).__name__))
        self.__module__ = str(getattr(function, "__module__", None))

    def __call__(self, *own: Any) -> Any:
        """What it returns for these tensors."""
        return self.function(*self.signature.placed(dict(zip(self.signature.tensors, own, strict=True)), self.settings))
