"""Arguments of a run: from what a caller may give to what a run needs, or one message that says what is wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.formats import DTYPES, FORMATS
from harness.inputs.datasets import Data, from_arrays, load_data
from harness.inputs.datasets.data import checked
from harness.inputs.networks import load_network
from harness.inputs.plain import as_count, as_flag, refused, shown
from harness.usage import UsageError, did_you_mean
from impls import registry
from impls.graph import Graph
from impls.hand.losses.scaled import bare
from impls.hand.notation import OPTIMIZERS
from impls.hand.parsing import made


def as_network(network: Any, data: Any = None) -> Graph:
    """A network, given as one, as text or as the path of a file; `data` may say what a network by name leaves open.

    Raises:
        UsageError: it is none of these, or cannot be read or built.
    """
    if isinstance(network, Graph):
        if not network.weights:
            raise UsageError(f"Cannot use {network!r}, because it has no weights to train; give a node that has some.")
        return network
    if not isinstance(network, str | os.PathLike):
        raise refused("network", network, "it is no Network", "give one, or text such as 4-3-1")
    return load_network(network, data=data)


def as_optimizer(optimizer: Any, **more: float) -> Any:
    """A hand-written optimizer, given as one or by name; `more` are parameters besides those in its brackets.

    Raises:
        UsageError: it is neither.
    """
    if isinstance(optimizer, str):
        try:
            return made("optimizer", OPTIMIZERS, optimizer, **more)
        except ValueError as error:
            raise UsageError(str(error)) from None
    if isinstance(optimizer, type):
        name = optimizer.__name__
        raise UsageError(
            f"Cannot train with optimizer={name}, because it is a class; write {name}(), its options in the brackets."
        )
    if not hasattr(optimizer, "state"):
        raise UsageError(
            f"Cannot train with optimizer={shown(optimizer)}, because it is no optimizer; give one, such as "
            f"Adam(lr=0.01), or its name."
        )
    return optimizer


def as_names(against: Sequence[str] | None) -> list[str]:
    """Names of implementations, the reference in front; all known ones if None.

    Raises:
        UsageError: one is unknown.
    """
    if against is None:
        return registry.names()
    try:
        chosen = [against] if isinstance(against, str) else list(against)
    except Exception:  # it is not iterable, or somebody else's code
        chosen = None
    if chosen is None or isinstance(against, bytes | Mapping | type):
        raise refused("against", against, "it names no implementations", "give a list of names, or None for all")
    known = registry.names()
    for name in chosen:
        text = name if isinstance(name, str) else ""
        if text not in known:
            raise UsageError(
                f"Cannot compare with {repr(text[:80]) if text else shown(name)}, because there is no implementation "
                f"of that name{did_you_mean(text, known)}; choose from {', '.join(known)}."
            )
    return list(dict.fromkeys([registry.REFERENCE, *chosen]))


def as_dtype(dtype: Any) -> str:
    """The name of a dtype that there are bounds for.

    Raises:
        UsageError: it is something else.
    """
    text = str(dtype) if isinstance(dtype, str | np.dtype) else ""
    if text in FORMATS and text not in DTYPES:
        raise UsageError(
            f"Cannot use dtype={shown(dtype)}, because nobody computes in it, and operands alone are numbers of it; "
            f"round them to it once, and give them in float32: harness.allowance_of says what is allowed then."
        )
    if text not in DTYPES:
        raise UsageError(
            f"Cannot use dtype={shown(dtype)}, because there are bounds for {', '.join(DTYPES)} "
            f"only{did_you_mean(text, DTYPES)}; choose one of them."
        )
    return text


def check_parameters(network: Graph, optimizer: Any, dtype: str) -> None:
    """Raise UsageError if a parameter of a layer, the loss or the optimizer is no finite number of the dtype."""
    largest = FORMATS[dtype].largest
    losses = network.loss, getattr(network.loss, "loss", None), bare(network.loss)
    for part in (*(node.layer for node in network.nodes), *losses, optimizer):
        for name, value in getattr(part, "parameters", dict)().items():
            if isinstance(value, float) and abs(value) > largest:
                raise UsageError(
                    f"Cannot use {name}={value!r} of {type(part).__name__} in {dtype}, because it overflows there; "
                    f"give a number up to {largest:.3g}."
                )


def as_data(data: Any, network: Graph, seed: int, *, raw: bool, target: str | None) -> Data:
    """Data, given as such, by name or path, or as arrays (x, y).

    Raises:
        UsageError: it is none of these, or cannot be read or used.
    """
    raw, seed = as_flag("raw", raw), as_count("seed", seed, 0) or 0
    if isinstance(data, str | os.PathLike):
        return load_data(data, raw=raw, target=target, network=network, seed=seed)
    if raw or target is not None:
        raise UsageError(
            "Cannot use raw or target with data that is loaded already, because they say how to load it; "
            "give them to load_data."
        )
    if isinstance(data, tuple) and len(data) == 2:
        return from_arrays(*data)
    if isinstance(data, Data):
        return checked(data)
    raise UsageError(
        f"Cannot train on data of type {type(data).__name__}, because it is neither a name, a path, a Data nor "
        f"two arrays; give (x, y)."
    )


def as_seconds(timeout: Any) -> float | None:
    """A time, or None where there is no limit."""
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < 1e6:
        raise refused("timeout", timeout, "it is a time", "give seconds, more than 0")
    return float(timeout)
