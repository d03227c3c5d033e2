"""A vote: a torch form, a JAX form and a central difference of one function; the odd one out is named.

Two frameworks agree on a gradient if they differ by no more than the allowances of both. Where they do not, the
difference quotient decides: it takes no derivative rule from anybody. It is taken along random directions v, since <dx,
v> tells a wrong gradient as surely as its entries do, of the sum <upstream, f(x + t v)>. It comes with its own estimate
of its error (`harness.evaluation.references.differences`), and abstains where it has none, or where that is too large
to tell the two apart. An estimate is no bound, so a gradient counts as contradicted only from `SPREAD` times it on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np

from harness.arithmetic import Bounded
from harness.evaluation.references.differences import central_difference
from harness.evaluation.references.expected import gradient_of
from harness.evaluation.references.jumps import Jumps
from harness.evaluation.references.measured import MeasuredReference, double
from harness.evaluation.references.reference import OperationPoint
from harness.inputs.cases import Case, called
from harness.inputs.outputs import OUTPUT, Parts
from harness.usage import UsageError
from impls.contract import CPU, Array

DIRECTIONS = 3
SPREAD = 8
DIFFERENCE = "central difference"


class Vote(msgspec.Struct, frozen=True):
    """What was found about one gradient in one case.

    Attributes:
        gradient: its name; ``output`` where the forms are different functions.
        off: of each voice, how far it is from the difference, in units of the difference's own estimated error; the
            largest over the directions. Empty where the difference abstains.
        odd: the voice that stands alone, None if nobody does or it cannot be told.
        decided: whether there is a reference to judge by.
    """

    gradient: str
    case: str
    off: dict[str, float]
    odd: str | None
    decided: bool
    says: str


class VotingReference:
    """Forms of one function, of which two must be right.

    Attributes:
        measured: True: nobody's allowance is derived.
    """

    measured = True

    def __init__(
        self,
        functions: Sequence[Any],
        inputs: Mapping[str, Array],
        constant: Collection[str] = (),
        device: str = CPU,
    ) -> None:
        self.forms = [MeasuredReference(function, inputs, constant, device=device) for function in functions]
        packages = [form.host.package for form in self.forms]
        for place, function in enumerate(functions):  # a form by methods alone may run in either
            if len(set(packages)) == 1:
                with suppress(UsageError):
                    self.forms[place] = MeasuredReference(function, inputs, constant, packages[place], device)
                    packages[place] = self.forms[place].host.package
        if len(functions) != 2 or len(set(packages)) != 2:
            raise UsageError(
                f"Cannot let {len(functions)} forms of {' and '.join(packages)} vote, because a vote is between a "
                f"torch form, a JAX form and a finite difference; give reference=(torch form, JAX form)."
            )
        self.inputs, self.differentiable = self.forms[0].inputs, self.forms[0].differentiable
        self.name = " and ".join(form.name for form in self.forms)
        self.trusted: dict[str, MeasuredReference] = {}

    def parts(self, inputs: Mapping[str, Array]) -> Parts:
        """The shape of each output."""
        return self.forms[0].parts(inputs)

    def output(self, inputs: Mapping[str, Array], dtype: str) -> Bounded:
        """That of the first form, with the allowance of both."""
        return _together(*[form.output(inputs, dtype) for form in self.forms])

    def gradients(self, inputs: Mapping[str, Array], upstream: Array, dtype: str) -> dict[str, Bounded]:
        """Those of the first form, or of the one that a vote has found right, with the allowance of both."""
        each = [form.gradients(inputs, upstream, dtype) for form in self.forms]
        found = {}
        for name in self.differentiable:
            if name in self.trusted:
                found[name] = each[self.forms.index(self.trusted[name])][name]
            else:
                found[name] = _together(*[gradients[name] for gradients in each])
        return found

    def values(self, inputs: Mapping[str, Array], upstream: Array) -> dict[str, Array]:
        """Those of the first form, or of the one that a vote has found right."""
        each = {form: form.values(inputs, upstream) for form in (self.forms[0], *self.trusted.values())}
        return {name: each[self.trusted.get(name, self.forms[0])][name] for name in self.differentiable}

    def votes(self, case: Case, upstream: Array, *, always: bool, seed: int) -> list[Vote]:
        """The votes on one case: on each gradient about which the forms differ, on all of them if `always`."""
        outputs = [form.output(case.inputs, "float64") for form in self.forms]
        if not _agree(*outputs):
            told = "they are different functions, so their gradients cannot be compared"
            says = f"the outputs of {self.name} differ in {called(case.name)}: {told}"
            return [Vote(OUTPUT, case.name, {}, None, False, says)]
        found, each = [], [form.gradients(case.inputs, upstream, "float64") for form in self.forms]
        for name in self.differentiable:
            one, other = (gradients[name] for gradients in each)
            agree = _agree(one, other) or self._convention(case, upstream, name, one, other)
            if always or not agree:
                found.append(self._vote(case, upstream, name, [one, other], agree, seed))
        return found

    def _convention(self, case: Case, upstream: Array, name: str, one: Bounded, other: Bounded) -> bool:
        both = {name: one.widened(other.bound)}
        at = OperationPoint(self.forms[0], case.inputs, upstream, "float64")
        return Jumps(at, both).allow(name, {name: other.value})

    def _vote(self, case: Case, upstream: Array, name: str, gradients: list[Bounded], agree: bool, seed: int) -> Vote:
        form_names = [form.name for form in self.forms]
        held = dict(zip(form_names, gradients, strict=True))
        off = contradictions(self.forms[0], case.inputs, upstream, name, held, seed)
        against = [form for form in form_names if form in off and off[form] > 1]
        gradient = gradient_of(name)
        where = f"{gradient} in {called(case.name)}"
        if agree:
            if len(against) == len(form_names):
                says = f"{where}: {self.name} agree, the {DIFFERENCE} does not"
                return Vote(gradient, case.name, off, DIFFERENCE, True, says)
            voices = f"{self.name} agree" + (
                f", and the {DIFFERENCE} with them" if off else f"; the {DIFFERENCE} abstains"
            )
            return Vote(gradient, case.name, off, None, True, f"{where}: {voices}")
        if len(against) == 1:
            right = next(form for form in self.forms if form.name != against[0])
            self.trusted.setdefault(name, right)
            says = f"{where}: {against[0]} is the odd one out; {right.name} and the {DIFFERENCE} agree"
            return Vote(gradient, case.name, off, against[0], True, says)
        if not against and name in self.trusted:  # where nothing changes, a difference cannot tell
            odd = next(form for form in form_names if form != self.trusted[name].name)
            says = f"{where}: {self.name} differ, and {odd} was the odd one out before"
            return Vote(gradient, case.name, off, odd, True, says)
        why = f"the {DIFFERENCE} agrees with neither" if against else f"the {DIFFERENCE} cannot tell which is right"
        return Vote(gradient, case.name, off, None, False, f"{where}: {self.name} differ, and {why}")


def contradictions(
    form: MeasuredReference,
    given: Mapping[str, Array],
    upstream: Array,
    name: str,
    voices: Mapping[str, Bounded],
    seed: int,
) -> dict[str, float]:
    """By the voice, the largest distance of its gradient from the difference of a function, over what is granted."""
    rng = np.random.default_rng([seed, 7])
    inputs = {n: double(array) for n, array in given.items()}
    dy = np.asarray(upstream, np.float64)
    found: dict[str, float] = {}
    for _ in range(DIRECTIONS):
        direction = rng.choice([-1.0, 1.0], inputs[name].shape) * rng.uniform(0.5, 1.5, inputs[name].shape)

        def along(t: float, direction: Array = direction) -> float:
            moved = {**inputs, name: inputs[name] + t * direction}
            return float((dy * form.evaluated(moved)).sum())

        difference = central_difference(along, 0.0)
        # It abstains along a direction where its error could hide the whole slope.
        if difference is None or not SPREAD * difference.error < abs(difference.value):
            continue
        for voice, gradient in voices.items():
            slope, allowed = (
                float((gradient.value * direction).sum()),
                float((gradient.bound * np.abs(direction)).sum()),
            )
            share = abs(slope - difference.value) / (SPREAD * difference.error + allowed)
            found[voice] = max(found.get(voice, 0.0), share)
    return found


def _agree(one: Bounded, other: Bounded) -> bool:
    return one.widened(other.bound).holds(other.value)


def _together(one: Bounded, other: Bounded) -> Bounded:
    """The first, with room for both."""
    if one.value.shape != other.value.shape:
        return one
    return Bounded(one.value, np.maximum(one.bound, other.bound) + np.abs(one.value - other.value), one.context)
