"""Mistakes of an embedding, where rows of a matrix of weights are looked up by whole numbers.

    dW = sum over n of de_n at row i_n      overwritten  what comes last, or first, of those with one i
                                            averaged     over those with one i
                                            shifted      row i + 1, row i − 1

Formulas as in `impls.hand.layers.embedding`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from harness.faults.fault import Fault
from harness.faults.place import Place, RuleTable
from impls.hand import Embedding
from impls.hand.layers.dense import rows_of


def lookup_faults(place: Place) -> Iterator[Fault]:
    """Mistakes at the rules of an embedding."""
    yield from place.faults_of(_LOOKUPS)


def _gradient(place: Place) -> Iterator[Fault]:
    i, de, at, V = place.names["i"], place.names["de"], place.at, place.layer.entries
    for which, why in (("last", "each overwrites the one before"), ("first", "later ones are not added")):

        def kept(t: Mapping[str, Any], which: str = which) -> Any:
            return _once(t[i], V, which) @ rows_of(t[de])

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

        def rule(t: Mapping[str, Any], step: int = step) -> Any:
            return place.link({**t, i: (t[i] + step) % V})

        text = f"{told} the numbers of {i}, which are counted from 0 as the rows of {place.names['W']} are"
        formula = f"{place.at} from {i} {'+' if step > 0 else '−'} 1"
        yield place.fault("index off by one", text, formula, rule)


def _once(index: Any, entries: int, which: str) -> Any:
    """A row for each number, in which only its first or its last occurrence is 1."""
    chosen = np.arange(entries)[:, None] == np.ravel(index)
    seen = np.cumsum(chosen[:, ::-1], axis=1)[:, ::-1] if which == "last" else np.cumsum(chosen, axis=1)
    return chosen & (seen == 1)


_LOOKUPS: RuleTable = {Embedding: {"e": _shifted, "dW": _gradient}}
