"""Edits of the rule: every single slip in writing a link down, for causes that the catalogue does not have.

The rule is taken as people spell it (`harness.faults.spellings`), or as the hand code has it where nobody said how, and
each operator of `harness.edits` is applied at each place of it. An edited rule runs on every number type, as a fault's
does. What it gives may have another shape, or be no number: whoever searches finds that out.
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

from harness.arithmetic import Bounded
from harness.arithmetic.bounded import rounded
from harness.edits.changes import changes_of
from harness.edits.numbers import NUMERIC, OTHER
from harness.edits.syntax import FunctionTree
from harness.faults.fault import Fault
from harness.faults.place import Place
from harness.faults.spellings import parameters_of, spellings_of
from harness.formats import FORMATS
from impls.graph import TARGET, Link
from impls.hand import Dense
from impls.hand.activations.gelu import erf
from impls.hand.layers.dense import rows_of

CAUSE = "edit of the rule"


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


@dataclass(frozen=True)
class EditFault(Fault):
    """An edit as a fault.

    Attributes:
        operator: the kind of edit.
        right: the formula as it is right.
    """

    operator: str = ""
    right: str = ""


def edit_faults(place: Place) -> Iterator[EditFault]:
    """Every edit of a place's rule, with every tensor that is there already in place of another."""
    seen: set[str] = set()
    for edit in edits_at(place):
        others = [*_others(place)] if OTHER in edit.reads else [""]
        for other in others:
            names = _Names({**_names(place), OTHER: other})
            wrong, right = edit.wrong.format_map(names), edit.right.format_map(names)
            if wrong in seen or wrong == right:
                continue
            seen.add(wrong)
            says = f"{place.at} is computed by a line that differs from the right one, {right}: {edit.operator}"
            yield EditFault(CAUSE, place.at, says, wrong, _rule(place, edit, other), edit.operator, right)


def edits_at(place: Place) -> Iterator[Edit]:
    """The edits of every spelling of a place's rule."""
    spelled = spellings_of(place)
    for text in spelled:
        yield from _edits_of(text)
    if not spelled and not place.adds:
        yield from _own_edits(place.link)


def _rule(place: Place, edit: Edit, other: str) -> Callable[[Mapping[str, Any]], Any]:
    by_row = isinstance(place.layer, Dense) and place.link.local in ("dW", "db")
    parameters, names = parameters_of(place), place.names

    def value(name: str, t: Mapping[str, Any]) -> Any:
        if name == "N":
            return float(len(t[TARGET]))
        if name == "Y":
            return np.eye(place.network.outputs)[t[TARGET]]
        if name in parameters:
            return parameters[name]
        tensor = t[other if name == OTHER else names.get(name, TARGET if name == "y" else name)]
        return rows_of(tensor) if by_row and tensor.ndim > 2 else tensor

    return lambda t: edit.function(**{name: value(name, t) for name in edit.reads})


def _names(place: Place) -> Mapping[str, str]:
    return _Names({"y": TARGET, "Y": f"onehot({TARGET})", **place.names})


class _Names(dict[str, str]):
    """Names of tensors, and everything else by its own."""

    def __missing__(self, name: str) -> str:
        return name


def _others(place: Place) -> Iterator[str]:
    """Tensors that are there when the link is computed, or given."""
    links = place.network.link
    for tensor in place.network.tensors.values():
        if tensor.role in ("loss", "state") or tensor.whole or tensor.name == place.at:
            continue
        if tensor.name not in links or place.earlier(tensor.name):
            yield tensor.name


@lru_cache(maxsize=256)
def _edits_of(text: str) -> tuple[Edit, ...]:
    """The edits of a spelling."""
    *lines, last = text.split("; ")
    tree = ast.parse("\n    ".join(["def rule():", *lines, f"return {last}"])).body[0]
    assert isinstance(tree, FunctionTree)
    bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    free = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - bound - set(NAMESPACE)
    tree.args.args = [ast.arg(name) for name in sorted(free)]
    return tuple(_compiled(tree, NAMESPACE))


def _compiled(tree: FunctionTree, namespace: Mapping[str, Any]) -> Iterator[Edit]:
    own = [argument.arg for argument in tree.args.args]
    right = _text(tree, own)
    for change in changes_of(tree, NUMERIC):
        if change.equal:
            continue
        takes_other = any(isinstance(node, ast.Name) and node.id == OTHER for node in ast.walk(change.node))
        reads = [*own, OTHER] if takes_other else own
        tree.args.args = [ast.arg(name) for name in reads]
        powers = _Powers().visit(ast.parse(ast.unparse(ast.fix_missing_locations(tree))))
        tree.args.args = [ast.arg(name) for name in own]
        try:
            code = compile(ast.fix_missing_locations(powers), "<edit>", "exec")
        except (SyntaxError, ValueError):
            continue
        made: dict[str, Any] = {}
        exec(code, dict(namespace), made)
        yield Edit(change.operator, right, _text(tree, reads), made[tree.name], tuple(reads))


def _own_edits(link: Link) -> Iterator[Edit]:
    """The edits of the hand code's own rule."""
    rule = inspect.unwrap(link.rule)
    inner = getattr(rule, "__func__", rule)
    if not isinstance(inner, FunctionType) or inner.__closure__:
        return
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inner))).body[0]
    except (OSError, SyntaxError):
        return
    if not isinstance(tree, FunctionTree):
        return
    tree.decorator_list, tree.returns = [], None
    method = tree.args.args[:1] if getattr(rule, "__self__", None) is not None else []
    tree.args.args = [ast.arg(argument.arg) for argument in tree.args.args[len(method) :]]
    tree.args.defaults = []
    yield from _compiled(tree, {**inner.__globals__, **NAMESPACE, "self": getattr(rule, "__self__", None)})


def _text(tree: FunctionTree, reads: list[str]) -> str:
    """A function's lines as one, with its tensors in braces."""
    lines = ast.unparse(ast.fix_missing_locations(ast.Module(tree.body, []))).split("\n")
    shown = "; ".join(line.strip() for line in lines).replace("return ", "").replace("{", "{{").replace("}", "}}")
    return re.sub(rf"(?<![\w.])({'|'.join(map(re.escape, reads))})\b(?!=)", r"{\1}", shown) if reads else shown


class _Powers(ast.NodeTransformer):
    """Powers, of which bounded arrays know only whole ones, as a function."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """x ** y as power(x, y)."""
        self.generic_visit(node)
        if not isinstance(node.op, ast.Pow):
            return node
        return ast.Call(ast.Name("power", ast.Load()), [node.left, node.right], [])


def power(x: Any, y: Any) -> Any:
    """x to the power y, on bounded arrays by repeated multiplication or by exp(y log x)."""
    if not isinstance(x, Bounded) and not isinstance(y, Bounded):
        return x**y
    if not isinstance(y, Bounded) and y in (1, 2, 3, 4):
        result = x
        for _ in range(int(y) - 1):
            result = result * x
        return result
    return np.exp(y * np.log(x))


def _narrow(dtype: str) -> Callable[[Any], Any]:
    return lambda tensor: rounded(tensor, FORMATS[dtype].digits)


NAMESPACE: Mapping[str, Any] = {
    "np": np, "erf": erf, "power": power, "float32": _narrow("float32"), "bfloat16": _narrow("bfloat16"),
    **{name: getattr(builtins, name) for name in ("len", "range", "float", "int")},
}  # fmt: skip
"""What an edited formula may call."""
