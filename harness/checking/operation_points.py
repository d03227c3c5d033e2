"""Where an operation is asked: what it is called with, every case, and the reference for each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.candidates.handed import STRIDES
from harness.candidates.operation import MICRO_BATCHES
from harness.evaluation.references.derived import HandReference
from harness.evaluation.references.expected import Expected
from harness.evaluation.references.measured import MeasuredReference
from harness.evaluation.references.reference import Reference
from harness.evaluation.references.surrogate import SurrogateReference
from harness.evaluation.references.voting import VotingReference
from harness.inputs.calls import Call, Settings
from harness.inputs.cases import Case, drawn, upstream_of, users, why_untried, with_options
from harness.inputs.declared import as_ends
from harness.inputs.devices import OF_THE_CPU, Stated
from harness.inputs.frameworks import as_arrays
from harness.inputs.outputs import joined, whole_shape
from harness.inputs.plain import refused, shown
from harness.inputs.signature import Signature, signature_of
from harness.inputs.trees import is_numbers, taken_apart
from harness.usage import UsageError, did_you_mean
from impls.contract import CPU
from impls.hand import Tanh
from impls.hand.notation import ACTIVATIONS, LOSSES

REPEATED_CALLS = "repeated calls"
NAMED_BESIDES = (*STRIDES, REPEATED_CALLS, MICRO_BATCHES)
"""What can be left out by name besides cases."""


@dataclass(frozen=True)
class Points:
    """Everything that an operation is asked.

    Attributes:
        cases: in order.
        untried: what could not be drawn, and why.
    """

    signature: Signature
    cases: list[Case]
    untried: dict[str, str]


class References:
    """The reference, one for each setting of the arguments that are no tensors.

    Args:
        device: where the candidate computes.
        stated: how its framework does there.
    """

    def __init__(
        self, reference: Any, surrogate: Any, signature: Signature, device: str = CPU, stated: Stated = OF_THE_CPU
    ) -> None:
        self.reference, self.surrogate, self.signature = reference, surrogate, signature
        self.device, self.stated = device, stated
        self._known: dict[str, Reference] = {}

    def at(self, case: Case) -> Reference:
        """That for the settings of a case.

        Raises:
            UsageError: it is no reference.
        """
        key = repr(sorted(case.settings.items()))
        if key not in self._known:
            right = self._made("reference", self.reference, case)
            if self.surrogate is not None:
                right = SurrogateReference(right, self._made("surrogate", self.surrogate, case))
            self._known[key] = right
        return self._known[key]

    def expected(self, case: Case, dtype: str, rng: np.random.Generator, step: int = 1) -> Expected:
        """What should come in a case, the so many-th that is asked.

        Raises:
            UsageError: the reference gives nothing there.
        """
        right = self.at(case)
        upstream = upstream_of(case, whole_shape(right.parts(case.inputs)), dtype, rng)
        options = {name: option.values for name, option in self.signature.options.items()}
        at = Expected(
            right, case.inputs, upstream, dtype, case.settings, options,
            lambda settings: self.at(replace(case, settings=settings)), step,
        )  # fmt: skip
        if case.may_fail:
            at.tensors  # noqa: B018  (whether there are any)
        return at

    def _made(self, role: str, given: Any, case: Case) -> Reference:
        constant = self.signature.constant
        if HandReference.knows(given):
            layer = HandReference(given, constant, arithmetic=self.stated.arithmetic)
            read_by(layer, self.signature)
            return layer
        if isinstance(given, tuple | list):
            forms = [self._call(role, form, case.settings) for form in given]
            return VotingReference(forms, case.inputs, constant, self.device)
        return MeasuredReference(self._call(role, given, case.settings), case.inputs, constant, device=self.device)

    def _call(self, role: str, given: Any, settings: Settings) -> Call:
        refuse_class(role, given)
        if not callable(given):
            raise UsageError(
                f"Cannot use {role}={shown(given)}, because it is neither a hand layer nor a function; give a layer "
                f"of impls.hand such as Dense(4, 3), a differentiable torch, JAX or NumPy function, or a torch and a "
                f"JAX form for a vote."
            )
        return Call(given, self.signature, settings)


def refuse_class(role: str, given: Any) -> None:
    """Raise UsageError for a class of layers in place of a layer."""
    if isinstance(given, type) and hasattr(given, "reads"):
        name = given.__name__
        raise UsageError(
            f"Cannot use {role}={name}, because it is a class of layers; give a layer, in brackets with its sizes "
            f"and options if it has some: {role}={name}(...)."
        )


def read_by(layer: HandReference, signature: Signature) -> Signature:
    """The signature, if it is that of a layer.

    Raises:
        UsageError: the layer reads something else.
    """
    if set(signature.tensors) != set(layer.inputs):
        raise UsageError(
            f"Cannot use inputs {', '.join(signature.tensors)} with {layer.name}, because it reads "
            f"{', '.join(layer.inputs)}; give these, or leave inputs out."
        )
    return signature


def _listed(reference: Any) -> Sequence[Any]:
    """The references that vote."""
    return reference if isinstance(reference, list | tuple) else ()


def points_of(
    reference: Any,
    inputs: Mapping[str, Any] | str | None,
    cases: Sequence[Mapping[str, Any]],
    dtype: str,
    seed: int,
    interval: tuple[float, float] | None,
) -> Points:
    """Every case for what the inputs are said to be, by the caller or by a hand layer.

    Raises:
        UsageError: nothing says what the inputs are, or they are none of what can be said.
    """
    if isinstance(cases, Mapping):
        raise UsageError("Cannot use cases=a dictionary, because there may be several; give a list of dictionaries.")
    if isinstance(cases, str | bytes) or not isinstance(cases, Sequence):
        raise refused("cases", cases, "it is no list", "give a list of dictionaries of arrays")
    if text := next((each for each in (reference, *_listed(reference)) if isinstance(each, str)), None):
        kind = {**ACTIVATIONS, **LOSSES}.get(text.partition("(")[0].replace("_", "-"))
        layer = f"a layer, impls.hand.{(kind or Tanh).__name__}()"
        instead = layer if kind else f"a function, or {layer}"
        raise UsageError(
            f"Cannot use reference={text!r}, because names are for the command line, and this is text; give {instead}."
        )
    refuse_class("reference", reference)
    known = HandReference(reference) if HandReference.knows(reference) else None
    if inputs is not None:
        signature = signature_of(inputs, dtype)
        if known is not None and not read_by(known, signature).options:
            signature = signature.in_order(known.inputs)
    elif known is not None and known.usual:
        signature = signature_of(known.usual, dtype).in_order(known.inputs)
    elif cases and isinstance(cases[0], Mapping):
        signature = signature_of(cases[0], dtype)
        if known is not None and set(signature.tensors) == set(known.inputs):
            signature = signature.in_order(known.inputs)
        return Points(signature, users(cases, signature, dtype), {"other numbers and sizes": "only cases were given"})
    else:
        raise UsageError(
            "Cannot draw inputs for this reference, because nothing says what it reads; give "
            'inputs={"x": ("N", "M"), ...} or cases=[{"x": array, ...}].'
        )
    if interval is not None:
        signature = signature.within(*interval)
    every = with_options(drawn(signature.tensors, dtype, seed), signature)
    return Points(signature, [*every, *users(cases, signature, dtype)], why_untried(signature.tensors))


def with_upstream(points: Points, upstream: Any, dtype: str) -> Points:
    """With the first case once more, under an upstream of one's own."""
    leaves = taken_apart(upstream, "upstream", is_numbers)[1]
    arrays = as_arrays(leaves, dtype)
    own = joined(tuple(arrays.values()) if len(arrays) > 1 else next(iter(arrays.values())))
    first, *others = points.cases
    return replace(points, cases=[first, replace(first, name="your upstream", upstream=own), *others])


