"""Mistakes of attention: its scale, its mask, its products, its heads; of positions, and of a tied embedding.

    scores      1/√D left out, 1/D for it, √D multiplied in    forward, and in dq or dk alone
                dk = ds q for dsᵀ q                            queries and keys are as many, so that shapes fit
    softmax     no mask; a mask one off, or turned round       forward, and in the backward only, its softmax taken anew
                over the queries
                a·da: its coupling left out                    as of any softmax (`harness.faults.variants`)
    heads       one head's gradient in another's place; q, k and v in each other's; one of them alone
                put side by side without turning the axes
    positions   those of another position; counted backwards

Formulas as in `impls.hand.layers.attention` and `impls.hand.layers.positions`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from harness.faults.fault import Fault
from harness.faults.place import Place, RuleTable
from impls.graph import prefixed
from impls.hand import AttentionScores, CausalSoftmax, MatrixProduct, MergeHeads, Positions, SplitHeads
from impls.hand.activations.softmax import softmax, softmax_vjp
from impls.hand.layers.attention import merged
from impls.hand.layers.matrix_product import swapped


def attention_faults(place: Place) -> Iterator[Fault]:
    """Mistakes at every rule of these layers, and heads that are mixed up at any of them."""
    yield from place.faults_of(_FAULTS)
    if isinstance(place.layer, _OF_HEADS) and not place.forward:
        yield from _heads(place)


def _scale(place: Place) -> Iterator[Fault]:
    right, D = place.link, place.network.tensors[place.names["q"]].width
    root, what = math.sqrt(D), f"√{D}, the root of a head's neurons"
    if D == 1:
        return
    text = f"{place.at} is not divided by {what}"
    yield place.fault("scale missing", text, f"{place.at}·√{D}", lambda t: right(t) * root)
    text = f"{place.at} is divided by {D}, where its root belongs"
    yield place.fault("divided by D for its root", text, f"{place.at}/√{D}", lambda t: right(t) / root)
    text = f"{place.at} is multiplied by {what}, where it is to be divided"
    yield place.fault("multiplied by the scale", text, f"{place.at}·{D}", lambda t: right(t) * D)


def _keys(place: Place) -> Iterator[Fault]:
    yield from _scale(place)
    ds, q = place.names["ds"], place.names["q"]
    shape = place.network.tensors[place.names["s"]].shape
    if shape[-1] == shape[-2] != 1:
        text = f"{ds} is not transposed: its rows belong to queries, those of {place.at} to keys"
        turned = lambda t: place.link({**t, ds: swapped(t[ds])})  # noqa: E731
        yield place.fault("not transposed", text, f"{ds} · {q}", turned)


MASKS = (
    ("mask missing", "no mask is applied: every query sees every key", lambda T: np.ones((T, T), bool)),
    ("mask one off", "the mask lets a query see one key too many, the next one", lambda T: np.tri(T, k=1, dtype=bool)),
    ("mask turned round", "the mask hides what came before a query, not what comes after it",
     lambda T: np.tri(T, dtype=bool).T),
)  # fmt: skip


def _masked(seen: Any, z: str, t: Mapping[str, Any]) -> Any:
    """The softmax over what is seen; scores of any number type, none of which is infinite."""
    a = np.exp(t[z] - t[z].max(axis=-1, keepdims=True)) * seen
    return a / a.sum(axis=-1, keepdims=True)


def _mask(place: Place) -> Iterator[Fault]:
    z, T = place.names["z"], place.tensor.width
    for cause, text, mask in MASKS if T > 1 else ():
        yield place.fault(cause, text, f"softmax({z}) under that mask", partial(_masked, mask(T), z))
    text = "the softmax is taken over the queries, where it belongs over the keys"
    over = lambda t: swapped(softmax(swapped(t[z]))) * np.tri(T, dtype=bool)  # noqa: E731
    yield place.fault("softmax over the queries", text, f"softmax({z}ᵀ)ᵀ, masked", over)


def _mask_backward(place: Place) -> Iterator[Fault]:
    z, da, T = place.names["z"], place.names["da"], place.tensor.width
    for cause, text, mask in MASKS if T > 1 else ():
        says = f"the softmax is taken anew in the backward pass, and there {text}"
        anew = partial(_masked, mask(T), z)
        again = lambda t, anew=anew: softmax_vjp(t[da], anew(t))  # noqa: E731
        yield place.fault(cause, says, f"a·({da} − sum of {da}·a), a = softmax({z}) under that mask", again)


def _heads(place: Place) -> Iterator[Fault]:
    """One head's gradient in another's place, wherever a gradient has heads."""
    shape = place.tensor.shape
    if len(shape) != 4 or shape[1] == 1:
        return
    turned = np.roll(np.arange(int(shape[1])), 1)
    text = f"the heads of {place.at} are one out of step: each has the gradient of the one before"
    yield place.fault("heads mixed up", text, f"{place.at} of the head before", lambda t: place.link(t)[:, turned])


def _split(place: Place) -> Iterator[Fault]:
    """At the queries, the keys or the values: cut from another part, or without turning the axes."""
    own = place.link.local
    for other in place.layer.gives:
        if other != own:
            text = f"{place.at} is cut where {place.names[other]} is"
            rule = lambda t, other=other: getattr(place.layer, other)(t[place.names["x"]])  # noqa: E731
            yield place.fault("parts swapped", text, f"{place.names[other]}", rule)


def _joined(place: Place) -> Iterator[Fault]:
    parts = {name: place.names[prefixed("d", name)] for name in place.layer.gives}
    for one, other in combinations(parts.values(), 2):
        text = f"{one} and {other} are in each other's place"
        swap = lambda t, one=one, other=other: place.link({**t, one: t[other], other: t[one]})  # noqa: E731
        yield place.fault("parts swapped", text, f"{place.at} with {one} for {other}", swap)
    for missing in parts.values():
        text = f"{missing} does not reach {place.at}, it is 0 there"
        without = lambda t, missing=missing: place.link({**t, missing: 0 * t[missing]})  # noqa: E731
        yield place.fault("part left out", text, f"{place.at} with {missing} = 0", without)
    heads = place.layer.heads
    if heads > 1:
        turned = np.roll(np.arange(heads), 1)
        for name in parts.values():
            text = f"the heads of {name} are one out of step in {place.at}"
            mixed = lambda t, name=name: place.link({**t, name: t[name][:, turned]})  # noqa: E731
            yield place.fault("heads mixed up", text, f"{place.at} with {name} of the head before", mixed)
        text = "the heads are put side by side as they lie in memory, without turning positions and heads"
        yield place.fault(
            "reshaped for transposed", text, f"[{', '.join(parts.values())}] reshaped",
            lambda t: np.concatenate([_reshaped(t[name]) for name in parts.values()], axis=-1),
        )  # fmt: skip


def _reshaped(x: Any) -> Any:
    rows, heads, length, width = x.shape
    return x.reshape(rows, length, heads * width)


def _merged(place: Place) -> Iterator[Fault]:
    x, heads = place.names["x"], place.layer.heads
    if heads > 1:
        text = f"the heads of {x} are put side by side as they lie in memory, without turning positions and heads"
        yield place.fault("reshaped for transposed", text, f"{x} reshaped", lambda t: _reshaped(t[x]))
        turned = np.roll(np.arange(heads), 1)
        text = f"the heads of {x} are put side by side in another order"
        yield place.fault("heads mixed up", text, f"{x} of the head before", lambda t: merged(t[x][:, turned]))


def _unmerged(place: Place) -> Iterator[Fault]:
    ds, heads = place.names["ds"], place.layer.heads

    def reshaped(t: Mapping[str, Any]) -> Any:
        rows, length, width = t[ds].shape
        return t[ds].reshape(rows, heads, length, width // heads)

    if heads > 1:
        text = f"{ds} is cut into heads as it lies in memory, without turning positions and heads"
        yield place.fault("reshaped for transposed", text, f"{ds} reshaped", reshaped)


def _positions(place: Place) -> Iterator[Fault]:
    x, W, L = place.names["x"], place.names["W"], place.layer.length
    if L == 1:
        return
    for text, order in (
        (f"the rows of {W} are one position out of step", np.roll(np.arange(L), 1)),
        (f"positions are counted from the end of {W}", np.arange(L)[::-1]),
    ):
        rule = lambda t, order=order: place.link({**t, W: t[W][order]})  # noqa: E731
        yield place.fault("positions out of step", text, f"{x} + rows of {W} in another order", rule)


def _of_positions(place: Place) -> Iterator[Fault]:
    ds = place.names["ds"]
    T = place.network.tensors[place.names["s"]].shape[1]
    if T == 1:
        return
    for text, order in (
        (f"the rows of {place.at} are one position out of step", np.roll(np.arange(int(T)), 1)),
        ("positions are counted from the end", np.arange(int(T))[::-1]),
    ):
        rule = lambda t, order=order: place.link({**t, ds: t[ds][:, order]})  # noqa: E731
        yield place.fault("positions out of step", text, f"{place.at} of {ds} in another order", rule)
    text = f"{place.at} is summed over the positions too, as a bias is, so that every row is the same"
    summed = lambda t: place.link({**t, ds: 0 * t[ds] + t[ds].sum(axis=1, keepdims=True)})  # noqa: E731
    yield place.fault("summed over the positions", text, f"sum of {ds} over samples and positions", summed)


_FAULTS: RuleTable = {
    AttentionScores: {"s": _scale, "dq": _scale, "dk": _keys},
    CausalSoftmax: {"a": _mask, "dz": _mask_backward},
    SplitHeads: {"q": _split, "k": _split, "v": _split, "dx": _joined},
    MergeHeads: {"s": _merged, "dx": _unmerged},
    Positions: {"s": _positions, "dW": _of_positions},
}
_OF_HEADS = (AttentionScores, CausalSoftmax, MatrixProduct, MergeHeads)
