"""Harmless code: what may run with an edit in it.

An edit may turn a guard round, so that a branch runs which its author never meant to. Only a function is edited that
can do nothing but compute: every name that it reads from outside is a number, an array, a module of numbers, a function
of one, or a function or a class of which the same is true.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from numbers import Number
from types import CodeType, FunctionType, ModuleType
from typing import Any

from harness.inputs.recompiled import definition_of

UNSAFE = (
    ast.While, ast.Global, ast.Nonlocal, ast.Delete, ast.Yield, ast.YieldFrom, ast.Await, ast.Import, ast.ImportFrom,
    ast.With,
)  # fmt: skip
"""What may not end, or change what others read."""
OF_NUMBERS = (
    "numpy", "torch", "jax", "jaxlib", "scipy", "math", "cmath", "functools", "itertools", "operator", "typing",
)  # fmt: skip
"""Packages whose functions compute."""
COMPUTING = frozenset({
    "abs", "all", "any", "bool", "complex", "dict", "divmod", "enumerate", "filter", "float", "frozenset", "getattr",
    "hasattr", "int", "isinstance", "iter", "len", "list", "map", "max", "min", "next", "pow", "property", "range",
    "repr", "reversed", "round", "set", "slice", "sorted", "staticmethod", "str", "sum", "super", "tuple", "type",
    "zip",
})  # fmt: skip
"""Built-in functions that do."""
WRITING = frozenset({
    "dump", "dumps", "exec", "eval", "fromfile", "load", "loads", "loadtxt", "memmap", "open", "remove", "run", "save",
    "savetxt", "savez", "savez_compressed", "system", "tofile", "unlink", "write",
})  # fmt: skip
"""Attributes that read or write files, of whatever."""


def harmless(function: FunctionType, known: frozenset[int] = frozenset()) -> bool:
    """Whether a function, and all that it calls by name, can do nothing but compute.

    Args:
        known: identities of the functions that are being looked at.
    """
    if id(function) in known:
        return True
    tree = definition_of(function)
    if tree is None or any(isinstance(node, UNSAFE) for node in ast.walk(tree)):
        return False
    if any(isinstance(node, ast.Attribute) and node.attr in WRITING for node in ast.walk(tree)):
        return False
    within = known | {id(function)}
    return all(_computes(value, within) for value in _read(function))


def _read(function: FunctionType) -> Iterator[Any]:
    """What a function's names may stand for outside of it; names that stand for nothing are attributes or locals."""
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not filled yet
            continue
    for name in {name for code in _codes(function.__code__) for name in code.co_names}:
        if name in function.__globals__:
            yield function.__globals__[name]
        elif hasattr(builtins, name) and name not in COMPUTING:
            yield getattr(builtins, name)


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A function's code, and that of the functions in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _computes(value: Any, known: frozenset[int]) -> bool:
    if value is None or isinstance(value, Number | str | bytes) or hasattr(value, "dtype"):
        return True
    if isinstance(value, tuple | frozenset):  # what can be changed keeps what was done in a branch
        return all(_computes(member, known) for member in value)
    if isinstance(value, ModuleType):
        return _of_numbers(value.__name__)
    if _of_numbers(getattr(value, "__module__", None)) or _of_numbers(type(value).__module__):
        return True
    if isinstance(value, type):
        if issubclass(value, Exception):
            return True
        members = [getattr(member, "__func__", member) for member in vars(value).values()]
        return all(harmless(member, known) for member in members if isinstance(member, FunctionType))
    return isinstance(value, FunctionType) and harmless(value, known)


def _of_numbers(module: str | None) -> bool:
    return bool(module) and str(module).partition(".")[0] in OF_NUMBERS
