"""A function compiled anew, after a change of its syntax tree, and put in its own place.

The new code must close over what the function closes over, keep private names and ``super()`` of its class, and be told
from where it came by file, line and name. It puts 1 into a set when a certain statement of it is reached.
"""

from __future__ import annotations
import __future__

import ast
import inspect
import textwrap
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from harness.edits.syntax import FunctionTree, Site
from harness.usage import UsageError

FUTURE = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
MARK = "harness: this line ran"


def unwrapped(function: Any) -> Any:
    """What is behind decorators, bound methods and static methods."""
    inner: Any = inspect.unwrap(getattr(function, "__func__", function))
    return getattr(inner, "__func__", inner)


def plain_function(function: Any) -> FunctionType:
    """The function behind decorators, bound methods and static methods.

    Raises:
        UsageError: there is none that is written in Python with ``def``.
    """
    inner = unwrapped(function)
    name = getattr(function, "__qualname__", repr(function))
    if not isinstance(inner, FunctionType):
        kind = "a class" if isinstance(inner, type) else f"of type {type(inner).__name__}"
        raise UsageError(
            f"Cannot plant mutants in {name}, because it is {kind} and no function written in Python; "
            f"{_instead(inner)}."
        )
    if inner.__name__ == "<lambda>":
        raise UsageError(
            f"Cannot plant mutants in {name}, because it is a lambda, whose lines cannot be told apart; "
            f"write it with def."
        )
    return inner


def _instead(thing: Any) -> str:
    if isinstance(thing, type):
        methods = [name for name, value in vars(thing).items() if isinstance(value, FunctionType | staticmethod)]
        if methods:
            method = "backward" if "backward" in methods else methods[-1]
            return f"name one of its methods, such as {thing.__name__}.{method}"
    return "name a function that is defined with def"


def tree_of(function: FunctionType) -> FunctionTree:
    """The function's syntax tree, its lines counted as in its file.

    Raises:
        UsageError: the source cannot be found or is not the function's.
    """
    try:
        lines, first = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError) as error:
        why = " ".join(str(error).split())[:120]
        raise UsageError(
            f"Cannot plant mutants in {function.__qualname__}, because its source cannot be read ({why}); "
            f"keep it in a file."
        ) from None
    if not isinstance(tree, FunctionTree) or tree.name != function.__code__.co_name:
        raise UsageError(
            f"Cannot plant mutants in {function.__qualname__}, because its source is not where Python looks for it; "
            f"keep it in a file of its own, unchanged since it was loaded."
        )
    tree.decorator_list = []
    ast.increment_lineno(tree, first - 1)
    return tree


