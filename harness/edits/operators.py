"""Mutation operators: the small slips of somebody who writes a formula down, as changes of a syntax tree.

Each takes a site and gives what could stand in its place. `OPERATORS` names them all.

Source: DeMillo, Lipton and Sayward, "Hints on test data selection" (1978), for the idea; the operators here are
those of formulas.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping

from harness.edits.syntax import Site, reads_self

Operator = Callable[[Site], Iterator[ast.AST]]

ARITHMETIC: tuple[type[ast.operator], ...] = (ast.Add, ast.Sub, ast.Mult, ast.Div)
SWAPS: Mapping[type[ast.operator], tuple[type[ast.operator], ...]] = {
    **{one: tuple(other for other in ARITHMETIC if other is not one) for one in ARITHMETIC},
    ast.Pow: (ast.Mult,),
    ast.MatMult: (ast.Mult,),
}
ORDER: tuple[type[ast.cmpop], ...] = (ast.Gt, ast.GtE, ast.LtE, ast.Lt)
COMPARISONS: Mapping[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    **{one: tuple(other for other in ORDER if other is not one) for one in ORDER},
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}
PRODUCTS = ("dot", "matmul")
AXIS_NAMES = ("axis", "dim", "axes")
NO_NUMBER = (
    "locals", "dict", "list", "tuple", "set", "len", "range", "zip", "enumerate", "isinstance", "print", "type",
)  # fmt: skip
"""Functions whose result is no number to be negated."""


def sign(site: Site) -> Iterator[ast.AST]:
    """A minus more, before a term, a factor, an argument or a whole value, or a minus less."""
    node = site.node
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node.operand
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd):
        yield ast.UnaryOp(ast.USub(), node.operand)
    elif _has_value(site) and isinstance(node, ast.BinOp | ast.Name | ast.Call | ast.Attribute | ast.Subscript):
        yield ast.UnaryOp(ast.USub(), node)


def operator(site: Site) -> Iterator[ast.AST]:
    """Another operation, or the operands of one that is not commutative the other way round."""
    node = site.node
    if isinstance(node, ast.BinOp):
        for other in SWAPS.get(type(node.op), ()):
            yield ast.BinOp(node.left, other(), node.right)
        if isinstance(node.op, ast.Mult):
            yield ast.BinOp(node.left, ast.MatMult(), node.right)
        if isinstance(node.op, ast.Sub | ast.Div | ast.Pow | ast.MatMult):
            yield ast.BinOp(node.right, node.op, node.left)
    elif isinstance(node, ast.AugAssign):
        for other in SWAPS.get(type(node.op), ()):
            yield ast.AugAssign(node.target, other(), node.value)


def operand(site: Site) -> Iterator[ast.AST]:
    """Another name of the scope, or another attribute of self."""
    node = site.node
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in site.names:
        for name in site.names:
            if name != node.id:
                yield ast.Name(name, ast.Load())
    elif isinstance(node, ast.Attribute) and reads_self(node) and node.attr in site.attributes:
        for attribute in site.attributes:
            if attribute != node.attr:
                yield ast.Attribute(node.value, attribute, ast.Load())


def transposition(site: Site) -> Iterator[ast.AST]:
    """A transposition less, or one more at a matrix product's operands and result."""
    node = site.node
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield node.value
    elif isinstance(node, ast.Call) and _called(node) in ("transpose", "swapaxes", "t"):
        if isinstance(node.func, ast.Attribute) and not _is_module(node.func.value, site):
            yield node.func.value
        elif node.args:
            yield node.args[0]
    elif _multiplies(site.parent) and site.slot in ("left", "right", "args") and isinstance(node, ast.expr):
        yield ast.Attribute(node, "T", ast.Load())
    if _multiplies(node):
        assert isinstance(node, ast.expr)
        yield ast.Attribute(node, "T", ast.Load())


def axis(site: Site) -> Iterator[ast.AST]:
    """Another axis: 0, 1, the last, or all of them."""
    node = site.node
    if isinstance(site.parent, ast.keyword) and site.parent.arg in AXIS_NAMES and _whole(node) is not None:
        for other in (0, 1, -1, None):
            if other != _whole(node):
                yield ast.Constant(other)


