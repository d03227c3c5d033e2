"""Inverse slips: what puts right a formula in which something was left out, beside the slips that undo one another.

A sign, an operand or an axis that is wrong is put right by a slip of the same kind. What is missing has to be written
anew: a factor, a power, a term, a mean that is taken off, a sum over an axis, a flip. What is written uses names of the
scope, and methods that arrays of NumPy, torch and JAX share.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from harness.edits.numbers import doubled, function, halved
from harness.edits.operators import OPERATORS, Operator
from harness.edits.syntax import Site

SWAPPED: Mapping[str, tuple[str, ...]] = {
    "sum": ("mean",), "mean": ("sum",), "max": ("min",), "min": ("max",), "set": ("add",), "add": ("set",),
    "sin": ("cos",), "cos": ("sin",), "zeros_like": ("ones_like",), "ones_like": ("zeros_like",),
    "maximum": ("minimum",), "minimum": ("maximum",), "exp": ("expm1",), "expm1": ("exp",), "log": ("log1p",),
    "log1p": ("log",), "cumsum": ("sum",), "std": ("var",), "var": ("std",), "tanh": ("sinh",), "sqrt": ("abs",),
}  # fmt: skip
"""Functions and methods that are written for one another."""
CONSTANTS = (0.0, 1.0, 2.0, 3.0, 0.5, 0.1, 0.2, 0.01, 1e-3, 1e-5, 1e-6, 1e-8, 1e-12)
"""Constants in use: slopes, powers, what is added to a variance."""


def factor(site: Site) -> Iterator[ast.AST]:
    """A factor or a divisor more: a name, a size, a name less than one, a root."""
    node = site.node
    if not _is_term(site) or not isinstance(node, ast.expr):
        return
    for name in site.names:
        yield ast.BinOp(node, ast.Mult(), _name(name))
        yield ast.BinOp(node, ast.Div(), _name(name))
        yield ast.BinOp(node, ast.Mult(), ast.BinOp(ast.Constant(1), ast.Sub(), _name(name)))
        for text in ("len({0})", "{0}.shape[-1]", "{0}.shape[0]", "{0}.size", "{0}.shape[-1] ** 0.5"):
            size = _expression(text.format(name))
            yield ast.BinOp(node, ast.Mult(), size)
            yield ast.BinOp(node, ast.Div(), size)
    for number in (2, 0.5, 3):
        yield ast.BinOp(ast.Constant(number), ast.Mult(), node)


def term(site: Site) -> Iterator[ast.AST]:
    """A term more, added or taken off: a name, a number, its own mean or sum, or what another name has of it."""
    node = site.node
    if not _is_term(site) or not isinstance(node, ast.expr):
        return
    whole = ast.unparse(node)
    for number in (1, 0.5):
        yield ast.BinOp(ast.Constant(number), ast.Sub(), node)
        yield ast.BinOp(node, ast.Add(), ast.Constant(number))
        yield ast.BinOp(node, ast.Sub(), ast.Constant(number))
    for name in site.names:
        yield ast.BinOp(node, ast.Add(), _name(name))
        yield ast.BinOp(node, ast.Sub(), _name(name))
    for axis in (-1, 0):
        for reduce in ("mean", "sum"):
            over = f"{reduce}(axis={axis}, keepdims=True)"
            yield _expression(f"({whole}) - ({whole}).{over}")
            for name in site.names:
                yield _expression(f"({whole}) - {name} * ({name} * ({whole})).{over}")
                yield _expression(f"({whole}) - {name} * ({whole}).{over}")


def reduction(site: Site) -> Iterator[ast.AST]:
    """A sum or a mean over an axis more, or one less, or from the other end."""
    node = site.node
    if _is_term(site) and isinstance(node, ast.expr):
        whole = ast.unparse(node)
        for over in ("0", "-1", "0, keepdims=True", "-1, keepdims=True"):
            yield _expression(f"({whole}).sum({over})")
        yield _expression(f"({whole})[::-1]")
        yield _expression(f"({whole})[..., ::-1]")
        yield _expression(f"({whole}).T")
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        yield node.func.value
        if node.func.attr in ("sum", "mean", "max"):
            of = ast.unparse(node.func)
            yield from (_expression(f"{of}({over})") for over in ("0", "-1", "0, keepdims=True", "-1, keepdims=True"))
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        yield node.value
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in site.names:
        yield _expression(f"{node.id}[::-1]")
        yield _expression(f"{node.id}[..., ::-1]")


def swapped(site: Site) -> Iterator[ast.AST]:
    """Another function or method of its kind, a size in place of another, entries of a tuple the other way round."""
    node = site.node
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        for other in SWAPPED.get(node.attr, ()):
            yield ast.Attribute(node.value, other, ast.Load())
    elif isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load):
        for place in range(len(node.elts) - 1):
            elts = list(node.elts)
            elts[place], elts[place + 1] = elts[place + 1], elts[place]
            yield ast.Tuple(elts, ast.Load())


def absolute(site: Site) -> Iterator[ast.AST]:
    """The size of a name that has a sign, or the name where its size is taken."""
    node = site.node
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in site.names:
        yield ast.Call(_name("abs"), [node], [])
    elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("abs", "absolute") and node.args:
        yield node.args[0]


def power(site: Site) -> Iterator[ast.AST]:
    """The square or the root of a name, a call or a product; another power."""
    node = site.node
    if isinstance(node, ast.Name | ast.Call | ast.Attribute) and _is_operand(site):
        yield ast.BinOp(node, ast.Pow(), ast.Constant(2))
        yield ast.BinOp(node, ast.Pow(), ast.Constant(0.5))


def constant(site: Site) -> Iterator[ast.AST]:
    """Another number in place of one."""
    node = site.node
    if isinstance(node, ast.Constant) and type(node.value) in (int, float) and not isinstance(site.parent, ast.keyword):
        for number in CONSTANTS:
            if number != node.value:
                yield ast.Constant(number)


SLIPS: Mapping[str, Operator] = {
    **OPERATORS,
    "doubled term": doubled,
    "halved term": halved,
    "function": function,
    "swapped": swapped,
    "absolute value": absolute,
    "constant": constant,
}
"""What undoes a slip, and what a slip undoes."""
OMISSIONS: Mapping[str, Operator] = {"power": power, "reduction": reduction, "factor": factor, "term": term}
"""What puts in what is missing: many more."""


def _is_term(site: Site) -> bool:
    """Whether a whole value stands here: what is assigned, returned, added up, an entry or a factor of it."""
    node, parent = site.node, site.parent
    if not isinstance(node, ast.Name | ast.BinOp | ast.Call | ast.Attribute | ast.Subscript | ast.UnaryOp):
        return False
    if isinstance(getattr(node, "ctx", None), ast.Store | ast.Del):
        return False
    if isinstance(parent, ast.BinOp):
        return site.slot in ("left", "right")
    if isinstance(parent, ast.Tuple | ast.Dict | ast.List):
        return site.slot in ("elts", "values")
    return isinstance(parent, ast.Assign | ast.AugAssign | ast.Return) and site.slot == "value"


def _is_operand(site: Site) -> bool:
    node = site.node
    loaded = not isinstance(getattr(node, "ctx", None), ast.Store | ast.Del)
    return loaded and isinstance(site.parent, ast.BinOp) and site.slot in ("left", "right")


def _name(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body
