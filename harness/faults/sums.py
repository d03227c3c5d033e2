"""Mistakes in a sum, and constants: the mean, the wrong axis, a term twice, a factor of the whole, what the step adds.

dW = sum_n x_ni dz_nj     mean over n; (sum_n x_ni)(sum_n dz_nj), and the same with a mean
db = sum_n dz_nj          mean over n; over n and j, the one number for every j; over j where N = K fits
dx = sum_j dz_nj w_ij     mean over j; over n too, the same row for every sample
any gradient g            −g, g/2, 2 g, N g, 0; g/N where no mean takes the place of a sum over the N samples
the step's                lr dW, the update itself; dW + c W, the derivative of a penalty that this loss does not have;
                          dz (W − lr dW)^T, where the weights were updated before dx was taken;
                          min(max(dW, −c), c), clipped by value; dW c / max(|dW|, c), clipped by norm

The numbers lr and c are the person's own, so they are fitted. `losses` names the factors that losses are known for.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.faults.fault import Fault
from harness.faults.fitted import Clipped, Shortened
from harness.faults.formulas import formula_of
from harness.faults.place import UPHILL, Place, RuleTable, samples
from impls.hand import Dense
from impls.hand.layers.dense import rows_of


def sum_faults(place: Place) -> Iterator[Fault]:
    """Mistakes in the sums of the gradients of weights, and of a Dense layer's dx."""
    right, at = place.link, place.at
    if place.of_weight:
        why = "this loss has its own mean or none"
        why = f"it is divided by {place.divisor} already" if place.divisor else why
        text = f"{at} is the mean over the samples, where the sum belongs: {why}"
        yield place.fault("mean for sum", text, f"{formula_of(place)} / N", lambda t: right(t) / samples(t))
        if place.upstream:
            for which, part in (("first", slice(None, 1)), ("last", slice(-1, None))):
                yield _twice(place, which, part)
    yield from place.faults_of(_SUMS)


def _twice(place: Place, which: str, part: slice) -> Fault:
    text = f"the {which} sample is counted twice in {place.at}"
    formula = f"{formula_of(place)}, with the {which} one again"
    rule = lambda t: place.link(t) + place.link(place.with_samples(t, part, times=1, others=0))  # noqa: E731
    return place.fault(f"{which} sample counted twice", text, formula, rule)


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


def factor_faults(place: Place) -> Iterator[Fault]:
    """Factors at any link of the backward pass."""
    if place.forward:
        return
    right, at = place.link, place.at
    yield place.fault("zero", f"{at} is 0 everywhere: it is never computed", "0", lambda t: 0 * right(t))
    if not place.of_loss:
        yield place.fault("sign flipped", f"{at} has the wrong sign{_or_update(place)}", f"−{at}", lambda t: -right(t))
        yield place.fault("half", f"{at} is half of what it should be", f"{at}/2", lambda t: right(t) / 2)
        added = ": it may be added to that of a call before" if place.of_weight else ""
        yield place.fault("doubled", f"{at} is twice what it should be{added}", f"2·{at}", lambda t: 2 * right(t))
        text, formula = f"{at} is multiplied by the number of samples", f"N·{at}"
        if place.divisor == "N":
            text, formula = f"{at} lacks the 1/N", formula_of(place).removesuffix(" / N")
        yield place.fault("times N", text, formula, lambda t: samples(t) * right(t))
    if not (place.of_loss or place.of_weight):
        text = f"{at} is divided by the number of samples: a mean belongs to the loss, and only once"
        yield place.fault("divided by N", text, f"{at}/N", lambda t: right(t) / samples(t))
    if not place.of_weight or place.tensor.through:
        text = f"{at} is {{c}} times what it should be (a learning rate, or 1/N, multiplied in too early?)"
        formula = f"{{c}}·{at}"
        yield place.fitted("scaled by a constant", text, formula, lambda t: 0 * right(t), lambda t: +right(t), 0.1)


def _or_update(place: Place) -> str:
    """What a wrong sign of a gradient may be besides, where it is read off an update."""
    if not place.updated:
        return ""
    which = place.link.of if place.of_weight else "every weight whose gradient is made from it"
    return f", or {which} is updated with += ({UPHILL})"


def step_faults(place: Place) -> Iterator[Fault]:
    """What belongs to the step, at dx and at the gradients of weights."""
    right, at = place.link, place.at
    yield from place.faults_of(_STEPS)
    weight = place.link.of
    if not place.of_weight or weight is None or place.tensor.through:
        return
    text = f"{at} is {{c}} times the gradient: the learning rate, or another constant, is multiplied in"
    formula = f"{{c}}·{at}"
    yield place.fitted("learning rate multiplied in", text, formula, lambda t: 0 * right(t), lambda t: +right(t), 0.1)
    penalised = place.network.loss.penalised(place.network.weights)
    if weight not in penalised:
        cause = "penalty on a bias" if penalised else "weight decay added"
        why = "a penalty, which only other weights have" if penalised else "weight decay, which this loss does not have"
        text = f"{at} has {{c}}·{weight} added: {why}"
        yield place.fitted(cause, text, f"{at} + {{c}}·{weight}", right, lambda t: +t[weight], 0.01)
    text = f"{at} is clipped to values from −{{c}} to {{c}}"
    yield place.clipped(Clipped, "clipped by value", text, f"min(max({at}, −{{c}}), {{c}})", right, 1.0)
    text = f"{at} is scaled down to length {{c}}"
    yield place.clipped(Shortened, "clipped by norm", text, f"{at}·min(1, {{c}}/|{at}|)", right, 1.0)


def _after_the_update(place: Place) -> Iterator[Fault]:
    dz, W, dW = (place.names[local] for local in ("dz", "W", "dW"))
    if place.earlier(dW):
        text = f"{W} was updated, with learning rate {{c}}, before {place.at} was computed with it"
        formula = f"{dz} · ({W} − {{c}}·{dW})ᵀ"
        against = lambda t: -(t[dz] @ t[dW].T)  # noqa: E731
        yield place.fitted("weights after the update", text, formula, place.link, against, 0.1)


_STEPS: RuleTable = {Dense: {"dx": _after_the_update}}
