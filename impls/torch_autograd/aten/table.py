"""The table: from the name of an ATen operation to the hand rule that it is.

An operation is called by its name and overload without ``aten.`` and ``.default``. What it read stands under the names
of its schema: a tensor as its `Place`, everything else as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from impls.captured import Place, Rule, Rules


class Arguments:
    """What an operation read, by the names of its schema."""

    def __init__(self, op: Any, args: Sequence[Any], kwargs: dict[str, Any], outputs: Sequence[Any]) -> None:
        self._values: dict[str, Any] = {}
        self.placed: list[torch.Tensor] = []
        self.name = str(op)
        self.outputs = outputs
        for place, argument in enumerate(op._schema.arguments):
            given = kwargs.get(argument.name, argument.default_value)
            value = args[place] if place < len(args) and not argument.kwarg_only else given
            self._values[argument.name] = self._placed(value)

    def _placed(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            self.placed.append(value)
            return Place(len(self.placed) - 1)
        return [self._placed(each) for each in value] if isinstance(value, list | tuple) else value

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(name) from None

    def value_of(self, name: str) -> torch.Tensor:
        """The tensor of that name."""
        return self.placed[self._values[name].number]

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Its shape."""
        return tuple(self.value_of(name).shape)

    def axis_of(self, name: str, dim: int, new: int = 0) -> int:
        """An axis of it, counted from 0; `new` axes more than it has."""
        return dim % max(self.value_of(name).ndim + new, 1)

    def last_or(self, name: str, dim: int) -> int:
        """An axis of it as `axis_of` counts, but for the last, which is -1 whatever its operand's shape."""
        axis = self.axis_of(name, dim)
        return -1 if axis + 1 == max(self.value_of(name).ndim, 1) else axis


RULES = Rules()
row = RULES.row


def rule_of(op: Any, args: Sequence[Any], kwargs: dict[str, Any], outputs: Sequence[Any]) -> Rule | None:
    """The hand rule of an operation, if there is one for its options."""
    name = str(op).removeprefix("aten.").removesuffix(".default")
    make = RULES.get(name) or RULES.get(in_place_of(name))
    if make is None or not str(op).startswith("aten."):
        return None
    return make(Arguments(op, args, kwargs, outputs))


def in_place_of(name: str) -> str:
    """The name of the operation that this one does in place: ``add.Tensor`` of ``add_.Tensor``."""
    first, dot, overload = name.partition(".")
    return f"{first[:-1]}{dot}{overload}" if first.endswith("_") and not first.startswith("_") else name
