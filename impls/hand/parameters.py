"""Parameters of activations, losses and optimizers: checked when they are given, printed as they are given.

A class lists its parameters in its constructor and keeps each under its own name; that is all that its
text form needs, in Python (``LeakyRelu(slope=0.1)``), on the command line and in a file.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from inspect import signature
from typing import Any


class Parametrised:
    """Something with parameters, printed as the call that makes it."""

    def parameters(self) -> dict[str, Any]:
        """Every parameter by name; one that is off (0, False or None, and so by default) is left out."""
        given = {name: getattr(self, name) for name in signature(type(self)).parameters}
        defaults = {name: p.default for name, p in signature(type(self)).parameters.items()}
        return {name: value for name, value in given.items() if value or value != defaults[name]}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in self.parameters().items())})"


def number(name: str, value: float, *, above: float = -math.inf, least: float = -math.inf, why: str) -> float:
    """The value as a float, or a ValueError unless it is finite, above `above` and at least `least`."""
    real = isinstance(value, int | float) and not isinstance(value, bool)
    if real and abs(value) <= sys.float_info.max and value > above and value >= least:
        return float(value)
    bounds = f" above {above:g}" if above > -math.inf else f" from {least:g} on" if least > -math.inf else ""
    raise ValueError(f"Cannot use {name}={value!r}, because {why}; give a finite number{bounds}.")


def positive(name: str, value: float, why: str = "only a positive number makes sense there") -> float:
    """A finite number above 0."""
    return number(name, value, above=0, why=why)


def fraction(name: str, value: float) -> float:
    """A number from 0 to below 1."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1:
        return float(value)
    raise ValueError(
        f"Cannot use {name}={value!r}, because it is the share of the past that is kept; "
        f"give a number from 0 to below 1, such as 0.9."
    )


def choice(name: str, value: Any, choices: Sequence[Any]) -> Any:
    """One of the choices."""
    if value in choices:
        return value
    raise ValueError(
        f"Cannot use {name}={value!r}, because there is no such form; choose one of {', '.join(map(repr, choices))}."
    )
