"""Rules of what computes nothing: the bounds go where the values go, and beside zeros stand bounds of zero."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from harness.arithmetic.bounded import Bounded, rule_for
from harness.arithmetic.entries import MOVES


def _moved(function: Callable[..., Any], x: Bounded, *how: Any, **options: Any) -> Bounded:
    return x.moved(lambda array: function(array, *how, **options))


@rule_for(np.pad)
def pad(x: Bounded, widths: Any, constant_values: float = 0.0) -> Bounded:
    result = x.moved(lambda array: np.pad(array, widths))
    result.value = np.pad(x.value, widths, constant_values=constant_values)
    return result


@rule_for(np.full_like)
def full_like(x: Bounded, number: Any) -> Bounded:
    return x.context.constant(np.full(x.shape, number, float))


for _function in MOVES:
    if _function is not np.pad:
        rule_for(_function)(partial(_moved, _function))
