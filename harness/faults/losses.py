"""Mistakes in the gradient of the loss.

factors        sum for mean and mean for sum, 1/2, 2, N, 1/N, K, 1/K     N samples, K outputs
sign           y − a
other losses   every loss that takes such targets
error          (a − y)^2 not differentiated, sign(a − y), a without its target
cosine         the part along a left in; not divided by the length of a, or of y
logarithm      of the categorical cross-entropy: y log a not differentiated, the error of the other classes added
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from harness.faults.fault import Fault
from harness.faults.formulas import loss_text
from harness.faults.place import UPHILL, Place, of_class
from harness.faults.targets import MEANS_OF_LOGITS, rows_of_classes, targets, what_rows_are
from impls.graph import TARGET
from impls.hand import (
    CategoricalCrossEntropy,
    CosineDistance,
    Hinge,
    Huber,
    KullbackLeibler,
    MeanAbsoluteError,
    OneHotCrossEntropy,
    SoftmaxCrossEntropy,
    SparseCategoricalCrossEntropy,
    SumSquaredError,
    WeightedCrossEntropy,
)
from impls.hand.activations.softmax import softmax
from impls.hand.losses.classes import rows_in
from impls.hand.losses.cosine import length, of_length_one
from impls.hand.losses.scaled import bare, constant_at, factor_text
from impls.hand.losses.squared import sign_of_difference
from impls.hand.notation import LOSSES, name_of


def loss_faults(place: Place) -> Iterator[Fault]:
    """Mistakes at the link from the loss to the output."""
    if not place.of_loss:
        return
    inner = bare(place.layer)
    if place.layer.by != 1:
        by, a = place.layer.by, place.network.output
        text = f"the factor {factor_text(by)} of the loss is left out"
        without = lambda t: place.link(t) / float(constant_at(by, len(t[a])))  # noqa: E731
        yield place.fault("scaled by a constant", text, "da without it", without)
    yield from _factors(place, inner)
    yield from _of_another_kind(place, inner)
    yield from (of_class(_ERRORS, inner) or _errors)(place, inner)


def _factors(place: Place, inner: Any) -> Iterator[Fault]:
    right, a, K = place.link, place.network.output, place.network.outputs
    text = loss_text(place.layer, a, K)
    over_rows, summed = type(inner) in _MEAN_OVER_SAMPLES, type(inner) in _SUM
    sign = "it is written with y − a for a − y, or the loss is maximised"
    if place.updated:
        sign = f"the weights are updated with += ({UPHILL}), or {sign}"
    yield place.fault("sign flipped", f"{place.at} has the wrong sign: {sign}", f"−({text})", lambda t: -right(t))
    says = f"{place.at} is half of what it should be: the loss is taken with a factor 1/2"
    yield place.fault("half", says, f"({text})/2", lambda t: right(t) / 2)
    says = f"{place.at} is twice what it should be: a factor 2 too much, or a 1/2 of the loss forgotten"
    yield place.fault("doubled", says, f"2·({text})", lambda t: 2 * right(t))
    many = {
        "N": (f"the number of {what_rows_are(place)}", lambda t: rows_in(t[a])),
        "K": (f"the number of outputs, {K}", lambda t: K),  # noqa: ARG005
        "NK": ("the number of samples and outputs", lambda t: t[a].size),
    }
    for name in ("N", "K", "NK") if K > 1 else ("N",):
        what, number = many[name]
        whole = name == ("N" if over_rows or K == 1 else "NK")
        up = "sum for mean" if whole and not summed else f"times {name[0]}"
        down = "mean for sum" if whole and summed else f"divided by {name[0]}"
        says = f"{place.at} is {what} times too large" + (": the sum is taken for the mean" if whole else "")
        times = lambda t, n=number: n(t) * right(t)  # noqa: E731
        over = lambda t, n=number: right(t) / n(t)  # noqa: E731
        yield place.fault(up, says, f"({text})·{what}", times)
        says = f"{place.at} is divided by {what}" + (": the mean is taken for the sum" if summed else " once more")
        yield place.fault(down, says, f"({text})/{what}", over)


def other_losses(place: Place, inner: Any) -> Iterator[Any]:
    """Losses of other kinds that take such targets, labels as rows of 0 and 1."""
    classes = rows_of_classes(place)
    for kind in LOSSES.values():
        of_classes = kind in _OF_LABELS.values()
        if kind in (*_OF_LABELS, *_APART, type(inner), _OF_LABELS.get(type(inner))) or (of_classes and not classes):
            continue
        yield kind()


def _of_another_kind(place: Place, inner: Any) -> Iterator[Fault]:
    a, K = place.network.output, place.network.outputs
    y = targets(inner, a)
    for other in other_losses(place, inner):
        label = name_of(other)
        text = f"the gradient of the {label} is taken, where the loss is the {name_of(inner)}"
        rule = lambda t, other=other: other.da(t[a], y(t))  # noqa: E731
        yield place.fault("loss of another kind", text, loss_text(other, a, K), rule)


def _errors(place: Place, inner: Any) -> Iterator[Fault]:  # noqa: ARG001
    right, a = place.link, place.network.output
    text = f"the target y is not subtracted from {a}"
    without = lambda t: right({**t, TARGET: 0 * t[TARGET]})  # noqa: E731
    yield place.fault("target missing", text, f"{place.at} with y = 0", without)
    text = "the squared error itself is passed on, not its derivative"
    yield place.fault("error squared", text, f"({a} − y)²", lambda t: np.square(t[a] - t[TARGET]))
    text = f"only the sign of {a} − y is passed on"
    yield place.fault("error's sign only", text, f"sign({a} − y)", lambda t: sign_of_difference(t[a], t[TARGET]))


def _errors_of_bounded(place: Place, inner: Any) -> Iterator[Fault]:
    a = place.network.output
    first, *others = _errors(place, inner)
    yield first
    text = f"{a} − y is taken as it is, where the {name_of(inner)} is bounded in it"
    yield place.fault("loss of another kind", text, f"({a} − y)/(N·K)", lambda t: (t[a] - t[TARGET]) / t[a].size)
    yield from others


def _errors_of_softmax(place: Place, inner: Any) -> Iterator[Fault]:
    a = place.network.output
    y = targets(inner, a)
    text = f"the softmax of {a} is missing: its logits are compared with the targets"
    yield place.fault("softmax missing", text, f"({a} − y)/N", lambda t: (t[a] - y(t)) / rows_in(t[a]))
    text = f"the softmax of {a} is taken over the samples (axis 0), where it belongs over the classes (axis 1)"
    across = lambda t: (softmax(t[a].T).T - y(t)) / rows_in(t[a])  # noqa: E731
    yield place.fault("softmax over the samples", text, f"(softmax({a}ᵀ)ᵀ − y)/N", across)
    text = f"the target is not subtracted from the softmax of {a}"
    yield place.fault("target missing", text, f"softmax({a})/N", lambda t: softmax(t[a]) / rows_in(t[a]))
    yield from _labels_off(place, inner, f"(softmax({a}) − [class is y", ")/N")


def _errors_of_weighted(place: Place, inner: Any) -> Iterator[Fault]:
    a, options = place.network.output, inner.parameters()
    y = targets(inner, a)
    text = f"the softmax of {a} is missing: its logits are compared with the targets"
    yield place.fault("softmax missing", text, f"({a} − y)/N", lambda t: (t[a] - y(t)) / rows_in(t[a]))
    text = f"the target is not subtracted from the softmax of {a}"
    yield place.fault("target missing", text, f"softmax({a})/N", lambda t: softmax(t[a]) / rows_in(t[a]))
    for option in ("label_smoothing", "class_weights"):
        if options.get(option):
            other = type(inner)(**{name: value for name, value in options.items() if name != option})
            text = f"{option}={options[option]} of the loss is left out"
            rule = lambda t, other=other: other.da(t[a], t[TARGET])  # noqa: E731
            yield place.fault("parameter left out", text, f"{place.at} without {option}", rule)

    def over_all(t: Mapping[str, Any]) -> Any:
        kept = inner.kept(t[TARGET])
        return inner.da(t[a], t[TARGET]) * (float(kept.sum()) / kept.size)

    if inner.ignore_index is not None:
        text = "the mean is over all rows, where it belongs over those whose label is not ignored"
        yield place.fault("ignored rows counted", text, f"{place.at} times the share of rows that count", over_all)


def _errors_of_cosine(place: Place, inner: Any) -> Iterator[Fault]:
    a, eps = place.network.output, inner.eps
    text = f"the part along {a} is not taken off, which changes no angle"
    without = lambda t: -of_length_one(t[TARGET], eps) / length(t[a], eps) / rows_in(t[a])  # noqa: E731
    yield place.fault("term of the derivative missing", text, f"−y/|y|/|{a}|/N", without)
    text = f"{place.at} is not divided by the length of {a}"
    longer = lambda t: place.link(t) * length(t[a], eps)  # noqa: E731
    yield place.fault("factor of the derivative missing", text, f"{place.at}·|{a}|", longer)
    text = "y is not divided by its length"
    longer_y = lambda t: place.link(t) * length(t[TARGET], eps)  # noqa: E731
    yield place.fault("factor of the derivative missing", text, f"{place.at}·|y|", longer_y)


def _errors_of_categorical(place: Place, inner: Any) -> Iterator[Fault]:
    a = place.network.output
    y = targets(inner, a)
    text = f"the target y is left out: −1/{a} is taken for every class"
    yield place.fault("target missing", text, f"−1/{a}/N", lambda t: -1 / t[a] / rows_in(t[a]))
    text = "the loss itself is passed on, not its derivative"
    logarithm = lambda t: -y(t) * np.log(t[a]) / rows_in(t[a])  # noqa: E731
    yield place.fault("logarithm not differentiated", text, f"−y·log({a})/N", logarithm)
    text = f"the other classes are added, as in the binary cross-entropy, where the loss is the {name_of(inner)}"
    binary = lambda t: ((1 - y(t)) / (1 - t[a]) - y(t) / t[a]) / rows_in(t[a])  # noqa: E731
    yield place.fault("loss of another kind", text, f"((1 − y)/(1 − {a}) − y/{a})/N", binary)
    yield from _labels_off(place, inner, "−[class is y", f"/{a}/N")


def _labels_off(place: Place, inner: Any, before: str, after: str) -> Iterator[Fault]:
    right, K = place.link, place.network.outputs
    if inner.labels and K > 1:
        added = "1 is added to the labels, which are counted from 0 as the classes are"
        for by, text in ((1, added), (-1, "1 is subtracted from the labels, as if they were counted from 1")):
            turned = lambda t, by=by: right({**t, TARGET: (t[TARGET] + by) % K})  # noqa: E731
            formula = f"{before} {'+' if by > 0 else '−'} 1]{after}"
            yield place.fault("label off by one", text, formula, turned)


_ERRORS: Mapping[type, Any] = {
    WeightedCrossEntropy: _errors_of_weighted,
    CosineDistance: _errors_of_cosine,
    MeanAbsoluteError: _errors_of_bounded,
    Huber: _errors_of_bounded,
    SoftmaxCrossEntropy: _errors_of_softmax,
    OneHotCrossEntropy: _errors_of_softmax,
    CategoricalCrossEntropy: _errors_of_categorical,
}
_OF_LABELS = {SoftmaxCrossEntropy: OneHotCrossEntropy, SparseCategoricalCrossEntropy: CategoricalCrossEntropy}
"""Losses of labels, and what they are of the same labels as rows of 0 and 1."""
_APART = (WeightedCrossEntropy, KullbackLeibler, Hinge, CosineDistance)
"""Losses that nobody takes for another."""
_MEAN_OVER_SAMPLES = (*MEANS_OF_LOGITS, SparseCategoricalCrossEntropy, CategoricalCrossEntropy)
_SUM = (SumSquaredError,)
