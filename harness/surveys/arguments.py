"""Arguments at which elementary functions are tried, the same for every function and library.

A sample is dense in every binade, subnormal ones included, of both signs; uniform on intervals from
[-1, 1] to [-1024, 1024], where functions bend; and crowded around points where algorithms change over, at
every distance from them. Outside a function's domain and range nothing is judged, so the arguments need
not know the function.
"""

from __future__ import annotations

from collections.abc import Iterator

import ml_dtypes
import numpy as np

from impls.contract import Array

EVERY_FLOAT32 = range(2**32)
"""The bit patterns of all float32 numbers."""

CHUNK = 2**15
"""Bit patterns tried at a time; divides the patterns of NaN, so that all chunks have the same shape."""

CROSSINGS = (
    0.25, 0.35, 0.5, 0.625, 0.7071, 0.84375, 1.0, 1.0397, 1.25, 1.4142, 2.0, 2.857, 4.0, 5.9, 7.9, 9.0, 10.0,
    19.06, 22.0, 26.5, 87.3365, 88.7228, 103.97, 708.396, 709.783, 745.13,
)  # fmt: skip
"""Near these, reductions, polynomials, saturation, under- and overflow begin in one function or another."""

DENSE, SPARSE = (2048, 400_000, 128), (8, 20_000, 6)
"""Points in a binade, in an interval, and at each distance from a crossing: of what float64 judges, and of float64
itself, which ball arithmetic judges at some cost."""


def sample(dtype: str, seed: int) -> Array:
    """Random finite arguments of a dtype, reproducible by their seed."""
    rng = np.random.default_rng(seed)
    info = ml_dtypes.finfo(dtype)
    in_binade, in_interval, at_distance = SPARSE if dtype == "float64" else DENSE
    exponents = np.arange(info.minexp - info.nmant, info.maxexp)
    mantissas = rng.uniform(1, 2, (in_binade, exponents.size))
    mantissas[0] = 1.0
    binades = np.ldexp(mantissas, exponents).ravel()
    intervals = np.concatenate([rng.uniform(-reach, reach, in_interval) for reach in (1, 4, 16, 128, 1024)])
    distances = np.ldexp(rng.uniform(0.5, 1, (at_distance, 1)), -np.arange(info.nmant + 1)).ravel()
    crossings = np.outer(CROSSINGS, np.concatenate([[1.0], 1 + distances, 1 - distances])).ravel()
    with np.errstate(over="ignore"):
        x = np.concatenate([[0.0], binades, -binades, intervals, crossings, -crossings]).astype(dtype)
    return x[np.isfinite(x)]


def batches(function: str, dtype: str, seed: int) -> list[tuple[Array, ...]]:
    """The sample in parts of one shape, so that a compiler is asked once; each a tuple of operands.

    To ``divide`` there are arrays by arrays, and arrays by single numbers, which a compiler may turn into
    factors. Of a dtype of 16 bits every number is tried, and of pairs a sample.
    """
    if np.dtype(dtype).itemsize == 2 and function != "divide":
        return list(every_number(dtype))
    x = sample(dtype, seed)
    rows = -(-x.size // CHUNK)
    x = x[: x.size - x.size % rows]  # a few points fewer
    parts = x.reshape(rows, -1)
    if function != "divide":
        return [(part,) for part in parts]
    rng = np.random.default_rng([seed, 2])
    others = rng.permutation(x).reshape(rows, -1)
    divisors = [np.array(divisor) for divisor in rng.choice(x, 96) if divisor]
    few = [rng.choice(x, parts.shape[1] // 8) for _ in divisors]
    return [*zip(parts, others, strict=True), *zip(few, divisors, strict=True)]


def every_number(dtype: str = "float32", patterns: range | None = None) -> Iterator[tuple[Array, ...]]:
    """The finite numbers of a dtype among these bit patterns, among all if None, a chunk at a time."""
    size = np.dtype(dtype).itemsize
    patterns = range(2 ** (8 * size)) if patterns is None else patterns
    for start in range(patterns.start, patterns.stop, CHUNK):
        bits = np.arange(start, min(start + CHUNK, patterns.stop), dtype=np.int64).astype(f"u{size}")
        x = bits.view(dtype)
        with np.errstate(invalid="ignore"):  # NaNs that signal
            x = x[np.isfinite(x)]
        if x.size:
            yield (x,)
