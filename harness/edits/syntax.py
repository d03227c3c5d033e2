"""Syntax trees: the sites where a mistake can be made in a function, and whether two expressions are one function.

Both expressions are evaluated at the same random rational points, exactly. Sums, differences, products, quotients and
whole powers of rationals are exact. Everything else (names, calls, entries, comparisons, matrix products) is an
unknown; unknowns of the same form are the same one. Two expressions of the same unknowns that agree at random points of
2^64 values each are equal as rational functions but for a chance of about their degree in 2^64 (Schwartz, "Fast
probabilistic algorithms for verification of polynomial identities" (1980)). Equal is meant of real numbers: (a b) c and
a (b c) round otherwise and are one function.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from operator import add, mul, sub
from typing import Any

FunctionTree = ast.FunctionDef | ast.AsyncFunctionDef

UNTOUCHED = (ast.Raise, ast.Assert, ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal, ast.Delete, ast.JoinedStr)
"""What computes no number: messages, checks and declarations."""


@dataclass(frozen=True)
class Site:
    """One node, where it hangs, and what may be written in its place.

    Attributes:
        node: the node itself; ``slot`` holds it in ``parent``, at ``index`` if that is a list.
        statement: the statement around it, which stands at ``position`` of ``block``.
        names: local names bound before that statement.
        attributes: attributes of self that the function reads.
    """

    node: ast.AST
    parent: ast.AST
    slot: str
    index: int | None
    statement: ast.stmt
    block: list[ast.stmt]
    position: int
    names: tuple[str, ...]
    attributes: tuple[str, ...]

    def put(self, node: ast.AST) -> None:
        """Hang a node here; `node` itself puts things back."""
        if self.index is None:
            setattr(self.parent, self.slot, node)
        else:
            getattr(self.parent, self.slot)[self.index] = node


def sites_of(function: FunctionTree) -> Iterator[Site]:
    """Every site of a function's body, in the order of its lines; defaults and decorators are none of it."""
    called = {id(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)}
    attributes = {
        node.attr
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and reads_self(node) and id(node) not in called
    }
    yield from _block(function, function, "body", {}, tuple(sorted(attributes)))


def reads_self(node: ast.Attribute) -> bool:
    """Whether this is an attribute of self that is read."""
    return isinstance(node.ctx, ast.Load) and isinstance(node.value, ast.Name) and node.value.id == "self"


def _block(
    parent: ast.AST, function: Any, slot: str, outer: dict[str, int], attributes: tuple[str, ...]
) -> Iterator[Site]:
    """Sites of a function's or lambda's body, with the names that its own arguments and assignments bind."""
    bound = outer | _bound(function)
    block = getattr(parent, slot)
    for position, statement in enumerate(block):
        yield from _statement(statement, block, position, bound, attributes)


def _statement(
    statement: ast.stmt, block: list[ast.stmt], position: int, bound: dict[str, int], attributes: tuple[str, ...]
) -> Iterator[Site]:
    if isinstance(statement, UNTOUCHED):
        return
    if isinstance(statement, FunctionTree):
        yield from _block(statement, statement, "body", bound, attributes)
        return
    before = tuple(name for name, line in bound.items() if line < statement.lineno)
    holder = ast.Module(body=block, type_ignores=[])
    yield Site(statement, holder, "body", position, statement, block, position, before, attributes)
    inner: list[list[ast.stmt]] = []
    for node, parent, slot, index in _nodes(statement, inner):
        yield Site(node, parent, slot, index, statement, block, position, before, attributes)
    for nested in inner:
        for place, below in enumerate(nested):
            yield from _statement(below, nested, place, bound, attributes)


def _nodes(parent: ast.AST, inner: list[list[ast.stmt]]) -> Iterator[tuple[ast.AST, ast.AST, str, int | None]]:
    """Every node below one, except what stands in blocks of their own, which are added to `inner`."""
    for slot, value in ast.iter_fields(parent):
        if slot in ("annotation", "decorator_list", "returns", "ctx", "op", "ops"):
            continue
        if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            inner.append(value)
            continue
        children = enumerate(value) if isinstance(value, list) else [(None, value)]
        for index, child in children:
            if isinstance(child, ast.AST) and not isinstance(child, UNTOUCHED):
                yield child, parent, slot, index
                yield from _nodes(child, inner)