def is_definition(node: ast.AST, code: Any) -> bool:
    """Whether a node is the definition that was compiled to `code`; decorators stand above it."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return False
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
    return first == code.co_firstlineno and getattr(node, "name", "<lambda>") == code.co_name


def definition_of(function: FunctionType) -> FunctionTree | None:
    """The definition of a function, or of a lambda as one that returns; None where its source is not at hand."""
    code = function.__code__
    try:
        module = ast.parse(Path(code.co_filename).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return None
    columns = [column for _, _, column, _ in code.co_positions() if column]
    found = [
        node
        for node in ast.walk(module)
        if is_definition(node, code)
        and (not isinstance(node, ast.Lambda) or not columns or _spans(node, min(columns), max(columns)))
    ]
    if len(found) != 1:
        return None
    (node,) = found
    if isinstance(node, ast.Lambda):
        returned = ast.copy_location(ast.Return(node.body), node.body)
        return ast.copy_location(ast.FunctionDef("rule", node.args, [returned], []), node)
    assert isinstance(node, FunctionTree)
    node.decorator_list = []
    return node


def _spans(node: ast.Lambda, first: int, last: int) -> bool:
    """Whether a lambda of one line, of which there may be several, is the one that holds these columns."""
    body = node.body
    return body.end_lineno != node.lineno or (body.col_offset <= first and last <= (body.end_col_offset or last))


class Mould:
    """What stands around a function's tree, so that its code can be compiled again after each change of it."""

    def __init__(self, tree: FunctionTree, function: FunctionType) -> None:
        self.tree, self.function, self._held = tree, function, _held(tree, function)
        self._shell = copy(tree)
        self._shell.body = [*self._held, *tree.body]
        self._module = _wrapped(self._shell, function)
        self._nesting = _nesting(tree, function)

    def code(self, changed: ast.AST) -> CodeType | None:
        """The code of the tree as it stands; None where it is no program, or closes over something else.

        Args:
            changed: what in it is new since the last time.
        """
        own = self.function.__code__
        self._shell.body = [*self._held, *self.tree.body]
        try:
            ast.fix_missing_locations(changed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                code: Any = compile(
                    self._module, own.co_filename, "exec", flags=own.co_flags & FUTURE, dont_inherit=True
                )
        except (SyntaxError, ValueError, TypeError):
            return None
        for name in self._nesting:
            code = next(c for c in code.co_consts if isinstance(c, CodeType) and c.co_name == name)
        if code.co_freevars != own.co_freevars:
            return None
        return code.replace(co_name=own.co_name, co_qualname=own.co_qualname, co_firstlineno=own.co_firstlineno)


def compiled(tree: FunctionTree, function: FunctionType, site: Site, ran: set[int]) -> CodeType | None:
    """The code of a changed function, which puts 1 into `ran`; None where it is the function's own or none at all."""
    mark: ast.stmt = ast.parse(f"{MARK!r}.add(1)").body[0]
    site.block.insert(site.position, mark)
    try:
        code = Mould(tree, function).code(tree)
    finally:
        site.block.remove(mark)
    return None if code is None else _marked(code, ran)


def _held(tree: FunctionTree, function: FunctionType) -> list[ast.stmt]:
    """A statement that does nothing and keeps what the function closes over, also where a mutant reads it no more."""
    told = {name for node in ast.walk(tree) if isinstance(node, ast.Nonlocal) for name in node.names}
    free = [name for name in function.__code__.co_freevars if name not in told]
    return ast.parse(f"if False: ({', '.join(free)},)").body if free else []


OUTER = "harness_outer"


def _wrapped(tree: FunctionTree, function: FunctionType) -> ast.Module:
    """The function in a class, if it is a method, in a function that owns what it closes over."""
    body: list[ast.stmt] = [tree]
    if (owner := _owner(function)) is not None:
        (around,) = ast.parse(f"class {owner}: pass").body
        assert isinstance(around, ast.ClassDef)
        around.body, body = body, [around]
    if free := [name for name in function.__code__.co_freevars if name != "__class__"]:
        (outer,) = ast.parse(f"def {OUTER}():\n    {' = '.join(free)} = None").body
        assert isinstance(outer, ast.FunctionDef)
        outer.body += body
        body = [outer]
    return ast.fix_missing_locations(ast.Module(body, type_ignores=[]))


def _owner(function: FunctionType) -> str | None:
    """The class around a method, whose private names and super() it may use."""
    outer = function.__qualname__.rpartition(".")[0].rpartition(".")[2]
    return outer if outer.isidentifier() else None


def _nesting(tree: FunctionTree, function: FunctionType) -> list[str]:
    """Names of the code objects on the way to the function's."""
    owner = _owner(function)
    outer = [OUTER] if set(function.__code__.co_freevars) - {"__class__"} else []
    return [*outer, *([owner] if owner else []), tree.name]


def _marked(code: CodeType, ran: set[int]) -> CodeType:
    """The code with the set itself in place of the marker's text; also within nested functions."""
    return code.replace(
        co_consts=tuple(
            ran if constant == MARK else _marked(constant, ran) if isinstance(constant, CodeType) else constant
            for constant in code.co_consts
        )
    )


@contextmanager
def replaced(function: Any, code: CodeType) -> Iterator[None]:
    """Other code in place of a function's own."""
    inner = unwrapped(function)
    own = inner.__code__
    _forget(function)
    inner.__code__ = code
    try:
        yield
    finally:
        inner.__code__ = own
        _forget(function)


def _forget(function: Any) -> None:
    """Clear what a function's decorators keep of earlier calls."""
    layer: Any = function
    while layer is not None:
        for name in ("cache_clear", "clear_cache"):
            clear: Callable[[], Any] | None = getattr(layer, name, None)
            if callable(clear):
                clear()
        layer = getattr(layer, "__wrapped__", None)
