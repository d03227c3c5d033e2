"""Pairs: two slips in one spelling at once, computed on the tree and compiled only where the numbers come near.

There are thousands of pairs, and nearly all of them are refuted by one number. So nothing is compiled, written out or
compared as a formula before: the tree is evaluated as it stands, and of it only what lies above one of the two slips;
all else has the value that it has without them.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from harness.edits.numbers import NUMERIC
from harness.edits.syntax import Site, sites_of
from harness.faults.edited_formulas import NAMESPACE, Edit, edit_in, formula_of_tree, spelled
from harness.faults.edits import CAUSE, EditFault, Names, names_at, run_of, sized, value_of
from harness.faults.fault import Fault
from harness.faults.place import Place
from harness.faults.spellings import spellings_of
from impls.contract import Array
from impls.graph import Rule

PAIRED = {name: NUMERIC[name] for name in ("sign", "operator", "dropped term", "doubled term", "axis", "off by one")}
"""Slips of which two are made at once."""
MOST_SPELLINGS = 3
"""Spellings of a rule in which two edits are tried."""

NO_COMPUTATION = (TypeError, ValueError, IndexError, AttributeError, ArithmeticError, KeyError)
"""What an edit may end in: shapes that do not fit, a number that has no axis, a node that spellings do not have."""

Change = tuple[str, ast.AST]


def pair_faults(place: Place, tensors: Mapping[str, Any], near: Callable[[Array], bool]) -> Iterator[Fault]:
    """Every two edits of a place's rule, of the small slips alone, that come near.

    Args:
        tensors: what links read, as plain arrays by name.
        near: whether what the link gives with them may be what is shown; asked of each pair.
    """
    seen, names = set[str](), Names(names_at(place))
    for text in spellings_of(place)[:MOST_SPELLINGS]:
        tree = spelled(text)
        own = [argument.arg for argument in tree.args.args]
        values = _Values(tree.body, {name: value_of(place, name, tensors) for name in own})
        right = formula_of_tree(tree, own)
        for one, other in _pairs(tree, values):
            value = values.result(lambda value: np.asarray(sized(place, value, tensors), np.float64))
            if value is None or not near(value):
                continue
            told = f"two edits, {one[0]} and {other[0]}"
            edit = edit_in(tree, [one[1], other[1]], told, right, own)
            if edit is None or edit.wrong == right or (wrong := edit.wrong.format_map(names)) in seen:
                continue
            seen.add(wrong)
            says = f"the right formula is {right.format_map(names)}: {told}"
            made_at = partial(_made_at, edit)
            yield EditFault(CAUSE, place.at, says, wrong, made_at(place), told, right.format_map(names), "", made_at)


def _made_at(edit: Edit, place: Place) -> Rule:
    return partial(run_of, place, edit, None)


def _pairs(tree: Any, values: _Values) -> Iterator[tuple[Change, Change]]:
    """Both changes of every pair, which stand in the tree as they are yielded: the second at or behind the first."""
    for place, site in enumerate(list(sites_of(tree))):
        for name, node in _changes(site):
            site.put(node)
            values.changed[0] = values.above(site)
            try:
                for later in list(sites_of(tree))[place:]:
                    for other, second in _changes(later):
                        later.put(second)
                        values.changed[1] = values.above(later)
                        try:
                            yield (name, node), (other, second)
                        finally:
                            later.put(later.node)
            finally:
                site.put(site.node)


def _changes(site: Site) -> Iterator[Change]:
    for name, made in PAIRED.items():
        for node in made(site):
            yield name, node


class _Values:
    """The values of a tree's nodes, kept where no change is below them.

    Attributes:
        changed: of each of two changes the nodes above it, by identity, and the line that it is in.
    """

    def __init__(self, body: list[Any], given: Mapping[str, Any]) -> None:
        self.body, self.given = body, given
        self.parent = {
            id(child): node for line in body for node in ast.walk(line) for child in ast.iter_child_nodes(node)
        }
        self.line = {id(node): number for number, line in enumerate(body) for node in ast.walk(line)}
        self.kept: dict[int, Any] = {}
        self.changed: list[tuple[frozenset[int], int]] = [(frozenset(), 0), (frozenset(), 0)]

    def above(self, site: Site) -> tuple[frozenset[int], int]:
        """The nodes above a site, and its line."""
        found = {id(site.node)}
        node: ast.AST | None = site.parent
        while node is not None:
            found.add(id(node))
            node = self.parent.get(id(node))
        return frozenset(found), site.position

    def result(self, made: Callable[[Any], Any]) -> Any:
        """What is `made` of what the lines give; None where they are no computation."""
        (one, first), (other, _) = self.changed
        bound = dict(self.given)
        with suppress(*NO_COMPUTATION), np.errstate(all="ignore"):  # most edits make no sense anywhere
            for number, line in enumerate(self.body):
                keep = number <= first
                value = self._value(line.value, bound, one | other, keep=keep)
                if isinstance(line, ast.Return):
                    return made(value)
                bound[line.targets[0].id] = value
        return None

    def _value(self, node: Any, bound: Mapping[str, Any], above: frozenset[int], *, keep: bool) -> Any:
        key = id(node)
        kept = keep and key in self.line and key not in above
        if kept and key in self.kept:
            return self.kept[key]
        value = _COMPUTED[type(node)](node, lambda child: self._value(child, bound, above, keep=keep), bound)
        if kept:
            self.kept[key] = value
        return value


def _called(node: ast.Call, of: Callable[[Any], Any], _: Any) -> Any:
    return of(node.func)(*map(of, node.args), **{word.arg: of(word.value) for word in node.keywords if word.arg})


def _compared(node: ast.Compare, of: Callable[[Any], Any], _: Any) -> Any:
    return _COMPARED[type(node.ops[0])](of(node.left), of(node.comparators[0]))


_COMPARED: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}  # fmt: skip
_OPERATIONS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.Pow: operator.pow, ast.MatMult: operator.matmul,
}  # fmt: skip
_COMPUTED: Mapping[type, Callable[[Any, Callable[[Any], Any], Mapping[str, Any]], Any]] = {
    ast.BinOp: lambda node, of, _: _OPERATIONS[type(node.op)](of(node.left), of(node.right)),
    ast.UnaryOp: lambda node, of, _: -of(node.operand),
    ast.Name: lambda node, _, bound: bound[node.id] if node.id in bound else NAMESPACE[node.id],
    ast.Constant: lambda node, _, __: node.value,
    ast.Attribute: lambda node, of, _: getattr(of(node.value), node.attr),
    ast.Subscript: lambda node, of, _: of(node.value)[of(node.slice)],
    ast.Tuple: lambda node, of, _: tuple(map(of, node.elts)),
    ast.Slice: lambda node, of, _: slice(*(part and of(part) for part in (node.lower, node.upper, node.step))),
    ast.Call: _called,
    ast.Compare: _compared,
}
"""What each node computes, from what its children do."""
