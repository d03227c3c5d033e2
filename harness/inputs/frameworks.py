"""Which framework a function is written in, found out by running it.

Only frameworks that are imported are asked: a function of one that is not could not have been made, unless it imports
that itself, and then it has done so once it was run.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from types import CodeType, ModuleType
from typing import Any

import numpy as np

from harness.inputs.calls import Call
from harness.inputs.devices import devices_of, placed
from harness.inputs.outputs import flat
from harness.inputs.plain import unmasked
from harness.inputs.trees import taken_apart
from harness.usage import UsageError, told
from impls import registry
from impls.abilities import Hosts, StandsIn
from impls.contract import CPU, Array, CannotCompareError, is_number, is_real, network_of_example
from impls.graph import Graph

_WANTS_WHOLE_NUMBERS = re.compile(r"\bLong\b|\blong, int\b|integer|\bindices\b", re.IGNORECASE)
"""In what frameworks raise where they are given reals for labels or indices."""


def loaded_hosts(dtype: str, device: str = CPU) -> dict[str, Hosts]:
    """Every host by the name of its implementation, hand first, that is imported already and has the device."""
    found: dict[str, Hosts] = {}
    for name in registry.names():
        if name == "hand" or name in sys.modules:
            with suppress(CannotCompareError):
                if (host := _hosting(name, registry.load(name), dtype, device)) is not None:
                    found[name] = host
    return found


@cache
def _hosting(name: str, build: Callable[[Graph, str], Any], dtype: str, device: str) -> Hosts | None:
    """Built once: it is asked for at every array of somebody's that NumPy cannot read."""
    built = placed(name, build(network_of_example(), dtype), device)
    return built if isinstance(built, Hosts) else None


def host_of(
    function: Callable[..., Any], inputs: Sequence[Array], dtype: str, *,
    autograd: bool = False, other_than: str = "", device: str = CPU,
) -> Hosts:  # fmt: skip
    """The host whose arrays a function takes and gives.

    Args:
        inputs: NumPy arrays that it is tried on.
        autograd: whether it is to be differentiated, which NumPy cannot do.
        other_than: a package that it is not to be tried in.
        device: where its arrays are.

    Raises:
        UsageError: it runs in none; what the likeliest one raised is told.
    """
    if (bringing := _bringing(function, dtype, device)) is not None:
        return bringing
    reasons, tried, mentioned = list[tuple[bool, str]](), set[str](), named_in(function)
    # A function that imports its framework when it is called has loaded it after a round, for another one.
    while fresh := {name: host for name, host in loaded_hosts(dtype, device).items() if name not in tried}:
        tried |= set(fresh)
        hosts = [host for host in fresh.values() if host.package != other_than]
        asked = [(autograd and host.package == "numpy", host.package not in mentioned, host) for host in hosts]
        for useless, unlikely, host in sorted(asked, key=lambda each: each[:2]):  # stable: hand, torch, jax
            try:
                output = run(host, function, inputs)
            except (Exception, SystemExit) as error:
                if not useless or isinstance(error, ImportError):
                    reasons.append((unlikely, f"with {host.package} arrays it raises {told(error)}"))
                continue
            if not useless and _gives(host, output, numbers=not autograd):
                return host
            if not useless:
                reasons.append((unlikely, f"with {host.package} arrays it returns {kind_of(output)}"))
    what = str(getattr(function, "__name__", type(function).__name__))
    if not reasons and device != CPU:
        there = "; ".join(f"{host.package} has {', '.join(devices_of(host))}" for host in loaded_hosts(dtype).values())
        raise UsageError(
            f"Cannot run {what!r} on {device!r:.60}, because no framework that is imported has it: {there}; choose one "
            f"of these, and write it in torch or JAX where it is written in NumPy."
        )
    if not reasons:
        raise UsageError(
            f"Cannot differentiate {what!r}, because no framework is imported; import torch or jax, and write it there."
        )
    _, reason = min(reasons, key=lambda each: each[0])
    raise UsageError(
        f"Cannot run {what!r}, because {reason}; {_instead(reason)}, in the order of the inputs, that returns arrays."
    )


def _gives(host: Hosts, output: Any, *, numbers: bool) -> bool:
    """Whether a host's arrays came, in containers or not; or a number of Python's, as of a loss, if `numbers`."""
    leaves = taken_apart(output, "")[1].values()
    return any(host.owns(leaf) or (numbers and isinstance(leaf, float)) for leaf in leaves)


