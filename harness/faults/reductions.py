"""Mistakes of reductions, and of a sum of what comes before.

    sum, mean     divided by n, not divided by n                                       forward and back
    max           forward  the mean          back  ds at every entry, ds/n at every entry
    variance      over n for n − 1, n − 1 for n, forward and back        back  2 ds x/n, the mean not subtracted
    log-sum-exp   forward  the largest, log mean exp          back  ds, the softmax missing; the softmax alone
    cumulative    from the wrong end, without its own entry                            forward and back

Formulas as in `impls.hand.layers.reductions`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.faults.fault import Fault
from harness.faults.place import Place, RuleTable, with_options
from impls.hand import CumulativeSum, LogSumExp, Max, Mean, Sum, Variance


def reduction_faults(place: Place) -> Iterator[Fault]:
    """Mistakes at every rule of these layers."""
    yield from place.faults_of(_FAULTS)


def _terms(place: Place) -> int:
    """How many entries of x make one of s."""
    x, s = (place.network.tensors[place.names[name]].sized(1) for name in ("x", "s"))
    return int(np.prod(x) / np.prod(s))


def _sum(place: Place) -> Iterator[Fault]:
    if (n := _terms(place)) > 1:
        text = f"{place.at} is divided by {n}, the number of entries, as a mean is"
        yield place.fault("mean for sum", text, f"{place.at} / {n}", lambda t: place.link(t) / n)


def _mean(place: Place) -> Iterator[Fault]:
    if (n := _terms(place)) > 1:
        text = f"{place.at} is not divided by {n}, the number of entries"
        yield place.fault("sum for mean", text, f"{n}·{place.at}", lambda t: place.link(t) * float(n))


def _max(place: Place) -> Iterator[Fault]:
    x, other = place.names["x"], Mean(place.layer.axes)
    text = f"the mean of {x} is taken, where the network has the largest entry"
    yield place.fault("another operation", text, f"mean of {x}", lambda t: other.forward(t[x]))


def _of_max(place: Place) -> Iterator[Fault]:
    x, ds, axes = place.names["x"], place.names["ds"], place.layer.axes
    text = f"every entry gets all of {ds}, not the largest alone"
    every = lambda t: Sum(axes).dx(t[ds], t[x])  # noqa: E731
    yield place.fault("whole upstream for every entry", text, f"{ds} at every entry", every)
    text = f"all entries share {ds} evenly, as those of a mean do"
    shared = lambda t: Mean(axes).dx(t[ds], t[x])  # noqa: E731
    yield place.fault("shared evenly by all", text, f"{ds} / entries", shared)


def _variance(place: Place) -> Iterator[Fault]:
    n, layer = _terms(place), place.layer
    if n > 1:
        other = with_options(layer, unbiased=not layer.unbiased)
        text = f"the variance is over {'n' if layer.unbiased else 'n − 1'}, where it is over the other"
        rule = lambda t: getattr(other, place.link.rule.__name__)(*(t[name] for name in place.link.inputs))  # noqa: E731
        yield place.fault("biased for unbiased", text, f"{place.at} of the other variance", rule)


def _of_variance(place: Place) -> Iterator[Fault]:
    yield from _variance(place)
    x, ds, layer = place.names["x"], place.names["ds"], place.layer
    n = _terms(place) - int(layer.unbiased)
    text = f"the mean of {x} is not subtracted"
    yield place.fault("mean not subtracted", text, f"2·{ds}·{x} / {n}", lambda t: t[x] * (2 * t[ds] / n))


def _log_sum_exp(place: Place) -> Iterator[Fault]:
    x, axes, n = place.names["x"], place.layer.axes, _terms(place)
    text = f"the largest entry of {x} is taken, without log sum exp of what is left"
    yield place.fault("another operation", text, f"max of {x}", lambda t: Max(axes).forward(t[x]))
    if n > 1:
        text = f"the mean of the exponentials is taken, where their sum belongs: {place.at} is log {n} too small"
        yield place.fault("mean for sum", text, f"log mean exp {x}", lambda t: place.link(t) - float(np.log(n)))


def _of_log_sum_exp(place: Place) -> Iterator[Fault]:
    x, ds, axes = place.names["x"], place.names["ds"], place.layer.axes
    text = f"every entry gets all of {ds}: the softmax of {x} is missing"
    yield place.fault("softmax missing", text, ds, lambda t: Sum(axes).dx(t[ds], t[x]))
    text = f"the softmax of {x} is taken alone; the upstream gradient {ds} is missing"
    alone = lambda t: place.link({**t, ds: 0 * t[ds] + 1})  # noqa: E731
    yield place.fault("upstream missing", text, f"softmax({x})", alone)


def _cumulative(place: Place) -> Iterator[Fault]:
    (read,), axis = place.link.inputs, place.layer.axis
    other = place.layer.dx if place.forward else place.layer.forward
    text = f"{place.at} adds up from the wrong end of axis {axis}"
    yield place.fault("summed from the wrong end", text, f"sums of {read} from the other end", lambda t: other(t[read]))
    text = f"each entry of {place.at} lacks the entry of {read} at its own place"
    yield place.fault("own entry left out", text, f"{place.at} − {read}", lambda t: place.link(t) - t[read])


_FAULTS: RuleTable = {
    Sum: {"s": _sum, "dx": _sum},
    Mean: {"s": _mean, "dx": _mean},
    Max: {"s": _max, "dx": _of_max},
    Variance: {"s": _variance, "dx": _of_variance},
    LogSumExp: {"s": _log_sum_exp, "dx": _of_log_sum_exp},
    CumulativeSum: {"s": _cumulative, "dx": _cumulative},
}
