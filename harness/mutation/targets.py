"""Targets: the functions into which mutants go: what somebody names, or the hand code's backward rules."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from inspect import signature
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import impls.hand as hand
from harness.inputs.recompiled import plain_function
from harness.usage import UsageError, did_you_mean


def targeted(text: str) -> Any:
    """The function that ``module:function``, ``module:Class.method`` or ``FILE.py:function`` names.

    A file is taken as the module that was loaded from it, so that the tests' own is meant.

    Raises:
        UsageError: there is none, or it is not written in Python.
    """
    where, _, name = text.rpartition(":")
    if not where or not name:
        raise UsageError(
            f"Cannot plant mutants in {text!r}, because it names no function; give module:function, such as "
            f"mypackage.module:backward."
        )
    thing: Any = _module(where, text)
    for part in name.split("."):
        try:
            thing = getattr(thing, part)
        except AttributeError:
            known = [known for known, value in getattr(thing, "__dict__", {}).items() if callable(value)]
            raise UsageError(
                f"Cannot plant mutants in {text}, because {where} has no {name}{did_you_mean(part, known)}; "
                f"name a function of that module."
            ) from None
    plain = plain_function(thing)
    last = name.rpartition(".")[2]
    if plain.__name__ != last and not hasattr(thing, "__wrapped__") and "<locals>" in plain.__qualname__:
        raise UsageError(
            f"Cannot plant mutants in {text}, because a decorator put {plain.__qualname__} in its place and does not "
            f"say what it wraps; use functools.wraps in the decorator."
        )
    return thing


def _module(where: str, text: str) -> ModuleType:
    if where.endswith(".py"):
        path = Path(where).resolve()
        for module in list(sys.modules.values()):
            if (file := getattr(module, "__file__", None)) and Path(file).resolve() == path:
                return module
        raise UsageError(
            f"Cannot plant mutants in {text}, because the test does not import {where}; name a file that it imports."
        )
    try:
        return import_module(where)
    except ModuleNotFoundError as error:
        if error.name is not None and (where == error.name or where.startswith(error.name + ".")):
            raise UsageError(
                f"Cannot plant mutants in {text}, because there is no module {where} where the test runs; "
                f"name it as the test imports it."
            ) from None
        raise UsageError(_not_imported(text, error)) from None
    except Exception as error:
        raise UsageError(_not_imported(text, error)) from None


def _not_imported(text: str, error: Exception) -> str:
    why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return f"Cannot plant mutants in {text}, because its module cannot be imported ({why}); repair it first."


def hand_rules() -> dict[str, Any]:
    """Every backward rule of the hand code by its place: ``impls.hand.layers.dense:Dense.dW``.

    These are the rules of layers and losses, and the primitives that only they use.
    """
    classes = [thing for thing in vars(hand).values() if isinstance(thing, type) and hasattr(thing, "reads")]
    backward, forward = dict[str, Any](), list[Any]()
    for owner in dict.fromkeys(classes):
        rules = [m for kind in owner.__mro__ for m in vars(kind).values() if isinstance(m, FunctionType)]
        public = [rule for rule in rules if not rule.__name__.startswith("_")]
        read = {name for rule in public for name in signature(rule).parameters}
        gradients = [rule for rule in public if rule.__name__[:1] == "d" and rule.__name__[1:] in read]
        backward |= {_place(rule): rule for rule in gradients}
        forward += [rule for rule in public if rule.__name__ == "forward"]
    shared = {id(primitive) for rule in forward for primitive in _primitives(rule)}
    own = {id(p): p for rule in backward.values() for p in _primitives(rule) if id(p) not in shared}
    return backward | {_place(primitive): primitive for primitive in own.values()}


def _place(rule: Any) -> str:
    return f"{rule.__module__}:{rule.__qualname__}"


def _primitives(rule: Any) -> Iterator[Any]:
    """Named primitives that a rule calls."""
    plain = plain_function(rule)
    for name in plain.__code__.co_names:
        used = plain.__globals__.get(name)
        if hasattr(used, "body") and used is not rule:  # an attribute may have a rule's own name: special.erf
            yield used
            yield from _primitives(used)
