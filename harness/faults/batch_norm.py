"""Mistakes of a BatchNorm, xh = (x − m)·r, h = xh·g + b, dx = r·g·(dh − mean dh − xh·mean(dh·xh)).

training    variance over n − 1; eps outside the root; m and v of each row in place of each channel; running ones
            dx: mean dh left out, xh·mean(dh·xh) left out, both (m and v held constant); g left out
            dg: x, or x − m, in place of xh
evaluation  m and v of the batch
kept        the momentum turned round; the variance over n in place of n − 1, or the other way round
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from harness.faults.fault import Fault
from harness.faults.layer_norm import Statistics, statistics
from harness.faults.place import Place, RuleTable, with_options
from impls.hand import BatchNorm, BatchNormEvaluation
from impls.hand.layers.batch_norm import by_channel, from_channels


def batch_norm_faults(place: Place) -> Iterator[Fault]:
    """Mistakes at every rule of a BatchNorm."""
    yield from place.faults_of(_FAULTS)


def _forms(place: Place) -> Iterator[tuple[str, str, Statistics]]:
    eps = place.layer.eps
    text = "the variance is divided by one less than the number of entries of a channel"
    yield "variance over one less", text, statistics(eps, ddof=1)
    text = f"eps is added to the deviation, outside the root, where it belongs to the variance, {eps:g} inside it"
    yield "epsilon outside the root", text, statistics(eps, outside=True)
    text = "mean and variance are taken over the channels, where they belong over the batch, of each channel"
    yield "normalised over the channels", text, statistics(eps, axis=0)


def _any(place: Place, right: Callable[[Statistics, Mapping[str, Any]], Any]) -> Iterator[Fault]:
    for cause, text, form in _forms(place):
        yield place.fault(cause, text, f"{place.at} with that", partial(right, form))


def _forward(place: Place) -> Iterator[Fault]:
    x, g, b, mean, var = (place.names[name] for name in ("x", "g", "b", "running_mean", "running_var"))

    def affine(xh: Any, t: Mapping[str, Any]) -> Any:
        return from_channels(xh * t[g][:, None] + t[b][:, None], t[x].shape)

    yield from _any(place, lambda form, t: affine(form(by_channel(t[x]))[0], t))
    evaluated = BatchNormEvaluation(place.layer.channels, place.layer.eps)
    text = f"{mean} and {var} are taken, where in training the mean and variance of the batch belong"
    running = lambda t: evaluated.forward(t[x], t[g], t[b], t[mean], t[var])  # noqa: E731
    yield place.fault("running statistics in training", text, f"({x} − {mean})·r·{g} + {b}", running)
    right = place.link
    text = f"the gain {g} is left out"
    yield place.fault("gain left out", text, f"xh + {b}", lambda t: right({**t, g: np.full_like(t[g], 1)}))
    text = f"the bias {b} is not added"
    yield place.fault("bias missing", text, f"xh·{g}", lambda t: right({**t, b: 0 * t[b]}))


def _input(place: Place) -> Iterator[Fault]:
    x, g, dh = (place.names[name] for name in ("x", "g", "dh"))
    of = statistics(place.layer.eps)

    def terms(form: Statistics, t: Mapping[str, Any], mean: bool = True, variance: bool = True) -> Any:
        upstream, (xh, r) = by_channel(t[dh]) * t[g][:, None], form(by_channel(t[x]))
        inner = upstream - upstream.mean(axis=-1, keepdims=True) if mean else upstream
        inner = inner - xh * (upstream * xh).mean(axis=-1, keepdims=True) if variance else inner
        return from_channels(r * inner, t[x].shape)

    text = "the term mean dh is left out, by which x reaches the whole channel through its mean"
    yield place.fault("mean term missing", text, f"r·{g}·({dh} − xh·mean)", partial(terms, of, mean=False))
    text = "the term xh·mean(dh·xh) is left out, by which x reaches the whole channel through its variance"
    yield place.fault("variance term missing", text, f"r·{g}·({dh} − mean)", partial(terms, of, variance=False))
    text = "mean and variance of a channel are held for constants, though every entry moves them"
    constant = partial(terms, of, mean=False, variance=False)
    yield place.fault("statistics held constant", text, f"r·{g}·{dh}", constant)
    text = f"the gain {g} is left out of {place.at}"
    without = lambda t: place.link({**t, g: np.full_like(t[g], 1)})  # noqa: E731
    yield place.fault("gain left out", text, f"r·({dh} − mean {dh} − xh·mean({dh}·xh))", without)
    yield from _any(place, terms)


def _by_input(place: Place) -> Iterator[Fault]:
    x, dh = place.names["x"], place.names["dh"]
    text = f"{x} itself is taken, where it belongs normalised"
    rule = lambda t: (by_channel(t[dh]) * by_channel(t[x])).sum(axis=-1)  # noqa: E731
    yield place.fault("input for the normalised", text, f"sum of {dh}·{x}", rule)


def _gain(place: Place) -> Iterator[Fault]:
    x, dh = place.names["x"], place.names["dh"]
    yield from _by_input(place)
    yield from _any(place, lambda form, t: (by_channel(t[dh]) * form(by_channel(t[x]))[0]).sum(axis=-1))


def _evaluated(place: Place) -> Iterator[Fault]:
    x, g, b, mean, var = (place.names[name] for name in ("x", "g", "b", "running_mean", "running_var"))
    training = BatchNorm(place.layer.channels, place.layer.eps)
    text = f"mean and variance of the batch are taken, where {mean} and {var} belong"
    rule = lambda t: training.forward(t[x], t[g], t[b])  # noqa: E731
    yield place.fault("statistics of the batch in evaluation", text, f"({x} − m)·r·{g} + {b}", rule)


def _kept(place: Place) -> Iterator[Fault]:
    local, layer = place.link.local, place.layer
    turned = with_options(layer, momentum=1 - layer.momentum)
    if layer.momentum != 0.5:
        text = f"the momentum {layer.momentum:g} weighs the wrong side, as it would from the other framework"
        rule = lambda t: getattr(turned, local)(*(t[name] for name in place.link.inputs))  # noqa: E731
        yield place.fault("momentum turned round", text, f"{place.at} with 1 − momentum", rule)
    if local == "next_running_var":
        other = with_options(layer, unbiased=not layer.unbiased)
        text = f"the variance is over {'n' if layer.unbiased else 'n − 1'}, where it is kept over the other"
        biased = lambda t: other.next_running_var(*(t[name] for name in place.link.inputs))  # noqa: E731
        yield place.fault("biased for unbiased", text, f"{place.at} of the other variance", biased)


_FAULTS: RuleTable = {
    BatchNorm: {
        "h": _forward, "dx": _input, "dg": _gain, "next_running_mean": _kept, "next_running_var": _kept,
    },
    BatchNormEvaluation: {"h": _evaluated, "dg": _by_input},
}  # fmt: skip
