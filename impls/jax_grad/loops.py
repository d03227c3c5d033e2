"""Loops and branches of a traced program, entered: what they hold stands in their place, turn by turn.

    scan    each turn's equations in a row, its slices of what is gone through in front; what the turns give is stacked
    cond    the equations of the branch that this run takes

A loop of too many equations stays one operation. So does `while`, of which JAX has no gradient.

Source: the semantics of jax.lax.scan and jax.lax.switch, docs.jax.dev.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
from jax import lax

from impls.jax_grad.programs import Program
from impls.jax_grad.written import within

MOST_ENTERED = 10_000
"""Equations of all turns, from where on a loop stays one operation."""


def scan(program: Program, equation: Any, read: Sequence[int], sources: tuple[Any, ...]) -> list[int] | None:
    """The places of what is carried and of what is stacked."""
    length, body = equation.params["length"], equation.params["jaxpr"]
    if length * _size(body.jaxpr) > MOST_ENTERED:
        return None
    fixed, carried = equation.params["num_consts"], equation.params["num_carry"]
    constants, carry, through = read[:fixed], list(read[fixed : fixed + carried]), read[fixed + carried :]
    given: list[list[int]] = []
    turns = range(length)[::-1] if equation.params["reverse"] else range(length)
    for turn in turns:
        of_turn = (*sources[:-1], within(sources[-1], f"turn {turn}"))
        slices = [program.entered(partial(_at, turn=turn), [place], of_turn)[0] for place in through]
        made = program.inlined(body, [*constants, *carry, *slices], of_turn)
        carry = made[:carried]
        given.append(made[carried:])
    if equation.params["reverse"]:
        given.reverse()
    kinds = [variable.aval for variable in equation.outvars[carried:]]
    stacked = [
        program.entered(partial(_stacked, kind=kind), [parts[number] for parts in given], sources)[0]
        for number, kind in enumerate(kinds)
    ]
    return [*carry, *stacked]


def cond(program: Program, equation: Any, read: Sequence[int], sources: tuple[Any, ...]) -> list[int] | None:
    """The places of what the branch gives that the run takes; None where the run is not known."""
    if (chosen := program.value(read[0])) is None:
        return None
    branches = equation.params["branches"]
    branch = min(max(int(chosen), 0), len(branches) - 1)
    return program.inlined(branches[branch], read[1:], (*sources[:-1], within(sources[-1], f"branch {branch}")))


ENTERED: dict[str, Callable[..., list[int] | None]] = {"scan": scan, "cond": cond}
"""By the name of the primitive."""


def _at(x: Any, turn: int) -> Any:
    return lax.index_in_dim(x, turn, keepdims=False)


def _stacked(*parts: Any, kind: Any) -> Any:
    return jnp.stack(parts) if parts else jnp.zeros(kind.shape, kind.dtype)


def _size(jaxpr: Any) -> int:
    """How many equations there are, in what it calls too."""
    return len(jaxpr.eqns) + sum(
        _size(getattr(each, "jaxpr", each)) * equation.params.get("length", 1)
        for equation in jaxpr.eqns
        for value in equation.params.values()
        for each in (value if isinstance(value, tuple) else (value,))
        if hasattr(each, "eqns")
    )
