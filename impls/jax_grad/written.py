"""Where an equation was written: file, line and module, as JAX keeps them; this adapter alone knows how.

Each call that JAX traces by itself begins a traceback and a stack of names of its own. So an equation has a row of
sources, that of the outermost call in front.

Source: jax._src.source_info_util, which is not public.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

JAX = str(Path(jax.__file__).parent)
MOST_WRAPPED = 40
"""Functions around a derivative that are looked through, from the outermost on."""
OURS = str(Path(__file__).parent)
INSTALLED = ("site-packages", "dist-packages")
"""Folders where libraries lie: a line of the user's own is preferred to one of theirs."""


def place_of(sources: Sequence[Any]) -> tuple[str, int] | None:
    """File and line: the innermost of the user's own, else of a library's beside JAX."""
    frames = [(file, line) for source in reversed(sources) for file, line in _frames(source)]
    own = (frame for frame in frames if not any(folder in frame[0] for folder in INSTALLED))
    return next(own, frames[0] if frames else None)


def place_of_rule(params: Mapping[str, Any]) -> tuple[str, int] | None:
    """File and line of the derivative that a function brings: what jax.custom_vjp or jax.custom_jvp was given."""
    todo = [params.get("bwd"), params.get("jvp_jaxpr_fun")]
    for _ in range(MOST_WRAPPED):
        if not todo:
            break
        function = todo.pop(0)
        code = getattr(function, "__code__", None)
        if code is not None and not code.co_filename.startswith((JAX, "<")):
            return code.co_filename, code.co_firstlineno
        inner = [getattr(function, "f", None), getattr(function, "__wrapped__", None)]
        cells = [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
        todo += [each for each in (*inner, *cells) if callable(each) or hasattr(each, "f")]
    return None


def module_of(sources: Sequence[Any]) -> str:
    """The names in whose scopes it was traced, joined by dots: jax.named_scope's, and so Flax's modules.

    jax.numpy.einsum opens a scope that is called by its formula, which is left out.
    """
    scopes = [part for source in sources for part in source.name_stack.stack if type(part).__name__ == "Scope"]
    return ".".join(scope.name.replace("/", ".") for scope in scopes if "->" not in scope.name)


def within(source: Any, name: str) -> Any:
    """What is written there, in a scope of this name besides."""
    return source.replace(name_stack=source.name_stack.extend(name))


def _frames(source: Any) -> Iterator[tuple[str, int]]:
    """The frames of the program, innermost first, up to where it was called here."""
    if source.traceback is None:
        return
    for frame in source.traceback.frames:
        if frame.file_name.startswith(OURS):
            return
        if not frame.file_name.startswith((JAX, "<")):
            yield frame.file_name, frame.line_num
