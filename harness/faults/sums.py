"""Mistakes in a sum: the mean, the wrong axis, a broadcast, a term counted twice, sums multiplied in place of products.

dW = sum_n x_ni dz_nj     mean over n; (sum_n x_ni)(sum_n dz_nj), and the same with a mean
db = sum_n dz_nj          mean over n; over n and j, the one number for every j; over j where N = K fits
dx = sum_j dz_nj w_ij     mean over j; over n too, the same row for every sample
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.faults.fault import Fault
from harness.faults.formulas import formula_of
from harness.faults.place import Place, RuleTable, samples
from impls.hand import Dense
from impls.hand.layers.dense import rows_of


def sum_faults(place: Place) -> Iterator[Fault]:
    """Mistakes in the sums of the gradients of weights, and of a Dense layer's dx."""
    right, at = place.link, place.at
    if place.of_weight:
        text = f"{at} is the mean over the samples, where the sum belongs: this loss has its own mean or none"
        yield place.fault("mean for sum", text, f"{formula_of(place)} / N", lambda t: right(t) / samples(t))
        if place.upstream:
            for which, part in (("first", slice(None, 1)), ("last", slice(-1, None))):
                yield _twice(place, which, part)
    yield from place.faults_of(_SUMS)


def _twice(place: Place, which: str, part: slice) -> Fault:
    right = place.link
    text = f"the {which} sample is counted twice in {place.at}"

    def rule(t: Mapping[str, Any]) -> Any:
        return right(t) + right(place.with_samples(t, part, times=1, others=0))

    return place.fault(f"{which} sample counted twice", text, f"{formula_of(place)}, with the {which} one again", rule)


def _before_the_product(place: Place) -> Iterator[Fault]:
    x, dz = place.names["x"], place.names["dz"]
    text = f"{x} and {dz} are summed over the samples first and multiplied then, where each sample has its own product"
    formula = f"(sum of {x}) · (sum of {dz})"
    outer = lambda t: rows_of(t[x]).sum(axis=0)[:, None] * rows_of(t[dz]).sum(axis=0)  # noqa: E731
    yield place.fault("sums before the product", text, formula, outer)
    text = f"{x} is averaged over the samples and multiplied by the summed {dz}; each sample has its own product"
    formula = f"(mean of {x}) · (sum of {dz})"
    yield place.fault("means before the product", text, formula, lambda t: outer(t) / len(rows_of(t[x])))


def _over_the_neurons(place: Place) -> Iterator[Fault]:
    right, dz, K = place.link, place.names["dz"], place.tensor.width
    if K > 1:
        text = f"{dz} is summed over the neurons too, and the one number is used for every bias"
        yield place.fault("sum over everything", text, f"sum of all of {dz}", lambda t: 0 * right(t) + t[dz].sum())
        text = f"{place.at} is divided by the number of neurons: the mean over all of {dz}'s columns"
        yield place.fault("mean over the neurons", text, f"{formula_of(place)} / {K}", lambda t: right(t) / K)


def _of_paths(place: Place) -> Iterator[Fault]:
    right, at, dz, W = place.link, place.at, place.names["dz"], place.names["W"]
    K = place.layer.outputs
    if K > 1:
        text = f"{at} is the mean over the {K} paths, where their sum belongs"
        yield place.fault("mean over the neurons", text, f"{dz} · {W}ᵀ / {K}", lambda t: right(t) / K)
    same = lambda t: right({**t, dz: 0 * t[dz] + t[dz].sum(axis=0)})  # noqa: E731
    text = f"{dz} is summed over the samples before it is used: every row of {at} is the same"
    yield place.fault("summed over the samples", text, f"(sum of {dz} over the samples) · {W}ᵀ", same)
    text = f"{dz} is averaged over the samples before it is used: every row of {at} is the same"
    formula = f"(mean of {dz} over the samples) · {W}ᵀ"
    yield place.fault("averaged over the samples", text, formula, lambda t: same(t) / samples(t))


_SUMS: RuleTable = {Dense: {"dW": _before_the_product, "db": _over_the_neurons, "dx": _of_paths}}
