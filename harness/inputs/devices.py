"""Devices: where a framework computes, on the CPU or on a CUDA device that it has."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, NamedTuple

from harness.inputs.plain import as_text
from harness.usage import UsageError
from impls import registry
from impls.contract import CPU, Arithmetic, CannotCompareError, Describes, RunsOn, StatesArithmetic, network_of_example

_KNOWN = re.compile(r"(cpu|cuda)(:\d+)?")
"""For these there are constants and rules; no others are listed or taken, whatever a framework has."""


def as_device(device: Any) -> str:
    """A device by the name that frameworks have for it.

    Raises:
        UsageError: nothing is known of how such a one computes; what is there is told.
    """
    device = as_text("device", device, "cuda")
    if not _KNOWN.fullmatch(device):
        raise UsageError(
            f"Cannot compute on {device!r:.60}, because there are bounds for cpu and cuda alone; choose one that is "
            f"there: {_told(every_device())}."
        )
    return device


def having(device: str) -> list[str]:
    """The implementations that can compute on a device: on the CPU all that are known.

    Raises:
        UsageError: none can; what there is is told.
    """
    if device == CPU:
        return registry.names()
    there = every_device()
    if names := [name for name, found in there.items() if device in found]:
        return names
    raise UsageError(f"Cannot compute on {device!r:.60}, because no framework has it: {_told(there)}; choose of these.")


def _told(there: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{name} has {', '.join(found)}" for name, found in there.items()) or CPU


def devices_of(made: Any) -> Sequence[str]:
    """What an implementation can compute on, of what there are bounds for."""
    return [name for name in made.devices() if _KNOWN.fullmatch(name)] if isinstance(made, RunsOn) else [CPU]


def every_device() -> dict[str, Sequence[str]]:
    """What each installed framework can compute on."""
    found = {}
    for name in registry.names():
        if name != registry.REFERENCE:
            with suppress(Exception):  # what is not installed, or broken, has none
                found[name] = devices_of(registry.load(name)(network_of_example(), "float32"))
    return found


class Stated(NamedTuple):
    """How a framework computes on a device; nothing of the CPU, where a function of its arrays may compute in any way.

    Attributes:
        on: words for the device.
        arithmetic: see `impls.contract.StatesArithmetic`.
        settings: of the framework, that decide it.
    """

    on: str = ""
    arithmetic: Callable[[Any, str], Arithmetic] | None = None
    settings: Mapping[str, str] = MappingProxyType({})


OF_THE_CPU = Stated()


def stated_by(made: Any, device: str) -> Stated:
    """What an implementation states of a device that it is on."""
    if device == CPU:
        return OF_THE_CPU
    return Stated(
        f" on {device}",
        made.arithmetic if isinstance(made, StatesArithmetic) else None,
        made.environment() if isinstance(made, Describes) else {},
    )


def placed(name: str, made: Any, device: str) -> Any:
    """An implementation on a device: itself, where that is the CPU.

    Raises:
        CannotCompareError: it has no such device.
    """
    if device == CPU:
        return made
    there = devices_of(made)
    if device not in there:
        raise CannotCompareError(
            f"Cannot compare with {name} on {device!r:.60}, because it has {', '.join(there)}; choose one of these."
        )
    return made.on(device)
