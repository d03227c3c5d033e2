"""Mistakes on the paths of the chain rule: one dropped, one of another weight, one sample used for all.

    dx_ni = sum_j dz_nj w_ij      every path from x_i leads through some z_j
    dW_ij = sum_n x_ni dz_nj      w_ij feeds z_j only, once per sample n

A term of a sum that is dropped, or the only one kept because each overwrites the one before; rows of the two factors
that belong to different samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from harness.faults.fault import Fault
from harness.faults.place import Place, RuleTable
from impls.hand import Dense

MOST_NEURONS = 8
"""Neurons of a layer each of which is tried by itself; of wider layers the first and the last."""


def path_faults(place: Place) -> Iterator[Fault]:
    """Mistakes on the paths of a Dense layer, on samples in the gradient of a weight, one row of upstream elsewhere."""
    if place.of_weight and place.upstream:
        yield from _samples(place)
    yield from place.faults_of(_PATHS)
    for upstream in place.upstream if place.of_read else ():
        for which, row in (("first", slice(None, 1)), ("last", slice(-1, None))):
            text = f"the {which} row of {upstream} is used for every sample"
            formula = f"{place.at} from the {which} row of {upstream}"
            yield place.fault(f"{which} row's upstream for all", text, formula, _one_row(place, upstream, row))


def _one_row(place: Place, upstream: str, row: slice) -> Any:
    return lambda t: place.link({**t, upstream: 0 * t[upstream] + t[upstream][row]})


def _paths(place: Place) -> Iterator[Fault]:
    dz, W, K = place.names["dz"], place.names["W"], place.layer.outputs
    if K == 1:
        return
    for j in _each(K):
        others = [k for k in range(K) if k != j]

        def dropped(t: Mapping[str, Any], others: list[int] = others) -> Any:
            return t[dz][..., others] @ t[W][:, others].T

        text = f"the path through neuron {j + 1} of {place.names['z']} is left out of the sum"
        yield place.fault("dropped path", text, f"{dz} · {W}ᵀ without column {j + 1}", dropped)
        if K == 2:  # the other path is then the only one
            continue

        def only(t: Mapping[str, Any], j: int = j) -> Any:
            return t[dz][..., [j]] @ t[W][:, [j]].T

        text = f"only the path through neuron {j + 1} of {place.names['z']} counts: the others are overwritten"
        yield place.fault("only one path", text, f"{dz} · {W}ᵀ, column {j + 1} only", only)


def _out_of_step(place: Place) -> Iterator[Fault]:
    right, x, dz = place.link, place.names["x"], place.names["dz"]
    for step in (1, -1):

        def shifted(t: Mapping[str, Any], step: int = step) -> Any:
            return right({**t, x: t[x][np.roll(np.arange(len(t[x])), step)]})

        text = f"the rows of {x} and {dz} are one sample out of step"
        yield place.fault("samples out of step", text, f"({x} moved by {step} row)ᵀ · {dz}", shifted)


def _of_products(place: Place) -> Iterator[Fault]:
    yield from _out_of_step(place)
    yield from _other_weights(place)


def _other_weights(place: Place) -> Iterator[Fault]:
    right, x, dz = place.link, place.names["x"], place.names["dz"]
    M, K = place.network.weights[place.names["W"]]
    if K > 1:
        for step in (-1, 1) if K > 2 else (1,):
            turned = np.roll(np.arange(K), step)

            def added(t: Mapping[str, Any], turned: Any = turned) -> Any:
                return right(t) + right({**t, dz: t[dz][..., turned]})

            which = "next" if step < 0 else "previous"
            text = f"a path through the {which} neuron is added, which belongs to another weight"
            yield place.fault(
                "path of another weight", text, f"{x}ᵀ · {dz} + {x}ᵀ · ({dz} of the neuron beside)", added
            )
        text = f"paths through every neuron of {place.names['z']} are added, where the weight feeds only one of them"
        formula = f"{x}ᵀ · (sum of {dz} over the neurons)"
        everything = lambda t: right({**t, dz: 0 * t[dz] + t[dz].sum(axis=-1, keepdims=True)})  # noqa: E731
        yield place.fault("path of another weight", text, formula, everything)
    if M > 1:
        text = f"{x} is summed over its neurons, where the weight is fed by only one of them"
        formula = f"(sum of {x} over the neurons)ᵀ · {dz}"
        fed = lambda t: right({**t, x: 0 * t[x] + t[x].sum(axis=-1, keepdims=True)})  # noqa: E731
        yield place.fault("path of another weight", text, formula, fed)


def _samples(place: Place) -> Iterator[Fault]:
    right, at, upstream = place.link, place.at, place.upstream
    kept = {
        ("only one sample", "only the first sample counts in {at}"): slice(None, 1),
        ("only one sample", "only the last sample counts in {at}: each overwrites the one before"): slice(-1, None),
    }
    for (cause, says), part in kept.items():

        def rule(t: Mapping[str, Any], part: slice = part) -> Any:
            return right(place.with_samples(t, part, times=1, others=0))

        which = "last" if part.start else "first"
        yield place.fault(cause, says.format(at=at), f"{at} from the {which} row of {' and '.join(upstream)}", rule)


def _each(size: int) -> list[int]:
    return list(range(size)) if size <= MOST_NEURONS else [0, size - 1]


_PATHS: RuleTable = {Dense: {"dW": _of_products, "dx": _paths}}
