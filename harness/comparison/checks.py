"""The two checks of one step, the end-to-end difference in the working dtype, and the check of an update.

    formula      float64, end to end, against the bounded centre: is it the right function?
    rounding     working dtype, link by link, each link fed the implementation's own tensors: is each
                 step as accurate as its dtype allows?
    end-to-end   working dtype, against the hand code; allowed is the sum of both bounds
    update       rounding, of each rule of the hand optimizer, fed the implementation's own state and gradient

A tensor that is outside end to end is `inherited` where its own link is right, and `FAULT` where the link
is wrong or nothing says where the difference came from. To tell, the links are run on the very tensors
that were compared, in the very dtype.

A new weight's `sees` is that of the weight, not of the step: near a weight of 1 a step of 1e-3 can only be seen to
some 1e-4 of itself.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from functools import lru_cache, partial
from typing import Any

import numpy as np
from msgspec.structs import replace

from harness.arithmetic import Bounded, Context, Profile, profile_of
from harness.arithmetic.bounded import adds_terms
from harness.arithmetic.profile import ANYWHERE
from harness.comparison.judge import Check, Row, as_convention, but_for_rounding, judge, judge_by, not_comparable
from harness.comparison.recomputed import recomputed
from harness.comparison.standard import Standard, Telling
from harness.evaluation.centre import NOTHING, Readings, alone, exact_inputs, parts_of, sampled
from harness.evaluation.point import Point
from harness.evaluation.subgradients import Sides
from harness.inputs.schedule import EVERY_ENTRY, Stride
from impls.contract import Arithmetic, Array, Arrays, Pass, Update, tensors_of
from impls.graph import Graph, Link
from impls.hand.optimizers import update_links


def rounding(point: Point, against: str, result: Pass, profile: Profile, stride: Stride = EVERY_ENTRY) -> list[Row]:
    """Every link of a pass, alone, fed the implementation's own tensors."""
    tensors, shown = point.tensors(result), tensors_of(result)
    sums, readings, rows = dict[str, Array](), Readings(point.context), []
    for link in point.network.links:
        if point.network.tensors[link.output].through and link.output not in shown:
            continue  # a part of a gradient: the sum of all parts is one link
        parts = parts_of(point.network, link, tensors)
        missing = [
            name
            for name in (link.output, *link.inputs, *(name for part in parts.values() for name in part.inputs))
            if name not in tensors and name not in parts
        ]
        if missing:
            reason = f"{against} shows no {', '.join(missing)}"
            rows.append(not_comparable("rounding", link.output, against, point.step, reason))
            continue
        expected = alone(link, tensors, profile, stride, shown, parts, sums, readings=readings)
        row = judge_link(
            link, tensors, tensors[link.output], profile, against, point.step, stride, shown, parts, expected=expected
        )  # fmt: skip
        if row.verdict == "FAULT" and not profile.eager and not parts:
            other = recomputed(point.network, link, tensors, profile)
            again = judge(
                "rounding", link.output, against, point.step, actual=tensors[link.output],
                expected=other.value, allowed=other.bound,
            )  # fmt: skip
            row = row if again.verdict == "FAULT" else again
        rows.append(row)
        if not profile.eager and link.output in point.network.readers:
            whole = expected if stride == EVERY_ENTRY or not link.slices else None
            anew = _anew(link, tensors, shown, profile, parts, sums, whole)
            sums |= {} if anew is None else {link.output: anew}
    return rows


def _anew(
    link: Link,
    tensors: Mapping[str, Array],
    shown: Container[str],
    profile: Profile,
    parts: Mapping[str, Link],
    sums: Mapping[str, Array],
    whole: Bounded | None = None,
) -> Array | None:
    """Of a tensor that is a sum, what may be rounded in it besides itself, added up, where that is known.

    A compiler that computes such a sum once more for whoever reads it need not contract it alike: not the products in
    it, nor what a part is made of. Two members of a sum differ by twice its bound at most.

    Args:
        sums: the same of what the link reads.
        whole: every entry of what it gives, where that is there already.
    """

    def made_by(each: Link) -> Bounded:
        return alone(each, tensors, profile, EVERY_ENTRY, shown, NOTHING, sums)

    def of(made: Bounded) -> Array:
        return 2 * made.bound / profile.u if made.parts is None else np.broadcast_to(made.parts, made.shape)

    with np.errstate(all="ignore"):
        if parts:
            made = [made_by(part) for part in parts.values()]
            return np.asarray(np.sum([np.abs(part.value) + of(part) for part in made], axis=0))
        if adds_terms(link.rule):
            return of(made_by(link) if whole is None else whole)
        if link.of and all(name in sums for name in link.inputs):
            passed = made_by(link) if whole is None else whole
            return None if passed.parts is None else of(passed)  # moved only, or passed on as it is
    return None


