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

from collections.abc import Callable, Container, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any

import numpy as np
from msgspec.structs import replace

from harness.arithmetic import Bounded, Context, Profile, profile_of
from harness.arithmetic.profile import ANYWHERE
from harness.comparison.judge import (
    Check,
    Compared,
    Row,
    as_convention,
    but_for_rounding,
    judge,
    judge_each,
    not_comparable,
)
from harness.comparison.recomputed import Sums, recomputed
from harness.comparison.standard import Standard, Telling
from harness.evaluation.centre import NO_SUMS, NOTHING, KnownSums, Readings, alone, exact_inputs, parts_of
from harness.evaluation.point import Point
from harness.evaluation.subgradients import Sides
from impls.contract import Arithmetic, Array, Arrays, Pass, Update, tensors_of
from impls.graph import Link
from impls.hand.optimizers import update_links


def rounding(
    point: Point, against: str, result: Pass, profile: Profile, only: Container[str] | None = None
) -> list[Row]:
    """Every link of a pass, or those that give `only` these tensors, alone, fed the implementation's own tensors.

    Of every link what others read is known on the way, and so is what may be rounded in it. Of some it would have to be
    found, which is done where a link is not right without.
    """
    tensors, shown = point.tensors(result), tensors_of(result)
    sums = Sums(point.network, tensors, shown, profile)
    readings = Readings(point.context_near if only is None else point.context)
    on_the_way = None if profile.eager or only is not None else sums
    known: KnownSums = NO_SUMS if on_the_way is None else on_the_way

    def compared() -> Iterator[Row | Compared]:
        for link in point.network.links:
            if only is not None and link.output not in only:
                continue
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
                yield not_comparable("rounding", link.output, against, point.step, reason)
                continue
            expected = alone(link, tensors, profile, shown, parts, known, readings=readings)
            if on_the_way is not None:
                on_the_way.take(link, expected)
            yield Compared(link.output, tensors[link.output], Standard(expected.value, expected.bound))

    def again(row: Row) -> Row:
        link = point.network.link[row.gradient]
        parts = parts_of(point.network, link, tensors)
        ways = [partial(alone, link, tensors, profile, shown, parts)] if on_the_way is None else []
        if not profile.eager:
            ways.append(partial(alone, link, tensors, profile, shown, parts, sums))
            ways += [] if parts else [partial(recomputed, point.network, link, tensors, profile)]
        actual = tensors[link.output]
        rows = (
            judge_link(link, tensors, actual, profile, against, point.step, shown, parts, expected=way())
            for way in ways
        )
        return next((found for found in rows if found.verdict != "FAULT"), row)

    rows = judge_each("rounding", against, point.step, compared())
    return [again(row) if row.verdict == "FAULT" else row for row in rows]


def judge_link(
    link: Link,
    tensors: Mapping[str, Array],
    actual: Array,
    profile: Profile,
    against: str,
    step: int,
    shown: Container[str] = (),
    parts: Mapping[str, Link] = NOTHING,
    *,
    expected: Bounded | None = None,
) -> Row:
    """One link alone, fed `tensors`, against what an implementation made of them.

    `shown` names the tensors that the implementation made in the same program as `actual`; `parts`, see `alone`, which
    gives what is `expected` where it is not there already.
    """
    expected = alone(link, tensors, profile, shown, parts) if expected is None else expected
    row = judge("rounding", link.output, against, step, actual=actual, expected=expected.value, allowed=expected.bound)
    if row.verdict == "FAULT":
        context = Context(profile_of(str(actual.dtype)))

        def reads(each: Link) -> list[Any]:
            # What is read decides the branch exactly as it is shown.
            return exact_inputs(each, tensors, context, (), parts if each is link else NOTHING)

        sides = Sides.of_link(link, reads, parts)
        if sides is not None and sides.allow(actual, expected):
            return as_convention(row)
    return row


def formula(point: Point, against: str, result: Pass, whole: Arithmetic = ANYWHERE) -> list[Row]:
    """Every tensor of a pass against the centre, or the truth at a certified point, within its dtype's bounds.

    In float64, for which this check is made, the allowance is the centre's own bound. `whole`: see `Point.centre`.
    """
    dtype = str(np.asarray(result.loss).dtype)
    nothing = dict[str, Telling]()
    standards, counted = point.once(("formula", dtype, whole), lambda: (_of_centre(point, dtype, whole), nothing))
    rows = _compare("formula", point, against, result, standards.__getitem__, counted)
    return _tell_inherited(point, against, result, rows, profile_of(dtype))


