"""True values of the elementary functions, against which a library's are measured.

    float32    the value that NumPy (erf, erfc: SciPy) computes in float64. It is itself within the float64
               constant of the truth, which is 2^-29 times that many u of float32, and charged.
    float64    ball arithmetic (python-flint's arb) at 160 bits. A value and its tail hold 2^-105 of it.

Points at which nothing is known are NaN: outside the domain, or a ball wider than 2^-100 of its value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.arithmetic.bounded import Floats
from harness.arithmetic.profile import UNIT_ROUNDOFF_64, profile_of
from impls.hand.activations.sigmoidal import sigmoid

INSTALL = "pip install 'backprop-harness[exact]'"


class NoTruthError(Exception):
    """What computes true values is not installed; the message says what to install."""


@dataclass(frozen=True)
class TrueValues:
    """f(x) = value + tail, known up to `doubt`: relative, or absolute where the constant is."""

    value: Floats
    tail: Floats
    doubt: float


def _scipy(name: str, x: Floats) -> Floats:
    try:
        from scipy import special
    except ModuleNotFoundError:
        raise NoTruthError(f"{name} needs SciPy's float64 value; pip install scipy") from None
    return getattr(special, name)(x)


FLOAT64: dict[str, Callable[..., Floats]] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "erf": lambda x: _scipy("erf", x),
    "erfc": lambda x: _scipy("erfc", x),
    "divide": np.divide,
}
"""Every function that can be measured, by its name in the constants table."""

BALLS: dict[str, Callable[..., Any]] = {
    "exp": lambda x: x.exp(),
    "expm1": lambda x: x.expm1(),
    "log": lambda x: x.log(),
    "log1p": lambda x: x.log1p(),
    "tanh": lambda x: x.tanh(),
    "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "sqrt": lambda x: x.sqrt(),
    "rsqrt": lambda x: x.rsqrt(),
    "erf": lambda x: x.erf(),
    "erfc": lambda x: x.erfc(),
    "divide": lambda x, y: x / y,
}


def true_values(function: str, *x: Any) -> TrueValues:
    """f at every point of `x`, arrays of one dtype; the second operand of ``divide`` may be 0-dimensional.

    Raises:
        NoTruthError: something needed is not installed.
    """
    operands = [np.asarray(operand, np.float64) for operand in x]
    with np.errstate(all="ignore"):
        if x[0].dtype == np.float32:
            value = FLOAT64[function](*operands)
            return TrueValues(value, np.zeros_like(value), profile_of("float64").constants[function] * UNIT_ROUNDOFF_64)
        return _with_balls(function, operands)


def _with_balls(function: str, operands: list[Floats]) -> TrueValues:
    try:
        from flint import arb, ctx
    except ModuleNotFoundError:
        raise NoTruthError(f"true values in float64 need python-flint; {INSTALL}") from None
    ball, points = BALLS[function], np.broadcast_arrays(*operands)
    values, tails = [], []
    with ctx.workprec(160):
        for point in zip(*[operand.ravel().tolist() for operand in points], strict=True):
            exact = ball(*map(arb, point))
            sure = exact.rel_accuracy_bits() >= 100
            values.append(float(exact) if sure else np.nan)
            tails.append(float(exact - values[-1]) if np.isfinite(values[-1]) else 0.0)
    value, tail = np.reshape(values, points[0].shape), np.reshape(tails, points[0].shape)
    # Balls know no infinity at a pole; NumPy's limit there is exact.
    limit = FLOAT64[function](*operands)
    return TrueValues(np.where(np.isinf(limit) & np.isnan(value), limit, value), tail, 2.0**-100)
