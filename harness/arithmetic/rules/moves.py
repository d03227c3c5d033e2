"""Rules of what computes nothing: the bounds go where the values go, and beside zeros stand bounds of zero."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from harness.arithmetic.bounded import Bounded, rule_for
from harness.arithmetic.moves import MOVES


def _moved(function: Callable[..., Any], x: Bounded, *how: Any, **options: Any) -> Bounded:
    return x.moved(lambda array: function(array, *how, **options))


for _function in MOVES:
    rule_for(_function)(partial(_moved, _function))
