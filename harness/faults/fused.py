"""Mistakes of a fused gradient: that of a loss and of the activation behind it, in one step.

a − y belongs to the pre-activation z of a sigmoid or softmax under cross-entropy (Bishop, "Pattern Recognition and
Machine Learning" (2006), equations (4.91), (4.109)): taken as the gradient of the output, or of z under another loss;
or a gradient by the probability taken as one by the logit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from harness.faults.fault import Fault
from harness.faults.formulas import loss_text
from harness.faults.place import Place, is_activation, of_class
from harness.faults.targets import MEANS_OF_LOGITS, targets
from impls.graph import TARGET
from impls.hand import (
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    LogitBinaryCrossEntropy,
    OneHotCrossEntropy,
    SoftmaxCrossEntropy,
)
from impls.hand.activations.sigmoidal import sigmoid
from impls.hand.activations.softmax import softmax, softmax_vjp
from impls.hand.losses.classes import rows_in
from impls.hand.losses.scaled import bare
from impls.hand.notation import name_of


def fused_faults(place: Place) -> Iterator[Fault]:
    """Gradients of two steps in one that are taken for that of one of them."""
    if place.of_read and is_activation(place.layer) and place.names["a"] == place.network.output:
        yield from _fused_behind(place)
    if place.of_loss and (faults_of := of_class(_FUSED, inner := bare(place.layer))):
        yield from faults_of(place, inner)


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
_FUSED: Mapping[type, Any] = {
    BinaryCrossEntropy: partial(_fused_of_probability, by="(N·K)", many=lambda a: a.size),
    CategoricalCrossEntropy: partial(_fused_of_probability, by="N", many=rows_in),
    LogitBinaryCrossEntropy: _fused_of_logit,
    SoftmaxCrossEntropy: _fused_of_softmax,
    OneHotCrossEntropy: _fused_of_softmax,
}
_OF_LOGITS = (*MEANS_OF_LOGITS, LogitBinaryCrossEntropy)
