"""Mistakes of what sequences need besides attention: padding masks, heads that are shared, rotary positions.

    masked softmax   no mask; shown and hidden exchanged; what comes later not hidden; forward, and in the backward
                     only, its softmax taken anew
    heads            cut as they lie in memory
    repeated         one copy's gradient alone; their mean; copies taken for each other (tiled for repeated)
    rotary           turned the other way, forward and back; pairs of the other kind; one position out of step; not
                     at all

Formulas as in `impls.hand.layers.masking`, `heads` and `rotary`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.faults.fault import Fault
from harness.faults.place import Place, RuleTable
from impls.hand import Heads, MaskedSoftmax, RepeatHeads, Rotary
from impls.hand.activations.softmax import softmax_vjp
from impls.hand.layers.masking import masked_softmax, seen_by
from impls.hand.layers.rotary import PAIRS, turned


def sequence_faults(place: Place) -> Iterator[Fault]:
    """Mistakes at every rule of these layers."""
    yield from place.faults_of(_FAULTS)


def _masks(place: Place) -> Iterator[tuple[str, str, Any]]:
    m, causal, T = place.names["m"], place.layer.causal, place.tensor.shape[-2]

    def of(t: Mapping[str, Any], scores: tuple[int, ...], *, causal: bool) -> Any:
        return seen_by(t[m], scores, causal)

    every = lambda t, s: of(t, s, causal=causal) | True  # noqa: E731
    yield "mask missing", f"the mask {m} is not applied: every query sees every key", every
    turned_round = lambda t, s: ~of(t, s, causal=causal)  # noqa: E731
    yield "mask turned round", f"what the mask {m} shows is hidden, and what it hides is seen", turned_round
    if causal and T != 1:
        yield "mask missing", "what comes after a query is not hidden from it", lambda t, s: of(t, s, causal=False)


def _masked(place: Place) -> Iterator[Fault]:
    z = place.names["z"]
    for cause, says, seen in _masks(place):
        rule = lambda t, seen=seen: masked_softmax(t[z], seen(t, t[z].shape))  # noqa: E731
        yield place.fault(cause, says, f"softmax({z}) under that mask", rule)


def _masked_backward(place: Place) -> Iterator[Fault]:
    z, da = place.names["z"], place.names["da"]
    for cause, text, seen in _masks(place):
        says = f"the softmax is taken anew in the backward pass, and there {text}"
        rule = lambda t, seen=seen: softmax_vjp(t[da], masked_softmax(t[z], seen(t, t[z].shape)))  # noqa: E731
        yield place.fault(cause, says, f"a·({da} − sum of {da}·a), a = softmax({z}) under that mask", rule)


def _cut(place: Place) -> Iterator[Fault]:
    x, heads = place.names["x"], place.layer.heads

    def reshaped(t: Mapping[str, Any]) -> Any:
        rows, length, width = t[x].shape
        return t[x].reshape(rows, heads, length, width // heads)

    if heads > 1 and place.tensor.shape[2] != 1:
        says = f"{x} is cut into heads as it lies in memory, without turning positions and heads"
        yield place.fault("reshaped for transposed", says, f"{x} reshaped", reshaped)


def _copies(place: Place) -> Iterator[Fault]:
    ds, times = place.names["ds"], place.layer.times
    if times == 1:
        return

    def copies(t: Mapping[str, Any]) -> Any:
        rows, heads, *rest = t[ds].shape
        return t[ds].reshape(rows, heads // times, times, *rest)

    def tiled(t: Mapping[str, Any]) -> Any:
        rows, heads, *rest = t[ds].shape
        return t[ds].reshape(rows, times, heads // times, *rest).sum(axis=1)

    says = f"only the first of {times} copies sends its gradient back to {place.at}"
    yield place.fault("only one path", says, f"first copy of {ds}", lambda t: +copies(t)[:, :, 0])
    says = f"{place.at} is the mean over {times} copies, where their sum belongs"
    yield place.fault("parts averaged", says, f"mean of {ds} over copies", lambda t: copies(t).sum(axis=2) / times)
    if place.tensor.shape[1] != 1:
        says = f"copies of a head are taken {place.tensor.shape[1]} apart, where they are side by side"
        yield place.fault("heads mixed up", says, f"sum of {ds} over other heads", tiled)


def _turned(place: Place) -> Iterator[Fault]:
    layer, back = place.layer, not place.forward
    read = place.names["ds" if back else "x"]

    def fault(cause: str, says: str, formula: str, shift: int = 0, sign: float = 1.0, pairs: str = "") -> Fault:
        def rule(t: Mapping[str, Any]) -> Any:
            *before, length, width = t[read].shape
            cos, sin = layer.table((*before, length + shift, width))
            sin = (-sin if back else sin) * sign
            return turned(t[read], cos[shift:], sin[shift:], pairs or layer.pairs)

        return place.fault(cause, says, formula, rule)

    cos, sin = f"{read} cos", f"{read}~ sin"
    says = f"{read} is turned the other way: the sine has the wrong sign"
    yield fault("turned the other way", says, f"{cos} {'+' if back else '−'} {sin}", sign=-1.0)
    other = next(pairs for pairs in PAIRS if pairs != layer.pairs)
    if place.tensor.width > 2:
        yield fault("pairs mixed up", f"pairs are {other}, where they are {layer.pairs}", f"{cos} ± {sin}", pairs=other)
    says = "positions are counted from 1, where they are counted from 0"
    yield fault("positions out of step", says, f"{cos} ± {sin}, one position later", shift=1)
    yield place.fault("derivative missing" if back else "branch left out", f"{read} is not turned at all", read,
                      lambda t: +t[read])  # fmt: skip


_FAULTS: RuleTable = {
    MaskedSoftmax: {"a": _masked, "dz": _masked_backward},
    Heads: {"s": _cut},
    RepeatHeads: {"dx": _copies},
    Rotary: {"s": _turned, "dx": _turned},
}
