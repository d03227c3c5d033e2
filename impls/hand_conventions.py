"""What the hand-written layers choose at kinks and by default: each by running the layer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from impls import hand
from impls.abilities import Measured
from impls.hand.notation import ACTIVATIONS, LOSSES

SLOPES: dict[str, tuple[Callable[[], Any], float, float]] = {
    "relu at 0": (hand.Relu, 0.0, 1.0),
    "leaky relu at 0": (lambda: hand.LeakyRelu(slope=0.25), 0.0, 1.0),
    "elu at 0": (lambda: hand.Elu(alpha=0.25), 0.0, 1.0),
    "hard sigmoid at -3": (hand.HardSigmoid, -3.0, 6.0),
    "hard sigmoid at 3": (hand.HardSigmoid, 3.0, 6.0),
    "leaky relu slope": (hand.LeakyRelu, -1.0, 1.0),
}
"""An activation, where its derivative is taken, and the upstream gradient."""

VALUES: dict[str, Callable[[Callable[..., Any]], Any]] = {
    "abs at 0": lambda array: hand.MeanAbsoluteError().da(array(0.0), array(0.0))[0, 0],
    "gelu": lambda array: _form_of_gelu(array(-2.0, -0.5, 0.5, 2.0)),
    "softplus": lambda array: np.flatnonzero(hand.Softplus().forward(array(*range(40))) != array(*range(40)))[-1],
    "elu alpha": lambda array: -hand.Elu().forward(array(-100.0))[0, 0],
    "squared error": lambda array: LOSSES["mean-squared-error"]().forward(array(1.0, 3.0), array(0.0, 0.0)),
    "squared error, factor": lambda array: hand.MeanSquaredError().forward(array(1.0), array(0.0)),
    "cross-entropy": lambda array: _cross_entropy(array, 2) / _cross_entropy(array, 1),
    "binary cross-entropy": lambda array: hand.BinaryCrossEntropy().forward(array(0.0), array(1.0)),
    "huber delta": lambda array: hand.Huber().da(array(1000.0), array(0.0))[0, 0],
}
"""From what makes a row of the dtype, shape (1, K), to a number, or to words."""


def measures(dtype: Any) -> dict[str, Callable[[], Measured]]:
    """Every experiment that there is a layer for, in a NumPy dtype."""
    taken: dict[str, Callable[[], Measured]] = {name: partial(_slope, *row, dtype) for name, row in SLOPES.items()}
    return taken | {name: partial(_value, measure, dtype) for name, measure in VALUES.items()}


def _slope(layer: Callable[[], Any], z: float, da: float, dtype: Any) -> float:
    return float(layer().dz(np.array([[da]], dtype), np.array([[z]], dtype))[0, 0])


def _value(measure: Callable[..., Any], dtype: Any) -> Measured:
    with np.errstate(divide="ignore", over="ignore"):
        found = measure(lambda *numbers: np.array([numbers], dtype))
    return found if isinstance(found, str) else float(found)


def _cross_entropy(array: Callable[..., Any], rows: int) -> Any:
    return hand.SoftmaxCrossEntropy().forward(np.repeat(array(0.0, 0.0), rows, axis=0), np.zeros(rows, np.int64))


def _form_of_gelu(z: Any) -> str:
    default = ACTIVATIONS["gelu"]().forward(z)
    forms = {"erf": hand.Gelu().forward(z), "tanh": hand.GeluTanh().forward(z)}
    return next((name for name, values in forms.items() if np.array_equal(values, default)), "another")