def _of_centre(point: Point, dtype: str, whole: Arithmetic) -> dict[str, Standard]:
    if dtype == "float64":  # which no tensor core of those known rounds otherwise
        point, whole = point.double, Arithmetic(device=whole.device)
    centre = point.centre(dtype, whole).tensors
    true = point.truth.judging if point.truth else {}

    return {
        name: Standard(true[name].value, tensor.bound, true[name].tail)
        if name in true
        else Standard(tensor.value, tensor.bound)
        for name, tensor in centre.items()
    }


def end_to_end(point: Point, against: str, result: Pass, reference: Pass, whole: Arithmetic = ANYWHERE) -> list[Row]:
    """Every tensor of a pass in the working dtype against the reference's, which has its own rounding."""
    dtype = str(np.asarray(result.loss).dtype)
    centre, values = point.centre(dtype, whole).tensors, tensors_of(reference)
    own = point.centre(dtype).tensors
    # The reference stands beside what was counted by it, so that no other takes its place.
    key, nothing = ("end-to-end", dtype, id(reference), whole), dict[str, Telling]()
    _, counted = point.once(key, lambda: (reference, nothing))

    def standard(name: str) -> Standard:
        return Standard(values[name], own[name].bound, besides=centre[name].bound)

    rows = _compare("end-to-end", point, against, result, standard, counted)
    return _tell_inherited(point, against, result, rows, profile_of(dtype))


def _compare(
    check: Check,
    point: Point,
    against: str,
    result: Pass,
    standard: Callable[[str], Standard],
    counted: dict[str, Telling],
) -> dict[str, Row]:
    tensors = tensors_of(result)

    def compared() -> Iterator[Row | Compared]:
        for link in point.network.links:
            name = link.output
            if name in tensors:
                yield Compared(name, np.asarray(tensors[name]), standard(name))
            elif not point.network.tensors[name].through:
                yield not_comparable(check, name, against, point.step, f"{against} shows no {name}")

    rows = {row.gradient: row for row in judge_each(check, against, point.step, compared(), counted)}
    if check == "formula":
        rows = {name: but_for_rounding(row, partial(point.vanishes, name)) for name, row in rows.items()}
    return rows


def _tell_inherited(point: Point, against: str, result: Pass, rows: dict[str, Row], profile: Profile) -> list[Row]:
    """Tell what is wrong by itself from what is wrong because its upstream is."""
    if all(row.verdict != "FAULT" for row in rows.values()):
        return list(rows.values())
    links = {row.gradient: row for row in rounding(point, against, result, profile)}
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
    only: Container[str] | None = None,
    context: Callable[[Profile], Context] = Context,
) -> list[Row]:
    """One row for each new weight and each state, or `only` for these; `before` and `after` are somebody's own.

    In a `context` of the point, what others make of the same weights is not made again.
    """
    tensors: dict[str, Any] = {**weights, **gradients, **before, "t": np.asarray(step)}
    new = {**after.weights, **after.state}
    links = dict[str, tuple[Link, Mapping[str, Any]]]()
    for link in _links(optimizer, tuple(weights)):
        if link.output in new:  # or else nothing is judged of its weight
            links[link.output] = link, tensors
            tensors = {**tensors, link.output: new[link.output]}  # the weight's rule reads the state as it was updated

    def compared() -> Iterator[Compared]:
        for name, (link, reads) in links.items():
            if only is None or name in only:
                expected = alone(link, reads, profile, readings=Readings(context))
                yield Compared(name, new[name], Standard(expected.value, expected.bound))

    def again(row: Row) -> Row:
        link, reads = links[row.gradient]
        return judge_link(link, reads, new[link.output], profile, against, step)

    rows = judge_each("rounding", against, step, compared())
    return [again(row) if row.verdict == "FAULT" else row for row in rows]


@lru_cache(maxsize=1)  # made from signatures, slowly, and the same at every step
def _links(optimizer: Any, weights: tuple[str, ...]) -> list[Link]:
    return update_links(optimizer, weights)
