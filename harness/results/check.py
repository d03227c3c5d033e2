"""Check: everything that checking one backward pass found, the same object for text, JSON and tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from msgspec import to_builtins
from msgspec.structs import asdict as fields_of

from harness.candidates.answers import untrained
from harness.comparison.judge import Finding, Row
from harness.diagnosis import Diagnosis
from harness.diagnosis.location import Located
from harness.evaluation.point import Point
from harness.results.checked import Checked
from harness.results.numbers import part
from harness.results.printable import Printable
from harness.results.record import PowerCount
from harness.results.setting import Setting
from harness.results.verdicts import HALVED, Outcome
from impls.graph import Graph

SCHEMA = 1


@dataclass(frozen=True)
class Learning:
    """Two trainings by gradient descent from the same weights on the same rows.

    Attributes:
        lr: the largest power of 1/2 with which the right gradient lowers the loss in each of the first ten steps.
        start, yours, right: loss before, after the candidate's training (None: not a number), after the right one.
    """

    steps: int
    lr: float
    start: float
    yours: float | None
    right: float


@dataclass(frozen=True)
class Check(
    Checked, Printable, text="harness.rendering.check_screen:rendered", notebook="harness.rendering.notebook:of_check"
):
    """A backward pass, checked link by link.

    Attributes:
        setting: what was compared, and where.
        point: the weights and the batch.
        located: every tensor shown, judged.
        findings: what is to be said besides numbers: shapes, second call, changed inputs, ...
        diagnoses: for each wrong link, in order, what explains it.
        ignored: names returned that mean nothing to this network.
        loss: the loss at the point, right.
        factor: the number by which every gradient is the right one's multiple, if that is all that is wrong.
        learning: two short trainings, if the gradient is wrong and can train.
        dialect: how it is read where it is not read as it stands, in words that follow ``is right``.
        option: what says so on the command line, where something does; or what would make it right, if that is meant.
        power: how many faults of the catalogue it would have called right, in a dtype narrower than float32.
    """

    setting: Setting
    point: Point
    located: Located
    findings: list[Finding] = field(default_factory=list)
    diagnoses: list[Diagnosis] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    loss: float | None = None
    factor: float | None = None
    learning: Learning | None = None
    dialect: str | None = None
    option: str | None = None
    power: PowerCount | None = None

    @property
    def rows(self) -> list[Row]:
        """Every tensor, end to end, with its verdict, in the order of a training step."""
        return self.located.rows

    @property
    def gradients(self) -> Sequence[str]:
        """Names of the gradients that were asked for, those of the weights."""
        return self.setting.gradients

    @property
    def judged(self) -> list[Row]:
        """The rows that could be judged."""
        return [row for row in self.rows if row.verdict != "not comparable"]

    @cached_property
    def outcome(self) -> Outcome:
        """Verdict, exit status and the rest of the first line."""
        return _judged(self)

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of ``harness check --json``."""
        setting = asdict(self.setting)
        return {
            "schema": SCHEMA,
            **self.told(),
            **setting,
            "loss": self.loss,
            "wrong": self.wrong,
            "first_wrong_link": self.first_wrong_link,
            "wrong_links": self.wrong_links,
            "common_factor": self.factor,
            "findings": to_builtins(self.findings),
            "rows": [fields_of(row) | {"cosine": self.located.cosines.get(row.gradient)} for row in self.rows],
            "links": [fields_of(row) for row in self.located.links],
            "undecided_kinks": self.located.undecided,
            "diagnoses": [asdict(diagnosis) for diagnosis in self.diagnoses],
            "ignored": self.ignored,
            "learning": asdict(self.learning) if self.learning else None,
            "dialect": self.dialect,
            "option": self.option,
            "power": to_builtins(self.power),
        }

    @cached_property
    def wrong_links(self) -> list[str]:
        """Names of the links with wrong numbers, in order: as diagnosed, where they are not shown themselves."""
        diagnosed = {name: None for d in self.diagnoses for name in (d.links or (d.at,))}
        return list({**diagnosed, **dict.fromkeys(self.located.faulty)})

    @property
    def first_wrong_link(self) -> str | None:
        """The first of them."""
        return next(iter(self.wrong_links), None)

    @cached_property
    def wrong(self) -> list[str]:
        """Names of everything that is wrong: the wrong links, then what has a wrong shape, or is wrong elsewhere."""
        broken = [f.tensor for f in self.findings if f.fails and f.tensor in self.network.link]
        return list(dict.fromkeys([*self.wrong_links, *map(str, broken)]))

    @property
    def network(self) -> Graph:
        """Whose backward pass it is."""
        return self.point.network

    def is_gradient(self, tensor: str) -> bool:
        """Whether a tensor belongs to the backward pass."""
        return self.point.network.tensors[tensor].role == "gradient"

    def entry_near(self, tensor: str) -> str | None:
        """The first entry of the first weight of the node that a tensor belongs to, or of one before: ``W2[1,1]``."""
        network = self.point.network
        found = network.tensors[tensor]
        node = network.tensors[found.of].node if found.of else found.node
        names = [each.name for each in network.nodes]
        before = names[: names.index(node) + 1] if node in names else []
        weights = [name for each in before for name in network.weights if network.tensors[name].node == each]
        owners = [network.tensors[name].node for name in weights]
        if not weights:
            return None
        first = weights[owners.index(owners[-1])]
        return f"{first}[{','.join('1' for _ in network.weights[first])}]"

    def place(self, tensor: str) -> str:
        """File and line that make a tensor, in brackets; nothing where they are not known."""
        found = self.setting.lines.get(tensor)
        return f" ({found[0]}:{found[1]})" if found else ""


