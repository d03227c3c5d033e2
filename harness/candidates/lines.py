"""Lines: where in somebody's source a plain assignment makes a tensor.

Found in the syntax tree: ``dz2 = ...``, ``self.dW2 = ...``, ``dz2 *= ...``, ``grads["dz2"] = ...``,
``grads[f"dz{l}"] = ...`` and the entries of a dictionary such as ``{"dz2": ...}``. Handing on what has the name
already, ``{"dz2": dz2}``, makes nothing. The last one counts. First the function itself is searched, then the functions
of its file that it names, and then those of other files of somebody's own: of a function that only hands on what
another one returns, ``{"dz2": found["delta2"]}``, these are meant, and its own lines are the last that are told.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

from harness.inputs.recompiled import is_definition, unwrapped

Place = tuple[str, int]
"""A file, as it was given to Python, and a line of it."""
MOST_FUNCTIONS = 40
"""Functions of other files that are looked into."""


@dataclass(frozen=True)
class Lines:
    """Where a function begins, and the line that makes each tensor.

    Attributes:
        first: file and line of the function; of the one of another file that it hands on from, where it only does that.
        made: names, or patterns of names, to places, in order: of the function itself, of those of its file that it
            names, of those of other files, and what it only hands on.
    """

    first: Place
    made: tuple[list[tuple[str, Place]], ...]

    def of(self, tensor: str) -> Place | None:
        """The place that makes a tensor; None if no plain assignment does."""
        for places in self.made:
            found = [place for pattern, place in places if re.fullmatch(pattern, tensor)]
            if found:
                return found[-1]
        return None


def lines_of(function: Callable[..., Any]) -> Lines | None:
    """Where a function's file makes what; None if its source cannot be had."""
    function = inspect.unwrap(function)
    source = _source(function)
    if source is None:
        return None
    file, tree, mine = source
    near, far = _named(mine, tree), _elsewhere(function, mine, file)
    own, handed = _made_in(file, [mine], [name for name, *_ in far])
    helpers = _made_in(file, near)[0]
    others = [place for _, other, node in far for place in _made_in(other, [node])[0]]
    first = (file, function.__code__.co_firstlineno)
    if far and not own and not helpers:
        first = far[-1][1], getattr(far[-1][2], "lineno", 1)
    return Lines(first, (own, helpers, others, handed))


def _source(function: Any) -> tuple[str, ast.Module, ast.AST] | None:
    """The file of a function, its tree, and the function's own part of it."""
    code = getattr(function, "__code__", None)
    try:
        file = inspect.getsourcefile(function)
        tree = ast.parse(Path(file).read_text(encoding="utf-8")) if file else None
    except (OSError, SyntaxError, TypeError, ValueError):
        return None
    if file is None or tree is None or code is None:
        return None
    mine = next((node for node in ast.walk(tree) if is_definition(node, code)), None)
    return None if mine is None else (file, tree, mine)


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


def _elsewhere(function: Any, mine: ast.AST, file: str) -> list[tuple[str, str, ast.AST]]:
    """The functions of somebody's other files that a function names, and methods of the classes that it names anywhere.

    Each with what it is named by, and its file.
    """
    closed = inspect.getclosurevars(function) if isinstance(function, FunctionType) else None
    known = {**closed.globals, **closed.nonlocals} if closed else {}
    found, seen = list[tuple[str, str, ast.AST]](), set[int]()
    for node in ast.walk(mine):
        thing = known.get(node.id) if isinstance(node, ast.Name) else None
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known:
            thing = getattr(known[node.value.id], node.attr, None)
        for each in map(unwrapped, vars(thing).values() if isinstance(thing, type) else [thing]):
            if not isinstance(each, FunctionType) or id(each) in seen or len(seen) >= MOST_FUNCTIONS:
                continue
            seen.add(id(each))
            source = _source(each) if _somebodys(each.__code__.co_filename) else None
            if source and (source[0] != file or isinstance(thing, type)) and isinstance(node, ast.expr):
                found.append((ast.unparse(node), source[0], source[2]))
    return found


def _somebodys(file: str) -> bool:
    """Whether a file is none of Python's own or of a package that is installed."""
    installed = {sysconfig.get_path(kind) for kind in ("stdlib", "purelib", "platlib")} | {sys.prefix, sys.base_prefix}
    return not any(Path(file).is_relative_to(path) for path in installed if path)


def _made_in(
    file: str, nodes: list[ast.AST], others: Sequence[str] = ()
) -> tuple[list[tuple[str, Place]], list[tuple[str, Place]]]:
    """What these make in a file, in the order of its lines; and what they only hand on, from calls of others too."""
    made, handed = list[tuple[str, Place]](), list[tuple[str, Place]]()
    makes = (each for node in nodes for part in ast.walk(node) for each in _makes(part))
    for pattern, value in sorted(makes, key=lambda each: each[1].lineno):
        called = ast.unparse(value.func) if isinstance(value, ast.Call) else None
        only = isinstance(value, ast.Attribute | ast.Subscript) or called in others
        (handed if others and only else made).append((pattern, (file, value.lineno)))
    return made, handed


def _makes(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The names, as patterns, of what a statement or a dictionary makes, and from what."""
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
                yield pattern, value


def _targets(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield re.escape(target.id)
    elif isinstance(target, ast.Attribute):
        yield re.escape(target.attr)
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
