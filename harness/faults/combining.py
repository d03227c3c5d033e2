"""Mistakes of the layers by which a network branches: sum, product, concatenation, split.

    s = p + q       forward  q or p left out, p q              back  ds q: the rule of a product
    s = p q         forward  p + q                             back  dp = ds p, ds, q
    s = [p, q]      forward  [q, p]                            back  dp cut from the wrong end, one neuron beside
    [p, q] = x      forward  p cut from the other end          back  [dq, dp], a part 0, dq one neuron beside

Formulas as in `impls.hand.layers.combining`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from harness.faults.fault import Fault
from harness.faults.place import Place, RuleTable
from impls.graph import Rule
from impls.hand import Add, Concatenate, Multiply, Split


def combining_faults(place: Place) -> Iterator[Fault]:
    """Mistakes at every rule of these layers."""
    yield from place.faults_of(_BRANCHES)


def _sum(place: Place) -> Iterator[Fault]:
    p, q = place.names["p"], place.names["q"]
    for kept, missing in ((p, q), (q, p)):
        text = f"{missing} is left out of {place.at}"
        yield place.fault("branch left out", text, kept, _as_it_is(kept))
    text = f"{p} and {q} are multiplied, where they are to be added"
    yield place.fault("another operation", text, f"{p} · {q}", lambda t: t[p] * t[q])


def _as_it_is(name: str) -> Rule:
    return lambda t: +t[name]


def _product(place: Place) -> Iterator[Fault]:
    p, q = place.names["p"], place.names["q"]
    text = f"{p} and {q} are added, where they are to be multiplied"
    yield place.fault("another operation", text, f"{p} + {q}", lambda t: t[p] + t[q])


def _by_term(place: Place) -> Iterator[Fault]:
    ds, other = place.names["ds"], _other(place)
    text = f"the rule of a product is taken, where {place.names['s']} is a sum"
    yield place.fault("another operation", text, f"{ds} · {other}", lambda t: t[ds] * t[other])


def _by_factor(place: Place) -> Iterator[Fault]:
    ds, other, own = place.names["ds"], _other(place), str(place.link.of)
    if own != other:
        text = f"{ds} is multiplied by {own} itself, where the other factor {other} belongs"
        yield place.fault("own factor for the other", text, f"{ds} · {own}", lambda t: t[ds] * t[own])
    text = f"the factor {other} is missing in {place.at}"
    yield place.fault("factor of the product missing", text, ds, lambda t: +t[ds])
    text = f"only the factor {other} is taken; the upstream gradient {ds} is missing"
    yield place.fault("upstream missing", text, other, lambda t: 0 * t[ds] + t[other])


def _other(place: Place) -> str:
    """Of two tensors, the one that the link does not differentiate by."""
    return place.names["q" if place.link.local == "dp" else "p"]


def _widths(place: Place) -> tuple[int, int]:
    tensors = place.network.tensors
    return tensors[place.names["p"]].width, tensors[place.names["q"]].width


def _joined(place: Place) -> Iterator[Fault]:
    p, q = place.names["p"], place.names["q"]
    text = f"{p} and {q} are put together in the other order"
    yield place.fault("parts swapped", text, f"[{q}, {p}]", lambda t: np.concatenate([t[q], t[p]], axis=-1))


def _cut(place: Place) -> Iterator[Fault]:
    """At the gradient of a part, or at the part itself."""
    (P, Q), whole = _widths(place), place.names["x" if place.forward else "ds"]
    first = place.link.local in ("p", "dp")
    size = P if first else Q
    start, beside, end = (0, 1, Q) if first else (P, P - 1, 0)
    cut = lambda start: lambda t: t[whole][..., start : start + size]  # noqa: E731
    what = f"neurons {end + 1} to {end + size} of {whole} are taken, which are cut from the wrong end"
    yield place.fault("parts swapped", what, f"{whole}[..., {end}:{end + size}]", cut(end))
    text = f"{place.at} is cut out of {whole} at neuron {beside + 1}, where it begins at neuron {start + 1}"
    yield place.fault("cut one neuron beside", text, f"{whole}[..., {beside}:{beside + size}]", cut(beside))


def _together(place: Place) -> Iterator[Fault]:
    dp, dq = place.names["dp"], place.names["dq"]
    text = f"{dp} and {dq} are put together in the other order"
    yield place.fault("parts swapped", text, f"[{dq}, {dp}]", lambda t: np.concatenate([t[dq], t[dp]], axis=-1))
    for kept, missing in ((dp, dq), (dq, dp)):

        def only(t: Mapping[str, Any], missing: str = missing) -> Any:
            return place.link({**t, missing: 0 * t[missing]})

        formula = _one_of(dp, dq, kept)
        yield place.fault("gradient of one part only", f"only {kept} reaches {place.at}, {missing} is 0", formula, only)


def _one_of(first: str, second: str, kept: str) -> str:
    """Both parts, the one that is not kept as 0."""
    return f"[{', '.join(part if part == kept else '0' for part in (first, second))}]"


_BRANCHES: RuleTable = {
    Add: {"s": _sum, "dp": _by_term, "dq": _by_term},
    Multiply: {"s": _product, "dp": _by_factor, "dq": _by_factor},
    Concatenate: {"s": _joined, "dp": _cut, "dq": _cut},
    Split: {"p": _cut, "q": _cut, "dx": _together},
}