def sums_of(network: Graph, tensors: Mapping[str, Array], shown: Container[str], profile: Profile) -> dict[str, Array]:
    """Of each tensor that is a sum and is read, what `_anew` says of it, where all that it is made of is known."""
    found: dict[str, Array] = {}
    for link in network.links:
        parts = parts_of(network, link, tensors)
        reads = [name for part in (*parts.values(), link) for name in part.inputs if name not in parts]
        if link.output in network.readers and all(name in tensors for name in (link.output, *reads)):
            anew = _anew(link, tensors, shown, profile, parts, found)
            found |= {} if anew is None else {link.output: anew}
    return found


def judge_link(
    link: Link,
    tensors: Mapping[str, Array],
    actual: Array,
    profile: Profile,
    against: str,
    step: int,
    stride: Stride = EVERY_ENTRY,
    shown: Container[str] = (),
    parts: Mapping[str, Link] = NOTHING,
    *,
    expected: Bounded | None = None,
) -> Row:
    """One link alone, fed `tensors`, against what an implementation made of them.

    `shown` names the tensors that the implementation made in the same program as `actual`; `parts`, see `alone`, which
    gives what is `expected` where it is not there already.
    """
    expected = alone(link, tensors, profile, stride, shown, parts) if expected is None else expected
    shape = actual.shape
    actual = sampled(link, actual, stride)
    row = judge("rounding", link.output, against, step, actual=actual, expected=expected.value, allowed=expected.bound)
    row = _in_the_whole(row, link, shape, stride)
    if row.verdict == "FAULT":
        context = Context(profile_of(str(actual.dtype)))
        apart = stride if link.slices else EVERY_ENTRY

        def reads(each: Link) -> list[Any]:
            # What is read decides the branch exactly as it is shown.
            return exact_inputs(each, tensors, context, apart, (), parts if each is link else NOTHING)

        sides = Sides.of_link(link, reads, parts)
        if sides is not None and sides.allow(actual, expected):
            return as_convention(row)
    return row


def _in_the_whole(row: Row, link: Link, shape: tuple[int, ...], stride: Stride) -> Row:
    """The row of a sample, its index counted in the whole tensor of that shape."""
    if stride == EVERY_ENTRY or row.index is None or not link.slices:
        return row
    index = list(row.index)
    index[link.axis] = stride.origin(index[link.axis], shape[link.axis])
    return replace(row, index=tuple(index))


def formula(
    point: Point, against: str, result: Pass, stride: Stride = EVERY_ENTRY, whole: Arithmetic = ANYWHERE
) -> list[Row]:
    """Every tensor of a pass against the centre, or the truth at a certified point, within its dtype's bounds.

    In float64, for which this check is made, the allowance is the centre's own bound. `whole`: see `Point.centre`.
    """
    dtype = str(np.asarray(result.loss).dtype)
    standards = point.once(("formula", dtype, stride, whole), lambda: _of_centre(point, dtype, stride, whole))
    rows = _compare("formula", point, against, result, lambda link: standards[link.output], stride)
    return _tell_inherited(point, against, result, rows, profile_of(dtype), stride)


def _of_centre(point: Point, dtype: str, stride: Stride, whole: Arithmetic) -> dict[str, Standard]:
    if dtype == "float64":  # which no tensor core of those known rounds otherwise
        point, whole = point.double, Arithmetic(device=whole.device)
    centre = point.centre(dtype, whole).tensors
    true = point.truth.judging if point.truth else {}

    def standard(link: Link, bound: Array, value: Array, tail: Array | None = None) -> Standard:
        rest = tail if tail is None else sampled(link, tail, stride)
        return Standard(sampled(link, value, stride), sampled(link, bound, stride), rest)

    return {
        name: standard(point.network.link[name], tensor.bound, true[name].value, true[name].tail)
        if name in true
        else standard(point.network.link[name], tensor.bound, tensor.value)
        for name, tensor in centre.items()
    }


