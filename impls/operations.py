"""What frameworks' tables of operations have in common: how they are looked up, and losses around another loss.

Nothing here belongs to a framework: its functions are given, its arrays have the methods that NumPy's have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from impls.contract import CannotCompareError
from impls.hand.losses.classes import rows_in

Operation = Callable[..., Any]
"""On the framework's own arrays, in the order of the layer's parameters."""
Operations = Operation | Mapping[str, Operation]
"""Of a layer with several outputs or buffers, one for each by its local name."""
Table = Mapping[type, Callable[[Any], Operations]]
"""From a hand layer or loss to the operation with its parameters."""


def looked_up(table: Table, framework: str, file: str, part: Any, local: str) -> Operation:
    """The operation for a hand layer or loss, and for what the layer calls `local` of all that it gives.

    Raises:
        CannotCompareError: the framework has none.
    """
    if type(part) not in table:
        raise CannotCompareError(
            f"Cannot run {part!r} in {framework}, because {file} maps no operation to it; add a row to FORWARD."
        )
    made = table[type(part)](part)
    return made[local] if isinstance(made, Mapping) else made


def guarded(loss: Any, clip: Operation) -> Operation:
    """A probability with the guard of its loss."""
    if loss.clip:
        return lambda p: clip(p, loss.clip, 1 - loss.clip)
    return (lambda p: p + loss.epsilon) if loss.epsilon else (lambda p: p)


def on_logits(loss: Any, inner: Callable[[Any], Operation], probabilities: Operation, plain: Operation) -> Operation:
    """A cross-entropy on logits; with a guard, that of the probabilities, which `inner` gives."""
    if not loss.guard:
        return plain
    on_p = inner(loss.on_p)
    return lambda a, y: on_p(probabilities(a), y)


def binary(loss: Any, log: Operation, log1p: Operation, clip: Operation) -> Operation:
    """A cross-entropy of probabilities of two classes."""
    if not loss.guard:
        return lambda a, y: -(y * log(a) + (1 - y) * log1p(-a)).mean()
    of_yes = guarded(loss, clip)
    of_no = (lambda a: 1 - of_yes(a)) if loss.clip else (lambda a: of_yes(1 - a))
    return lambda a, y: -(y * log(of_yes(a)) + (1 - y) * log(of_no(a))).mean()


def categorical(loss: Any, log: Operation, clip: Operation) -> Operation:
    """A cross-entropy of probabilities of several classes."""
    return lambda a, y: -(y * log(guarded(loss, clip)(a))).sum() / rows_in(a)


def scaled(loss: Any, inner: Callable[[Any], Operation]) -> Operation:
    """A loss times its constant."""
    given = inner(loss.loss)
    return lambda a, y: loss.times(given(a, y), a)


def penalised(loss: Any, inner: Callable[[Any], Operation], square: Operation, absolute: Operation) -> Operation:
    """A loss and its penalty on weights."""
    given, penalty = inner(loss.loss), loss.penalty

    def of_one(w: Any) -> Any:
        terms = [penalty.square * square(w).sum()] if penalty.l2 else []
        terms += [penalty.l1 * absolute(w).sum()] if penalty.l1 else []
        return sum(terms)

    def whole(a: Any, y: Any, *weights: Any) -> Any:
        added = sum(map(of_one, weights))
        return given(a, y) + (added / len(y) if penalty.mean else added)

    return whole
