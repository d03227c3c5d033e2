"""Mistakes in the gradient of the loss, and in how it meets the activation behind it.

factors        sum for mean and mean for sum, 1/2, 2, N, 1/N, K, 1/K     N samples, K outputs
sign           y − a
other losses   every loss that takes such targets
error          (a − y)^2 not differentiated, sign(a − y), a without its target
fused          a − y belongs to the pre-activation z of a sigmoid or softmax under cross-entropy (Bishop, "Pattern
               Recognition and Machine Learning" (2006), equations (4.91), (4.109)): taken as the gradient of the
               output, or of z under another loss; or a gradient by the probability taken as one by the logit
cosine         the part along a left in; not divided by the length of a, or of y
logarithm      of the categorical cross-entropy: y log a not differentiated, the error of the other classes added
clamps         of cross-entropies on probabilities: y/(a + eps) and (1 − y)/(1 − a + eps), (a − y)/(a(1 − a) + eps), a
               clipped to [eps, 1 − eps], where the loss has no such eps, or none of the loss's; torch's floor 1e-12
               under a(1 − a), where the loss has none, or the reverse
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from harness.faults.fault import Fault
from harness.faults.formulas import loss_text
from harness.faults.place import UPHILL, Place, is_activation, of_class
from impls.graph import TARGET, Rule
from impls.hand import (
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    CosineDistance,
    Hinge,
    Huber,
    KullbackLeibler,
    LogitBinaryCrossEntropy,
    MeanAbsoluteError,
    OneHotCrossEntropy,
    SoftmaxCrossEntropy,
    SparseCategoricalCrossEntropy,
    SumSquaredError,
    WeightedCrossEntropy,
)
from impls.hand.activations.sigmoidal import sigmoid
from impls.hand.activations.softmax import softmax, softmax_vjp
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


def fused_faults(place: Place) -> Iterator[Fault]:
    """Gradients of two steps in one that are taken for that of one of them."""
    if place.of_read and is_activation(place.layer) and place.names["a"] == place.network.output:
        yield from _fused_behind(place)
    if place.of_loss and (faults_of := of_class(_FUSED, inner := bare(place.layer))):
        yield from faults_of(place, inner)


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


def targets(inner: Any, a: str) -> Any:
    """The rule that gives the targets in the shape of the output `a`: labels as rows of 0 and 1."""

    def one_hot(t: Mapping[str, Any]) -> Any:
        chosen = np.arange(t[a].shape[-1]) == t[TARGET][..., None]
        return chosen.astype(float) + 0 * t[a]  # of the number type of the output

    return one_hot if inner.labels else lambda t: t[TARGET]


def rows_of_classes(place: Place) -> bool:
    """Whether the output has a row of several classes for each sample."""
    return len(place.network.tensors[place.network.output].shape) >= 2 and place.network.outputs > 1


def what_rows_are(place: Place) -> str:
    """What the rows of the output stand for."""
    return "samples" if len(place.network.tensors[place.network.output].shape) < 3 else "samples and positions"


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


def _fused_of_probability(place: Place, inner: Any, by: str, many: Callable[[Any], Any]) -> Iterator[Fault]:
    a, kind = place.network.output, inner.output_activation
    y = targets(inner, a)
    text = f"{a} − y is the gradient of the pre-activation, after the {kind}'s derivative, not that of {a}"
    fused = lambda t: (t[a] - y(t)) / many(t[a])  # noqa: E731
    yield place.fault("fused gradient before its activation", text, f"({a} − y)/{by}", fused)


def _fused_of_logit(place: Place, inner: Any) -> Iterator[Fault]:  # noqa: ARG001
    right, a, K = place.link, place.network.output, place.network.outputs
    text = f"the derivative by the probability sigmoid({a}) is taken, where the loss reads the logit {a}"
    by = lambda t: BinaryCrossEntropy().da(sigmoid(t[a]), t[TARGET])  # noqa: E731
    yield place.fault("gradient by the probability", text, loss_text(BinaryCrossEntropy(), f"s({a})", K), by)
    text = f"s({a}) − y holds the sigmoid's derivative already; it is multiplied in once more"
    again = lambda t: right(t) * (sigmoid(t[a]) * (1 - sigmoid(t[a])))  # noqa: E731
    yield place.fault("derivative after a fused gradient", text, f"{place.at} · s({a})·(1 − s({a}))", again)


def _fused_of_softmax(place: Place, inner: Any) -> Iterator[Fault]:
    right, a = place.link, place.network.output
    y = targets(inner, a)
    text = f"the derivative by the probability softmax({a}) is taken, where the loss reads the logit {a}"
    by = lambda t: -y(t) / softmax(t[a]) / rows_in(t[a])  # noqa: E731
    yield place.fault("gradient by the probability", text, f"−y/softmax({a})/N", by)
    text = f"softmax({a}) − y holds the softmax's derivative already; it is applied once more"
    again = lambda t: softmax_vjp(right(t), softmax(t[a]))  # noqa: E731
    yield place.fault("derivative after a fused gradient", text, f"softmax's Jacobian · {place.at}", again)


def _fused_behind(place: Place) -> Iterator[Fault]:
    inner, a, K = bare(place.network.loss), place.network.output, place.network.outputs
    if type(inner) in _OF_LOGITS or place.hands_on:
        return
    y, kind = targets(inner, a), of_class(_FUSING, inner)
    if place.label == kind:
        entries = "1/N" if K == 1 or kind == "softmax" else f"1/({K}·N)"
        text = f"{a} − y is taken for {place.at}, without the {entries} of the mean"
        yield place.fault("sum for mean", text, f"{a} − y", lambda t: t[a] - y(t))
        if entries != "1/N":
            text = f"({a} − y)/N is taken for {place.at}, without the 1/{K} of the mean over the outputs"
            yield place.fault("times K", text, f"({a} − y)/N", lambda t: (t[a] - y(t)) / rows_in(t[a]))
        return
    here = f"the loss is the {name_of(inner)}"
    here = f"the activation is {place.label}, and no {kind}" if kind else here
    text = (
        f"{a} − y is taken for {place.at}, which is right for a sigmoid or softmax under its cross-entropy; here {here}"
    )
    cause = "fused gradient with another loss"
    yield place.fault(cause, text, f"{a} − y", lambda t: t[a] - y(t))
    yield place.fault(cause, text, f"({a} − y)/N", lambda t: (t[a] - y(t)) / rows_in(t[a]))
    if K > 1:
        yield place.fault(cause, text, f"({a} − y)/(N·{K})", lambda t: (t[a] - y(t)) / t[a].size)


_FUSING: Mapping[type, str] = {BinaryCrossEntropy: "sigmoid", CategoricalCrossEntropy: "softmax"}
"""The activation whose derivative cancels against that of a loss."""
_ERRORS: Mapping[type, Any] = {
    WeightedCrossEntropy: _errors_of_weighted,
    CosineDistance: _errors_of_cosine,
    MeanAbsoluteError: _errors_of_bounded,
    Huber: _errors_of_bounded,
    SoftmaxCrossEntropy: _errors_of_softmax,
    OneHotCrossEntropy: _errors_of_softmax,
    CategoricalCrossEntropy: _errors_of_categorical,
}
_FUSED: Mapping[type, Any] = {
    BinaryCrossEntropy: partial(_fused_of_probability, by="(N·K)", many=lambda a: a.size),
    CategoricalCrossEntropy: partial(_fused_of_probability, by="N", many=rows_in),
    LogitBinaryCrossEntropy: _fused_of_logit,
    SoftmaxCrossEntropy: _fused_of_softmax,
    OneHotCrossEntropy: _fused_of_softmax,
}
_OF_LABELS = {SoftmaxCrossEntropy: OneHotCrossEntropy, SparseCategoricalCrossEntropy: CategoricalCrossEntropy}
"""Losses of labels, and what they are of the same labels as rows of 0 and 1."""
_APART = (WeightedCrossEntropy, KullbackLeibler, Hinge, CosineDistance)
"""Losses that nobody takes for another."""
MEANS_OF_LOGITS = (SoftmaxCrossEntropy, OneHotCrossEntropy)
_MEAN_OVER_SAMPLES = (*MEANS_OF_LOGITS, SparseCategoricalCrossEntropy, CategoricalCrossEntropy)
_OF_LOGITS = (*MEANS_OF_LOGITS, LogitBinaryCrossEntropy)
_SUM = (SumSquaredError,)


EPSILONS = (*(10.0**-power for power in range(1, 17)), float(np.finfo(np.float32).eps), float(np.finfo(np.float64).eps))
"""What people write to keep the argument of a logarithm, or a denominator, from 0."""


GUARDS = ("output clipped", "epsilon inside the logarithm", "epsilon in the denominator", "another clamp")
"""The causes that are a number beside a probability."""


def clamp_faults(place: Place) -> Iterator[Fault]:
    """Guards in the gradient of a cross-entropy, where the loss has another or none."""
    inner, a = bare(place.layer), place.network.output
    if not (place.of_loss and hasattr(inner, "guard")):
        return
    for text, other in _other_clamps(inner):
        unlike = lambda t, other=other: other.da(t[a], t[TARGET])  # noqa: E731
        yield place.fault("another clamp", text, loss_text(other, a, place.network.outputs), unlike)
    if not inner.on_probabilities:
        yield from _guards_on_logits(place, inner)
        return
    if inner.clip:
        text = f"the clip is not differentiated: where {a} is clipped, the loss does not change with it"
        bare_inner: Any = type(inner)()
        passed = lambda t: bare_inner.da(inner.guarded(t[a]), t[TARGET])  # noqa: E731
        yield place.fault("output clipped", text, f"{place.at} of the clipped {a}, there too", passed)
    added = of_class(_ADDED, inner)
    for eps in EPSILONS:
        text = f"{eps:g} is added in the denominator"
        for formula, rule in added(place, inner, eps) if added and eps != inner.epsilon else ():
            yield place.fault("epsilon in the denominator", text, formula, rule)
        text = f"{a} is clipped to [{eps:g}, 1 − {eps:g}] first"
        clipped = lambda t, eps=eps: place.link({**t, a: np.minimum(np.maximum(t[a], eps), 1 - eps)})  # noqa: E731
        if eps != inner.clip:
            yield place.fault("output clipped", text, f"{place.at} of the clipped {a}", clipped)


def _guards_on_logits(place: Place, inner: Any) -> Iterator[Fault]:
    a = place.network.output
    for eps in EPSILONS if not inner.guard else ():
        for cause, guard in (("epsilon inside the logarithm", "epsilon"), ("output clipped", "clip")):
            other = type(inner)(**{guard: eps})
            text = f"it is the gradient of the loss with {guard}={eps:g}, which the {inner.applies} of {a} has here"
            guarded = lambda t, other=other: other.da(t[a], t[TARGET])  # noqa: E731
            yield place.fault(cause, text, loss_text(other, a, place.network.outputs), guarded)


def _other_clamps(inner: Any) -> Iterator[tuple[str, Any]]:
    for name, size in inner.guard.items():
        yield f"the {name} {size:g} of the loss is left out", type(inner)()
    clamp = getattr(inner, "clamp", "")
    if clamp != "" and not inner.guard:
        which = "without a clamp" if clamp else "with torch's clamp"
        yield f"the form {which} is differentiated", type(inner)(None if clamp else "torch")


def _added_to_binary(place: Place, _: Any, eps: float) -> Iterator[tuple[str, Rule]]:
    a, entries = place.network.output, f"(N·{place.network.outputs})"
    other = BinaryCrossEntropy(epsilon=eps)
    apart = f"((1 − y)/(1 − {a} + {eps:g}) − y/({a} + {eps:g}))/{entries}"
    yield apart, lambda t: other.da(t[a], t[TARGET])
    together = f"({a} − y)/({a}·(1 − {a}) + {eps:g})/{entries}"
    yield together, lambda t: (t[a] - t[TARGET]) / (t[a] * (1 - t[a]) + eps) / t[a].size


def _added_to_categorical(place: Place, inner: Any, eps: float) -> Iterator[tuple[str, Rule]]:
    a, other = place.network.output, type(inner)(epsilon=eps)
    yield loss_text(other, a, place.network.outputs), lambda t: other.da(t[a], t[TARGET])


_ADDED: Mapping[type, Any] = {BinaryCrossEntropy: _added_to_binary, CategoricalCrossEntropy: _added_to_categorical}
