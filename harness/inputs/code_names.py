"""What a function's code names: globals, attributes and imports, by which its framework is told."""

from __future__ import annotations

from types import CodeType


def names_in(code: CodeType) -> set[str]:
    """Every global, attribute and import that code names, code inside it included."""
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*map(names_in, inner))
