"""Mutants of the hand code that are the same function for a reason that the arithmetic of one statement does not show.

A test shows each of them, in exact arithmetic where the rule is rational, bit by bit where it is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.mutation.mutants import Mutant
from harness.mutation.source import plain_function

SAME: Mapping[tuple[str, str], str] = {
    ("HardSigmoid.dz", "shifted = -z + 3"): "0 < z + 3 < 6 is symmetric about z = 0",
    ("Tanh.dz", "return tanh_vjp(da, -a)"): "1 - a^2 is even",
    ("BinaryCrossEntropy.da", "return (a - y) / np.maximum(LEAST_VARIANCE, a * (1 - a)) / a.size"): "max commutes",
    ("clipped_difference", "return np.minimum(delta, np.maximum(a - y, -delta))"): "min commutes",
    ("clipped_difference", "return np.minimum(np.maximum(-delta, a - y), delta)"): "max commutes",
    ("elu_vjp", "return np.where(z > 0, da, da * (alpha * np.exp(np.minimum(0, z))))"): "min commutes",
    ("elu_vjp", "return np.where(z > 0, da, da * (alpha * np.exp(np.minimum(z, 1))))"): "used where z <= 0 only",
    ("softmax_vjp", "return a * (da - (da * a).sum(axis=-1, keepdims=True))"): "axis 1 is the last of two",
    (
        "one_hot_cross_entropy_vjp",
        "return (softmax(a) * y.sum(axis=-1, keepdims=True) - y) / len(y)",
    ): "axis 1 is the last of two",
    # The targets have exactly the output's shape, or one label per row: check_targets sees to it.
    ("BinaryCrossEntropy.da", "return (a - y) / np.maximum(a * (1 - a), LEAST_VARIANCE) / y.size"): "y.size = a.size",
    ("BinaryCrossEntropy.da", "return ((1 - y) / (1 - a) - y / a) / y.size"): "y.size = a.size",
    ("Huber.da", "return clipped_difference(a, y, self.delta) / y.size"): "y.size = a.size",
    ("LogitBinaryCrossEntropy.da", "return logit_cross_entropy_vjp(a, y) / y.size"): "y.size = a.size",
    ("MeanAbsoluteError.da", "return sign_of_difference(a, y) / y.size"): "y.size = a.size",
    ("MeanSquaredError.da", "return 2 * (a - y) / y.size"): "y.size = a.size",
    (
        "one_hot_cross_entropy_vjp",
        "return (softmax(a) * y.sum(axis=1, keepdims=True) - y) / len(a)",
    ): "len(a) = len(y)",
    ("softmax_cross_entropy_vjp", "da[np.arange(len(a)), y] -= 1"): "len(a) = len(y)",
    ("softmax_cross_entropy_vjp", "da[np.arange(len(da)), y] -= 1"): "len(da) = len(y)",
    ("softmax_cross_entropy_vjp", "da /= len(a)"): "len(a) = len(y)",
    ("softmax_cross_entropy_vjp", "da /= len(da)"): "len(da) = len(y)",
}
"""From a rule and a mutant's statement to why both are one function."""


def is_same(function: Any, mutant: Mutant) -> bool:
    """Whether a mutant is known to be the function itself, in effect."""
    plain = plain_function(function)
    return mutant.equal or (plain.__module__.startswith("impls.hand.") and (plain.__qualname__, mutant.after) in SAME)
