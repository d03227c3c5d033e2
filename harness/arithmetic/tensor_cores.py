"""Tensor cores: one instruction adds K products and the accumulator as a fixed-point sum.

    c, p_1, ..., p_K     the accumulator, and products that are exact
    e                    the largest exponent among them, a product's being the sum of its factors'
    s                    the sum of all, each truncated to a multiple of 2^(e - F), which is exact
    c'                   s truncated to m bits after its first

One instruction, with mu = max(|c|, |p_1|, ..., |p_K|):

    |c' - (c + sum p)| <= (K + 1) 2^-F mu + 2^-m |s|

Proof. 2^e <= mu, as the term whose exponent is e is no smaller (of a product the factors are at least 2^e' and 2^e''
in size). Each of K + 1 truncations takes off less than 2^(e - F) <= 2^-F mu. The last one takes less than 2^-m |s|.
A factor below the smallest normal number of its format has that one's exponent, and counts in mu as if it were that
number.

A sum of n products. Whatever is truncated becomes no larger, so every |s| and |c'| is at most the sum of the magnitudes
that went into it, and so is mu: with P the largest magnitude that a term or a partial sum can have, an instruction is
off by at most ((K + 1) 2^-F + 2^-m) P, and there are J = ceil(n / K) of them. A kernel may keep several accumulators
and add them in float32 (split K, or promoted every so many products), or add c after the sum, rounded to nearest, as
B200 does for fp8 by mma.sync: at most one such addition for each instruction, off by 2^-24 P. Together

    J ((K + 1) 2^-F + 2^-m + 2^-24) P,       P <= M (1 + 2^-24)^J

with M the sum of |p|, in any order. This is exact: no term of higher order is left out. P is further at most
(M + |V|) / 2 and the error itself, as of any sum (`rules.sums`).

Blocks begin at multiples of K, as those of a kernel do whose tiles are multiples of K. A number below 2^-133 may be
truncated away whole, which is what underflow may do to any operation in float32.

Not covered: accumulators of float16; hardware that rounds down instead of towards 0 (AMD CDNA 3); mxfp4 and nvfp4.

Sources: Fasi, Higham, Mikaitis and Pranesh, "Numerical behavior of NVIDIA tensor cores", PeerJ CS 7:e330 (2021), for
the truncation; Khattak and Mikaitis, MATLAB-tensor-core (models/H100TC.m and others), and Xie et al., MMA-Sim
(simulator/nv_ptx.py), for K, F and m, on which the two agree; DeepSeek-V3 technical report, section 3.5.2, for fp8 on
Hopper. tests/tensor_cores has outputs of the hardware, which the model gives bit by bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.formats import FORMATS, rounded_to

Floats = NDArray[np.float64]


class BlockDot(NamedTuple):
    """One instruction.

    Attributes:
        products: K, that it adds at once.
        aligned: F, bits below the largest exponent that each term keeps.
        kept: m, bits after the first that the result keeps.
        operands: the format in which operands are read.
        operand: by how much of itself an operand may be off after it is read, where it is no number of that format.
    """

    products: int
    aligned: int
    kept: int
    operands: str = "float32"
    operand: float = 0.0

    def read(self, value: Floats, bound: Floats) -> Floats | float:
        """By how much reading may change operands: not at all what is certain to be a number of the format."""
        if not self.operand:
            return 0.0
        held = (rounded_to(value, self.operands) == value) & (bound == 0)
        return np.where(held, 0.0, self.operand * (np.abs(value) + bound))

    def raised(self, size: Floats, bound: Any) -> Floats:
        """Magnitudes of factors as alignment counts them, one of which may be off by its bound; 0 is not aligned to."""
        least = FORMATS[self.operands].smallest_normal
        low = (size < least) & (size + bound > 0)
        return np.where(low, least, size) if low.any() else size

    def rounding(self, terms: int) -> float:
        """By how much of the largest partial sum a sum of so many products may be off."""
        each = (self.products + 1) * 2.0**-self.aligned + 2.0**-self.kept + FORMATS["float32"].u
        return self.instructions(terms) * each

    def growth(self, terms: int) -> float:
        """By how much a partial sum may be larger than the magnitudes that it adds."""
        return (1 + FORMATS["float32"].u) ** self.instructions(terms)

    def instructions(self, terms: int) -> int:
        """J."""
        return math.ceil(terms / self.products)


_AMPERE = {
    "float16": BlockDot(8, 24, 23), "bfloat16": BlockDot(8, 24, 23), "tf32": BlockDot(4, 24, 23),
}  # fmt: skip
_WIDER = {
    "float16": BlockDot(16, 25, 23), "bfloat16": BlockDot(16, 25, 23), "tf32": BlockDot(8, 25, 23),
}  # fmt: skip
_FP8 = ("float8_e4m3fn", "float8_e5m2")

TENSOR_CORES: Mapping[str, Mapping[str, BlockDot]] = {
    "V100": {"float16": BlockDot(4, 23, 23)},
    "A100": _AMPERE,
    "Ada": _AMPERE | dict.fromkeys(_FP8, BlockDot(16, 13, 13)),
    "H100": _WIDER | dict.fromkeys(_FP8, BlockDot(32, 13, 13)),
    "B200": _WIDER | dict.fromkeys(_FP8, BlockDot(32, 25, 23)),
}
"""By architecture, then by the format of the operands. A30 and A2 are as A100, L40S as Ada, H200 as H100, RTX Blackwell
as B200."""
CAPABILITIES: Mapping[Any, str] = {
    (7, 0): "V100", (7, 2): "V100", (8, 9): "Ada", 8: "A100", 9: "H100", 10: "B200", 12: "B200",
}  # fmt: skip
"""By compute capability, or by its major number."""
CUT = 2.0**-10
"""By how much of itself an operand in float32 is changed at most where its last 13 bits are cut off, to be TF32."""


def block_of(dtype: str, architecture: str, operands: str) -> BlockDot:
    """The instruction that matrix products of a dtype are made of.

    Args:
        architecture: a key of `TENSOR_CORES`.
        operands: the format in which operands are read, a key there. Where it is not the dtype, what is no number of it
            is rounded as it is read, or cut to TF32.

    Raises:
        ValueError: there is no such architecture, or it does not have that format.
    """
    known = TENSOR_CORES.get(architecture)
    if known is None:
        raise ValueError(
            f"Cannot use the tensor cores of {architecture!r:.60}, because their arithmetic is not known; choose from "
            f"{', '.join(TENSOR_CORES)}."
        )
    if operands not in known:
        raise ValueError(
            f"Cannot use {operands!r:.60} on the tensor cores of {architecture}, because they do not read it; choose "
            f"from {', '.join(known)}."
        )
    read = 0.0 if dtype == operands else CUT if operands == "tf32" else FORMATS[operands].u
    return known[operands]._replace(operands=operands, operand=read)


def block_at(dtype: str, capability: tuple[int, int], operands: str) -> BlockDot | None:
    """The same by the compute capability of a GPU, (8, 0); None where it has no tensor cores that read such operands.

    Raises:
        ValueError: it has some, whose arithmetic is not known.
    """
    architecture = CAPABILITIES.get(capability) or CAPABILITIES.get(capability[0])
    if architecture is not None:
        return block_of(dtype, architecture, operands) if operands in TENSOR_CORES[architecture] else None
    if capability < (7, 0) or (capability == (7, 5) and operands != "float16"):
        return None
    raise ValueError(
        f"Cannot bound products in {operands} on compute capability {capability[0]}.{capability[1]}, because the "
        f"arithmetic of its tensor cores is not known; forbid them in the framework, or use the CPU."
    )
