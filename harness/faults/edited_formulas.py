"""Edited formulas: a spelling of a rule as a function, and that function with every slip, or with two, made in it.

Edits are compiled in the tree that they change, one after the other, and kept: what a spelling may be edited to depends
on nothing but its text. Names of tensors stay open in the texts, in braces.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import FunctionType
from typing import Any

import numpy as np

from harness.arithmetic.bounded import rounded
from harness.edits.changes import changes_of
from harness.edits.numbers import NUMBER, NUMBERS, NUMERIC, OTHER
from harness.edits.syntax import FunctionTree
from harness.formats import FORMATS
from impls.graph import Link
from impls.hand.activations.gelu import erf


@dataclass(frozen=True)
class Edit:
    """One edit of one spelling.

    Attributes:
        operator: which kind: sign, operand, axis, ...
        right, wrong: the formula without and with it, with {names} to be filled in.
        function: what is computed with it, by keywords.
        reads: the names of its keywords; `harness.edits.numbers.OTHER` stands for any tensor.
    """

    operator: str
    right: str
    wrong: str
    function: Callable[..., Any] = field(repr=False)
    reads: tuple[str, ...]


STATEFUL = (
    ast.AugAssign,
    ast.While,
    ast.With,
    ast.Try,
    ast.Import,
    ast.ImportFrom,
    ast.Delete,
    ast.Global,
    ast.Nonlocal,
)
"""What is not run with an edit in it: it may change what others read, or not end."""


@lru_cache(maxsize=256)
def edits_of(text: str) -> tuple[Edit, ...]:
    """The edits of a spelling."""
    return tuple(_compiled(spelled(text), NAMESPACE))


def spelled(text: str) -> FunctionTree:
    """A spelling as a function of what it reads."""
    *lines, last = text.split("; ")
    tree = ast.parse("\n    ".join(["def rule():", *lines, f"return {last}"])).body[0]
    assert isinstance(tree, FunctionTree)
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    free = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - bound - set(NAMESPACE)
    tree.args.args = [ast.arg(name) for name in sorted(free)]
    ast.fix_missing_locations(tree)
    return tree


def _compiled(tree: FunctionTree, namespace: Mapping[str, Any]) -> Iterator[Edit]:
    """Every edit of a function."""
    own = [argument.arg for argument in tree.args.args]
    ast.fix_missing_locations(tree)
    right = formula_of_tree(tree, own)
    for change in changes_of(tree, {**NUMERIC, **NUMBERS}):
        if not change.equal and (edit := edit_in(tree, [change.node], change.operator, right, own, namespace)):
            yield edit


def edit_in(
    tree: FunctionTree,
    nodes: list[ast.AST],
    operator: str,
    right: str,
    own: list[str],
    namespace: Mapping[str, Any] | None = None,
) -> Edit | None:
    """The edit that stands in a tree; None where it is no program."""
    used = {node.id for changed in nodes for node in ast.walk(changed) if isinstance(node, ast.Name)}
    reads, arguments = [*own, *(name for name in (OTHER, NUMBER) if name in used)], tree.args.args
    tree.args.args = [ast.arg(name, lineno=1, col_offset=0) for name in reads]
    for changed in nodes:
        ast.fix_missing_locations(changed)
    try:
        code = compile(ast.Module([tree], []), "<edit>", "exec")
        wrong = formula_of_tree(tree, reads)
    except (SyntaxError, ValueError):
        return None
    finally:
        tree.args.args = arguments
    made: dict[str, Any] = {}
    exec(code, dict(NAMESPACE if namespace is None else namespace), made)
    return Edit(operator, right, wrong, made[tree.name], tuple(reads))


def own_edits(link: Link) -> Iterator[Edit]:
    """The edits of a rule as its layer has it, where it changes nothing in place and cannot run for ever."""
    rule = inspect.unwrap(link.rule)
    inner = getattr(rule, "__func__", rule)
    if not isinstance(inner, FunctionType) or inner.__closure__:
        return
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inner))).body[0]
    except (OSError, SyntaxError):
        return
    if not isinstance(tree, FunctionTree) or any(isinstance(node, STATEFUL) for node in ast.walk(tree)):
        return
    tree.decorator_list, tree.returns = [], None
    method = tree.args.args[:1] if getattr(rule, "__self__", None) is not None else []
    tree.args.args = [ast.arg(argument.arg) for argument in tree.args.args[len(method) :]]
    tree.args.defaults = []
    yield from _compiled(tree, {**inner.__globals__, **NAMESPACE, "self": getattr(rule, "__self__", None)})


def formula_of_tree(tree: FunctionTree, reads: list[str]) -> str:
    """A function's lines as one, with its tensors in braces."""
    lines = [line for statement in tree.body for line in ast.unparse(statement).split("\n")]
    shown = "; ".join(line.strip() for line in lines).replace("return ", "").replace("{", "{{").replace("}", "}}")
    return re.sub(rf"(?<![\w.])({'|'.join(map(re.escape, reads))})\b(?!=)", r"{\1}", shown) if reads else shown


def _narrow(dtype: str) -> Callable[[Any], Any]:
    return lambda tensor: rounded(tensor, FORMATS[dtype])


def _taking(rows: Callable[[int], Any]) -> Callable[[Any], Any]:
    return lambda tensor: tensor[rows(len(tensor))]


NAMESPACE: Mapping[str, Any] = {
    "np": np, "erf": erf, "float32": _narrow("float32"), "bfloat16": _narrow("bfloat16"),
    "next_sample": _taking(lambda n: (np.arange(n) + 1) % n), "sample_before": _taking(lambda n: np.arange(n) - 1),
    "first_sample": _taking(lambda n: np.zeros(n, int)), "last_sample": _taking(lambda n: np.full(n, n - 1)),
    **{name: getattr(builtins, name) for name in ("len", "range", "float", "int")},
}  # fmt: skip
"""What an edited formula may call."""
