"""Changes: every edit of a function by one operator, made in its own tree, one after the other."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

from harness.edits.operators import OPERATORS, Operator
from harness.edits.syntax import FunctionTree, Site, fingerprint, sites_of


@dataclass(frozen=True, eq=False)
class Change:
    """One edit.

    Attributes:
        operator: which kind: sign, operand, axis, ...
        site, node: what is written where.
        before: the statement without it.
        equal: whether the statement computes the same real function as before, shown by rational arithmetic.
    """

    operator: str
    site: Site
    node: ast.AST
    before: str
    equal: bool

    @property
    def after(self) -> str:
        """The statement with it, as long as it stands in the tree."""
        return _text(_header(self.site.block[self.site.position]))


def changes_of(tree: FunctionTree, operators: Mapping[str, Operator] = OPERATORS) -> Iterator[Change]:
    """Every change of a function, without those that another one equals; each stands in the tree as it is yielded."""
    seen: set[Any] = set()
    for site in sites_of(tree):
        before = _header(site.statement)
        original, shown = fingerprint(before), _text(before)
        seen.add((id(site.statement), original))
        for name, operator in operators.items():
            for node in operator(site):
                site.put(node)
                try:
                    changed = _header(site.block[site.position])
                    mark = fingerprint(changed)
                    if mark != original and (id(site.statement), mark) in seen:
                        continue
                    seen.add((id(site.statement), mark))
                    yield Change(name, site, node, shown, mark == original)
                finally:
                    site.put(site.node)


def _header(statement: ast.stmt) -> ast.stmt:
    """A statement without the blocks that it holds."""
    if not any(isinstance(getattr(statement, slot, None), list) for slot in ("body", "handlers", "cases")):
        return statement
    header = copy(statement)
    for slot in ("body", "orelse", "finalbody", "handlers", "cases"):
        if hasattr(header, slot):
            setattr(header, slot, [ast.Pass()] if slot == "body" else [])
    return header


def _text(statement: ast.stmt) -> str:
    try:
        return ast.unparse(ast.fix_missing_locations(copy(statement))).split("\n")[0].strip()
    except (AttributeError, ValueError):  # a match statement without cases has no text
        return type(statement).__name__
