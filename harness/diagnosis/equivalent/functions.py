"""Textbook forms of sigmoid, tanh and softmax, by themselves.

Each is one function of z in plain NumPy, so that bounded arrays derive its own bound. The text is written with
{z}. Those that overflow are bounded nowhere there, and explain nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Written(NamedTuple):
    """A form of a function or of its derivative: its text, what it loses, and the function."""

    text: str
    loses: str
    function: Callable[..., Any]


def plus_exp(z: Any) -> Any:
    """1 + exp z."""
    return 1 + np.exp(z)


def two_sided(z: Any) -> Any:
    """The sigmoid by exp(−z) right of 0 and by exp z left of it."""
    return np.where(z > 0, 1 / plus_exp(-z), np.exp(z) / plus_exp(z))


SIGMOIDS = (
    Written("1/(1 + exp(−{z}))", "", lambda z: 1 / plus_exp(-z)),
    Written("exp({z})/(1 + exp({z}))", "", lambda z: np.exp(z) / plus_exp(z)),
    Written("exp({z})/(1 + exp({z})) left of 0", "", two_sided),
    Written("0.5·(1 + tanh({z}/2))", "far left", lambda z: 0.5 * (1 + np.tanh(z / 2))),
    Written("1 − 1/(1 + exp({z}))", "far left", lambda z: 1 - 1 / plus_exp(z)),
)


def _by_exps(z: Any) -> Any:
    up, down = np.exp(z), np.exp(-z)
    return (up - down) / (up + down)


def _by_exp_of_twice(z: Any) -> Any:
    power = np.exp(2 * z)
    return (power - 1) / (power + 1)


def _by_exp_of_minus_twice(z: Any) -> Any:
    power = np.exp(-2 * z)
    return (1 - power) / (1 + power)


def _by_expm1(z: Any) -> Any:
    power = np.expm1(2 * z)
    return power / (power + 2)


NEAR_0 = "near 0"

TANHS = (
    Written("(exp({z}) − exp(−{z}))/(exp({z}) + exp(−{z}))", NEAR_0, _by_exps),
    Written("2/(1 + exp(−2{z})) − 1", NEAR_0, lambda z: 2 / plus_exp(-2 * z) - 1),
    Written("1 − 2/(exp(2{z}) + 1)", NEAR_0, lambda z: 1 - 2 / plus_exp(2 * z)),
    Written("(exp(2{z}) − 1)/(exp(2{z}) + 1)", NEAR_0, _by_exp_of_twice),
    Written("(1 − exp(−2{z}))/(1 + exp(−2{z}))", NEAR_0, _by_exp_of_minus_twice),
    Written("2·sigmoid(2{z}) − 1", NEAR_0, lambda z: 2 * (0.5 * (1 + np.tanh(z))) - 1),
    Written("expm1(2{z})/(expm1(2{z}) + 2)", "", _by_expm1),
)


def _unshifted(z: Any) -> Any:
    power = np.exp(z)
    return power / power.sum(axis=-1, keepdims=True)


SOFTMAXES = (Written("exp({z})/sum exp({z})", "where every entry is small", _unshifted),)
