"""A traced program with taps: run equation by equation, it shows every tensor and every gradient on the way.

A tap stands at each use of a tensor and at each tensor that is made: the identity, with a second argument that does
nothing but have the gradient that passes through. So gradients are the same bits with and without taps.

Source: "Autodidax", docs.jax.dev, for walking a jaxpr; jax.custom_jvp for the tap.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from impls.captured import WHOLE, CannotCaptureError, Window
from impls.graph.node import path_of
from impls.jax_grad.leaves import is_real
from impls.jax_grad.programs import Program, Step
from impls.jax_grad.written import module_of, place_of
from impls.needed import Needed

CONSTANT = ("stop_gradient", "sign", "floor", "ceil", "round")
"""Primitives through which no gradient passes, although they give real numbers."""

Use = tuple[int, int]
"""An operand: the number of its step, counted from 0, and its own."""


@jax.custom_jvp
def tap(value: Any, nothing: Any) -> Any:  # noqa: ARG001
    """The value; its cotangent goes to both arguments."""
    return value


# Forward-mode, not `custom_vjp`: what arrives at a tap stays a symbolic zero where nothing does.
tap.defjvp(lambda primals, tangents: (primals[0], tangents[0] + tangents[1]))


class Observed(NamedTuple):
    """One run: the loss, every tensor that was made, by place; and gradients: of leaves, at uses, where tensors are."""

    loss: Any
    made: dict[int, Any]
    of_leaves: dict[int, Any]
    at_uses: dict[Use, Any]
    at_places: dict[int, Any]


class Size(NamedTuple):
    """Of an array."""

    numbers: int
    bytes: int


class Tapped:
    """A traced program, and which of its tensors have a gradient.

    Attributes:
        leaves: places of inputs that are real numbers, with their names.
        asked: places that depend on one of these.
        reached: those among them that the loss depends on.
        passing: numbers of the steps through which a gradient passes, in order.
        kept: those among them that are in the window.
        met: places of the window's own: what its steps make, and leaves whose names are in it.
        uses: where a tensor that has a gradient is read, and which it is: by a step that is kept, or of what is met.
        shown: places that steps of the window read or make.
    """

    def __init__(self, program: Program, names: Sequence[str], window: Window = WHOLE) -> None:
        self.program, steps = program, program.steps
        named = zip(program.inputs, names, strict=True)
        self.leaves = {place: name for place, name in named if is_real(program.kinds[place])}
        (self.loss,) = program.outputs
        self.asked = set(self.leaves)
        for step in steps:
            if _passes(step) and self.asked.intersection(step.read):
                self.asked.update(p for p in step.made if jnp.issubdtype(program.kinds[p].dtype, jnp.inexact))
        self.reached = {self.loss} & self.asked
        passing = []
        for number, step in reversed([*enumerate(steps)]):
            if _passes(step) and self.reached.intersection(step.made):
                passing.append(number)
                self.reached.update(self.asked.intersection(step.read))
        self.passing = passing[::-1]
        self.kept = {number for number in self.passing if module_of(steps[number].sources) in window}
        self.met = {place for place, name in self.leaves.items() if path_of(name) in window}
        self.met.update(place for number in self.kept for place in steps[number].made)
        self.uses: dict[Use, int] = {
            (number, operand): place
            for number in self.passing
            for operand, place in enumerate(steps[number].read)
            if place in self.asked and (number in self.kept or place in self.met)
        }
        self.shown = {place for number in self.kept for place in (*steps[number].read, *steps[number].made)}
        self._check()

    def needed(self) -> Needed:
        """Memory that observing all of it needs, whatever the window of this is."""
        found, steps = Needed(), self.program.steps
        for number in self.passing:
            step = steps[number]
            module = module_of(step.sources)
            read = [self._size(place) for place in step.read]
            made = [self._size(place) for place in step.made]
            asked = [size for place, size in zip(step.read, read, strict=True) if place in self.asked]
            found.run[module] += sum(size.bytes for size in made)
            found.held[module] += sum(size.bytes for size in (*made, *made, *asked))
            numbers = sum(size.numbers for size in made)
            found.judging(
                module, sum(size.numbers for size in read) + numbers, sum(size.numbers for size in asked) + numbers
            )
        found.always = sum(self._size(place).bytes for place in self.leaves)
        return found

    def _size(self, place: int) -> Size:
        kind = self.program.kinds[place]
        numbers = math.prod(kind.shape)
        return Size(numbers, numbers * getattr(kind.dtype, "itemsize", 0))

    def _check(self) -> None:
        if not self.reached:
            raise CannotCaptureError(
                "because its loss depends on none of the arrays of real numbers that it is given, or only through "
                "jax.lax.stop_gradient or whole numbers; give a loss that has a gradient"
            )
        for number in self.passing:
            step = self.program.steps[number]
            kinds = [self.program.kinds[place] for place in (*step.read, *step.made)]
            if any(jnp.issubdtype(kind.dtype, jnp.complexfloating) for kind in kinds):
                raise CannotCaptureError(
                    f"because {step.primitive.name}{_at(step)} computes with complex numbers, whose gradients are not "
                    f"judged; give a program of real numbers"
                )

    def observed(self, inputs: Sequence[Any]) -> Observed:
        """Run forward and backward, from what is in the places of the inputs."""
        given = dict(zip(self.program.inputs, inputs, strict=True))
        leaves = {place: given.pop(place) for place in self.leaves}
        zeros: dict[Any, Any] = {}  # one for all tensors of a kind: nobody reads it

        def nothing(place: int) -> Any:
            kind = self.program.kinds[place]
            return zeros.setdefault((kind.shape, kind.dtype), jnp.asarray(np.zeros(kind.shape, kind.dtype)))

        uses = {use: nothing(place) for use, place in self.uses.items()}
        places = {place: nothing(place) for place in sorted(self.reached & (self.met | {self.loss}))}

        def run(leaves: Any, uses: Any, places: Any) -> Any:
            return self.run(given | leaves, uses, places)

        loss, pull, made = jax.vjp(run, leaves, uses, places, has_aux=True)
        return Observed(loss, made, *pull(jnp.ones_like(loss)))

    def run(self, given: Mapping[int, Any], uses: Mapping[Use, Any], places: Mapping[int, Any]) -> Any:
        """The loss and every tensor, tapped by what is given for uses and places; elsewhere as it is."""

        def made(place: int, value: Any) -> Any:
            return tap(value, places[place]) if place in places else value

        known = {place: made(place, value) for place, value in given.items()}
        # A derivative of somebody's own may index what it reads by a traced number, which NumPy's arrays refuse.
        constants = {place: jnp.asarray(value) for place, value in self.program.constants.items()}
        for number, step in enumerate(self.program.steps):
            operands = [known[p] if p in known else constants[p] for p in step.read]
            operands = [tap(v, uses[number, k]) if (number, k) in uses else v for k, v in enumerate(operands)]
            known |= {place: made(place, result) for place, result in zip(step.made, step.run(operands), strict=True)}
        return known[self.loss], {place: value for place, value in known.items() if place in self.shown}


def _passes(step: Step) -> bool:
    return step.primitive.name not in CONSTANT


def _at(step: Step) -> str:
    place = place_of(step.sources)
    return f" ({place[0]}:{place[1]})" if place else ""