def off_by_one(site: Site) -> Iterator[ast.AST]:
    """A whole number more or less by one, and a slice that begins or ends one entry off."""
    node = site.node
    if isinstance(node, ast.Constant) and type(node.value) is int and not _names_axis(site.parent):
        yield ast.Constant(node.value + 1)
        yield ast.Constant(node.value - 1)
    elif isinstance(node, ast.Slice):
        lower, upper, step = node.lower, node.upper, node.step
        if step is None:
            yield ast.Slice(_more(lower, 1) if lower else ast.Constant(1), upper, step)
            yield ast.Slice(lower, _more(upper, -1) if upper else ast.Constant(-1), step)
            if lower and not isinstance(lower, ast.Constant):
                yield ast.Slice(_more(lower, -1), upper, step)
            if upper and not isinstance(upper, ast.Constant):
                yield ast.Slice(lower, _more(upper, 1), step)
    elif isinstance(node, ast.Call) and _called(node) == "range":
        last = node.args[1] if len(node.args) > 1 else node.args[0] if node.args else None
        if last is not None and not isinstance(last, ast.Constant):
            for by in (1, -1):
                changed = [_more(last, by) if argument is last else argument for argument in node.args]
                yield ast.Call(node.func, changed, node.keywords)


def dropped_term(site: Site) -> Iterator[ast.AST]:
    """One operand of an operation without the other."""
    node = site.node
    if isinstance(node, ast.BinOp) and isinstance(node.op, (*ARITHMETIC, ast.MatMult, ast.Pow)):
        yield node.left
        if isinstance(node.op, ast.Sub):
            yield ast.UnaryOp(ast.USub(), node.right)
        elif not isinstance(node.op, ast.Pow):
            yield node.right


def comparison(site: Site) -> Iterator[ast.AST]:
    """Another comparison: the tie on the other side, or the other way round."""
    node = site.node
    if isinstance(node, ast.Compare):
        for place, op in enumerate(node.ops):
            for other in COMPARISONS.get(type(op), ()):
                ops = [other() if i == place else o for i, o in enumerate(node.ops)]
                yield ast.Compare(node.left, ops, node.comparators)


def dropped_statement(site: Site) -> Iterator[ast.AST]:
    """A statement that changes something in place is left out."""
    node = site.node
    stores = isinstance(node, ast.Assign) and all(isinstance(target, ast.Subscript) for target in node.targets)
    if stores or isinstance(node, ast.AugAssign):
        yield ast.Pass()


def argument_order(site: Site) -> Iterator[ast.AST]:
    """Two arguments of a call change places."""
    node = site.node
    if isinstance(node, ast.Call) and not any(isinstance(argument, ast.Starred) for argument in node.args):
        for place in range(len(node.args) - 1):
            args = list(node.args)
            args[place], args[place + 1] = args[place + 1], args[place]
            yield ast.Call(node.func, args, node.keywords)


OPERATORS: Mapping[str, Operator] = {
    "sign": sign,
    "operator": operator,
    "operand": operand,
    "transposition": transposition,
    "axis": axis,
    "off by one": off_by_one,
    "dropped term": dropped_term,
    "comparison": comparison,
    "dropped statement": dropped_statement,
    "argument order": argument_order,
}


def _has_value(site: Site) -> bool:
    """Whether a number stands here whose sign can be wrong."""
    node, parent = site.node, site.parent
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
        return False
    if isinstance(node, ast.Call) and _called(node) in NO_NUMBER:
        return False
    if isinstance(parent, ast.BinOp):
        return site.slot in ("left", "right")
    if isinstance(parent, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Return | ast.keyword):
        return site.slot == "value" and not _names_axis(parent)
    if isinstance(parent, ast.Dict):
        return site.slot == "values"
    if isinstance(parent, ast.Call):
        return site.slot == "args" and _called(parent) not in NO_NUMBER
    return isinstance(parent, ast.Tuple | ast.List) and isinstance(parent.ctx, ast.Load)


def _multiplies(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.MatMult)
    return isinstance(node, ast.Call) and _called(node) in PRODUCTS


def _called(call: ast.Call) -> str:
    """The last name of what is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _is_module(node: ast.AST, site: Site) -> bool:
    """Whether this is a name from outside the function, as np is."""
    return isinstance(node, ast.Name) and node.id not in site.names


def _names_axis(parent: ast.AST) -> bool:
    return isinstance(parent, ast.keyword) and parent.arg in AXIS_NAMES


def _whole(node: ast.AST) -> int | None:
    """The whole number that a constant, or a minus before one, gives."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _whole(node.operand)
        return None if value is None else -value
    return node.value if isinstance(node, ast.Constant) and type(node.value) is int else None


def _more(node: ast.expr, by: int) -> ast.expr:
    value = _whole(node)
    if value is not None:
        return ast.Constant(value + by)
    return ast.BinOp(node, ast.Add() if by > 0 else ast.Sub(), ast.Constant(abs(by)))
