"""Steps: how somebody's training step is called, and what it makes of the weights.

A step takes weights, x and y, the weights as a dictionary by name or, where it cannot use one, as a list in the order
of the network's; or it is a method of an object that keeps them, as attributes W1, b1, ... or in a dictionary that is
one, and takes x and y. It changes them in place, or returns new ones, alone or first of several things. The loss may be
one of these.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any, NamedTuple

from harness.candidates.arrays import as_array
from harness.candidates.vocabulary import called_loss
from harness.usage import UsageError, told, visible
from impls.contract import is_real
from impls.graph import LOSS

RATES = ("lr", "learning_rate", "eta", "alpha")
"""What a step may call the learning rate, if it takes one."""


class After(NamedTuple):
    """The new weights, as far as they are there, and the loss by the name that it has beside them, if it is there."""

    weights: Mapping[str, Any]
    loss: Mapping[str, Any]


Called = Callable[[Mapping[str, Any], Any, Any], After]
"""From weights, x and y to what the step makes of them."""


def called(step: Callable[..., Any], name: str, lr: float) -> Called:
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
    if binds(step, 3, given):
        return _Function(with_rate)
    if owner is not None and not inspect.ismodule(owner) and binds(step, 2, given):
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


def binds(step: Callable[..., Any], count: int, given: Mapping[str, Any]) -> bool:
    """Whether a step takes so many arguments beside those that are given by name: three, if it does not tell."""
    try:
        inspect.signature(step).bind(*range(count), **given)
    except TypeError:
        return False
    except ValueError:  # compiled code
        return count == 3
    return True


class _Function:
    """``step(weights, x, y)``: weights by name, or in their order where it raises with names."""

    def __init__(self, step: Callable[..., Any]) -> None:
        self.step, self.kinds = step, [_by_name, _in_order]

    def __call__(self, weights: Mapping[str, Any], x: Any, y: Any) -> After:
        raised: list[Exception] = []
        for kind in self.kinds:
            handed = kind(deepcopy(dict(weights)))
            try:
                after = _after(self.step(handed, x, y), handed, weights)
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

    def __call__(self, weights: Mapping[str, Any], x: Any, y: Any) -> After:
        kept = self._kept(weights)
        kept.update(deepcopy(dict(weights)))
        return _after(self.step(x, y), self._kept(weights), weights)

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


def _after(returned: Any, handed: Any, weights: Mapping[str, Any]) -> After:
    return After(new_weights(returned, handed, weights), told_loss(returned))


def told_loss(returned: Any) -> dict[str, Any]:
    """The loss that a step returns, by its name: one that people give a loss, or none beside one number alone.

    >>> told_loss(({"W1": [1.0]}, 0.5)), told_loss({"cost": 0.5, "accuracy": 0.25}), told_loss((0.5, 0.25))
    ({'loss': 0.5}, {'cost': 0.5}, {})
    """
    found = dict[str, Any]()
    for each in returned if isinstance(returned, tuple | list) else (returned,):
        if isinstance(each, Mapping):
            found |= {str(name): value for name, value in each.items() if called_loss(str(name)) and _real(value, 1)}
    if not found:
        numbers = [each for each in (returned if isinstance(returned, tuple | list) else (returned,)) if _real(each, 0)]
        found = {LOSS: numbers[0]} if len(numbers) == 1 else {}
    return found if len(found) == 1 else {}


def _real(value: Any, axes: int) -> bool:
    """Whether it is one real number, in an array of so many axes at most; whole numbers count something."""
    array = as_array(value)
    return array is not None and is_real(array) and array.size == 1 and array.ndim <= axes


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