def _judged(check: Check) -> Outcome:
    failed = check.failing
    if check.wrong_links:
        return Outcome("FAIL", 1, _why_wrong(check))
    if failed:
        return Outcome("FAIL", 1, f"{failed[0].against} {failed[0].message}")
    judged = check.judged
    if not judged:
        return Outcome("NOT COMPARED", 5, "nothing could be judged, so nothing was compared")
    said = any(finding.kind == "not trained" for finding in check.findings)
    without = untrained(check.network, {row.gradient for row in judged}) if said else []
    missing = [row.gradient for row in check.rows if row.verdict == "not comparable" and row.gradient not in without]
    name = check.setting.name
    if missing:
        return Outcome("NOT COMPARED", 3, f"{name} returns no {', '.join(missing)}; what it returns is right")
    powerless = [row.gradient for row in judged if row.verdict == "no power" and check.is_gradient(row.gradient)]
    if powerless:
        told = f"nothing failed, but most entries of {', '.join(powerless[:4])} {HALVED}"
        return Outcome("NO POWER", 0, told)
    not_trained = "; biases are not trained: no db returned" if without else ""
    return Outcome("PASS", 0, f"{_why_right(check, judged)}{not_trained}{_unseen(check)}")


def _why_wrong(check: Check) -> str:
    first, *others = check.wrong_links
    shown = {row.gradient: row for row in check.rows}
    told = f"first wrong link: {first}{check.place(first)}"
    if first not in shown:
        told += (
            f", which is not returned; seen at {check.diagnoses[0].shown_at}{check.place(check.diagnoses[0].shown_at)}"
        )
    elif shown[first].difference is None and shown[first].reason:
        told += f", {shown[first].reason}"
    if others:
        told += f"; also wrong: {', '.join(f'{name}{check.place(name)}' for name in others)}"
    inherited = sum(check.is_gradient(row.gradient) for row in check.located.of("inherited"))
    if inherited:
        one = "1 later gradient is wrong only because it inherits it"
        told += f". {one if inherited == 1 else f'{inherited} later gradients are wrong only because they inherit it'}"
    return told + (f"; read {check.dialect}" if check.dialect else "")


def _why_right(check: Check, judged: list[Row]) -> str:
    gradients = [row for row in judged if row.gradient in check.setting.gradients]
    worst = max(gradients or judged, key=lambda row: row.used or 0.0)
    others = len(judged) - len(gradients)
    besides = f" and {others} intermediates" if others > 1 else " and 1 intermediate" if others else ""
    which = " of a weight gradient:" if gradients else ""
    right = f"{check.setting.name} is right up to rounding{_read_as(check)}"
    return (
        f"{right}: {len(gradients)} gradients{besides}; worst used{which} "
        f"{part(worst.used)} of its allowance ({worst.gradient}){_not_decided(check.located.on_kinks)}"
    )


def _read_as(check: Check) -> str:
    return f" {check.dialect}" if check.dialect else ""


def _unseen(check: Check) -> str:
    power = check.power
    if power is None or not power.missed:
        return ""
    return f"; {check.setting.dtype} has no power for {power.missed} of {power.planted} planted faults"


def _not_decided(arguments: int) -> str:
    if not arguments:
        return ""
    lie = "1 argument lies on a kink and was" if arguments == 1 else f"{arguments} arguments lie on a kink and were"
    return f"; {lie} not decided"
