"""One instruction of a tensor core in exact integers, and matrix products made of it."""

from __future__ import annotations

import math

import numpy as np

from harness.arithmetic.tensor_cores import BlockDot
from harness.formats import FORMATS, rounded_to

FLOOR = -133
"""The smallest exponent that terms are aligned to, for results in float32. Source: MMA-Sim."""
SINGLE = FORMATS["float32"]


def exponent(number: float, least: int) -> int:
    """Of a number of a format whose smallest normal number is 2^least."""
    return max(math.frexp(number)[1] - 1, least)


def cut(number: int, power: int) -> int:
    """A number times 2^power, towards 0."""
    return number << power if power >= 0 else (number >> -power if number >= 0 else -(-number >> -power))


def instruction(block: BlockDot, a, b, c: float, operands: str, *, fused: bool = True) -> float:
    """c + sum of a_i b_i, with the numbers that a program hands over; not fused: c is added last, to nearest."""
    least = FORMATS[operands].least
    terms = [(x * y, exponent(x, least) + exponent(y, least)) for x, y in zip(a, b, strict=True) if x and y]
    if c and fused:
        terms.append((c, exponent(c, SINGLE.least)))
    total = _truncated(block, terms)
    if fused:
        return total
    return float(rounded_to(c + total, "float32"))  # both are float32 or shorter: their sum in float64 is exact enough


def _truncated(block: BlockDot, terms) -> float:
    if not terms:
        return 0.0
    unit = max(max(e for _, e in terms), FLOOR) - block.aligned
    total = 0
    for number, _ in terms:
        top, bottom = number.as_integer_ratio()
        total += cut(top, -unit - (bottom.bit_length() - 1))
    if not total:
        return 0.0
    last = max(total.bit_length() - 1 + unit - block.kept, SINGLE.least - SINGLE.digits + 1)
    kept = cut(total, unit - last)
    return math.ldexp(float(kept), last)


def product(block: BlockDot, x, y, operands: str, *, splits: int = 1, promoted: int = 0):
    """x (T, M) times y (M, K): `splits` accumulators, or one that is added away every `promoted` products."""
    x, y = (rounded_to(each, operands, "truncated" if operands == "tf32" else "nearest") for each in (x, y))
    result = np.zeros((len(x), y.shape[1]))
    each = promoted or -(-x.shape[1] // splits // block.products) * block.products
    for i, j in np.ndindex(result.shape):
        total = 0.0
        for begin in range(0, x.shape[1], each):
            c = 0.0
            for k in range(begin, min(begin + each, x.shape[1]), block.products):
                end = min(k + block.products, begin + each, x.shape[1])
                c = instruction(block, x[i, k:end].tolist(), y[k:end, j].tolist(), c, operands)
            total = c if not begin else float(np.float32(total) + np.float32(c))
        result[i, j] = total
    return result
