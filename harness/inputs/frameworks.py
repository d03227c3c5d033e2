"""Which framework a function is written in, found out by running it.

Only frameworks that are imported are asked: a function of one that is not could not have been made, unless it imports
that itself, and then it has done so once it was run.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from harness.inputs.plain import unmasked
from harness.usage import UsageError, told
from impls import registry
from impls.abilities import Hosts
from impls.contract import Array, network_of_example

_WANTS_WHOLE_NUMBERS = re.compile(r"\bLong\b|\blong, int\b|integer|\bindices\b", re.IGNORECASE)
"""In what frameworks raise where they are given reals for labels or indices."""


def loaded_hosts(dtype: str) -> dict[str, Hosts]:
    """Every host by the name of its implementation, hand first, that is imported already."""
    found: dict[str, Hosts] = {}
    for name in registry.names():
        if name == "hand" or name in sys.modules:
            built = registry.load(name)(network_of_example(), dtype)
            if isinstance(built, Hosts):
                found[name] = built
    return found


def host_of(function: Callable[..., Any], inputs: Sequence[Array], dtype: str, *, autograd: bool = False) -> Hosts:
    """The host whose arrays a function takes and gives.

    Args:
        inputs: NumPy arrays that it is tried on.
        autograd: whether it is to be differentiated, which NumPy cannot do.

    Raises:
        UsageError: it runs in none; what the likeliest one raised is told.
    """
    bringing = [host for host in loaded_hosts(dtype).values() if host.brings_backward(function)]
    if bringing:
        return bringing[0]
    reasons, tried, mentioned = list[tuple[bool, str]](), set[str](), named_in(function)
    # A function that imports its framework when it is called has loaded it after a round, for another one.
    while fresh := {name: host for name, host in loaded_hosts(dtype).items() if name not in tried}:
        tried |= set(fresh)
        asked = [(autograd and host.package == "numpy", host.package not in mentioned, host) for host in fresh.values()]
        for useless, unlikely, host in sorted(asked, key=lambda each: each[:2]):  # stable: hand, torch, jax
            try:
                output = run(host, function, inputs)
            except (Exception, SystemExit) as error:
                if not useless or isinstance(error, ImportError):
                    reasons.append((unlikely, f"with {host.package} arrays it raises {told(error)}"))
                continue
            if host.owns(output) and not useless:
                return host
            if not useless:
                reasons.append((unlikely, f"with {host.package} arrays it returns {kind_of(output)}"))
    what = getattr(function, "__name__", type(function).__name__)
    if not reasons:
        raise UsageError(
            f"Cannot differentiate {what!r}, because no framework is imported; import torch or jax, and write it there."
        )
    _, reason = min(reasons, key=lambda each: each[0])
    raise UsageError(
        f"Cannot run {what!r}, because {reason}; {_instead(reason)}, in the order of the inputs, that returns "
        f"one array."
    )


def _instead(reason: str) -> str:
    """What to give: labels and indices are whole numbers, which a shape alone does not say."""
    function = "a function of NumPy, torch or JAX arrays"
    if _WANTS_WHOLE_NUMBERS.search(reason):
        return f'give labels and indices as harness.Indices(("N",), below="K"), and {function}'
    return f"give {function}"


def run(host: Hosts, function: Callable[..., Any], inputs: Sequence[Array]) -> Any:
    """What a function gives for copies of these arrays, overflow and the like unmentioned."""
    with host.running(), np.errstate(all="ignore"):
        return function(*[host.give(array) for array in inputs])


def kind_of(value: Any) -> str:
    """What something is, in words."""
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return "nothing" if value is None else f"a {type(value).__module__}.{type(value).__qualname__}"


def named_in(function: Any) -> set[str]:
    """Top-level packages that a function's code names, or comes from; so do functions of its own module that it names.

    What stands for nothing that is loaded counts by its own name.
    """
    found, seen, todo = {_home_of(function)}, set[CodeType](), [function]
    if isinstance(getattr(function, "__self__", None), ModuleType | type):
        found.add(_home_of(function.__self__))
    while todo:
        each = inspect.unwrap(todo.pop())
        code, known = getattr(each, "__code__", None), getattr(each, "__globals__", {})
        if not isinstance(code, CodeType) or code in seen:
            continue
        seen.add(code)
        for name in names_in(code):
            value = known.get(name)
            found.add(_home_of(value, name.partition(".")[0]))
            if callable(value) and getattr(value, "__module__", None) == each.__module__:
                todo.append(value)
    return found


def _home_of(value: Any, name: str = "") -> str:
    """The top-level package that something comes from; a name that stands for nothing with a home stays itself."""
    home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    return str(home or name or type(value).__module__).partition(".")[0]


def as_arrays(values: Mapping[str, Any], dtype: str) -> dict[str, Array]:
    """Arrays of any framework as NumPy ones: reals in the dtype, whole numbers as int64, masks as they are."""
    hosts = loaded_hosts(dtype).values()
    arrays = {}
    for name, value in values.items():
        taken = next((host.take(value) for host in hosts if host.owns(value)), None)
        array = np.asarray(unmasked(name, value)) if taken is None else taken
        if array.dtype.kind not in "iufb":
            raise UsageError(
                f"Cannot use the input {name!r} of dtype {array.dtype}, because gradients are of real numbers; give "
                f"an array of floats, or of whole numbers where they are indices."
            )
        if not array.size:
            raise UsageError(
                f"Cannot use the input {name!r} of shape {array.shape}, because it is empty; give one with entries."
            )
        arrays[name] = array if array.dtype.kind == "b" else _cast(name, array, dtype)
    return arrays


def _cast(name: str, array: Array, dtype: str) -> Array:
    if array.dtype.kind != "f":
        return array.astype(np.int64)
    with np.errstate(over="ignore"):
        cast = array.astype(dtype)
    if not np.isfinite(cast).all():
        place = tuple(map(int, np.argwhere(~np.isfinite(cast))[0]))
        raise UsageError(
            f"Cannot use the input {name!r}, because {array[place]} at {list(place)} is no finite number of {dtype}; "
            f"give finite numbers, and a mask as True and False."
        )
    return cast


def names_in(code: CodeType) -> set[str]:
    """Every global, attribute and import that code names, code inside it included."""
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*map(names_in, inner))
