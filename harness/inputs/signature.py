"""Signature: what an operation is called with, tensors in trees, some without a gradient, and what is no tensor.

Tensors are known by name (``x``, ``params.W``, ``hs[0]``), whatever containers they are handed over in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from harness.inputs.calls import Settings
from harness.inputs.declared import Constant, Flags, Indices, Input, OneOf, Probabilities, Reals, checked, declared
from harness.inputs.frameworks import as_arrays
from harness.inputs.plain import shown
from harness.inputs.trees import is_numbers, matched, names_of, put_together, taken_apart
from harness.usage import UsageError
from impls.contract import Array, is_real

MOST_COMBINATIONS = 12
"""Of options, up to which each is tried with each; of more, one option at a time is changed."""


@dataclass(frozen=True)
class Signature:
    """The arguments of an operation.

    Attributes:
        arguments: each by its name, in order, a `Leaf` in place of every tensor and option.
        tensors: what each is, by its name.
        options: the values of what is no tensor.
        constant: names of tensors that have no gradient, though they hold reals.
    """

    arguments: Mapping[str, Any]
    tensors: Mapping[str, Input]
    options: Mapping[str, OneOf]
    constant: frozenset[str] = frozenset()

    def placed(self, own: Mapping[str, Any], settings: Settings) -> list[Any]:
        """The arguments of one call."""
        return [put_together(tree, lambda name: own.get(name, settings.get(name))) for tree in self.arguments.values()]

    @property
    def differentiated(self) -> list[str]:
        """Names of arguments that hold tensors with a gradient."""
        whole = {name for name, value in self.tensors.items() if isinstance(value, Indices | Flags) or _no_reals(value)}
        without = {*whole, *self.constant, *self.options}
        return [name for name, tree in self.arguments.items() if not set(names_of(tree)) <= without]

    def settings(self) -> list[Settings]:
        """The first values of the options; then every combination, or one option changed where these are too many."""
        values = {name: option.values for name, option in self.options.items()}
        first = {name: each[0] for name, each in values.items()}
        if np.prod([len(each) for each in values.values()]) <= MOST_COMBINATIONS:
            return [dict(zip(values, each, strict=True)) for each in product(*values.values())]
        return [first, *({**first, name: value} for name, each in values.items() for value in each[1:])]

    def given(self, case: Mapping[str, Any], dtype: str) -> tuple[dict[str, Array], Settings]:
        """Tensors and settings of a case of somebody's own, from its arguments; options not named are the first.

        Raises:
            UsageError: a tensor is missing, or is no array.
        """
        found = dict(pair for name, tree in self.arguments.items() for pair in matched(tree, case.get(name)))
        settings = {name: case.get(name, option.values[0]) for name, option in self.options.items()}
        missing = [name for name in self.tensors if found.get(name) is None]
        if missing:
            raise UsageError(f"Cannot use this case, because it has no {', '.join(missing)}; give an array of each.")
        return as_arrays({name: found[name] for name in self.tensors}, dtype), settings

    def within(self, low: float, high: float) -> Signature:
        """With reals of this interval where no other is said."""
        return replace(
            self, tensors={
                name: Reals(value, low, high) if isinstance(value, tuple) else value
                for name, value in self.tensors.items()
            },
        )  # fmt: skip

    def in_order(self, names: tuple[str, ...]) -> Signature:
        """With the arguments in this order, where they are just these."""
        return replace(self, arguments={name: self.arguments[name] for name in names})


def _no_reals(value: Input) -> bool:
    return isinstance(value, np.ndarray) and not is_real(value)


def signature_of(inputs: Mapping[str, Any] | str, dtype: str) -> Signature:
    """What is meant by each input, arrays as NumPy ones of the dtype; a text is read as the command's.

    Raises:
        UsageError: an input is none of this.
    """
    inputs = declared(inputs) if isinstance(inputs, str) else inputs
    if not isinstance(inputs, Mapping) or not inputs:
        raise UsageError(
            f"Cannot use inputs={shown(inputs)}, because each input needs a name; give a dictionary from the names of "
            f'forward\'s parameters to arrays or shapes, such as {{"x": ("N", "M")}}.'
        )
    arguments: dict[str, Any] = {}
    tensors: dict[str, Input] = {}
    options: dict[str, OneOf] = {}
    constant: set[str] = set()
    for argument, tree in inputs.items():
        if not isinstance(argument, str) or not argument:
            raise UsageError(
                f"Cannot use an input of the name {argument!r}, because names are text; give those of forward's "
                f"parameters."
            )
        arguments[argument], leaves = taken_apart(tree, argument, _is_whole)
        for name, value in leaves.items():
            if isinstance(value, OneOf):
                options[name] = value
                continue
            if isinstance(value, Constant):
                constant.add(name)
                value = value.value
            tensors[name] = _specified(name, value, dtype)
    if not tensors:
        named = ", ".join(options or arguments)
        raise UsageError(f"Cannot differentiate by {named}, because none of them is a tensor; give one.")
    return Signature(arguments, tensors, options, frozenset(constant))


def _is_whole(value: Any) -> bool:
    """A shape, or numbers in lists."""
    shape = isinstance(value, tuple) and all(isinstance(size, int | str) for size in value)
    return shape or is_numbers(value)


def _specified(name: str, value: Any, dtype: str) -> Input:
    shape = isinstance(value, tuple) and all(isinstance(size, int | str) for size in value)
    if shape or isinstance(value, Reals | Indices | Probabilities | Flags):
        return checked(name, value)
    if isinstance(value, str):
        raise UsageError(
            f"Cannot use the input {name}={value!r}, because a shape is a tuple; write ({value!r},), or "
            f"harness.OneOf({value!r}) for an argument that is no tensor."
        )
    if isinstance(value, bool) or value is None or callable(value):
        raise UsageError(
            f"Cannot use the input {name}={value!r}, because it is neither an array nor a shape; write "
            f"harness.OneOf({value!r}) for an argument that is no tensor."
        )
    return as_arrays({name: value}, dtype)[name]
