"""The contract between harness and implementation, enforced on every call.

An implementation that raises, returns a wrong shape or dtype, a missing or extra name or a non-finite
value, or changes its input is a finding about that implementation, by name, step and tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from harness.comparison.judge import Kind
from harness.evaluation.given import changed
from harness.interrupts import heed
from harness.usage import short_of_memory, told
from impls.contract import Array, Arrays, CannotCompareError, Pass, Update, tensors_of
from impls.graph import LOSS, Graph, prefixed

_T = TypeVar("_T")


class BreachError(Exception):
    """An implementation broke its contract."""

    def __init__(self, kind: Kind, message: str, tensor: str | None = None) -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.tensor = tensor


def guarded(call: Callable[[], _T], given: Arrays, kept: Arrays) -> _T:
    """The result of `call`, or a `BreachError` if it raised or changed what it was given, of which copies were kept."""
    try:
        with np.errstate(all="ignore"):
            result = call()
        heed()
    except (KeyboardInterrupt, MemoryError, CannotCompareError):
        raise
    except BaseException as error:
        heed()  # which compiled code may have made this of
        if short_of_memory(error):
            raise MemoryError(told(error)) from None
        # An implementation is somebody else's code: whatever it raises, SystemExit included, is about it.
        raise BreachError("raised", f"raised {told(error)}") from error
    if name := changed(given, kept):
        raise BreachError("changed its input", f"changed {name}, which it was given to read", name)
    return result


def check_pass(network: Graph, dtype: str, rows: int, result: Any) -> Pass:
    """The pass, if it keeps the contract; raises `BreachError` otherwise. Non-finite values are not judged."""
    if not isinstance(result, Pass):
        raise BreachError("not a pass", f"returned {type(result).__name__} instead of an impls.contract.Pass")
    shapes = shapes_of(network, rows)
    required = {"loss", *network.gradients}
    _check_tensors(tensors_of(result), shapes, required, dtype)
    return result


def check_update(weights: Arrays, state: tuple[str, ...], result: Any) -> Update:
    """The update, if it holds every weight and state in the right shape and dtype."""
    if not isinstance(result, Update):
        raise BreachError("not a pass", f"returned {type(result).__name__} instead of an impls.contract.Update")
    shapes = {prefixed(s, name): w.shape for name, w in weights.items() for s in ("", *state)}
    dtype = str(next(iter(weights.values())).dtype)
    _check_tensors({**result.weights, **result.state}, shapes, set(shapes), dtype)
    return result


def non_finite(tensors: Arrays) -> str | None:
    """Name of the first tensor that holds a NaN or an infinity."""
    with np.errstate(all="ignore"):
        return next((name for name, array in tensors.items() if not _finite(array)), None)


def _finite(array: Array) -> bool:
    """Whether every entry is, as where the sum of squares is: that may overflow, but hides no NaN and no infinity.

    BLAS finds it at the speed of memory, in the formats that it has.
    """
    flat = array.ravel("K")
    return bool((array.dtype.char in "fd" and np.isfinite(np.dot(flat, flat))) or np.isfinite(flat).all())


def shapes_of(network: Graph, rows: int) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor that a pass may hold, on so many rows."""
    names = [LOSS, *network.gradients]
    for name in network.activations:
        names += [name, *filter(None, [network.gradient.get(name)])]
    return {name: network.tensors[name].sized(rows) for name in names}


def _check_tensors(
    tensors: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], required: set[str], dtype: str
) -> None:
    missing = sorted(required - set(tensors))
    if missing:
        raise BreachError("names", f"returned no {', '.join(missing)}", missing[0])
    extra = sorted(set(map(str, tensors)) - set(shapes))
    if extra:
        raise BreachError("names", f"returned {extra[0][:80]!r}, which this network does not have", extra[0][:80])
    for name, array in tensors.items():
        if not isinstance(array, np.ndarray | np.generic):
            raise BreachError("dtype", f"returned {name} as {type(array).__name__}, not as a NumPy array", name)
        if array.shape != shapes[name]:
            raise BreachError("shape", f"returned {name} of shape {array.shape} instead of {shapes[name]}", name)
        if array.dtype != np.dtype(dtype):
            raise BreachError("dtype", f"returned {name} as {array.dtype} instead of {dtype}", name)
