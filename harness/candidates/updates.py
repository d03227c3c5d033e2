"""Updates: the gradients of a training step that hands none over, read off what it does to the weights.

A step of plain gradient descent gives W - lr dW, so that dW is (W - W') / lr. What rounding loses on that way grows as
lr becomes small, and is in the allowance of the gradients that are read off (`harness.arithmetic.rules.reading`).
A loss that the step returns is handed on.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from harness.candidates.arrays import as_array
from harness.candidates.layout import Layout
from harness.candidates.steps import called
from harness.inputs.plain import as_text, shown
from harness.usage import UsageError
from impls.contract import Array, is_real
from impls.graph import Graph, prefixed
from impls.hand.optimizers import read_off

COUNTED = 1e-9
"""Nearer to a whole number is a share of the samples, but for rounding."""


class ReadOff(dict[str, Any]):
    """Gradients by name, read off an update with a learning rate, and the loss that the step returned, if any.

    Attributes:
        lr: the learning rate.
        moved: whether the update changed any weight.
    """

    def __init__(self, gradients: Mapping[str, Any], lr: float, *, moved: bool) -> None:
        super().__init__(gradients)
        self.lr, self.moved = lr, moved


def gradients_from_update(step: Callable[..., Any], *, lr: float, name: str | None = None) -> FromUpdate:
    """A function ``backward(weights, x, y)`` for `harness.check`, made of one that only updates the weights.

    >>> import numpy as np
    >>> def step(weights, x, y):
    ...     error = x @ weights["W1"] + weights["b1"] - y
    ...     weights["W1"] -= 0.1 * 2 * x.T @ error
    ...     weights["b1"] -= 0.1 * 2 * error.sum(axis=0)
    >>> backward = gradients_from_update(step, lr=0.1)
    >>> weights = {"W1": np.array([[1.0]]), "b1": np.array([0.5])}
    >>> backward(weights, np.array([[2.0]]), np.array([[1.0]]))
    {'dW1': array([[6.]]), 'db1': array([3.])}

    It is checked at the right lr only: another one multiplies every gradient by the ratio of both. Plain gradient
    descent is assumed, one update for the whole batch: a momentum, or an update after each row, is another step.

    How far the reading may be off is derived. The step rounds t = lr g to the dtype, then W' = W - t; the reading
    rounds W - W' and the quotient. With unit roundoff u, and E what rounding may do to g,

        |(W - W') / lr - g|  <=  E + u |W'| / lr + 4 u |g|           about

    but where t is between W/2 and 2 W, and the difference exact (Sterbenz), the second term falls away. As lr becomes
    small it is all that is left; a gradient below u |W| / lr is not seen, which the check says, with an lr that would
    show it.

    Args:
        step: ``step(weights, x, y)``, or a method of an object with attributes W1, b1, ..., ``step(x, y)``; see
            `harness.candidates.steps`. If it takes a learning rate, by the name lr, learning_rate, eta or alpha, it
            is given this one.
        lr: the learning rate of the step, above 0; the larger the sharper.
        name: what messages call it; its own name if None.

    Raises:
        UsageError: lr is no positive number, or step can be called neither so nor so.
    """
    if isinstance(lr, bool) or not isinstance(lr, int | float) or not 0 < lr < np.inf:
        raise UsageError(
            f"Cannot read gradients off an update with lr={shown(lr)}, because they are its differences divided by it; "
            f"give the learning rate of the step, a number above 0 (--lr)."
        )
    own = str(getattr(step, "__qualname__", type(step).__name__))
    return FromUpdate(step, float(lr), own if name is None else as_text("name", name, "step"))


class FromUpdate:
    """A backward pass made of an update; see `gradients_from_update`."""

    def __init__(self, step: Callable[..., Any], lr: float, name: str) -> None:
        self.__wrapped__, self.lr, self._step = step, lr, step
        self.__name__ = self.__qualname__ = name
        self.__signature__ = inspect.Signature(
            [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("weights", "x", "y")]
        )
        self._call = called(step, self.__qualname__, lr)

    def at(self, lr: float) -> FromUpdate:
        """The same step with another learning rate."""
        return FromUpdate(self._step, lr, self.__name__)

    def __call__(self, weights: Mapping[str, Any], x: Any, y: Any) -> ReadOff:
        """One update of copies of the weights, and the gradients that are read off it."""
        before = {name: np.array(as_array(w)) for name, w in weights.items()}
        after = self._call(weights, x, y)
        arrays = {name: array for name, new in after.weights.items() if (array := as_array(new)) is not None}
        gradients = {prefixed("d", name): _difference(before[name], new, self.lr) for name, new in arrays.items()}
        moved = any(not np.array_equal(before[name], new) for name, new in arrays.items())
        loss = {name: value for name, value in after.loss.items() if not _is_share(as_array(value), as_array(y))}
        return ReadOff({**gradients, **loss}, self.lr, moved=moved)


def _is_share(value: Any, y: Any) -> bool:
    """Whether a number is a count of samples, or a share of them, as an accuracy is, and no loss."""
    number = float(np.ravel(value)[0])
    shares = np.shape(y) if 0 <= number <= 1 else ()
    return number.is_integer() or any(abs(number * size - round(number * size)) < COUNTED for size in shares)


def _difference(before: Array, after: Array, lr: float) -> Array:
    """(W - W') / lr, rounded to the dtype that the new weight has; what has another shape is told by that."""
    if after.shape != before.shape:
        return after
    with np.errstate(all="ignore"):
        read = (before.astype(np.float64) - after.astype(np.float64)) / lr
        return read.astype(after.dtype) if is_real(after) else read


def read_off_from(network: Graph, lr: float, lies: Layout | None = None) -> Graph:
    """The network whose gradients of weights are read off an update with this learning rate.

    A function that is called for one sample at a time, as `lies` tells, makes an update of each.
    """
    alone, mean = (lies.alone, lies.mean) if lies else (False, False)
    return network.read_off(lambda dW, W, rows: read_off(dW, W, lr, rows if alone else 1, mean))
