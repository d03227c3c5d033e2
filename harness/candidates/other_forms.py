"""Other forms: whether a function that fails is right in another layout, with other targets, or without biases.

Code for rows of 0 and 1 raises where it is given labels, and code for labels where it is given rows of 0 and 1. With
one output, y of shape (N, 1) and an output of shape (N,) broadcast to (N, N), or the reverse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from harness.arithmetic import Profile
from harness.candidates.contracts import Obeyed
from harness.candidates.function import BackwardPass
from harness.candidates.layout import LAYOUTS, layout_of
from harness.candidates.updates import read_off_from
from harness.comparison.judge import Finding
from harness.diagnosis.location import located
from harness.diagnosis.whole_pass import common_factor
from harness.dialects import recognised
from harness.dialects.losses import option_for
from harness.evaluation.point import Point
from harness.usage import UsageError
from impls import hand
from impls.contract import Array
from impls.graph import TARGET
from impls.hand.losses.scaled import around, bare

ROWS_OF_LABELS = {
    hand.SoftmaxCrossEntropy: hand.OneHotCrossEntropy,
    hand.SparseCategoricalCrossEntropy: hand.CategoricalCrossEntropy,
}
"""Losses of labels, and those of the same labels as rows of 0 and 1."""


@dataclass(frozen=True)
class Form:
    """A point with targets of another form, or without biases.

    Attributes:
        flat: whether targets are given without an axis of size 1.
        says: in words that follow ``is right``; empty where all is as it was.
    """

    point: Point
    flat: bool = False
    says: str = ""


def right_elsewhere(
    candidate: BackwardPass, point: Point, profile: Profile, obeyed: Obeyed, layout: str
) -> list[Finding]:
    """A finding that names the layout, or the form of the targets, in which every gradient is right, or it runs."""
    broken = any(finding.fails and finding.kind in ("raised", "shape") for finding in obeyed.findings)
    if not broken and not obeyed.read.located.faulty:
        return []
    runs = list[Finding]()
    for form in (*_forms_of_targets(point), *_without_biases(candidate, point, obeyed.answer.shown)):
        for other in (layout, *(each for each in LAYOUTS if each != layout)) if broken else (layout,):
            if not form.says and other == layout:
                continue
            does = _does(candidate, form, profile, other, broken=broken)
            lies = f"in another layout: layout={other!r} (--layout {other}), if that is the one meant"
            says = f"{does} {', and '.join(filter(None, (form.says, lies if other != layout else '')))}"
            found = Finding(candidate.name, 1, "targets" if form.says else "layout", says, fails=False)
            if does.startswith("is right"):
                return [found]
            runs += [found] if does and broken and form.says and other == layout else []
    return runs[:1]


def _without_biases(candidate: BackwardPass, point: Point, shown: Mapping[str, Array]) -> Iterator[Form]:
    """A chain of layers without biases, where no bias has a gradient, or all of them have 0."""
    network = point.network
    biases = [name for name in network.weights if network.tensors[name].local == "b"]
    gradients = [shown[network.gradient[name]] for name in biases if network.gradient[name] in shown]
    if not isinstance(network, hand.Network) or not biases or any(np.any(gradient) for gradient in gradients):
        return
    layers = [
        hand.Dense(layer.inputs, layer.outputs, bias=False) if isinstance(layer, hand.Dense) else layer
        for layer in network.layers
    ]
    plain = hand.Network(layers, network.loss)
    weights = {name: point.weights[name] for name in plain.weights}
    lr = getattr(candidate.function, "lr", None)
    at = replace(point, network=plain if lr is None else read_off_from(plain, lr, candidate.layout), weights=weights)
    yield Form(at, says=f"for a network without biases: {plain!r} of impls.hand, or bias = false in a .toml file")


def _forms_of_targets(point: Point) -> Iterator[Form]:
    """The targets as they are, and in the other form that people give them."""
    yield Form(point)
    network, y = point.network, point.y
    outer, inner = network.loss, bare(network.loss)
    for labels, rows in ROWS_OF_LABELS.items():
        if type(inner) is labels:
            other, told = np.eye(network.outputs, dtype=point.dtype)[y], "rows of 0 and 1, not labels"
        elif type(inner) is rows and (np.sort(y, axis=-1)[..., :-1] == 0).all():
            other, told = np.argmax(y, axis=-1), "labels, not rows of 0 and 1"
        else:
            continue
        loss = around(outer, (rows if type(inner) is labels else labels)(**inner.guard))
        at = replace(point, network=network.with_loss(loss), y=other)
        yield Form(at, says=f"where y is {told}: {option_for(loss)}")
    if network.tensors[TARGET].shape[-1:] == (1,) and y.ndim == 2:
        flat = "where y has shape (N,), not (N, 1), with which it broadcasts to (N, N): begin with y = y.ravel()"
        yield Form(point, flat=True, says=flat)


def _does(candidate: BackwardPass, form: Form, profile: Profile, layout: str, *, broken: bool) -> str:
    """Whether it is right there, or runs and gives every gradient; in words, none where it does not."""
    point = form.point
    try:
        lies = layout_of(layout, point.network, point)
    except UsageError:  # its tensors cannot lie so
        return ""
    other, at = copy(candidate), point.elsewhere(point.weights, slice(0, lies.rows(point.rows)))
    other.layout, other.flat = lies, form.flat
    answer = other.answer(at)
    if any(finding.fails for finding in answer.findings) or not answer.shown.keys() >= set(point.network.gradients):
        return ""
    right = not located(at, answer.shown, profile, candidate.name).faulty
    right = right or (broken and not recognised(at, answer.shown, profile, candidate.name)[0].located.faulty)
    if right:
        return "is right"
    factor = common_factor(at, answer.shown)
    return f"is right, but for the factor {factor:g}," if factor else "runs, and is wrong otherwise,"
