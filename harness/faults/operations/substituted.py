"""Mistakes with what the derivative is taken at: the reference's gradient at other inputs, or another function's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from harness.arithmetic import Bounded
from harness.evaluation.references.derived import HandReference
from harness.evaluation.references.expected import gradient_of
from harness.faults.operations.operation_fault import OperationFault
from harness.faults.operations.situation import Situation
from impls.contract import Array
from impls.hand.activations import Softmax
from impls.hand.activations.sigmoidal import sigmoid
from impls.hand.notation import ACTIVATIONS

QUICK = 1.702
"""Of the sigmoid form of gelu: z s(1.702 z), Hendrycks and Gimpel (2016), section 2."""


def elsewhere(at: Situation, name: str) -> Iterator[OperationFault]:
    """Everything of this kind for the gradient of one input."""
    dx = gradient_of(name)
    for other in at.reals:
        value = at.inputs[other]
        substitutes: dict[str, tuple[str, Array]] = {
            f"1 + {other} is used in place of {other}": ("weight offset", value + 1),
            f"{other} − 1 is used in place of {other}": ("weight offset", value - 1),
            f"{other} is left out: ones are used in its place": ("operand missing", np.ones_like(value)),
            f"{other} is left out: zeros are used in its place": ("operand missing", np.zeros_like(value)),
            f"−{other} is used in place of {other}": ("sign of an operand", -value),
        }
        for tensor, array in {"the output": at.output.value, "the upstream": at.upstream}.items():
            if array.shape == value.shape:
                says = f"the derivative is taken at {tensor} in place of {other}"
                substitutes[says] = ("derivative at another tensor", np.asarray(array, value.dtype))
        for third in at.reals:
            if third != other and at.inputs[third].shape == value.shape:
                substitutes[f"{third} is used in place of {other}"] = ("wrong operand", at.inputs[third])
        if value.ndim > 1 and value.shape[-1] == value.shape[-2]:
            substitutes[f"{other} is transposed"] = ("transposed operand", value.swapaxes(-1, -2).copy())
        for says, (cause, array) in substitutes.items():
            change = {other: np.asarray(array, value.dtype)}
            yield OperationFault(cause, f"{says}, in {dx}", partial(at.if_inputs, name, **change))
    for option, values in at.at.options.items():
        for value in values:
            says = f"{option} is ignored: the derivative is that of {option}={value!r} always, in {dx}"
            yield OperationFault("option ignored", says, partial(_with_option, at, name, option, value))
    if isinstance(at.reference, HandReference):
        yield from _other_reads(at, name, at.reference)
    if len(at.expected) == 1 and at.inputs[name].shape == at.upstream.shape:
        yield from _other_activations(at, name)


def _with_option(at: Situation, name: str, option: str, value: Any) -> Bounded:
    return at.at.with_option(option, value).tensors[gradient_of(name)]


def _other_reads(at: Situation, name: str, reference: HandReference) -> Iterator[OperationFault]:
    """A hand rule that reads another tensor of the same shape."""
    dx = gradient_of(name)
    tensors, link = reference.tensors(at.inputs, at.upstream, at.dtype), reference.links(at.inputs)[name]

    def predicted(read: str, other: str) -> Bounded:
        return reference.sent_back(link({**tensors, read: tensors[other]}), tensors)

    for read in link.inputs:
        for other, tensor in tensors.items():
            if other != read and tensor.shape == tensors[read].shape:
                says = f"{other} is used in place of {read}, in {dx}"
                yield OperationFault("derivative at another tensor", says, partial(predicted, read, other))


def _other_activations(at: Situation, name: str) -> Iterator[OperationFault]:
    dx = gradient_of(name)
    z, upstream = at.inputs[name], at.upstream
    for kind, activation in ACTIVATIONS.items():
        if activation is Softmax and z.ndim != 2:
            continue
        says = f"{dx} is the derivative of {kind}"
        yield OperationFault(
            "derivative of another activation", says, partial(_activated, activation(), z, upstream, at)
        )
    says = f"{dx} is the derivative of gelu in its sigmoid form, z s({QUICK} z)"
    yield OperationFault("another form of the function", says, partial(_quick_gelu, at, name))


def _activated(activation: Any, z: Array, upstream: Array, at: Situation) -> Bounded:
    return HandReference(activation).gradients({"z": z}, upstream, at.dtype)["z"]


def _quick_gelu(at: Situation, name: str) -> Bounded:
    z, upstream = at.context.exact(at.inputs[name]), at.context.exact(at.upstream)
    s = sigmoid(QUICK * z)
    return upstream * (s + QUICK * z * s * (1 - s))


def lower_precision(at: Situation, name: str) -> Iterator[OperationFault]:
    """Float32 inside a float64 function: as far off as a right float32 program may be, and every entry one of its own.

    Any small error is as far off. What gives it away is that the numbers were widened.
    """
    dx = gradient_of(name)
    if at.dtype != "float64":
        return
    actual = at.answered.get(name)
    right = at.expected[name]
    if actual is None or actual.shape != right.value.shape or not _held_by_float32(actual):
        return

    def predict() -> Bounded:
        wide = at.reference.gradients(at.inputs, at.upstream, "float32")[name]
        return Bounded(right.value, wide.bound, at.context)

    says = f"{dx} is float64 but computed in float32: every entry is a float32 number, as far off as float32 may be"
    yield OperationFault("computed in float32", says, predict, "size")


def _held_by_float32(actual: Array) -> bool:
    """Whether every entry is a float32 number, and not all of them 0, which is one in every dtype."""
    with np.errstate(all="ignore"):
        return bool(np.array_equal(actual.astype(np.float32), actual) and actual.any())
