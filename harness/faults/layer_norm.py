"""Mistakes of a LayerNorm, xh = (x − m)·r, h = xh·g + b, dx = r·(t − mean t − xh·mean(t·xh)), t = dh·g.

    any rule    variance over K − 1; eps outside the root; another eps; m and v over the samples
    forward     m not subtracted; not divided by the deviation; g or b left out
    dx          mean t left out, xh·mean(t·xh) left out, both (m and v held constant); g left out, or outside the means
    dg          x, or x − m, in place of xh

Over the rows a gain and a bias are summed as those of any layer are (`harness.faults.sums`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from harness.faults.fault import Fault
from harness.faults.place import Place, RuleTable
from impls.hand import LayerNorm
from impls.hand.layers.dense import rows_of

EPSILONS = (1e-5, 1e-6, 1e-8, 1e-12, 1e-3, 0.0)
"""What people write for eps."""
Statistics = Callable[[Any], tuple[Any, Any]]
"""From x to xh and r."""


def layer_norm_faults(place: Place) -> Iterator[Fault]:
    """Mistakes at every rule of a LayerNorm."""
    yield from place.faults_of(_FAULTS)


def statistics(eps: float, *, ddof: int = 0, outside: bool = False, axis: int = -1) -> Statistics:
    """xh and r as a form has them."""

    def of(x: Any) -> tuple[Any, Any]:
        centred = x - x.mean(axis=axis, keepdims=True)
        v = np.square(centred).sum(axis=axis, keepdims=True) / (x.shape[axis] - ddof)
        r = 1 / (np.sqrt(v) + eps) if outside else 1 / np.sqrt(v + eps)
        return centred * r, r

    return of


def _forms(layer: LayerNorm) -> Iterator[tuple[str, str, Statistics]]:
    eps = layer.eps
    if layer.width > 1:
        text = "the variance is divided by one less than the number of neurons, where it belongs over all of them"
        yield "variance over one less", text, statistics(eps, ddof=1)
    text = f"eps is added to the deviation, outside the root, where it belongs to the variance, {eps:g} inside it"
    yield "epsilon outside the root", text, statistics(eps, outside=True)
    for other in EPSILONS:
        if other != eps:
            yield "another epsilon", f"eps is {other:g}, where the layer has {eps:g}", statistics(other)
    text = "mean and variance are taken over the samples (axis 0), where they belong over the neurons of each row"
    yield "normalised over the samples", text, statistics(eps, axis=0)


def _any(place: Place, right: Callable[[Statistics, Mapping[str, Any]], Any]) -> Iterator[Fault]:
    for cause, text, form in _forms(place.layer):
        yield place.fault(cause, text, f"{place.at} with that", partial(right, form))


def _forward(place: Place) -> Iterator[Fault]:
    x, g, b = (place.names[name] for name in ("x", "g", "b"))
    of = statistics(place.layer.eps)
    yield from _any(place, lambda form, t: form(t[x])[0] * t[g] + t[b])
    text = f"the mean of {x} is not subtracted"
    yield place.fault("mean not subtracted", text, f"{x}·r·{g} + {b}", lambda t: t[x] * of(t[x])[1] * t[g] + t[b])
    text = f"{x} − m is not divided by the deviation"
    centred = lambda t: (t[x] - t[x].mean(axis=-1, keepdims=True)) * t[g] + t[b]  # noqa: E731
    yield place.fault("not divided by the deviation", text, f"({x} − m)·{g} + {b}", centred)
    yield place.fault("gain left out", f"the gain {g} is left out", f"xh + {b}", lambda t: of(t[x])[0] + t[b])
    yield place.fault("bias missing", f"the bias {b} is not added", f"xh·{g}", lambda t: of(t[x])[0] * t[g])


def _input(place: Place) -> Iterator[Fault]:
    x, g, dh = (place.names[name] for name in ("x", "g", "dh"))
    of = statistics(place.layer.eps)

    def terms(upstream: Any, form: Statistics, at: Any, mean: bool = True, variance: bool = True) -> Any:
        xh, r = form(at)
        inner = upstream - upstream.mean(axis=-1, keepdims=True) if mean else upstream
        return r * (inner - xh * (upstream * xh).mean(axis=-1, keepdims=True) if variance else inner)

    def without(**which: bool) -> Any:
        return lambda t: terms(t[dh] * t[g], of, t[x], **which)

    text = "the term mean t is left out, by which x reaches every neuron through the row's mean"
    yield place.fault("mean term missing", text, "r·(t − xh·mean(t·xh))", without(mean=False))
    text = "the term xh·mean(t·xh) is left out, by which x reaches every neuron through the row's variance"
    yield place.fault("variance term missing", text, "r·(t − mean t)", without(variance=False))
    text = "mean and variance of a row are held for constants, though every neuron moves them"
    yield place.fault("statistics held constant", text, "r·t", without(mean=False, variance=False))
    text = f"the gain {g} is left out of {place.at}"
    yield place.fault("gain left out", text, f"{place.at} with t = {dh}", lambda t: terms(t[dh], of, t[x]))
    text = f"the gain {g} is multiplied in after the means, to which it belongs"
    outside = lambda t: t[g] * terms(t[dh], of, t[x])  # noqa: E731
    yield place.fault("gain outside the means", text, f"{g}·r·({dh} − mean {dh} − xh·mean({dh}·xh))", outside)
    yield from _any(place, lambda form, t: terms(t[dh] * t[g], form, t[x]))


def _gain(place: Place) -> Iterator[Fault]:
    x, dh = place.names["x"], place.names["dh"]

    def summed(t: Mapping[str, Any], factor: Any) -> Any:
        return (rows_of(t[dh]) * rows_of(factor)).sum(axis=0)

    text = f"{x} itself is taken, where it belongs normalised"
    yield place.fault("input for the normalised", text, f"sum of {dh}·{x}", lambda t: summed(t, t[x]))
    text = f"{x} − m is taken, not divided by the deviation"
    centred = lambda t: summed(t, t[x] - t[x].mean(axis=-1, keepdims=True))  # noqa: E731
    yield place.fault("input for the normalised", text, f"sum of {dh}·({x} − m)", centred)
    yield from _any(place, lambda form, t: summed(t, form(t[x])[0]))


_FAULTS: RuleTable = {LayerNorm: {"h": _forward, "dx": _input, "dg": _gain}}
