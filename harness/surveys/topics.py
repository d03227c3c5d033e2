"""Topics: the points at which implementations may choose, what is measured there, and the answers that exist.

Every experiment is fixed here to the last number, so that the answers of two implementations can be compared, and so
that right answers are exact in any dtype. A derivative is by the argument named, with 1 as upstream gradient; a
gradient lists the derivatives by every entry in order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.usage import visible
from impls.abilities import Measured


@dataclass(frozen=True)
class Topic:
    """One point of choice.

    Attributes:
        name: by which an implementation answers.
        says: what is measured.
        choices: answers that exist, by their words; where a number tells which it is, that number. Empty where any
            number may be the answer.
    """

    name: str
    says: str
    choices: Mapping[str, float | None]

    def read(self, measured: Measured, dtype: str) -> str:
        """The words for what was measured: those of the choice it is, or numbers in their shortest digits."""
        if isinstance(measured, str):
            return visible(measured[:80])
        if not isinstance(measured, float | int | np.number):
            return ", ".join(written(number, dtype) for number in measured)
        number = np.dtype(dtype).type(measured)
        for words, known in self.choices.items():
            if known is not None and (number == np.dtype(dtype).type(known) or (number != number and known != known)):
                return words
        return written(measured, dtype)


def written(number: float, dtype: str) -> str:
    """A number in the shortest digits that tell it from the others of its dtype: 0, 0.5, 1e-05, NaN, inf."""
    if math.isnan(number):
        return "NaN"
    return str(np.dtype(dtype).type(number) + 0).removesuffix(".0")  # 0 for -0


def _numbers(*known: float) -> dict[str, float | None]:
    return {written(number, "float64"): number for number in known}


def _words(*known: str) -> dict[str, float | None]:
    return dict.fromkeys(known)


_STEP = _numbers(0, 0.5, 1)
_QUARTER = _numbers(0.25, 0.625, 1)
_OF_TWO = _words("0.5, 0.5", "1, 0", "0, 1", "1, 1", "0, 0")
_OF_THREE = _words("0, 0.5, 0.5", "0, 1, 0", "0, 0, 1", "0, 1, 1")
_OR_NAN = _words("0, 0", "NaN, NaN")

_KINKS = [
    Topic("relu at 0", "derivative of max(z, 0) at 0", _STEP),
    Topic("leaky relu at 0", "derivative at 0, with slope 1/4 on the left", _QUARTER),
    Topic("elu at 0", "derivative at 0, with alpha = 1/4", _QUARTER),
    Topic("relu6 at 0", "derivative of min(max(z, 0), 6) at 0", _STEP),
    Topic("relu6 at 6", "derivative of min(max(z, 0), 6) at 6", _STEP),
    Topic("hard sigmoid at -3", "6 times the derivative of relu6(z + 3)/6 at -3", _STEP),
    Topic("hard sigmoid at 3", "6 times the derivative of relu6(z + 3)/6 at 3", _STEP),
    Topic("hard swish at -3", "derivative of z relu6(z + 3)/6 at -3", _numbers(0, -0.25, -0.5)),
    Topic("hard swish at 3", "derivative of z relu6(z + 3)/6 at 3", _numbers(1, 1.25, 1.5)),
    Topic("hard tanh at -1", "derivative of min(max(z, -1), 1) at -1", _STEP),
    Topic("hard tanh at 1", "derivative of min(max(z, -1), 1) at 1", _STEP),
    Topic("clip at its lower bound", "derivative of clip(z, -1, 1) at -1", _STEP),
    Topic("clip at its upper bound", "derivative of clip(z, -1, 1) at 1", _STEP),
    Topic("abs at 0", "derivative of |z| at 0", _numbers(-1, 0, 1)),
    Topic("sign at 0", "derivative of sign(z) at 0", _numbers(0)),
]
_TIES = [
    Topic("maximum of equals", "gradient of maximum(a, b) at a = b", _OF_TWO),
    Topic("minimum of equals", "gradient of minimum(a, b) at a = b", _OF_TWO),
    Topic("max of all", "gradient of the largest of (1, 3, 3)", _OF_THREE),
    Topic("min of all", "gradient of the smallest of (5, 3, 3)", _OF_THREE),
    Topic("max over an axis", "gradient of max of (1, 3, 3) over its axis", _OF_THREE),
    Topic("min over an axis", "gradient of min of (5, 3, 3) over its axis", _OF_THREE),
    Topic("amax over an axis", "gradient of amax of (1, 3, 3) over its axis", _OF_THREE),
    Topic("max pooling", "gradient of a window of two over (3, 3)", _OF_TWO),
    Topic("median of equals", "gradient of the median of (2, 2, 1)", _words("1, 0, 0", "0, 1, 0", "0.5, 0.5, 0")),
    Topic("median of four", "median of (1, 2, 3, 4)", {"lower": 2.0, "mean of both": 2.5, "upper": 3.0}),
    Topic("sort of equals", "gradient of the first of sort (2, 1, 1)", _words("0, 1, 0", "0, 0, 1")),
    Topic("argmax of equals", "position of the largest in (1, 3, 3)", {"first": 1.0, "last": 2.0}),
    Topic("repeated index", "gradient of w[0] + w[0] + w[1], gathered at once", _words("2, 1", "1, 1")),
]
_SINGULAR = [
    Topic("norm at 0", "gradient of the norm of (0, 0)", _OR_NAN),
    Topic("sqrt at 0", "derivative of sqrt(x) at 0", _numbers(0, math.inf)),
    Topic("log at 0", "derivative of log(x) at 0", _numbers(0, math.inf)),
    Topic("x/|x| at 0", "derivative of x/|x| at 0", _numbers(0, math.nan)),
    Topic("sinc at 0", "derivative of sin(pi x)/(pi x) at 0", _numbers(0, math.nan)),
    Topic("atan2 at (0, 0)", "gradient of atan2(y, x) at (0, 0)", _OR_NAN),
    Topic("x^y at (0, 0)", "gradient of x^y at (0, 0)", _words("0, 0", "NaN, 0", "0, NaN", "NaN, NaN")),
    Topic("x^y at (0, 2)", "gradient of x^y at (0, 2)", _words("0, 0", "0, NaN")),
    Topic("xlogy at (0, 0)", "gradient of x log(y) at (0, 0)", _words("0, NaN", "-inf, NaN", "0, 0", "NaN, NaN")),
    Topic("where, NaN not taken", "derivative of (sqrt(t) if t > 0 else 0) at -1", _numbers(0, math.nan)),
    Topic("std of equals", "gradient of std of (1, 1)", _OR_NAN),
    Topic("logsumexp of -inf", "gradient of logsumexp of (-inf, -inf)", _words("0, 0", "0.5, 0.5", "NaN, NaN")),
    Topic("product with a zero", "gradient of the product of (2, 0, 3)", _words("0, 6, 0", "NaN, NaN, NaN")),
    Topic("cumulative product with a zero", "gradient of its sum, of (2, 0, 3)", _words("1, 8, 0", "1, NaN, NaN")),
]
_DEFAULTS = [
    Topic("gelu", "its form by default", _words("erf", "tanh")),
    Topic("softplus", "largest whole z for which it is not z (by rounding 33; in float32 14)", {}),
    Topic("leaky relu slope", "derivative at -1 by default", {}),
    Topic("elu alpha", "-elu(-100) by default", {}),
    Topic("squared error", "of errors 1 and 3", {"mean": 5.0, "sum": 10.0, "per entry": None}),
    Topic("squared error, factor", "of a single error of 1", _numbers(1, 0.5)),
    Topic("L2 loss, factor", "of a single error of 1", _numbers(1, 0.5)),
    Topic("cross-entropy", "of two like rows, in those of one row", {"mean": 1.0, "sum": 2.0, "per row": None}),
    Topic("binary cross-entropy", "of output 0 where the target is 1", _numbers(100, math.inf)),
    Topic("huber delta", "derivative at an error of 1000, by default", {}),
    Topic("smooth L1 beta", "2 (1000 - loss) at an error of 1000, by default", {}),
    Topic("std", "of (0, 2), squares divided by", {"n": 1.0, "n - 1": math.sqrt(2)}),
    Topic("var", "of (0, 2), squares divided by", {"n": 1.0, "n - 1": 2.0}),
    Topic("layer norm eps", "its default", {}),
    Topic("batch norm eps", "its default", {}),
    Topic("batch norm momentum", "running mean after a mean of 1, from 0, momentum 1/4",
          {"of the new": 0.25, "of the old": 0.75}),
    Topic("batch norm variance", "that normalises, squares divided by", {"n": 1.0, "n - 1": math.sqrt(0.5)}),
    Topic("batch norm running variance", "kept for later, squares divided by", {"n": 1.0, "n - 1": 2.0}),
    Topic("RMS norm eps", "its default", {}),
    Topic("padding same, even kernel", "a kernel of 2 on (1, 2): the zero stands", {"behind": 3.0, "in front": 1.0}),
    Topic("average over padding", "of a window of a 1 and a 0 of padding", {"counts it": 0.5, "leaves it out": 1.0}),
    Topic("attention, nothing seen", "of values 1 and 3, both masked", {"0": 0.0, "their mean": 2.0}),
]  # fmt: skip

GROUPS: Mapping[str, list[Topic]] = {
    "at a kink": _KINKS,
    "at a tie": _TIES,
    "where there is no derivative": _SINGULAR,
    "by default": _DEFAULTS,
}
"""Topics by what they have in common, in the order of the table."""

TOPICS: Mapping[str, Topic] = {topic.name: topic for group in GROUPS.values() for topic in group}
