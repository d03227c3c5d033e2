"""Mistakes where a network branches: sum, product, concatenation, split, the parts of a gradient, rows looked up.

    s = p + q             forward  q or p left out, p q          back  ds q: the rule of a product
    s = p q               forward  p + q                         back  dp = ds p, ds, q
    s = p ^ q             forward  q ^ p                         back  dp = ds q p^q, ds p^(q-1), dq = ds s, ds log p
    s = [p, q]            forward  [q, p]                        back  dp cut from the wrong end, one neuron beside
    s = stack of p, q     forward  q and p                       back  dp the second of ds, dq the first
    s = p where c, else q forward  q where c, else p             back  dp = ds everywhere, ds where not c
    [p, q] = x            forward  p cut from the other end      back  [dq, dp], a part 0, dq one neuron beside
    dt = p + q + r        the last or the first part only, p + r, p + q + r + q, (p + q + r)/3
    dW = sum of de_n      at row i_n: the last or the first of those with one i only, their mean, row i + 1, row i − 1

dt has parts where a tensor has several readers, or several nodes share a weight; each is told by the reader that sends
it back. Formulas as in `impls.hand.layers.combining` and `impls.hand.layers.embedding`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from harness.faults.fault import Fault
from harness.faults.place import Place, RuleTable
from impls.graph import Graph, Rule
from impls.hand import Add, Concatenate, Dropout, Embedding, Multiply, Pow, Split, Stack, Where
from impls.hand.layers.broadcasting import raised, summed_to
from impls.hand.layers.dense import rows_of


def combining_faults(place: Place) -> Iterator[Fault]:
    """Mistakes at every rule of these layers."""
    yield from place.faults_of(_BRANCHES)


def _sum(place: Place) -> Iterator[Fault]:
    p, q = place.names["p"], place.names["q"]
    for kept, missing in ((p, q), (q, p)):
        text = f"{missing} is left out of {place.at}"
        alone = lambda t, kept=kept: +np.broadcast_to(t[kept], (t[p] + t[q]).shape)  # noqa: E731
        yield place.fault("branch left out", text, kept, alone)
    text = f"{p} and {q} are multiplied, where they are to be added"
    yield place.fault("another operation", text, f"{p} · {q}", lambda t: t[p] * t[q])


def _product(place: Place) -> Iterator[Fault]:
    p, q = place.names["p"], place.names["q"]
    text = f"{p} and {q} are added, where they are to be multiplied"
    yield place.fault("another operation", text, f"{p} + {q}", lambda t: t[p] + t[q])


def _by_term(place: Place) -> Iterator[Fault]:
    ds, other = place.names["ds"], _other(place)
    text = f"the rule of a product is taken, where {place.names['s']} is a sum"
    product = lambda t: place.link({**t, ds: t[ds] * t[other]})  # noqa: E731
    yield place.fault("another operation", text, f"{ds} · {other}", product)


def _by_factor(place: Place) -> Iterator[Fault]:
    ds, other, own = place.names["ds"], _other(place), str(place.link.of)
    if own != other:
        text = f"{ds} is multiplied by {own} itself, where the other factor {other} belongs"
        square = lambda t: summed_to(t[ds] * t[own], t[own].shape)  # noqa: E731
        yield place.fault("own factor for the other", text, f"{ds} · {own}", square)
    text = f"the factor {other} is missing in {place.at}"
    yield place.fault("factor of the product missing", text, ds, lambda t: +summed_to(t[ds], t[own].shape))
    text = f"only the factor {other} is taken; the upstream gradient {ds} is missing"
    alone = lambda t: summed_to(0 * t[ds] + t[other], t[own].shape)  # noqa: E731
    yield place.fault("upstream missing", text, other, alone)


def _other(place: Place) -> str:
    """Of two tensors, the one that the link does not differentiate by."""
    return place.names["q" if place.link.local == "dp" else "p"]


def _joined(place: Place) -> Iterator[Fault]:
    p, q = place.names["p"], place.names["q"]
    text = f"{p} and {q} are put together in the other order"
    yield place.fault("parts swapped", text, f"[{q}, {p}]", lambda t: place.layer.joined(t[q], t[p]))


def _stacked(place: Place) -> Iterator[Fault]:
    p, q = place.names["p"], place.names["q"]
    text = f"{p} and {q} are put together in the other order"
    yield place.fault("parts swapped", text, f"[{q}, {p}]", lambda t: place.layer.forward(t[q], t[p]))


def _cut(place: Place) -> Iterator[Fault]:
    """At the gradient of a part, or at the part itself."""
    layer, shapes = place.layer, [place.network.tensors[place.names[part]].sized(1) for part in ("p", "q")]
    P, Q = (shape[layer.axis_in(shape)] for shape in shapes)
    what, index = ("neuron", "...") if layer.axis is None else ("entry", ", ".join(":" * layer.axis))
    whole = place.names["x" if place.forward else "ds"]
    first = place.link.local in ("p", "dp")
    size = P if first else Q
    start, beside, end = (0, 1, Q) if first else (P, P - 1, 0)
    cut = lambda start: lambda t: layer.part(t[whole], start, start + size)  # noqa: E731
    several = "neurons" if layer.axis is None else "entries"
    text = f"{several} {end + 1} to {end + size} of {whole} are taken, which are cut from the wrong end"
    yield place.fault("parts swapped", text, f"{whole}[{index}, {end}:{end + size}]", cut(end))
    text = f"{place.at} is cut out of {whole} at {what} {beside + 1}, where it begins at {what} {start + 1}"
    yield place.fault("cut one neuron beside", text, f"{whole}[{index}, {beside}:{beside + size}]", cut(beside))


def _unstacked(place: Place) -> Iterator[Fault]:
    ds, other = place.names["ds"], "dq" if place.link.local == "dp" else "dp"
    told = "second" if place.link.local == "dp" else "first"
    text = f"{place.at} is the {told} entry of {ds}, which is the other's"
    yield place.fault("parts swapped", text, f"the {told} of {ds}", lambda t: getattr(place.layer, other)(t[ds]))


def _chosen(place: Place) -> Iterator[Fault]:
    p, q, c = (place.names[name] for name in ("p", "q", "c"))
    text = f"the condition {c} is turned round: where it is 1 stands {q}"
    yield place.fault("mask inverted", text, f"{q} where {c}, else {p}", lambda t: place.link({**t, c: 1 - t[c]}))


def _of_chosen(place: Place) -> Iterator[Fault]:
    ds, c, own = place.names["ds"], place.names["c"], str(place.link.of)
    text = f"the condition {c} is turned round in {place.at}"
    yield place.fault("mask inverted", text, f"{ds} where the other is taken", lambda t: place.link({**t, c: 1 - t[c]}))
    text = f"the condition {c} is left out of {place.at}"
    yield place.fault("mask left out", text, ds, lambda t: +summed_to(t[ds], t[own].shape))


def _power(place: Place) -> Iterator[Fault]:
    p, q = place.names["p"], place.names["q"]
    text = f"{q} is raised to the power of {p}, which is the base"
    yield place.fault("parts swapped", text, f"{q}^{p}", lambda t: raised(t[q], t[p]))


def _of_base(place: Place) -> Iterator[Fault]:
    ds, p, q = (place.names[name] for name in ("ds", "p", "q"))
    text = f"the exponent is not lowered by 1: {q}·{p}^{q}"
    same = lambda t: summed_to(t[ds] * (t[q] * raised(t[p], t[q])), t[p].shape)  # noqa: E731
    yield place.fault("exponent not lowered", text, f"{ds}·{q}·{p}^{q}", same)
    text = f"the factor {q} of the derivative is missing"
    without = lambda t: summed_to(t[ds] * raised(t[p], t[q] - 1), t[p].shape)  # noqa: E731
    yield place.fault("exponent left out", text, f"{ds}·{p}^({q} − 1)", without)


def _of_exponent(place: Place) -> Iterator[Fault]:
    ds, p, q, s = (place.names[name] for name in ("ds", "p", "q", "s"))
    text = f"the factor log {p} of the derivative is missing"
    without = lambda t: summed_to(t[ds] * t[s], t[q].shape)  # noqa: E731
    yield place.fault("factor of the derivative missing", text, f"{ds}·{s}", without)
    text = f"the factor {s} of the derivative is missing"
    alone = lambda t: place.link({**t, s: 0 * t[s] + 1})  # noqa: E731
    yield place.fault("factor of the derivative missing", text, f"{ds}·log {p}", alone)


def _together(place: Place) -> Iterator[Fault]:
    dp, dq = place.names["dp"], place.names["dq"]
    text = f"{dp} and {dq} are put together in the other order"
    yield place.fault("parts swapped", text, f"[{dq}, {dp}]", lambda t: place.layer.joined(t[dq], t[dp]))
    for kept, missing in ((dp, dq), (dq, dp)):
        only = lambda t, missing=missing: place.link({**t, missing: 0 * t[missing]})  # noqa: E731
        formula = f"[{dp}, 0]" if kept == dp else f"[0, {dq}]"
        yield place.fault("gradient of one part only", f"only {kept} reaches {place.at}, {missing} is 0", formula, only)


def _masked(place: Place) -> Iterator[Fault]:
    read, m, rate = place.names["x" if place.forward else "ds"], place.names["m"], place.layer.rate
    text = f"the mask {m} is left out of {place.at}"
    yield place.fault("mask left out", text, f"{read}/{1 - rate:g}", lambda t: t[read] / (1 - rate))
    if rate:
        text = f"what is kept is not made larger by 1/{1 - rate:g}"
        yield place.fault("scale left out", text, f"{read}·{m}", lambda t: t[read] * t[m])
        text = f"what is kept is divided by {rate:g}, the rate that is left out"
        yield place.fault("rate for what is kept", text, f"{read}·{m}/{rate:g}", lambda t: t[read] * t[m] / rate)
    text = f"the mask {m} leaves out what is to be kept"
    yield place.fault("mask inverted", text, f"{read}·(1 − {m})", lambda t: t[read] * (1 - t[m]) / (1 - rate))


_BRANCHES: RuleTable = {
    Dropout: {"s": _masked, "dx": _masked},
    Add: {"s": _sum, "dp": _by_term, "dq": _by_term},
    Multiply: {"s": _product, "dp": _by_factor, "dq": _by_factor},
    Pow: {"s": _power, "dp": _of_base, "dq": _of_exponent},
    Concatenate: {"s": _joined, "dp": _cut, "dq": _cut},
    Stack: {"s": _stacked, "dp": _unstacked, "dq": _unstacked},
    Where: {"s": _chosen, "dp": _of_chosen, "dq": _of_chosen},
    Split: {"p": _cut, "q": _cut, "dx": _together},
}


MOST_PARTS = 8
"""Parts each of which is tried by itself; of more, the first and the last."""


def accumulation_faults(place: Place) -> Iterator[Fault]:
    """Mistakes in the sum of a gradient's parts."""
    if not place.adds:
        return
    network, at = place.network, place.at
    added = [part for part in place.link.inputs if Place(network, network.link[part]).of_penalty]
    parts = [part for part in place.link.inputs if part not in added]
    if len(parts) < 2:  # and what a penalty adds, whose mistakes are told where it is made
        return
    names = [_reader(network, part) for part in parts]
    for k, what in ((len(parts) - 1, "overwritten by it"), (0, "never added")):
        rest = f"that through {names[0 if k else 1]} is" if len(parts) == 2 else "the others are"
        text = f"only the path through {names[k]} counts in {at}: {rest} {what}"
        yield place.fault("part overwritten", text, parts[k], _sum_of(place, [parts[k], *added]))
    tried = range(len(parts)) if len(parts) <= MOST_PARTS else (0, len(parts) - 1)
    for k in tried if len(parts) > 2 else ():  # without one of two, the other is the only one
        others = [part for part in parts if part != parts[k]]
        text = f"the path through {names[k]} is left out of {at}"
        yield place.fault("part left out", text, " + ".join(others), _sum_of(place, [*others, *added]))
    for k in tried:
        text = f"the path through {names[k]} is counted twice in {at}"
        formula = f"{' + '.join(parts)} + {parts[k]}"
        yield place.fault("part counted twice", text, formula, _sum_of(place, [*parts, parts[k], *added]))
    text = f"{at} is the mean over its {len(parts)} paths, where their sum belongs"
    parted, unparted = _sum_of(place, parts), _sum_of(place, added)
    mean = lambda t: parted(t) / len(parts) + (unparted(t) if added else 0)  # noqa: E731
    yield place.fault("parts averaged", text, f"({' + '.join(parts)})/{len(parts)}", mean)


