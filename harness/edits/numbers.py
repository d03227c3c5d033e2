"""Slips in numbers, beside those of `operators`: what is taken once too often, another tensor, fewer digits.

`OTHER` stands for a tensor that the formula does not name, and `NUMBER` for a number; whoever runs the edited formula
says which. The functions that are called to round, or to take another sample, are his too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from harness.edits.operators import OPERATORS, Operator
from harness.edits.syntax import Site

OTHER = "other"
NUMBER = "number"
DIGITS = ("float32", "bfloat16")
"""Functions that round to the digits of a dtype."""
SAMPLES = ("next_sample", "sample_before", "first_sample", "last_sample")
"""Functions that take for each sample another one."""
FUNCTIONS: Mapping[str, tuple[str, ...]] = {
    "exp": ("expm1",), "expm1": ("exp",), "tanh": ("exp",), "log": ("log1p",), "log1p": ("log",),
    "maximum": ("minimum",), "minimum": ("maximum",),
}  # fmt: skip
"""Functions that are written for one another."""


def other_operand(site: Site) -> Iterator[ast.AST]:
    """Another tensor in place of a name."""
    if _tensor(site):
        yield ast.Name(OTHER, ast.Load())


def fewer_digits(site: Site) -> Iterator[ast.AST]:
    """An operand rounded to a narrower dtype."""
    if _tensor(site):
        for dtype in DIGITS:
            yield _called(ast.Name(dtype, ast.Load()), site)


def another_sample(site: Site) -> Iterator[ast.AST]:
    """An operand whose rows are those of other samples."""
    if _tensor(site):
        for name in SAMPLES:
            yield _called(ast.Name(name, ast.Load()), site)


def number(site: Site) -> Iterator[ast.AST]:
    """Another number: in place of an operand or a constant, added to a term, or a factor of it."""
    node, free = site.node, ast.Name(NUMBER, ast.Load())
    constant = isinstance(node, ast.Constant) and type(node.value) in (int, float)
    if _tensor(site) or (constant and isinstance(site.parent, ast.BinOp | ast.UnaryOp | ast.Call)):
        yield free
    whole = isinstance(site.parent, ast.BinOp | ast.Call | ast.Return)
    if whole and isinstance(node, ast.BinOp | ast.Name) and (isinstance(node, ast.BinOp) or _tensor(site)):
        yield ast.BinOp(node, ast.Add(), free)
    if (
        isinstance(site.parent, ast.BinOp)
        and isinstance(site.parent.op, ast.Add | ast.Sub)
        and isinstance(node, ast.expr)
        and not constant
    ):
        yield ast.BinOp(free, ast.Mult(), node)


def doubled(site: Site) -> Iterator[ast.AST]:
    """A term that is added twice, a factor that is multiplied twice."""
    node = site.node
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield ast.BinOp(_times(2, node.left), node.op, node.right)
        yield ast.BinOp(node.left, node.op, _times(2, node.right))
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        yield ast.BinOp(node, ast.Mult(), node.left)
        yield ast.BinOp(node, node.op, node.right)


def halved(site: Site) -> Iterator[ast.AST]:
    """A term that is added by half."""
    node = site.node
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield ast.BinOp(_times(0.5, node.left), node.op, node.right)
        yield ast.BinOp(node.left, node.op, _times(0.5, node.right))


def function(site: Site) -> Iterator[ast.AST]:
    """A function left out, or another one of its kind."""
    node = site.node
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    of_numpy = isinstance(node.func.value, ast.Name) and node.func.value.id == "np"
    if not of_numpy:
        yield node.func.value
        return
    if len(node.args) == 1:
        yield node.args[0]
    for name in FUNCTIONS.get(node.func.attr, ()):
        yield ast.Call(ast.Attribute(node.func.value, name, ast.Load()), node.args, node.keywords)


def branch(site: Site) -> Iterator[ast.AST]:
    """One branch for the other, or everywhere."""
    node = site.node
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "where":
        yield from node.args[1:]


def absolute(site: Site) -> Iterator[ast.AST]:
    """The size of what has a sign."""
    if _tensor(site):
        yield _called(ast.Attribute(ast.Name("np", ast.Load()), "absolute", ast.Load()), site)


NUMERIC: Mapping[str, Operator] = {
    **{name: operator for name, operator in OPERATORS.items() if name != "comparison"},
    "another tensor": other_operand,
    "another sample": another_sample,
    "doubled term": doubled,
    "halved term": halved,
    "function": function,
    "branch": branch,
    "absolute value": absolute,
    "fewer digits": fewer_digits,
}
"""Every operator, for a formula whose numbers are searched for."""
NUMBERS: Mapping[str, Operator] = {"number": number}
"""Those that leave a number free."""


def _tensor(site: Site) -> bool:
    node = site.node
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in site.names


def _called(function: ast.expr, site: Site) -> ast.Call:
    assert isinstance(site.node, ast.expr)
    return ast.Call(function, [site.node], [])


def _times(number: float, node: ast.expr) -> ast.expr:
    return ast.BinOp(ast.Constant(number), ast.Mult(), node)
