"""The table: from the name of a primitive of JAX to the hand rule that it is.

A primitive is called by its own name. What it read stands as its `Place`, in the order of the equation; whole numbers
that say where entries go are read off the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp

from impls.captured import Place, Rule, Rules

DTYPES = ("bfloat16", "float16", "float32", "float64")
"""That hand rules have bounds for."""


class Arguments:
    """What an equation read and gave, and how it was called; parameters by their names.

    Attributes:
        operands, outputs: arrays.
        asked: of each operand, whether a gradient is.
    """

    def __init__(
        self, params: Mapping[str, Any], operands: Sequence[Any], outputs: Sequence[Any], asked: Sequence[bool]
    ) -> None:
        self._params, self.operands, self.outputs, self.asked = params, operands, outputs, asked

    def __getattr__(self, name: str) -> Any:
        try:
            return self._params[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the first operand."""
        return tuple(self.operands[0].shape)

    def reading(self, layer: Any) -> Rule:
        """A layer that reads the operands in their order, under its own names."""
        names = [layer.reads] if isinstance(layer.reads, str) else layer.reads
        return Rule(layer=layer, reads={name: Place(number) for number, name in enumerate(names)})


RULES = Rules()
row = RULES.row


def rule_of(name: str, a: Arguments) -> Rule | None:
    """The hand rule of a primitive, if there is one for its options, its dtype and its numbers."""
    kinds = {str(array.dtype) for array in (*a.operands, *a.outputs) if jnp.issubdtype(array.dtype, jnp.floating)}
    make = RULES.get(name)
    return make(a) if make is not None and kinds and kinds.issubset(DTYPES) else None