def forget(dtype: str) -> None:
    """Let frameworks let go of what they keep of functions that are not run again, where it has become much."""
    for host in loaded_hosts(dtype).values():
        host.forget()


def differentiating(
    function: Callable[..., Any], inputs: Sequence[Array], dtype: str, other_than: str = ""
) -> tuple[Callable[..., Any], Hosts]:
    """A function that a framework can differentiate, and that framework's host.

    It is the function itself, or the same of NumPy's functions on a framework's arrays. What brings a backward pass of
    its own is called as that framework calls it. What is written by operators or NumPy's functions alone is no
    framework's: what is installed is imported for it.

    Raises:
        UsageError: no framework that is installed can differentiate it.
    """
    refused = None
    function = _as_called(function, dtype)
    try:
        host = host_of(function, inputs, dtype, autograd=True, other_than=other_than)
        if named_in(function) & {*registry.names()} or _differentiates(host, function, inputs):
            return function, host
    except UsageError as error:
        refused = error
    if named_in(function) & {*registry.names()}:  # it is one framework's, and wrong
        raise refused or UsageError("")
    for name in registry.names():
        with suppress(ImportError, CannotCompareError):
            built = registry.load(name)(network_of_example(), dtype)
            if not isinstance(built, Hosts) or built.package == other_than:
                continue
            if _differentiates(built, function, inputs):
                return function, built
            if isinstance(built, StandsIn):
                form = built.in_place_of_numpy(function)
                if _differentiates(built, form, inputs):
                    return form, built
    if refused:
        raise refused
    what = str(getattr(function, "__name__", type(function).__name__))
    raise UsageError(
        f"Cannot differentiate {what!r}, because it is written in NumPy, which has no autograd, and cannot be run on "
        f"the arrays of a framework either; write it in torch or JAX."
    )


def _bringing(function: Callable[..., Any], dtype: str, device: str = CPU) -> Hosts | None:
    """The host of a function that has a backward pass of its own; None of any other."""
    whole = function.function if isinstance(function, Call) else function
    return next((host for host in loaded_hosts(dtype, device).values() if host.brings_backward(whole)), None)


def _as_called(function: Callable[..., Any], dtype: str) -> Callable[..., Any]:
    """What has a backward pass of its own, as its framework calls it; any other function itself."""
    host = _bringing(function, dtype)
    if host is None:
        return function
    if isinstance(function, Call):
        return Call(host.pair(function.function)[0], function.signature, function.settings)
    return host.pair(function)[0]


def _differentiates(host: Hosts, function: Callable[..., Any], inputs: Sequence[Array]) -> bool:
    """Whether a host differentiates a function at a point."""
    try:
        real = flat(function, host, [False] * len(inputs))
        output = run(host, real, inputs)
        several = isinstance(output, tuple)
        every = output if several else (output,)
        ones = [np.ones(tuple(array.shape), str(array.dtype).rpartition(".")[2]) for array in every]
        host.vjp(real, inputs, ones if several else ones[0], at_once=True)
    except (Exception, SystemExit):
        return False
    return True


def _instead(reason: str) -> str:
    """What to give: labels and indices are whole numbers, which a shape alone does not say."""
    function = "a function of NumPy, torch or JAX arrays"
    if _WANTS_WHOLE_NUMBERS.search(reason):
        return f'give labels and indices as harness.Indices(("N",), below="K"), and {function}'
    return f"give {function}"


def run(host: Hosts, function: Callable[..., Any], inputs: Sequence[Array]) -> Any:
    """What a function gives for copies of these arrays, overflow and the like unmentioned."""
    with host.running(), np.errstate(all="ignore"):
        return host.at_once(function)(*[host.give(array) for array in inputs])


def kind_of(value: Any) -> str:
    """What something is, in words."""
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        return "an array of dtype object"
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
        taken = next((host.take(value) for host in hosts if host.owns(unmasked(name, value))), None)
        try:
            array = np.asarray(value) if taken is None else taken
        except ValueError:  # rows of unequal lengths
            raise UsageError(
                f"Cannot use the input {name!r}, because its rows differ in length; give an array of numbers."
            ) from None
        if not is_number(array):
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
    if not is_real(array):
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
