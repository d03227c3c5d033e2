"""Profiles: the class of programs whose rounding errors a bound covers.

A profile describes every program that evaluates the same expression and

    rounds each elementary operation with unit roundoff u (division may multiply by a reciprocal),
    sums in any order, blocked, split or fused, accumulating with u_acc,
    evaluates elementary functions within the constants table,
    may flush to zero what is below eta, the smallest normal number,
    may contract a product and the sum that reads it into one operation, unless it is eager.

Contraction within a link is no more than a rounding left out. Across links it matters: a program that shows
a tensor may itself have added the product before it was rounded (XLA does, in a kernel of its own), so that the
sum does not follow from the tensor shown to better than that rounding. An eager program rounds each result.

Source of the model: Higham, "Accuracy and Stability of Numerical Algorithms" (2002), sections 2.2 and
2.4; flush-to-zero as an absolute term of the same size for every operation, additions included.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Protocol

from harness.formats import FORMATS

UNIT_ROUNDOFF_64 = 2.0**-53
"""Unit roundoff of float64, in which centres and bounds are themselves computed."""


class Block(Protocol):
    """An instruction that adds several products at once: see `harness.arithmetic.tensor_cores`.

    Attributes:
        operand: by how much of itself an operand may be off after it is read, where it has too many bits.
    """

    @property
    def operand(self) -> float: ...  # noqa: D102

    def read(self, value: Any, bound: Any) -> Any:
        """By how much reading may change operands."""
        ...

    def raised(self, size: Any, bound: Any) -> Any:
        """Magnitudes of factors as the instruction counts them; the same array where it counts them as they are."""
        ...

    def rounding(self, terms: int) -> float:
        """By how much of the largest partial sum a sum of so many products may be off."""
        ...

    def growth(self, terms: int) -> float:
        """By how much a partial sum may be larger than the magnitudes that it adds."""
        ...


@dataclass(frozen=True)
class Profile:
    """Arithmetic of one dtype.

    Attributes:
        dtype: name of the dtype in which values are stored.
        u: unit roundoff of one operation, relative.
        u_acc: unit roundoff of an accumulation.
        eta: absolute error that underflow or flush-to-zero may add to any operation.
        largest: largest finite number; beyond it nothing is bounded.
        digits: bits of the significand, to tell which constants are exact.
        constants: error of each elementary function in units of u, relative, or absolute where the
            table says so.
        eager: whether every operation rounds what the next one reads.
        block: the instruction that matrix products are made of, where it is no multiplication and addition.
    """

    dtype: str
    u: float
    u_acc: float
    eta: float
    largest: float
    digits: int
    constants: Mapping[str, float]
    eager: bool = False
    block: Block | None = None

    def assumptions(self) -> list[str]:
        """The ledger: what the bounds of this profile take for granted, a sentence each."""
        table = ", ".join(f"{name} {value:g}" for name, value in self.constants.items())
        exhaustive = any(entry["provenance"] == "exhaustive" for entry in constants_table()[self.dtype].values())
        kind = "exhaustive on all floats, division and power sampled" if exhaustive else "sampled, rounded up"
        return [
            f"{self.dtype}: rounding to nearest, unit roundoff of operands, accumulation and storage "
            f"2^{_exponent(self.u)}, 2^{_exponent(self.u_acc)} and 2^{_exponent(self.u)}",
            f"{self.dtype}: sums and matrix products in any order, fused or not; no Winograd, Strassen or FFT",
            *([f"{self.dtype}: matrix products of instructions that are {self.block}"] if self.block else []),
            f"{self.dtype}: results and operands below 2^{_exponent(self.eta)} may be flushed to zero",
            f"{self.dtype}: elementary functions within these multiples of u ({kind}): {table}",
            f"{self.dtype}: implementations that do not say that they are eager may contract a product and the sum "
            f"that reads it",
            f"{self.dtype}: formula unions for sigmoid', tanh', elu', softplus, silu, gelu and their derivatives, "
            f"softmax, log-softmax, cross-entropies, huber, layer norm and batch norm and their gradients, attention's "
            f"scores and masks, rsqrt', quotients, moving averages, Adam's direction, AdamW's step",
        ]


def _exponent(power: float) -> int:
    return int(power.hex().split("p")[1])


@cache
def constants_table() -> dict[str, Any]:
    """The table of elementary functions, with provenance, as shipped."""
    text = files("harness.arithmetic").joinpath("constants.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def profile_of(dtype: str, eager: bool = False) -> Profile:
    """The profile of a dtype on the CPU, for NumPy, PyTorch and JAX together."""
    constants = {
        name: entry["relative"] if "relative" in entry else entry["absolute"]
        for name, entry in constants_table()[dtype].items()
    }
    of = FORMATS[dtype]
    return Profile(
        dtype=dtype, u=of.u, u_acc=of.u, eta=of.smallest_normal, largest=of.largest, digits=of.digits,
        constants=constants, eager=eager,
    )  # fmt: skip
