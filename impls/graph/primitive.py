"""Named primitives: small functions of the hand code that a number type may evaluate by its own rule.

NumPy dispatches its own functions on the type of their operands (``__array_ufunc__``,
``__array_function__``). A function of ours, say the sigmoid, has no such hook, and where frameworks
evaluate one function by different formulas a number type needs to know *which function* is meant,
not only the operations that our formula happens to use. `primitive` adds that hook: an operand whose
type defines ``__primitive__(function, operands)`` answers the call; plain arrays run the body.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeAlias, TypeVar, cast

Array: TypeAlias = Any
"""An array of any number type: numpy.ndarray, or one that speaks NumPy's protocols."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


def primitive(body: _Function) -> _Function:
    """Make `body` a named primitive; ``function.body`` stays reachable for types without a rule."""

    @wraps(body)
    def function(*operands: Any) -> Any:
        for operand in operands:
            rule = getattr(operand, "__primitive__", None)
            if rule is not None:
                return rule(function, operands)
        return body(*operands)

    function.body = body  # type: ignore[attr-defined]
    return cast("_Function", function)
