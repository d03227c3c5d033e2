"""Targets: the functions into which mutants go, found by name, read as a syntax tree, and compiled again when changed.

They are what somebody names, or the hand code's backward rules. The new code must close over what the function closes
over, keep private names and ``super()`` of its class, and be told from where it came by file, line and name. It puts 1
into a set when a certain statement of it is reached.
"""

from __future__ import annotations
import __future__

import ast
import inspect
import sys
import textwrap
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import impls.hand as hand
from harness.edits.syntax import FunctionTree, Site
from harness.usage import UsageError, did_you_mean


def targeted(text: str) -> Any:
    """The function that ``module:function``, ``module:Class.method`` or ``FILE.py:function`` names.

    A file is taken as the module that was loaded from it, so that the tests' own is meant.

    Raises:
        UsageError: there is none, or it is not written in Python.
    """
    where, _, name = text.rpartition(":")
    if not where or not name:
        raise UsageError(
            f"Cannot plant mutants in {text!r}, because it names no function; give module:function, such as "
            f"mypackage.module:backward."
        )
    thing: Any = _module(where, text)
    for part in name.split("."):
        try:
            thing = getattr(thing, part)
        except AttributeError:
            known = [known for known, value in getattr(thing, "__dict__", {}).items() if callable(value)]
            raise UsageError(
                f"Cannot plant mutants in {text}, because {where} has no {name}{did_you_mean(part, known)}; "
                f"name a function of that module."
            ) from None
    plain = plain_function(thing)
    last = name.rpartition(".")[2]
    if plain.__name__ != last and not hasattr(thing, "__wrapped__") and "<locals>" in plain.__qualname__:
        raise UsageError(
            f"Cannot plant mutants in {text}, because a decorator put {plain.__qualname__} in its place and does not "
            f"say what it wraps; use functools.wraps in the decorator."
        )
    return thing


def _module(where: str, text: str) -> ModuleType:
    if where.endswith(".py"):
        path = Path(where).resolve()
        for module in list(sys.modules.values()):
            if (file := getattr(module, "__file__", None)) and Path(file).resolve() == path:
                return module
        raise UsageError(
            f"Cannot plant mutants in {text}, because the test does not import {where}; name a file that it imports."
        )
    try:
        return import_module(where)
    except ModuleNotFoundError as error:
        if error.name is not None and (where == error.name or where.startswith(error.name + ".")):
            raise UsageError(
                f"Cannot plant mutants in {text}, because there is no module {where} where the test runs; "
                f"name it as the test imports it."
            ) from None
        raise UsageError(_not_imported(text, error)) from None
    except Exception as error:
        raise UsageError(_not_imported(text, error)) from None


def _not_imported(text: str, error: Exception) -> str:
    why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return f"Cannot plant mutants in {text}, because its module cannot be imported ({why}); repair it first."


def hand_rules() -> dict[str, Any]:
    """Every backward rule of the hand code by its place: ``impls.hand.layers.dense:Dense.dW``.

    These are the rules of layers and losses, and the primitives that only they use.
    """
    classes = [thing for thing in vars(hand).values() if isinstance(thing, type) and hasattr(thing, "forward")]
    backward, forward = list[Any](), list[Any]()
    for owner in dict.fromkeys(classes):
        for name, method in vars(owner).items():
            if isinstance(method, FunctionType):
                if name.startswith("d") and name[1:] in ("x", "W", "b", "z", "a"):
                    backward.append(method)
                elif name == "forward":
                    forward.append(method)
    shared = {id(primitive) for rule in forward for primitive in _primitives(rule)}
    own = {id(p): p for rule in backward for p in _primitives(rule) if id(p) not in shared}
    rules = [*backward, *own.values()]
    return {f"{rule.__module__}:{rule.__qualname__}": rule for rule in rules}


def _primitives(rule: Any) -> Iterator[Any]:
    """Named primitives that a rule calls."""
    plain = plain_function(rule)
    for name in plain.__code__.co_names:
        used = plain.__globals__.get(name)
        if hasattr(used, "body") and used is not rule:  # an attribute may have a rule's own name: special.erf
            yield used
            yield from _primitives(used)


FUTURE = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
MARK = "harness: this line ran"


def plain_function(function: Any) -> FunctionType:
    """The function behind decorators, bound methods and static methods.

    Raises:
        UsageError: there is none that is written in Python with ``def``.
    """
    inner: Any = inspect.unwrap(getattr(function, "__func__", function))
    inner = getattr(inner, "__func__", inner)
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


def compiled(tree: FunctionTree, function: FunctionType, site: Site, ran: set[int]) -> CodeType | None:
    """The code of a changed function; None where it is the function's own or none at all."""
    mark: ast.stmt = ast.parse(f"{MARK!r}.add(1)").body[0]
    held = _held(tree, function)
    site.block.insert(site.position, mark)
    tree.body[:0] = held
    try:
        module = _wrapped(tree, function)
        flags = function.__code__.co_flags & FUTURE
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code: Any = compile(module, function.__code__.co_filename, "exec", flags=flags, dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    finally:
        del tree.body[: len(held)]
        site.block.remove(mark)
    for name in _nesting(function):
        code = next(c for c in code.co_consts if isinstance(c, CodeType) and c.co_name == name)
    own = function.__code__
    code = code.replace(co_qualname=own.co_qualname, co_firstlineno=own.co_firstlineno)
    return _marked(code, ran) if code.co_freevars == own.co_freevars else None


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


def _nesting(function: FunctionType) -> list[str]:
    """Names of the code objects on the way to the function's."""
    owner = _owner(function)
    outer = [OUTER] if set(function.__code__.co_freevars) - {"__class__"} else []
    return [*outer, *([owner] if owner else []), function.__code__.co_name]


def _marked(code: CodeType, ran: set[int]) -> CodeType:
    """The code with the set itself in place of the marker's text; also within nested functions."""
    return code.replace(
        co_consts=tuple(
            ran if constant == MARK else _marked(constant, ran) if isinstance(constant, CodeType) else constant
            for constant in code.co_consts
        )
    )
