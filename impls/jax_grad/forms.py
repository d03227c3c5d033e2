"""What an operation does forward, as a function that JAX differentiates: the next best reference after a hand rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from impls.captured import Form
from impls.jax_grad.leaves import is_real
from impls.jax_grad.programs import CALLS, RULES, Program, Step, in_dtype


def name_of(step: Step) -> str:
    """The primitive; of a function with a derivative of its own, that function's name."""
    if step.primitive.name not in RULES:
        return str(step.primitive.name)
    return str(step.params["call_jaxpr"].jaxpr.debug_info.func_name)


def form_of(step: Step, kinds: Sequence[Any]) -> Form:
    """In the dtype of what it is given, and without derivatives of its own, where it is or calls what has some."""
    whole = step.primitive.name in RULES
    inner = Program(step.params["call_jaxpr"], inlining=CALLS + RULES) if whole else None

    def function(*operands: Any) -> Any:
        given = [_keyed(operand, kind) for operand, kind in zip(operands, kinds, strict=True)]
        dtype = next(str(operand.dtype) for operand in given if is_real(operand))
        results = in_dtype(step, dtype).run(given) if inner is None else inner.run(given, dtype)
        return results[0] if len(results) == 1 else tuple(results)

    return Form(kind="its own forward" if whole or _has_rules(step.params) else "rounding only", function=function)


def _keyed(operand: Any, kind: Any) -> Any:
    """A key of random numbers from what it is made of; anything else as it is."""
    if not jnp.issubdtype(kind.dtype, jax.dtypes.prng_key):
        return operand
    return jax.random.wrap_key_data(operand, impl=kind.dtype._impl.name)


def _has_rules(params: Mapping[str, Any]) -> bool:
    """Whether a function with a derivative of its own is called inside."""
    return any(e.primitive.name in RULES or _has_rules(e.params) for e in _equations(params))


def _equations(params: Mapping[str, Any]) -> Iterator[Any]:
    for value in params.values():
        for each in value if isinstance(value, tuple) else (value,):
            yield from getattr(getattr(each, "jaxpr", each), "eqns", ())
