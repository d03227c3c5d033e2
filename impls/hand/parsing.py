"""Parsing: what a text names in a table, made with the parameters that stand behind it in brackets."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from inspect import signature
from typing import Any


def made(kind: str, table: Mapping[str, Any], text: str, **more: Any) -> Any:
    """What the text names in a table, made with the parameters that it gives in brackets, and `more`.

    >>> from impls.hand.notation import OPTIMIZERS
    >>> made("optimizer", OPTIMIZERS, "adamw(lr=0.001)", weight_decay=0.1)
    AdamW(lr=0.001, beta1=0.9, beta2=0.999, epsilon=1e-08, weight_decay=0.1)

    Raises:
        ValueError: there is nothing of that name, or a parameter cannot be used.
    """
    name, in_brackets = parsed(kind, text)
    built = lookup(kind, table, name)
    twice = next((parameter for parameter in more if parameter in in_brackets), None)
    if twice:
        raise ValueError(
            f"Cannot use the {kind} {text[:80]!r} with {twice}={more[twice]!r} besides, because {twice} would have two "
            f"values; give it once."
        )
    given = in_brackets | more
    known = list(signature(built).parameters)
    for parameter in given:
        if parameter not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise ValueError(
                f"Cannot use the {kind} {text[:80]!r}, because {name} has no parameter "
                f"{parameter}{_meant(parameter, known)}; {takes}."
            )
    return built(**given)


def parsed(kind: str, text: str) -> tuple[str, dict[str, Any]]:
    """A name, and the parameters that follow it in brackets, as literals; nothing is evaluated.

    >>> parsed("activation", "leaky-relu(slope=0.1)")
    ('leaky-relu', {'slope': 0.1})

    Raises:
        ValueError: the brackets do not hold parameters.
    """
    if not isinstance(text, str):
        raise ValueError(f"Cannot use the {kind} {text!r}, because it is no text; give its name.")
    name, bracket, _ = text.partition("(")
    if not bracket:
        return name.strip(), {}
    try:
        call = ast.parse("f" + text[text.index("(") :].strip(), mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
            raise ValueError
        if len({keyword.arg for keyword in call.keywords}) < len(call.keywords):
            raise ValueError
        return name.strip(), {str(keyword.arg): _literal(keyword.value) for keyword in call.keywords}
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        raise ValueError(
            f"Cannot read the {kind} {text[:80]!r}, because its brackets do not hold parameters, each once; write "
            f"name(parameter=value, ...), for example leaky-relu(slope=0.1)."
        ) from None


def _literal(node: ast.expr) -> Any:
    """A literal; a product or quotient with N, the number of rows, as text."""
    with_rows = any(isinstance(each, ast.Name) and each.id == "N" for each in ast.walk(node))
    return ast.unparse(node).replace(" ", "") if with_rows else ast.literal_eval(node)


def lookup(kind: str, table: Mapping[str, Any], name: str) -> Any:
    """The entry called `name`, or a ValueError that lists what exists, nearest names first."""
    for spelling in (name, name.replace("_", "-")):
        if spelling in table:
            return table[spelling]
    raise ValueError(
        f"Cannot use the {kind} {name[:80]!r}, because there is none of that name"
        f"{_meant(name.replace('_', '-'), table)}; choose one of {', '.join(table)}."
    )


def _meant(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""