def _bound(function: Any) -> dict[str, int]:
    """Names that a function binds, and the line from which on."""
    arguments = function.args
    listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    names = {argument.arg: 0 for argument in listed if argument.arg not in ("self", "cls")}
    for node in _own(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.setdefault(node.id, node.lineno)
    return names


def _own(function: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a function, except those of functions and comprehensions within it, whose names are their own."""
    for child in ast.iter_child_nodes(function):
        if isinstance(child, (*_SCOPES, ast.ClassDef)):
            continue
        yield child
        yield from _own(child)


_SCOPES = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip


MOST_POWER = 12
"""A larger exponent makes its power an unknown."""

FIELD: Mapping[type, Callable[[Fraction, Fraction], Fraction]] = {ast.Add: add, ast.Sub: sub, ast.Mult: mul}


def fingerprint(tree: ast.AST) -> tuple[Any, ...]:
    """What two trees share if they compute one real function, as far as rational arithmetic shows it.

    Of an expression its value and unknowns, of all else the form.
    """
    if isinstance(tree, ast.AugAssign):  # x *= y is x = x * y, whether or not it is done in place
        target = ast.parse(ast.unparse(tree.target), mode="eval").body
        return ("AugAssign", fingerprint(tree.target), fingerprint(ast.BinOp(target, tree.op, tree.value)))
    if isinstance(tree, ast.expr):
        unknowns: set[str] = set()
        value = _value(tree, unknowns)
        return (value, *sorted(unknowns))
    return (type(tree).__name__, *(_form(value) for _, value in ast.iter_fields(tree)))


def _form(field: Any) -> Any:
    if isinstance(field, ast.expr_context):
        return None
    if isinstance(field, ast.AST):
        return fingerprint(field)
    return tuple(map(_form, field)) if isinstance(field, list) else (type(field).__name__, field)


def _value(tree: ast.expr, unknowns: set[str]) -> Fraction:
    """The value of an expression at the random point."""
    if isinstance(tree, ast.Constant) and isinstance(tree.value, int | float) and tree.value == tree.value:
        if not isinstance(tree.value, bool) and abs(tree.value) != float("inf"):
            return Fraction(tree.value)
    elif isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub | ast.UAdd):
        value = _value(tree.operand, unknowns)
        return -value if isinstance(tree.op, ast.USub) else value
    elif isinstance(tree, ast.BinOp):
        value_of = _operation(tree, unknowns)
        if value_of is not None:
            return value_of
    return _unknown(tree, unknowns)


def _operation(tree: ast.BinOp, unknowns: set[str]) -> Fraction | None:
    """The value of an operation that keeps rationals rational; None of one that does not."""
    if type(tree.op) in FIELD:
        return FIELD[type(tree.op)](_value(tree.left, unknowns), _value(tree.right, unknowns))
    if isinstance(tree.op, ast.Div):
        divisor = _value(tree.right, unknowns)
        return _value(tree.left, unknowns) / divisor if divisor else None
    if isinstance(tree.op, ast.Pow) and isinstance(tree.right, ast.Constant):
        power = tree.right.value
        if isinstance(power, int) and 0 <= power <= MOST_POWER:
            return _value(tree.left, unknowns) ** power
    return None


def _unknown(tree: ast.expr, unknowns: set[str]) -> Fraction:
    """A random rational for what is not arithmetic: the same for the same form."""
    form = repr((type(tree).__name__, *(_form(value) for _, value in ast.iter_fields(tree))))
    digest = hashlib.sha256(form.encode()).digest()
    unknowns.add(form)
    return Fraction(1 + int.from_bytes(digest[:8]), 1 + int.from_bytes(digest[8:16]))
