"""Implementations that golden runs are made against, besides those that are installed: the hand code with a fault."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np

from impls import registry
from impls.contract import CannotCompareError


def hand_with(change: Callable[[dict[str, Any], int], None]) -> Callable[[Any, str], Any]:
    """The hand code, whose gradients are changed in place; `change` is given them and the number of the call."""

    def build(network: Any, dtype: str) -> Any:
        hand = hands(network, dtype)
        right, calls = hand.differentiate, []

        def differentiate(*arguments: Any, **options: Any) -> Any:
            calls.append(1)
            result = right(*arguments, **options)
            change(result.gradients, len(calls))
            return result

        hand.differentiate = differentiate
        return hand

    hands = registry.load("hand")
    return build


def flips_dW2(gradients: dict[str, Any], call: int) -> None:
    gradients["dW2"] = -gradients["dW2"]


def gives_one_nan(gradients: dict[str, Any], call: int) -> None:
    gradients["dW1"][1, 1] = np.nan


def raises_at_the_third_call(gradients: dict[str, Any], call: int) -> None:
    if call == 3:
        raise RuntimeError("no memory left on the device")


def is_interrupted_at_the_ninth_call(gradients: dict[str, Any], call: int) -> None:
    if call == 9:
        signal.raise_signal(signal.SIGINT)


def narrow(network: Any, dtype: str) -> Any:
    """The hand code without float64 and without intermediates: what is wide can hide there."""
    if dtype == "float64":
        raise CannotCompareError("Cannot run in float64, because there is none here; compare in float32.")
    hand = registry.load("hand")(network, dtype)
    right = hand.differentiate
    hand.differentiate = lambda *arguments, **options: right(*arguments, **options | {"tap": False})
    return hand


CHANGES = {
    "flips": flips_dW2,
    "nan": gives_one_nan,
    "raises": raises_at_the_third_call,
    "stops": is_interrupted_at_the_ninth_call,
}


@contextmanager
def registered(*names: str) -> Iterator[None]:
    """So many of them can be named by ``--against``."""
    added = {name: narrow if name == "narrow" else hand_with(CHANGES[name]) for name in names}
    load = registry.load
    with (
        mock.patch.object(registry, "load", lambda name: added[name] if name in added else load(name)),
        mock.patch.object(registry, "names", return_value=[*registry.names(), *added]),
    ):
        yield
