"""Lines: where in somebody's source a plain assignment makes a tensor.

Found in the syntax tree: ``dz2 = ...``, ``dz2 *= ...``, ``grads["dz2"] = ...``, ``grads[f"dz{l}"] = ...`` and the
entries of a dictionary such as ``{"dz2": ...}``. Handing on what has the name already, ``{"dz2": dz2}``, makes
nothing. The last one counts. First the function itself is searched, then the functions of its file that it names.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.inputs.recompiled import is_definition


@dataclass(frozen=True)
class Lines:
    """The file of a function and the line that makes each tensor.

    Attributes:
        file: path as it was given to Python.
        own: names, or patterns of names, to lines of the function itself, in order; `helpers` of those it names.
    """

    file: str
    first: int
    own: list[tuple[str, int]]
    helpers: list[tuple[str, int]]

    def of(self, tensor: str) -> int | None:
        """The line that makes a tensor; None if no plain assignment does."""
        for places in (self.own, self.helpers):
            lines = [line for pattern, line in places if re.fullmatch(pattern, tensor)]
            if lines:
                return lines[-1]
        return None


def lines_of(function: Callable[..., Any]) -> Lines | None:
    """Where a function's file makes what; None if its source cannot be had."""
    function = inspect.unwrap(function)
    code = getattr(function, "__code__", None)
    try:
        file = inspect.getsourcefile(function)
        tree = ast.parse(Path(file).read_text(encoding="utf-8")) if file else None
    except (OSError, SyntaxError, TypeError, ValueError):
        return None
    if file is None or tree is None or code is None:
        return None
    mine = next((node for node in ast.walk(tree) if is_definition(node, code)), None)
    if mine is None:
        return None
    helpers = [place for node in _named(mine, tree) for place in _made_in(node)]
    return Lines(file, code.co_firstlineno, sorted(_made_in(mine), key=_line), sorted(helpers, key=_line))


def _named(mine: ast.AST, tree: ast.Module) -> list[ast.AST]:
    """The functions of the file that a function names, directly or through each other."""
    defined = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    found: list[ast.AST] = []
    todo: list[ast.AST] = [mine]
    while todo:
        names = {node.id for node in ast.walk(todo.pop()) if isinstance(node, ast.Name)}
        new = [defined[name] for name in sorted(names & set(defined)) if defined[name] not in (mine, *found)]
        found += new
        todo += new
    return found


def _made_in(node: ast.AST) -> list[tuple[str, int]]:
    return [place for each in ast.walk(node) for place in _makes(each)]


def _line(place: tuple[str, int]) -> int:
    return place[1]


def _makes(node: ast.AST) -> Iterator[tuple[str, int]]:
    """The names, as patterns, of what a statement or a dictionary makes, and on which line."""
    pairs: list[tuple[ast.expr | None, ast.expr | None]] = []
    if isinstance(node, ast.Assign):
        pairs = [(target, node.value) for target in node.targets]
    elif isinstance(node, ast.AugAssign | ast.AnnAssign | ast.NamedExpr):
        pairs = [(node.target, node.value)]
    elif isinstance(node, ast.Dict):
        pairs = [(ast.Subscript(key, key), value) for key, value in zip(node.keys, node.values, strict=True) if key]
    elif isinstance(node, ast.keyword) and node.arg:
        pairs = [(ast.Name(node.arg), node.value)]
    for target, value in pairs:
        if target is None or value is None:
            continue
        for pattern in _targets(target):
            if not (isinstance(value, ast.Name) and value.id == pattern):
                yield pattern, value.lineno


def _targets(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield re.escape(target.id)
    elif isinstance(target, ast.Tuple | ast.List):
        for each in target.elts:
            yield from _targets(each)
    elif isinstance(target, ast.Subscript):
        pattern = _key(target.slice)
        if pattern:
            yield pattern
        else:  # entries of it: dW2[0] = ..., grads["dW2"][0] = ...
            yield from _targets(target.value)


def _key(node: ast.expr) -> str | None:
    """A pattern for the keys that an expression can give: text, or text with numbers filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.escape(node.value)
    if isinstance(node, ast.JoinedStr):
        parts = [re.escape(str(part.value)) if isinstance(part, ast.Constant) else r".+" for part in node.values]
        return "".join(map(str, parts)) if any(isinstance(part, ast.Constant) for part in node.values) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _key(node.left), _key(node.right)
        return f"{left or r'.+'}{right or r'.+'}" if left or right else None
    return None
