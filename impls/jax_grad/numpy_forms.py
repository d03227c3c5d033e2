"""A JAX array in place of a NumPy one, so that a function of NumPy's alone can be differentiated by JAX.

NumPy asks its operands what its functions mean for them (``__array_ufunc__``, ``__array_function__``, NEP 13 and 18);
jax.numpy has them under the same names. What works in place is done to a new array, which JAX's are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

REDUCTIONS = {"add": jnp.sum, "multiply": jnp.prod, "maximum": jnp.max, "minimum": jnp.min}


class Standing(np.lib.mixins.NDArrayOperatorsMixin):
    """A JAX array that NumPy's functions work on."""

    def __init__(self, own: Any) -> None:
        self.own = own

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        if out is not None and not (len(out) == 1 and isinstance(out[0], Standing)):
            return NotImplemented
        function: Any = getattr(jnp, ufunc.__name__, None) if method == "__call__" else REDUCTIONS.get(ufunc.__name__)
        if function is None or method not in ("__call__", "reduce"):
            return NotImplemented
        if method == "reduce":
            options = {"axis": 0, **options}
        result = _wrapped(function(*_bare(inputs), **_bare(options)))
        if out is None:
            return result
        out[0].own = result.own.astype(out[0].own.dtype)
        return out[0]

    def __array_function__(self, function: Any, types: Any, inputs: Any, options: Any) -> Any:
        home = str(function.__module__).partition(".")[2]
        found = getattr(reduce(getattr, filter(None, home.split(".")), jnp), function.__name__, None)
        return NotImplemented if found is None else _wrapped(found(*_bare(inputs), **_bare(options)))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.own, name)
        if callable(found) and not isinstance(found, jax.Array):
            return lambda *inputs, **options: _wrapped(found(*_bare(inputs), **_bare(options)))
        return _wrapped(found)

    def __getitem__(self, key: Any) -> Any:
        return Standing(self.own[_bare(key)])

    def __setitem__(self, key: Any, value: Any) -> None:
        self.own = self.own.at[_bare(key)].set(_bare(value))

    def __len__(self) -> int:
        return len(self.own)

    def __bool__(self) -> bool:
        return bool(self.own)


def standing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function on JAX arrays."""

    def on_own(*own: Any) -> Any:
        return _bare(function(*map(Standing, own)))

    return on_own


def _bare(value: Any) -> Any:
    """JAX arrays where they stood in for NumPy's, in containers too."""
    if isinstance(value, Standing):
        return value.own
    if isinstance(value, dict):
        return {key: _bare(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        members = [_bare(member) for member in value]
        return value._make(members) if hasattr(value, "_make") else type(value)(members)
    return value


def _wrapped(value: Any) -> Any:
    if isinstance(value, jax.Array):
        return Standing(value)
    return type(value)(map(_wrapped, value)) if type(value) in (list, tuple) else value
