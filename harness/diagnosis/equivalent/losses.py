"""Textbook forms of cross-entropies and of their derivatives.

binary         log(1 − a) for log1p(−a); of targets 0 and 1 the logarithm of the probability of what came
               (a − y)/(a(1 − a)), (a − y)/(a − a²); the mean taken term by term
on logits      by log of the sigmoid, log(1 + exp z) − y z; every sigmoid − y
softmax        −log of the softmax, log sum exp without the shift; softmax without the shift − y
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from harness.diagnosis.equivalent.functions import SIGMOIDS, SOFTMAXES, plus_exp
from impls.hand import BinaryCrossEntropy, LogitBinaryCrossEntropy, OneHotCrossEntropy, Scaled, SoftmaxCrossEntropy
from impls.hand.activations.softmax import softmax
from impls.hand.losses.binary import LEAST_LOGARITHM
from impls.hand.losses.cross_entropy import rows_in

Forms = list[tuple[str, str, Any]]
"""Text, what it loses, and the rule of (a, y)."""


def _of_binary(loss: Any, forward: bool) -> Forms:
    if loss.epsilon:
        return []  # they are of the logarithm itself

    def clamped(logarithm: Any) -> Any:
        return np.maximum(logarithm, LEAST_LOGARITHM) if loss.clamp else logarithm

    def terms(a: Any, y: Any) -> Any:
        return y * clamped(np.log(a)) + (1 - y) * clamped(np.log(1 - a))

    def of_what_came(a: Any, y: Any) -> Any:
        """One logarithm, of a or of 1 − a; other targets than 0 and 1 have both."""
        return np.where(y == 1, clamped(np.log(a)), np.where(y == 0, clamped(np.log(1 - a)), terms(a, y)))

    if forward:
        near = "near a = 0"
        return [
            ("binary cross-entropy by log(1 − a)", near, lambda a, y: -terms(a, y).sum() / a.size),
            ("binary cross-entropy by log of the probability", near, lambda a, y: -of_what_came(a, y).sum() / a.size),
        ]
    if loss.clamp:
        return []
    near = "near a = 1"
    return [
        ("(a − y)/(a(1 − a))/N", near, lambda a, y: (a - y) / (a * (1 - a)) / a.size),
        ("(a − y)/(a − a²)/N", near, lambda a, y: (a - y) / (a - np.square(a)) / a.size),
        ("(a − y)/(N·a(1 − a))", near, lambda a, y: (a - y) / (a * (1 - a) * a.size)),
        ("(−y/a + (1 − y)/(1 − a))·(1/N)", "", lambda a, y: (-y / a + (1 - y) / (1 - a)) * (1 / a.size)),
        ("−y/a/N + (1 − y)/(1 − a)/N", "", lambda a, y: -y / a / a.size + (1 - y) / (1 - a) / a.size),
    ]


def _of_logit_binary(loss: Any, forward: bool) -> Forms:  # noqa: ARG001
    found: Forms = []
    if forward:
        for text, _, f in SIGMOIDS:
            found.append(
                (f"y·log s + (1 − y)·log(1 − s), s = {text.format(z='z')}", "far from 0",
                 lambda a, y, f=f: -(y * np.log(f(a)) + (1 - y) * np.log(1 - f(a))).sum() / a.size)
            )  # fmt: skip
        found.append(("log(1 + exp(z)) − y·z", "far left", lambda a, y: (np.log(plus_exp(a)) - y * a).sum() / a.size))
        return found
    return [
        (f"sigmoid(z) − y, sigmoid(z) = {text.format(z='z')}", loses, lambda a, y, f=f: (f(a) - y) / a.size)
        for text, loses, f in SIGMOIDS
    ]


def _log_sum(a: Any) -> Any:
    return np.log(np.exp(a).sum(axis=-1, keepdims=True))


def _shifted_log_sum(a: Any) -> Any:
    largest = a.max(axis=-1, keepdims=True)
    return largest + np.log(np.exp(a - largest).sum(axis=-1, keepdims=True))


def _one_hot(a: Any, y: Any) -> Any:
    """The targets as a distribution over the classes, from labels too."""
    return np.eye(a.shape[-1])[y] if len(y.shape) < len(a.shape) else y


def _logarithms() -> Iterator[tuple[str, str, Any]]:
    near = "where a probability is near 1"
    yield "log of softmax(z)", near, lambda a: np.log(softmax(a))
    for text, _, f in SOFTMAXES:
        yield f"log of {text.format(z='z')}", near, lambda a, f=f: np.log(f(a))
    yield "z − log sum exp(z)", near, lambda a: a - _log_sum(a)
    yield "z − (max z + log sum exp(z − max z))", near, lambda a: a - _shifted_log_sum(a)


def _of_softmax(loss: Any, forward: bool) -> Forms:
    def picked(a: Any, y: Any, f: Any) -> Any:
        logs = f(a)
        return logs[(*np.indices(y.shape), y)] if loss.labels else y * logs

    if forward:
        return [
            (f"cross-entropy by {text}", loses, lambda a, y, f=f: -picked(a, y, f).sum() / rows_in(a))
            for text, loses, f in _logarithms()
        ]

    def total(y: Any) -> Any:
        return 1.0 if loss.labels else y.sum(axis=-1, keepdims=True)

    return [
        (f"softmax(z) − y, softmax(z) = {text.format(z='z')}", loses,
         lambda a, y, f=f: (f(a) * total(y) - _one_hot(a, y)) / rows_in(a))
        for text, loses, f in SOFTMAXES
    ]  # fmt: skip


def _of_scaled(loss: Any, forward: bool) -> Forms:
    inner = FORMS.get(type(loss.loss))
    found = inner(loss.loss, forward) if inner else []
    return [(text, loses, lambda a, y, f=f: loss.times(f(a, y), a)) for text, loses, f in found]


FORMS: Mapping[type, Callable[[Any, bool], Forms]] = {
    BinaryCrossEntropy: _of_binary,
    LogitBinaryCrossEntropy: _of_logit_binary,
    SoftmaxCrossEntropy: _of_softmax,
    OneHotCrossEntropy: _of_softmax,
    Scaled: _of_scaled,
}
"""By class of loss: its forms, or those of its gradient where not `forward`."""
