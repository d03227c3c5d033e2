"""Implementations by name, imported when they are asked for.

A third package adds one through the entry-point group ``harness.implementations``:

    [project.entry-points."harness.implementations"]
    tinygrad = "my_package:build"

where ``build(network, dtype)`` returns an `impls.contract.Implementation`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from impls.contract import Implementation
from impls.graph import Graph

GROUP = "harness.implementations"

OWN = {
    "hand": "impls.hand_numpy:Hand",
    "torch": "impls.torch_autograd:TorchAutograd",
    "jax": "impls.jax_grad:JaxGrad",
}
REFERENCE = "hand"
"""The implementation whose float64 values are the centre of every comparison."""
INSTALL = {"torch": "pip install 'backprop-harness[torch]'", "jax": "pip install 'backprop-harness[jax]'"}


class NotInstalledError(ImportError):
    """An implementation is known, but what it needs is missing."""


class UnknownImplementationError(ValueError):
    """There is no implementation of that name."""


def names() -> list[str]:
    """Every known name, hand first, then this project's, then third parties' in alphabetical order."""
    return [*OWN, *sorted(set(_third_parties()) - set(OWN))]


def load(name: str) -> Callable[[Graph, str], Implementation]:
    """The function that builds the implementation called `name`.

    Raises:
        UnknownImplementationError: no package registered that name.
        NotInstalledError: a package that it needs cannot be found.
        Exception: whatever importing it raises.
    """
    if name in OWN:
        module, _, attribute = OWN[name].partition(":")
        target = EntryPoint(name, f"{module}:{attribute}", GROUP)
    else:
        third = _third_parties()
        if name not in third:
            raise UnknownImplementationError(
                f"Cannot compare with {name[:80]!r}, because no installed package registers an "
                f"implementation of that name; choose from {', '.join(names())}."
            )
        target = third[name]
    try:
        built: Any = getattr(import_module(target.module), target.attr)
    except ModuleNotFoundError as error:
        remedy = INSTALL.get(name, f"install the package {error.name}")
        raise NotInstalledError(
            f"Cannot compare with {name}, because the package {error.name!r} is not installed; {remedy}."
        ) from error
    return built


def _third_parties() -> dict[str, EntryPoint]:
    return _registered(tuple(sys.path))


@cache
def _registered(path: tuple[str, ...]) -> dict[str, EntryPoint]:  # noqa: ARG001  (what is installed is found there)
    """What the packages on this path register; to read it takes 16 ms, and a check asks several times."""
    return {point.name: point for point in entry_points(group=GROUP)}
