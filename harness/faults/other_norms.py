"""Mistakes of RMSNorm, xh = x·r, h = xh·g, and of GroupNorm, xh = (x − m)·r, h = xh·g + b, over the groups of channels.

RMSNorm     forward  the mean subtracted too (a LayerNorm's); eps outside the root; another eps; g left out
            dx       xh·mean(t·xh) left out; mean t subtracted too; g left out, or outside the mean
            dg       x in place of xh
GroupNorm   any      variance over n − 1; eps outside the root; the channels of a group taken from all over
            forward  g or b left out
            dx       mean t left out, xh·mean(t·xh) left out, both; g left out, or outside the means
            dg       x in place of xh

dx = r·(t − xh·mean(t·xh)), of a GroupNorm r·(t − mean t − xh·mean(t·xh)); t = dh·g.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from harness.faults.fault import Fault
from harness.faults.layer_norm import EPSILONS, Statistics, statistics
from harness.faults.place import Place, RuleTable, with_options
from impls.hand import GroupNorm, RMSNorm
from impls.hand.layers.dense import rows_of
from impls.hand.layers.layer_norm import standardised

Tensors = Mapping[str, Any]


def other_norm_faults(place: Place) -> Iterator[Fault]:
    """Mistakes at every rule of these layers."""
    yield from place.faults_of(_FAULTS)


def _terms(form: Statistics, t: Any, x: Any, *, mean: bool = True, variance: bool = True) -> Any:
    """r·(t − mean t − xh·mean(t·xh)), with or without these terms."""
    xh, r = form(x)
    inner = t - t.mean(axis=-1, keepdims=True) if mean else t
    return r * (inner - xh * (t * xh).mean(axis=-1, keepdims=True) if variance else inner)


def _mean_square(eps: float, *, outside: bool = False) -> Statistics:
    def of(x: Any) -> tuple[Any, Any]:
        q = np.square(x).mean(axis=-1, keepdims=True)
        r = 1 / (np.sqrt(q) + eps) if outside else 1 / np.sqrt(q + eps)
        return x * r, r

    return of


def _other_epsilons(place: Place, right: Any) -> Iterator[Fault]:
    eps = place.layer.eps
    text = f"eps is added to the root mean square, where it belongs to the mean square, {eps:g} inside the root"
    yield place.fault(
        "epsilon outside the root", text, f"{place.at} with that", partial(right, _mean_square(eps, outside=True))
    )
    for other in EPSILONS:
        if other != eps:
            text = f"eps is {other:g}, where the layer has {eps:g}"
            yield place.fault("another epsilon", text, f"{place.at} with that", partial(right, _mean_square(other)))


def _rms(place: Place) -> Iterator[Fault]:
    x, g, eps = place.names["x"], place.names["g"], place.layer.eps
    yield from _other_epsilons(place, lambda form, t: form(t[x])[0] * t[g])
    text = f"the mean of {x} is subtracted, which a LayerNorm does and an RMSNorm does not"
    yield place.fault("mean subtracted", text, f"({x} − m)·r·{g}", lambda t: standardised(t[x], eps) * t[g])
    yield _without_gain(place)


def _rms_input(place: Place) -> Iterator[Fault]:
    x, g, dh = (place.names[name] for name in ("x", "g", "dh"))
    form = _mean_square(place.layer.eps)
    text = "the term xh·mean(t·xh) is left out, by which x reaches every neuron through the row's mean square"
    alone = lambda t: _terms(form, t[dh] * t[g], t[x], mean=False, variance=False)  # noqa: E731
    yield place.fault("statistics held constant", text, "r·t", alone)
    text = "the mean of t is subtracted, which a LayerNorm's rule does and an RMSNorm's does not"
    yield place.fault(
        "mean subtracted", text, "r·(t − mean t − xh·mean(t·xh))", lambda t: _terms(form, t[dh] * t[g], t[x])
    )
    yield _without_gain(place)
    text = f"the gain {g} is multiplied in after the mean, to which it belongs"
    outside = lambda t: t[g] * _terms(form, t[dh], t[x], mean=False)  # noqa: E731
    yield place.fault("gain outside the means", text, f"{g}·r·({dh} − xh·mean({dh}·xh))", outside)
    yield from _other_epsilons(place, lambda form, t: _terms(form, t[dh] * t[g], t[x], mean=False))


def _rms_gain(place: Place) -> Iterator[Fault]:
    x, dh = place.names["x"], place.names["dh"]
    text = f"{x} itself is taken, where it belongs divided by its root mean square"
    whole = lambda t: (rows_of(t[dh]) * rows_of(t[x])).sum(axis=0)  # noqa: E731
    yield place.fault("input for the normalised", text, f"sum of {dh}·{x}", whole)
    yield from _other_epsilons(place, lambda form, t: (rows_of(t[dh]) * rows_of(form(t[x])[0])).sum(axis=0))


def _without(place: Place, name: str, value: float, cause: str, says: str) -> Fault:
    """The rule with a weight of no effect."""
    rule = lambda t: place.link({**t, name: np.full_like(t[name], value)})  # noqa: E731
    return place.fault(cause, says, f"{place.at} without {name}", rule)


def _without_gain(place: Place) -> Fault:
    g = place.names["g"]
    return _without(place, g, 1, "gain left out", f"the gain {g} is left out of {place.at}")


def _of_groups(place: Place) -> Iterator[Fault]:
    """Mistakes of any rule of a GroupNorm that takes statistics."""
    layer = place.layer
    text = "the channels of a group are taken from all over, one in every few, where they lie together"
    turned = np.arange(layer.channels).reshape(-1, layer.groups).T.reshape(-1)
    if (turned != np.arange(layer.channels)).any():
        yield place.fault("channels of another group", text, f"{place.at} of other groups", _regrouped(place, turned))
    text = f"eps is {EPSILONS[1]:g}, where the layer has {layer.eps:g}"
    if layer.eps != EPSILONS[1]:
        other = getattr(with_options(layer, eps=EPSILONS[1]), place.link.rule.__name__)
        rule = lambda t: other(*(t[name] for name in place.link.inputs))  # noqa: E731
        yield place.fault("another epsilon", text, f"{place.at} with that", rule)


def _regrouped(place: Place, turned: Any) -> Any:
    """The rule on channels in another order, put back."""
    back = np.argsort(turned)
    local = {place.names[name]: name for name in ("x", "dh", "g", "b")}

    def rule(t: Tensors) -> Any:
        moved = [t[name][:, turned] if local[name] in ("x", "dh") else t[name][turned] for name in place.link.inputs]
        result = place.link.rule(*moved)
        return result[:, back] if place.link.local != "dg" else result[back]

    return rule


def _group(place: Place) -> Iterator[Fault]:
    x, g, b = (place.names[name] for name in ("x", "g", "b"))
    yield _without_gain(place)
    yield _without(place, b, 0, "bias missing", f"the bias {b} is not added")
    yield from _of_groups(place)

    def affine(form: Statistics, t: Tensors) -> Any:
        layer, at = place.layer, t[x]
        xh = form(layer.rows(at))[0]
        return (xh * layer.spread(t[g], at) + layer.spread(t[b], at)).reshape(*at.shape)

    yield from _forms(place, affine)


def _forms(place: Place, right: Any) -> Iterator[Fault]:
    eps = place.layer.eps
    text = "the variance is divided by one less than the number of entries of a group"
    yield place.fault("variance over one less", text, f"{place.at} with that", partial(right, statistics(eps, ddof=1)))
    text = f"eps is added to the deviation, outside the root, where it belongs to the variance, {eps:g} inside it"
    form = statistics(eps, outside=True)
    yield place.fault("epsilon outside the root", text, f"{place.at} with that", partial(right, form))


def _group_input(place: Place) -> Iterator[Fault]:
    x, g, dh, layer = place.names["x"], place.names["g"], place.names["dh"], place.layer

    def terms(form: Statistics, t: Tensors, outside: bool = False, **which: bool) -> Any:
        gain, upstream = layer.spread(t[g], t[x]), layer.rows(t[dh])
        inner = _terms(form, upstream if outside else upstream * gain, layer.rows(t[x]), **which)
        return (inner * gain if outside else inner).reshape(*t[x].shape)

    of = statistics(layer.eps)
    text = "the term mean t is left out, by which x reaches its whole group through the mean"
    yield place.fault("mean term missing", text, "r·(t − xh·mean(t·xh))", partial(terms, of, mean=False))
    text = "the term xh·mean(t·xh) is left out, by which x reaches its whole group through the variance"
    yield place.fault("variance term missing", text, "r·(t − mean t)", partial(terms, of, variance=False))
    text = "mean and variance of a group are held for constants, though every entry moves them"
    constant = partial(terms, of, mean=False, variance=False)
    yield place.fault("statistics held constant", text, "r·t", constant)
    yield _without_gain(place)
    text = f"the gain {g} is multiplied in after the means, to which it belongs"
    formula = f"{g}·r·({dh} − mean {dh} − xh·mean({dh}·xh))"
    yield place.fault("gain outside the means", text, formula, partial(terms, of, outside=True))
    yield from _of_groups(place)
    yield from _forms(place, terms)


def _group_gain(place: Place) -> Iterator[Fault]:
    x, dh = place.names["x"], place.names["dh"]

    def summed(t: Tensors, factor: Any) -> Any:
        return (t[dh].reshape(len(t[dh]), place.layer.channels, -1) * factor).sum(axis=(0, 2))

    text = f"{x} itself is taken, where it belongs normalised"
    whole = lambda t: summed(t, t[x].reshape(len(t[x]), place.layer.channels, -1))  # noqa: E731
    yield place.fault("input for the normalised", text, f"sum of {dh}·{x}", whole)
    yield from _of_groups(place)


_FAULTS: RuleTable = {
    RMSNorm: {"h": _rms, "dx": _rms_input, "dg": _rms_gain},
    GroupNorm: {"h": _group, "dx": _group_input, "dg": _group_gain},
}