def _sum_of(place: Place, parts: list[str]) -> Rule:
    return lambda t: place.link.rule(*(t[part] for part in parts))


def _reader(network: Graph, part: str) -> str:
    """The node that sends back a part of a gradient; where one node sends several, the vjp."""
    through, links = network.tensors[part].through, network.link
    beside = [name for name in network.link if _sends(network, name, part)]
    nodes = [each.name for each in network.nodes if network.names_of(each.name) is links[part].names]
    return (nodes[0] if nodes else "the loss") if len(beside) == 1 else str(through)


def _sends(network: Graph, name: str, part: str) -> bool:
    one, other = network.link[name], network.link[part]
    return one.of == other.of and one.names is other.names


def lookup_faults(place: Place) -> Iterator[Fault]:
    """Mistakes at the rules of an embedding."""
    yield from place.faults_of(_LOOKUPS)


def _gradient(place: Place) -> Iterator[Fault]:
    i, de, at, V = place.names["i"], place.names["de"], place.at, place.layer.entries
    for which, why in (("last", "each overwrites the one before"), ("first", "later ones are not added")):
        kept = lambda t, which=which: _once(t[i], V, which) @ rows_of(t[de])  # noqa: E731
        text = f"where a number of {i} occurs more than once, only the {which} counts in {at}: {why}"
        formula = f"in row v {de} of the {which} place where {i} is v"
        yield place.fault("repeated index overwritten", text, formula, kept)

    def averaged(t: Mapping[str, Any]) -> Any:
        occurs = np.bincount(np.ravel(t[i]), minlength=V)
        return place.link(t) / np.maximum(occurs, 1)[:, None].astype(float)

    text = f"where a number of {i} occurs more than once, the mean is taken, where the sum belongs"
    formula = f"in row v the mean of {de} over every place where {i} is v"
    yield place.fault("mean over a repeated index", text, formula, averaged)
    yield from _shifted(place)


def _shifted(place: Place) -> Iterator[Fault]:
    """The rule with other rows of the matrix."""
    i, V = place.names["i"], place.layer.entries
    for step, told in ((1, "1 is added to"), (-1, "1 is subtracted from")) if V > 2 else ((1, "1 is added to"),):
        rule = lambda t, step=step: place.link({**t, i: (t[i] + step) % V})  # noqa: E731
        text = f"{told} the numbers of {i}, which are counted from 0 as the rows of {place.names['W']} are"
        formula = f"{place.at} from {i} {'+' if step > 0 else '−'} 1"
        yield place.fault("index off by one", text, formula, rule)


def _once(index: Any, entries: int, which: str) -> Any:
    """A row for each number, in which only its first or its last occurrence is 1."""
    chosen = np.arange(entries)[:, None] == np.ravel(index)
    seen = np.cumsum(chosen[:, ::-1], axis=1)[:, ::-1] if which == "last" else np.cumsum(chosen, axis=1)
    return chosen & (seen == 1)


_LOOKUPS: RuleTable = {Embedding: {"e": _shifted, "dW": _gradient}}