def without(points: Points, left_out: Collection[str]) -> Points:
    """Without the cases of these names.

    Raises:
        UsageError: nothing has a name, or nothing is left.
    """
    if isinstance(left_out, str):
        raise UsageError(f"Cannot leave out {left_out!r}, because names come in a list; give [{left_out!r}].")
    if not isinstance(left_out, list | tuple | set | frozenset):
        raise refused("leave_out", left_out, "names come in a list", 'give one, such as ["kinks"]')
    names = [case.name for case in points.cases]
    known = [*names, *NAMED_BESIDES]
    for name in left_out:
        if name not in known:
            raise UsageError(
                f"Cannot leave out {shown(name)}, because nothing has that name{did_you_mean(str(name), known)}; "
                f"choose from {', '.join(known)}."
            )
    cases = [case for case in points.cases if case.name not in left_out]
    if not cases:
        raise UsageError("Cannot leave out every case, because nothing would be compared; leave one in.")
    return replace(points, cases=cases)


def as_interval(interval: Any) -> tuple[float, float] | None:
    """An interval of numbers, or None.

    Raises:
        UsageError: it is none.
    """
    if interval is None:
        return None
    pair = tuple(interval) if isinstance(interval, tuple | list) else ()
    ends = as_ends(*pair) if len(pair) == 2 else None
    if ends is None:
        raise UsageError(
            f"Cannot use range={shown(interval)}, because it is the interval in which the code must work; give two "
            f"numbers, the smaller first, such as (-50, 50)."
        )
    return ends