def end_to_end(
    point: Point, against: str, result: Pass, reference: Pass, stride: Stride = EVERY_ENTRY,
    whole: Arithmetic = ANYWHERE,
) -> list[Row]:  # fmt: skip
    """Every tensor of a pass in the working dtype against the reference's, which has its own rounding."""
    dtype = str(np.asarray(result.loss).dtype)
    centre, values = point.centre(dtype, whole).tensors, tensors_of(reference)
    own = point.centre(dtype).tensors
    # The reference stands beside what was counted by it, so that no other takes its place.
    key, nothing = ("end-to-end", dtype, stride, id(reference), whole), dict[str, Telling]()
    _, counted = point.once(key, lambda: (reference, nothing))

    def standard(link: Link) -> Standard:
        """Made anew for everybody who is judged by it: those of all tensors are as large as a pass in float64."""
        name = link.output
        expected, own_bound, bound = (
            sampled(link, each, stride) for each in (values[name], own[name].bound, centre[name].bound)
        )
        made = Standard(expected, own_bound + bound, counted=counted.get(name))
        with np.errstate(all="ignore"):
            counted[name] = made.telling
        return made

    rows = _compare("end-to-end", point, against, result, standard, stride)
    return _tell_inherited(point, against, result, rows, profile_of(dtype), stride)


def _compare(
    check: Check,
    point: Point,
    against: str,
    result: Pass,
    standard: Callable[[Link], Standard],
    stride: Stride,
) -> dict[str, Row]:
    tensors = tensors_of(result)
    rows = {}
    for link in point.network.links:
        name = link.output
        if name not in tensors:
            if point.network.tensors[name].through:
                continue
            reason = f"{against} shows no {name}"
            rows[name] = not_comparable(check, name, against, point.step, reason)
            continue
        actual = sampled(link, np.asarray(tensors[name]), stride)
        row = judge_by(standard(link), check, name, against, point.step, actual)
        whole = _in_the_whole(row, link, np.shape(tensors[name]), stride)
        rows[name] = but_for_rounding(whole, partial(point.vanishes, name)) if check == "formula" else whole
    return rows


def _tell_inherited(
    point: Point, against: str, result: Pass, rows: dict[str, Row], profile: Profile, stride: Stride
) -> list[Row]:
    """Tell what is wrong by itself from what is wrong because its upstream is."""
    if all(row.verdict != "FAULT" for row in rows.values()):
        return list(rows.values())
    links = {row.gradient: row for row in rounding(point, against, result, profile, stride)}
    located = any(row.verdict in ("FAULT", "convention") for row in links.values())
    differs = [name for name in point.network.activations if rows[name].verdict == "FAULT"]
    told = []
    for name, row in rows.items():
        own = links[name].verdict
        if differs and point.network.link[name].of:
            reason = f"the forward pass already differs at {differs[0]}"
            told.append(not_comparable(row.check, name, against, point.step, reason))
        elif row.verdict == "FAULT" and own == "convention":
            told.append(as_convention(row))
        elif row.verdict == "FAULT" and own in ("ok", "no power") and located:
            told.append(replace(row, verdict="inherited", reason="right, given its own inputs"))
        else:
            told.append(row)
    return told


def update(
    optimizer: Any,
    weights: Arrays,
    gradients: Arrays,
    before: Arrays,
    after: Update,
    profile: Profile,
    *,
    against: str,
    step: int,
    stride: Stride = EVERY_ENTRY,
    context: Callable[[Profile], Context] = Context,
) -> list[Row]:
    """One row for each new weight and each state; `before` and `after` are the implementation's own.

    In a `context` of the point, what others make of the same weights is not made again.
    """
    rows = []
    tensors: dict[str, Any] = {**weights, **gradients, **before, "t": np.asarray(step)}
    new = {**after.weights, **after.state}
    for link in _links(optimizer, tuple(weights)):
        expected = alone(link, tensors, profile, stride, readings=Readings(context))
        rows.append(judge_link(link, tensors, new[link.output], profile, against, step, stride, expected=expected))
        tensors[link.output] = new[link.output]  # the weight's rule reads the state as it was updated
    return rows


@lru_cache(maxsize=1)  # made from signatures, slowly, and the same at every step
def _links(optimizer: Any, weights: tuple[str, ...]) -> list[Link]:
    return update_links(optimizer, weights)
