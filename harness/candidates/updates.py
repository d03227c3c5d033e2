"""Updates: the gradients of a training step that hands none over, read off what it does to the weights.

A step of plain gradient descent gives W - lr dW, so that dW is (W - W') / lr. What rounding loses on that way grows as
lr becomes small, and is in the allowance of the gradients that are read off (`harness.arithmetic.rules.reading`).

A step takes weights, x and y, the weights as a dictionary by name or, where it cannot use one, as a list in the order
of the network's; or it is a method of an object that keeps them, as attributes W1, b1, ... or in a dictionary that is
one, and takes x and y. It changes them in place, or returns new ones, alone or first of several things.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np

from harness.candidates.arrays import as_array
from harness.candidates.layout import Layout
from harness.inputs.plain import as_text, shown
from harness.usage import UsageError, told, visible
from impls.contract import Array
from impls.graph import Graph, prefixed
from impls.hand.optimizers import read_off

RATES = ("lr", "learning_rate", "eta", "alpha")
"""What a step may call the learning rate, if it takes one."""


class ReadOff(dict[str, Array]):
    """Gradients by name, read off an update with a learning rate.

    Attributes:
        lr: the learning rate.
        moved: whether the update changed any weight.
    """

    def __init__(self, gradients: Mapping[str, Array], lr: float, *, moved: bool) -> None:
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
            `harness.candidates.updates`. If it takes a learning rate, by the name lr, learning_rate, eta or alpha, it
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
        self.__wrapped__, self.lr = step, lr
        self.__name__ = self.__qualname__ = name
        self.__signature__ = inspect.Signature(
            [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("weights", "x", "y")]
        )
        self._call = _called(step, self.__qualname__, lr)

    def __call__(self, weights: Mapping[str, Any], x: Any, y: Any) -> ReadOff:
        """One update of copies of the weights, and the gradients that are read off it."""
        before = {name: np.array(as_array(w)) for name, w in weights.items()}
        after = self._call(weights, x, y)
        arrays = {name: array for name, new in after.items() if (array := as_array(new)) is not None}
        gradients = {prefixed("d", name): _difference(before[name], new, self.lr) for name, new in arrays.items()}
        moved = any(not np.array_equal(before[name], new) for name, new in arrays.items())
        return ReadOff(gradients, self.lr, moved=moved)


def _difference(before: Array, after: Array, lr: float) -> Array:
    """(W - W') / lr, rounded to the dtype that the new weight has; what has another shape is told by that."""
    if after.shape != before.shape:
        return after
    with np.errstate(all="ignore"):
        read = (before.astype(np.float64) - after.astype(np.float64)) / lr
        return read.astype(after.dtype) if after.dtype.kind == "f" else read


def read_off_from(network: Graph, lr: float, lies: Layout | None = None) -> Graph:
    """The network whose gradients of weights are read off an update with this learning rate.

    A function that is called for one sample at a time, as `lies` tells, makes an update of each.
    """
    alone, mean = (lies.alone, lies.mean) if lies else (False, False)
    return network.read_off(lambda dW, W, rows: read_off(dW, W, lr, rows if alone else 1, mean))


Called = Callable[[Mapping[str, Any], Any, Any], Mapping[str, Any]]
"""From weights, x and y to the new weights, as far as they are there."""


def _called(step: Callable[..., Any], name: str, lr: float) -> Called:
    """How a step is called, told from what it takes."""
    if not callable(step):
        raise UsageError(
            f"Cannot read gradients off {name}, because it is of type {type(step).__name__} and no function; give a "
            f"function step(weights, x, y)."
        )
    try:
        takes = inspect.signature(step).parameters
    except (TypeError, ValueError):  # compiled code does not tell
        return _Function(step)
    if is_method(step):
        step = bound(step, name)
    given = {rate: lr for rate in RATES if rate in takes}
    with_rate = partial(step, **given)
    owner = getattr(step, "__self__", None)
    if _binds(step, 3, given):
        return _Function(with_rate)
    if owner is not None and not inspect.ismodule(owner) and _binds(step, 2, given):
        return _Method(with_rate, owner, name)
    raise UsageError(
        f"Cannot read gradients off {name}, because it takes {visible(str(inspect.signature(step)))}, and is called as "
        f"step(weights, x, y), or, a method of an object that keeps the weights, as step(x, y); let it take these."
    )


def is_method(step: Any) -> bool:
    """Whether it is a method of no object yet."""
    return next(iter(inspect.signature(step).parameters), None) == "self"


def bound(method: Any, name: str, of: type | None = None) -> Callable[..., Any]:
    """A method of an object made without arguments: of its class, or of another one that has inherited it."""
    place: Any = getattr(method, "__globals__", {})
    owner, _, local = str(getattr(method, "__qualname__", name)).rpartition(".")
    kind: Any = place.get(owner) if of is None else of
    heirs: list[type] = [] if of is not None or not isinstance(kind, type) else kind.__subclasses__()
    if heirs:
        raise UsageError(
            f"Cannot read gradients off {name}, because it is a method of {owner} and of {heirs[0].__name__}, which "
            f"has inherited it, and it does not tell of which; make an object, net = {heirs[0].__name__}(), and give "
            f"net.{local}."
        )
    try:
        return getattr((place[owner] if of is None else of)(), local)
    except Exception as error:
        raise UsageError(
            f"Cannot read gradients off {name}, because it is a method, and no object of its class can be made without "
            f"arguments ({told(error)}); make one, net = {owner or 'Net'}(...), and give net.{local}."
        ) from None


def _binds(step: Callable[..., Any], count: int, given: Mapping[str, float]) -> bool:
    try:
        inspect.signature(step).bind(*range(count), **given)
    except TypeError:
        return False
    return True


class _Function:
    """``step(weights, x, y)``: weights by name, or in their order where it raises with names."""

    def __init__(self, step: Callable[..., Any]) -> None:
        self.step, self.kinds = step, [_by_name, _in_order]

    def __call__(self, weights: Mapping[str, Any], x: Any, y: Any) -> Mapping[str, Any]:
        raised: list[Exception] = []
        for kind in self.kinds:
            handed = kind(deepcopy(dict(weights)))
            try:
                after = new_weights(self.step(handed, x, y), handed, weights)
            except Exception as error:
                raised.append(error)
            else:
                self.kinds = [kind]  # the next calls need not try
                return after
        raise raised[0]


def _by_name(weights: dict[str, Any]) -> Any:
    return weights


def _in_order(weights: dict[str, Any]) -> Any:
    return list(weights.values())


class _Method:
    """``step(x, y)`` of an object that keeps the weights."""

    def __init__(self, step: Callable[..., Any], owner: Any, name: str) -> None:
        self.step, self.owner, self.name = step, owner, name

    def __call__(self, weights: Mapping[str, Any], x: Any, y: Any) -> Mapping[str, Any]:
        kept = self._kept(weights)
        kept.update(deepcopy(dict(weights)))
        return new_weights(self.step(x, y), self._kept(weights), weights)

    def _kept(self, weights: Mapping[str, Any]) -> Any:
        """The dictionary that holds the weights: the object's own, or one of its attributes."""
        mine = vars(self.owner) if hasattr(self.owner, "__dict__") else {}
        for each in (mine, *mine.values()):
            if isinstance(each, dict) and set(weights) <= set(each):
                return each
        raise UsageError(
            f"Cannot read gradients off {self.name}, because its object keeps no {', '.join(weights)}, but "
            f"{', '.join(visible(str(name)) for name in mine) or 'nothing'}; let it keep the weights as attributes of "
            f"these names, or give a function step(weights, x, y)."
        )


def new_weights(returned: Any, handed: Any, weights: Mapping[str, Any]) -> Mapping[str, Any]:
    """The new weights: what is returned, if it is weights, or begins with them, else what was handed over."""
    changed = handed if isinstance(handed, Mapping) else dict(zip(weights, handed, strict=False))
    kept = {name: changed[name] for name in weights if name in changed}
    for each in (returned, *returned) if isinstance(returned, tuple | list) else (returned,):
        if isinstance(each, Mapping) and set(each) & set(weights):
            return kept | {name: each[name] for name in weights if name in each}
        if isinstance(each, Sequence) and _fits(each, list(weights.values())):
            return dict(zip(weights, each, strict=True))
    return kept


def _fits(returned: Sequence[Any], weights: Sequence[Any]) -> bool:
    """Whether these are as many arrays of the shapes of the weights."""
    if isinstance(returned, str) or len(returned) != len(weights):
        return False
    return [_shape(each) for each in returned] == [_shape(each) for each in weights]


def _shape(value: Any) -> tuple[int, ...] | None:
    array = as_array(value)
    return None if array is None else array.shape
