"""Judging one case: every check of the harness on every implementation, in each dtype that is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from harness.candidates.conformance import non_finite
from harness.candidates.implementation import profile_for
from harness.comparison import checks
from harness.comparison.checks import update as update_rows
from harness.comparison.judge import Row
from harness.evaluation.point import Point
from impls.contract import Array, CannotCompareError, Implementation, Pass, tensors_of
from impls.graph import TARGET, Graph, Link
from impls.hand.notation import LAYERS, name_of
from impls.hand.optimizers import initial_state, update_links
from reports.page.neurons import stages
from reports.soundness.cases import Case, Drawn
from reports.soundness.tally import Alarm, Key, Tally, fault_of

REFERENCE = "hand"
WIDE = ("float32", "float64")
SATURATE = ("sigmoid", "tanh", "softmax")
"""Activations that reach 1 only by rounding."""
Builds = Mapping[str, Callable[[Graph, str], Implementation]]


def judge_case(case: Case, builds: Builds, dtypes: Sequence[str] = WIDE) -> Tally:
    """Everything that one case has to say in these dtypes."""
    judging = _Judging(case, Tally())
    judging.note()
    built = {
        (name, dtype): made
        for name, build in builds.items()
        for dtype in dtypes
        if (made := judging.build(name, build, dtype)) is not None
    }
    for drawn in case.points():
        judging.tally.saw(*drawn.features)
        for dtype in dtypes:
            judging.point(drawn, {name: made for (name, d), made in built.items() if d == dtype}, dtype)
    if case.optimizer:
        judging.updates(built)
    return judging.tally


class _Judging:
    """A case being judged."""

    def __init__(self, case: Case, tally: Tally) -> None:
        self.case, self.tally = case, tally

    def note(self) -> None:
        """What occurs in this case whatever its numbers are."""
        network, saw = self.case.network, self.tally.saw
        loss = network.loss
        saw(f"loss {name_of(unscaled(loss))}")
        saw(f"loss scale {getattr(loss, 'by', 1.0):g}")
        saw(f"threads {self.case.threads}")
        if self.case.optimizer:
            saw(f"optimizer {name_of(self.case.optimizer).partition('(')[0]}")
        else:
            kinds = {kind: name for name, kind in LAYERS.items()}
            saw(*{f"layer {kinds[type(node.layer)]}" for node in network.nodes if type(node.layer) in kinds})
        saw(f"batch {self.case.rows}")
        chain = stages(network) or []
        saw(f"depth {len(chain)}", *{f"width {width}" for each in chain for width in network.weights[each.matrix]})
        saw(*{f"activation {name_of(node.layer)}" for node in network.nodes if not node.weights})

    def build(self, name: str, build: Callable[[Graph, str], Implementation], dtype: str) -> Any:
        """The implementation, or None if it says that it lacks something."""
        try:
            return build(self.case.network, dtype)
        except CannotCompareError as reason:
            self.lacks(name, str(reason))
            return None

    def lacks(self, name: str, reason: str) -> None:
        """Remember what an implementation does not have."""
        told = f"{name}: {re.sub(r'[(].*?[)]', '', reason)}"
        self.tally.lacking[told] = self.tally.lacking.get(told, 0) + 1

    def alarm(self, key: Key, point: str, text: str) -> None:
        """Remember that a correct implementation was called wrong."""
        case = self.case
        self.tally.alarms.append(Alarm(case.seed, case.number, key, point, repr(case.network), text))

    def point(self, drawn: Drawn, built: Mapping[str, Implementation], dtype: str) -> None:
        """All implementations of one dtype at one set of weights on one batch."""
        network = self.case.network
        weights = {name: w.astype(dtype) for name, w in drawn.weights.items()}
        x, y = drawn.x.astype(dtype), drawn.y if network.tensors[TARGET].whole else drawn.y.astype(dtype)
        point = Point(network, weights, x, y, 1)
        passes: dict[str, Pass | None] = {}
        for name, made in built.items():
            passes[name] = self.differentiated(name, made, point, drawn, passes.get(REFERENCE))
        for name, result in passes.items():
            if result is None:
                continue
            profile = profile_for(built[name], dtype, network)
            known = self.rounding(checks.rounding(point, name, result, profile), point, name, result, drawn, profile)
            rows = checks.formula(point, name, result)
            reference = passes.get(REFERENCE)
            if name != REFERENCE and reference is not None and dtype != "float64":
                rows += checks.end_to_end(point, name, result, reference)
            self.whole(rows, dtype, drawn, known)

    def differentiated(
        self, name: str, made: Implementation, point: Point, drawn: Drawn, reference: Pass | None
    ) -> Pass | None:
        """A pass, or None after an alarm because there is none."""
        try:
            with np.errstate(all="ignore"):
                return made.differentiate(point.weights, point.x, point.y)
        except Exception as error:  # torch refuses probabilities that are NaN; anything else is an alarm
            key = Key("contract", "differentiate", point.dtype, name)
            if reference is None or non_finite(tensors_of(reference)) is None:
                self.alarm(key, drawn.described, f"{type(error).__name__}: {error}")
            else:
                self.tally.of(key).unjudged += 1
            return None

    def rounding(
        self, rows: Iterable[Row], point: Point, name: str, result: Pass, drawn: Drawn, profile: Any
    ) -> dict[str, str]:
        """Count the rows of the rounding check; gives the outputs of links with a known fault."""
        tensors = point.tensors(result)
        self.watch(result, profile)
        known = {}
        for row in rows:
            link = point.network.link[row.gradient]
            key = Key("rounding", rule_of(link), profile.dtype, name)
            fault = fault_of(link, name, profile.dtype) if row.verdict == "FAULT" else None
            if fault is not None and fault.explains(link, tensors, profile):
                known[link.output] = fault.name
                self.tally.known[fault.name] = self.tally.known.get(fault.name, 0) + 1
            if link.output in known:
                self.tally.of(key).unjudged += row.entries
            else:
                self.row(key, row, drawn.described)
        return known

    def whole(self, rows: Iterable[Row], dtype: str, drawn: Drawn, known: Mapping[str, str]) -> None:
        """Count the rows of a check from end to end."""
        for row in rows:
            key = Key(row.check, rule_of(self.case.network.link[row.gradient]), dtype, row.against)
            if row.verdict == "FAULT" and row.gradient in known:
                self.tally.of(key).unjudged += row.entries
            else:
                self.row(key, row, drawn.described)

    def row(self, key: Key, row: Row, point: str) -> None:
        """Count one row, or raise an alarm."""
        if row.verdict == "FAULT" or (row.verdict == "not comparable" and "forward pass" not in (row.reason or "")):
            text = f"{row.gradient}{list(row.index or ())}: {row.outside} of {row.entries} outside, difference "
            text += f"{row.difference}, allowed {row.allowed}, used {row.used}, {row.reason}"
            self.alarm(key, point, text)
        else:
            self.tally.row(key, row, f"case {self.case.number}, {row.gradient}, {point}")

    def watch(self, result: Pass, profile: Any) -> None:
        """Note what is extreme in a pass."""
        for link in self.case.network.forward_links:
            size = np.abs(result.activations.get(link.output, np.zeros(1)))
            if np.any((size > 0) & (size < profile.eta)):
                self.tally.saw("denormal")
            if not np.isfinite(size).all():
                self.tally.saw("overflow")
            if name_of(link.layer) in SATURATE and np.any(size == 1):
                self.tally.saw("saturation")
        gradients = [np.abs(result.gradients[name]) for name in self.case.network.gradients]
        if any(np.any((size > 0) & (size < profile.eta)) or not size.any() for size in gradients):
            self.tally.saw("underflow")

    def updates(self, built: Mapping[tuple[str, str], Any]) -> None:
        """A few steps of the case's optimizer from its own weights, on gradients of every size."""
        optimizer = self.case.optimizer
        for (name, dtype), made in built.items():
            steps = self.case.training(dtype)
            start = steps[0][0]
            try:
                updater = made.start(optimizer, start)
            except CannotCompareError as reason:
                self.lacks(name, str(reason))
                continue
            before: Mapping[str, Array] = initial_state(optimizer, start)
            links = {link.output: link for link in update_links(optimizer, start)}
            for number, (weights, gradients, described) in enumerate(steps, 1):
                with np.errstate(all="ignore"):
                    after = updater.update(weights, gradients)
                profile = replace(profile_for(made, dtype, self.case.network), eager=False)
                rows = update_rows(optimizer, weights, gradients, before, after, profile, against=name, step=number)
                for row in rows:
                    key = Key("update", rule_of(links[row.gradient]), dtype, name)
                    self.row(key, row, f"step {number}, {optimizer!r}, {described}")
                before = dict(after.state)


def rule_of(link: Link) -> str:
    """A link by its rule and layer: ``dz of Sigmoid``."""
    return f"{link.rule.__name__} of {type(unscaled(link.layer)).__name__}"


def unscaled(layer: Any) -> Any:
    """The loss that a scaled one scales; any other layer itself."""
    return getattr(layer, "loss", layer)
