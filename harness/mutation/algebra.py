"""Whether two expressions are one function: both evaluated at the same random rational points, exactly.

Sums, differences, products, quotients and whole powers of rationals are exact. Everything else (names, calls, entries,
comparisons, matrix products) is an unknown; unknowns of the same form are the same one. Two expressions of the same
unknowns that agree at random points of 2^64 values each are equal as rational functions but for a chance of about
their degree in 2^64 (Schwartz, "Fast probabilistic algorithms for verification of polynomial identities" (1980)). Equal
is meant of real numbers: (a b) c and a (b c) round otherwise and are one function.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Mapping
from fractions import Fraction
from operator import add, mul, sub
from typing import Any

MOST_POWER = 12
"""A larger exponent makes its power an unknown."""

FIELD: Mapping[type, Callable[[Fraction, Fraction], Fraction]] = {ast.Add: add, ast.Sub: sub, ast.Mult: mul}


def same_function(first: ast.AST, second: ast.AST) -> bool:
    """Whether two syntax trees compute the same real function, as far as rational arithmetic shows it."""
    return fingerprint(first) == fingerprint(second)


def fingerprint(tree: ast.AST) -> tuple[Any, ...]:
    """What two trees share if they are one function: value and unknowns of an expression, the form of all else."""
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
