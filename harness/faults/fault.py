"""A fault: one mistake at one link, as the rule that makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

from impls.contract import Array
from impls.graph import Rule

FAR_OFF = 0.5
"""A guess that is off by more of the largest entry is none."""
LEAST_ENTRIES = 3
"""A number is fitted to one entry; two agree by chance more easily than three. One as short as people write it needs
no others."""
DIGITS = 3
"""Of such a number."""


@dataclass(frozen=True)
class Fault:
    """One mistake, at the link that gives ``at``.

    Attributes:
        cause: name of the mistake in the catalogue, the same at every link: ``derivative at z``.
        at: name of the tensor whose link is wrong: ``dz2``.
        says: the mistake in one line for the person who made it: ``the sigmoid's derivative is taken at z2``.
        formula: what is computed, in the names of the tensors: ``da2 · z2·(1 − z2)``.
        rule: what is computed, from tensors by name: plain NumPy without a dtype, so that it runs on every number
            type, bounded arrays above all.
    """

    cause: str
    at: str
    says: str
    formula: str
    rule: Rule


def number_text(number: float) -> str:
    """A number as text, with six digits; what is not 1 does not read as 1."""
    text = f"{number:.6g}"
    if text == "1" and number != 1:
        text = f"1 {'+' if number > 1 else '-'} {abs(number - 1):.2g}"
    return text.replace("-", "−")


def with_number(text: str, number: float) -> str:
    """A text with a number where ``{c}`` stands: a sum in brackets, and no sign after another.

    >>> with_number("dW1 + {c}·W1", -0.5)
    'dW1 − 0.5·W1'
    """
    shown = number_text(number)
    shown = f"({shown})" if " " in shown else shown
    return text.replace("{c}", shown).replace("+ −", "− ").replace("− −", "+ ")


def ratios_of(rows: int) -> dict[str, float]:
    """Ratios that people get by dividing by another number of samples, for so many of them.

    >>> ratios_of(4)["N/(N − 1)"]
    1.3333333333333333
    """
    n = float(rows)
    found = {"N": n, "1/N": 1 / n, "√N": sqrt(n), "1/√N": 1 / sqrt(n), "N²": n * n, "1/N²": 1 / (n * n)}
    if rows > 1:
        found |= {"N/(N − 1)": n / (n - 1), "(N − 1)/N": (n - 1) / n, "1/(N − 1)": 1 / (n - 1), "N − 1": n - 1}
    return {name: number for name, number in found.items() if number != 1}


def in_samples(number: float, off: float, rows: int) -> str | None:
    """The name of the ratio that a number is, within `off`; None if it has none.

    >>> in_samples(128 / 127, 1e-15, 128)
    'N/(N − 1)'
    """
    return next((name for name, ratio in ratios_of(rows).items() if abs(number - ratio) <= off), None)


Off = Callable[[Rule], float]


@dataclass(frozen=True)
class Read(Fault):
    """A fault with something in it that the numbers show themselves: which sample, which neuron, how much."""

    def read(self, tensor: str, actual: Array, right: Array, off: Off, tensors: Mapping[str, Any]) -> Fault | None:
        """The mistake as the numbers show it; None if they do not.

        Args:
            tensor: name of what is shown; `actual` and `right` are its numbers, and what they should be.
            off: how far from `actual` the tensor is with a rule planted.
            tensors: what links read, by name.
        """
        raise NotImplementedError
