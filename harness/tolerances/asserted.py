"""Asserted: the tolerances that stand in somebody's test file, read without running it.

A call of assert_close, allclose or assert_allclose, of whatever module, has its numbers as literals, by keyword or in
their places, or by a name that the file gives a number once, at its head. Whatever else stands there is not read, and
told with its line.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.inputs.plain import text_at
from harness.tolerances.rules import AssertClose, Pair, Rule
from harness.usage import UsageError, visible

LARGEST = 2**22


@dataclass(frozen=True)
class _Call:
    """Where a function has its numbers, and what they are where nothing is given.

    Attributes:
        places: of positional arguments.
        by_dtype: whether its defaults depend on the dtype.
    """

    rtol: float
    atol: float
    places: Mapping[int, str]
    by_dtype: bool = False


CALLS: Mapping[str, _Call] = {
    "allclose": _Call(1e-5, 1e-8, {2: "rtol", 3: "atol"}),
    "isclose": _Call(1e-5, 1e-8, {2: "rtol", 3: "atol"}),
    "assert_allclose": _Call(1e-7, 0.0, {2: "rtol", 3: "atol"}),
    "assert_close": _Call(0.0, 0.0, {}, by_dtype=True),
    "assert_trees_all_close": _Call(1e-6, 0.0, {}),
}
"""By the last part of what is called. Sources: numpy, torch, jax and chex as documented."""


@dataclass(frozen=True)
class Asserted:
    """The rules of one file.

    Attributes:
        rules: each with file and line.
        unread: what could not be read, each in a sentence.
    """

    rules: list[tuple[Rule, tuple[str, int]]]
    unread: list[str]


def asserted_in(path: str) -> Asserted:
    """Every tolerance of a file.

    Raises:
        UsageError: there is no such file, it is no Python, or it holds no such call.
    """
    text = text_at(path, LARGEST, "Python")
    try:
        tree = ast.parse(text, path)
    except (SyntaxError, ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise UsageError(f"Cannot read {path}, because line {line} is no Python: {error}; correct it there.") from None
    found, constants = Asserted([], []), _constants(tree)
    calls = sorted(_calls(tree), key=lambda call: call.lineno)
    for call in calls:
        name = _name(call)
        try:
            found.rules.append((_rule(call, CALLS[name], constants), (path, call.lineno)))
        except (_UnreadError, UsageError) as why:
            found.unread.append(visible(f"{path}:{call.lineno} {name}: {why}"))
    if not calls:
        raise UsageError(f"Cannot judge {path}, because it calls none of {', '.join(CALLS)}; give a file that does.")
    return found


class _UnreadError(Exception):
    """A number that is not written there."""


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call) and _name(node) in CALLS)


def _name(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _constants(tree: ast.Module) -> dict[str, float]:
    """Numbers that names of the module stand for, each assigned once in the whole file."""
    stored = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    found = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target, number = statement.targets[0], _literal(statement.value)
            if isinstance(target, ast.Name) and number is not None and stored.count(target.id) == 1:
                found[target.id] = number
    return found


def _rule(call: ast.Call, known: _Call, constants: Mapping[str, float]) -> Rule:
    if any(keyword.arg is None for keyword in call.keywords) or any(isinstance(a, ast.Starred) for a in call.args):
        raise _UnreadError("its arguments are unpacked from something; write atol= and rtol= there")
    written: dict[str, ast.expr] = {k.arg: k.value for k in call.keywords if k.arg in ("atol", "rtol")}
    written |= {name: call.args[place] for place, name in known.places.items() if place < len(call.args)}
    numbers: dict[str, Any] = {name: _number(name, node, constants) for name, node in written.items()}
    if known.by_dtype:
        return AssertClose(**numbers)
    return Pair(numbers.get("atol", known.atol), numbers.get("rtol", known.rtol))


def _number(name: str, node: ast.expr, constants: Mapping[str, float]) -> float | None:
    if isinstance(node, ast.Constant) and node.value is None:
        return None
    number = constants.get(node.id) if isinstance(node, ast.Name) else _literal(node)
    if number is None:
        raise _UnreadError(f"{name}={ast.unparse(node)[:60]} is no number that is written in the file")
    return number


def _literal(node: ast.expr) -> float | None:
    """A number, with a sign or as a power or a product of numbers: 1e-5, 2**-8, 3 * 1e-3."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return float(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _literal(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _literal(node.left), _literal(node.right)
        if left is None or right is None:
            return None
        try:
            result = _OPERATORS[type(node.op)](left, right)
        except ArithmeticError:
            return None
        return result if isinstance(result, float) else None
    return None


_OPERATORS: Mapping[type, Any] = {
    ast.Mult: lambda a, b: a * b, ast.Div: lambda a, b: a / b, ast.Pow: lambda a, b: a**b,
}  # fmt: skip
