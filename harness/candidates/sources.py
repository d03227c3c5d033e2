"""Sources: from what was typed, FILE.py:function or package.module:function, to the function.

Naming a file runs it, as importing it would, with its folder first in the search path. What it prints goes to
stderr, so that results stay apart.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from harness.candidates.deadline import OverdueError, deadline
from harness.candidates.isolated import interruptible
from harness.candidates.printing import told_at_the_end
from harness.candidates.replaced import replaced
from harness.usage import UsageError, did_you_mean, short_of_memory, told, visible

PARAMETERS = ("weights", "x", "y")
USUAL = "backward"
"""The function that is meant where a file is named and no function."""


@dataclass(frozen=True)
class Source:
    """A function and what it was called by whoever asked."""

    name: str
    function: Callable[..., Any]
    owner: type | None = None
    """The class that it was reached by, which may have inherited it."""


def loaded(target: str, timeout: float | None) -> Source:
    """The function that a text names, one that can be called with weights, x and y.

    Args:
        target: ``FILE.py:function``, ``FILE.py`` (its function ``backward``) or ``package.module:function``.
        timeout: seconds that loading may take.

    Raises:
        UsageError: there is no such file, module or function, it cannot be loaded, or not be called so.
    """
    source = named(target, timeout)
    return Source(source.name, checked(source.function, source.name))


def named(target: str, timeout: float | None, usual: str = USUAL) -> Source:
    """Whatever a text names; `usual` in a file or module of which nothing is named.

    Raises:
        UsageError: there is no such file, module or function, or it cannot be loaded.
    """
    place, separator, wanted = target.rpartition(":") if _names_function(target) else (target, "", "")
    if not place or (separator and not wanted):
        raise UsageError(
            f"Cannot check {target!r}, because it names no function; give FILE.py:function or package.module:function."
        )
    is_file = place.endswith(".py") or os.sep in place or not place.strip(".")

    owners: list[Any] = []

    def found() -> Any:
        module = _from_file(Path(place), target) if is_file else _imported(place, target)
        function: Any = module
        for part in (wanted or usual).split("."):
            owners.append(function)
            if not hasattr(function, part):
                near = did_you_mean(part, [name for name, value in vars(module).items() if callable(value)])
                raise UsageError(
                    f"Cannot check {target}, because {place} has no function {part}{near}; name one that it has, "
                    f"{place}:function."
                )
            function = getattr(function, part)
        return function

    function = _guarded(target, timeout, found)
    owner = owners[-1] if isinstance(owners[-1], type) and inspect.isfunction(function) else None
    return Source(f"{place}:{wanted or usual}", function, owner)


def checked(function: Any, name: str) -> Callable[..., Any]:
    """The function, if it can be called with weights, x and y.

    Raises:
        UsageError: it cannot.
    """
    if not callable(function):
        raise UsageError(
            f"Cannot check {name}, because it is of type {type(function).__name__} and no function; give a function "
            f"backward(weights, x, y)."
        )
    if inspect.iscoroutinefunction(function):
        raise UsageError(f"Cannot check {name}, because it is asynchronous; give an ordinary function.")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # compiled code does not tell
        return function
    if next(iter(signature.parameters), None) == "self":
        raise UsageError(
            f"Cannot check {name}, because it is a method and is called as backward(weights, x, y); give a "
            f"function that puts the weights into an object and calls it, or, where it updates them, say --update."
        )
    try:
        signature.bind(*PARAMETERS)
    except TypeError:
        raise UsageError(
            f"Cannot check {name}, because it takes {visible(str(signature))} and is called with (weights, x, y); "
            f"let it take a dictionary of weights, inputs and targets."
        ) from None
    return function


def _names_function(target: str) -> bool:
    """Whether a colon in the text parts file and function; a drive letter's does not."""
    place, separator, name = target.rpartition(":")
    return bool(separator) and not (len(place) == 1 and name[:1] in ("\\", "/"))


def _guarded(target: str, timeout: float | None, load: Callable[[], Any]) -> Any:
    """What is loaded; whatever running it raises, `SystemExit` included, becomes one message."""
    try:
        with deadline(timeout, "being loaded"), told_at_the_end(target), np.errstate(), replaced():
            return load()
    except (MemoryError, UsageError):
        raise
    except OverdueError:
        raise not_loaded(target, f"takes longer than {timeout:g} s", "give a longer --timeout, or load less") from None
    except SyntaxError as error:
        where = f"line {error.lineno} of {error.filename}" if error.lineno else error.filename or target
        raise UsageError(
            f"Cannot check {target}, because {where} is no Python: {error.msg}; correct it there."
        ) from None
    except BaseException as error:
        if short_of_memory(error):
            raise MemoryError(told(error)) from None
        if isinstance(error, KeyboardInterrupt) and interruptible():
            raise
        raise not_loaded(target, f"raises {told(error)}") from None


def not_loaded(target: str, how: str, instead: str = "correct it first") -> UsageError:
    """Why something cannot be loaded, in words that follow "loading it"."""
    return UsageError(f"Cannot check {target}, because loading it {how}; {instead}.")


def _from_file(path: Path, target: str) -> ModuleType:
    if not path.is_file():
        why = "is a directory" if path.is_dir() else "is no ordinary file" if path.exists() else "does not exist"
        raise UsageError(f"Cannot check {target}, because the file {path} {why}; give the path of a Python file.")
    path = path.resolve()
    sys.path.insert(0, str(path.parent))
    # A name of its own: a file called torch.py or statistics.py must not stand in for that package.
    name = f"harness_checks_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"Cannot check {target}, because {path.name} is no Python file; give one that ends in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _imported(name: str, target: str) -> ModuleType:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # as python -m does
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise UsageError(
                f"Cannot check {target}, because there is no module {error.name} here; give package.module:function, "
                f"or FILE.py:function for a file."
            ) from None
        raise
