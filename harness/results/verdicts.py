"""The run's verdict and exit status, from its rows and findings; and whether rounding explains its drift.

    FAIL          any row is FAULT, or an implementation broke its contract or diverged alone
    NOT COMPARED  nothing could be judged, or what was named could not be compared
    NO POWER      nothing failed, and some gradient has no power in every check that judged it
    PASS          otherwise

Exit status, the first that applies: 130 interrupted, 5 nothing compared, 1 FAIL, 3 could not compare, 0.
(2 is wrong usage, which never becomes a run, or a record that could not be kept, which comes after 130 and
leaves the verdict as it is; 4 is NO POWER under --require-power.)

Drift is how far apart implementations come when each follows its own updates. A distance alone says nothing:
training may damp a rounding error or double it at every step. So beside it stands the drift of a *twin*, the hand
code started from weights moved by one ulp, which shows what training makes of the smallest difference there is.

The verdict does not rest on that comparison. In a free run every implementation is judged along its own
path: each link and each update, fed its own tensors, must be within its derived allowance. Where all are,
its path is the result of admissible roundings and nothing else, whatever training made of them: *explained
by rounding*. Where one is not, it is not explained, and the first wrong link says why. A step at which only a
sample was compared could hide one, so then nothing is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from harness.comparison.judge import Finding, Row
from harness.results.record import Head, Step
from impls.contract import Array
from impls.graph import prefixed
from impls.registry import REFERENCE


class Outcome(NamedTuple):
    """Verdict, exit status, and the rest of the first line."""

    verdict: str
    exit: int
    reason: str


class Judged:
    """A result with an outcome."""

    @property
    def outcome(self) -> Outcome:
        """Verdict, exit status and the rest of the first line."""
        raise NotImplementedError

    @property
    def verdict(self) -> str:
        """PASS, FAIL, NO POWER or NOT COMPARED."""
        return self.outcome.verdict

    @property
    def exit(self) -> int:
        """The exit status that the verdict calls for."""
        return self.outcome.exit

    @property
    def reason(self) -> str:
        """The rest of the first line."""
        return self.outcome.reason


def outcome_of(head: Head, steps: Sequence[Step], rows: Sequence[Row], how: str) -> Outcome:
    """The outcome of a run, complete or not.

    Args:
        head, steps: what was asked, and every finished step.
        rows: one per check, tensor and implementation, the worst over all steps.
        how: finished, interrupted, diverged or cut off.
    """
    verdict, status, reason = _judged(head, steps, rows)
    if how == "interrupted":
        return Outcome(verdict, 130, f"{reason} (interrupted after step {len(steps)})")
    if how == "cut off":
        return Outcome(verdict, status, f"{reason} (the record ends after step {len(steps)})")
    return Outcome(verdict, status, reason)


def _judged(head: Head, steps: Sequence[Step], rows: Sequence[Row]) -> Outcome:
    judged = [row for row in rows if row.verdict != "not comparable"]
    faults = [row for step in steps for row in step.rows if row.verdict == "FAULT"]
    findings = [finding for step in steps for finding in step.findings]
    failed = [finding for finding in findings if finding.fails]
    missing = [finding for finding in findings if finding.kind == "missing"]
    diverged = next((f for f in findings if f.kind == "diverged" and not f.fails), None)
    if faults or failed:
        return Outcome("FAIL", 1, _why_failed(head, steps, faults, failed))
    if diverged:
        return Outcome("NOT COMPARED", 3, diverged.message)
    if not judged:
        why = "no step was run" if not steps else "nothing could be judged"
        return Outcome("NOT COMPARED", 5, f"{why}, so nothing was compared")
    if missing:
        status = 3 if head.named else 5
        if status == 3 or len(head.implementations) < 2:
            return Outcome("NOT COMPARED", status, missing[0].message)
    blocked = [row for row in rows if row.verdict == "not comparable" and "forward pass" in (row.reason or "")]
    if blocked:
        return Outcome("NOT COMPARED", 3, f"{blocked[0].against}: {blocked[0].reason}")
    powerless = _without_power(head, steps)
    if powerless:
        named = ", ".join(sorted(powerless)[:4])
        return Outcome("NO POWER", 0, f"nothing failed, but half of {named} would have passed too")
    return Outcome("PASS", 0, _why_passed(head, len(steps), judged))


def _without_power(head: Head, steps: Sequence[Step]) -> set[str]:
    """Gradients that some implementation had at some step without any check that could have failed."""
    gradients = {*head.gradients, *(prefixed("d", name) for name in head.activations)}
    powerless = set()
    for step in steps:
        powered: dict[tuple[str, str], bool] = {}
        for row in step.rows:
            if row.gradient in gradients and row.verdict != "not comparable":
                key = (row.gradient, row.against)
                powered[key] = powered.get(key, False) or row.verdict != "no power"
        powerless |= {gradient for (gradient, _), has_power in powered.items() if not has_power}
    return powerless


def _why_failed(head: Head, steps: Sequence[Step], faults: list[Row], failed: list[Finding]) -> str:
    guilty = list(dict.fromkeys([row.against for row in faults]))
    others = [name for name in head.implementations if name != REFERENCE]
    if len(others) > 1 and set(others) == set(guilty) and _alike(head, steps, others):
        return f"{' and '.join(others)} differ alike from the hand code, which is the odd one out: {_located(faults)}"
    if guilty:
        return f"{', '.join(guilty)}: {_located([row for row in faults if row.against == guilty[0]])}"
    return f"{failed[0].against} {failed[0].message} at step {failed[0].step}"


def _alike(head: Head, steps: Sequence[Step], names: list[str]) -> bool:
    """Do all of them differ from the centre by the same amount, at the first step where one does?

    Compared at the worst entry of each gradient of a weight, in the formula check: the same entry, and
    differences that agree within both allowances.
    """
    for step in steps:
        found: dict[str, dict[str, Row]] = {}
        for row in step.rows:
            if row.check == "formula" and row.gradient in head.gradients:
                found.setdefault(row.gradient, {})[row.against] = row
        wrong = [rows for rows in found.values() if any(rows[n].outside for n in names if n in rows)]
        if wrong:
            return all(_same_difference([rows.get(name) for name in names]) for rows in wrong)
    return False


def _same_difference(rows: list[Row | None]) -> bool:
    first, *others = rows
    if first is None or first.difference is None or first.allowed is None:
        return False
    return all(
        row is not None
        and row.index == first.index
        and row.difference is not None
        and abs(row.difference - first.difference) <= 2 * first.allowed
        for row in others
    )


def first_fault(faults: list[Row]) -> Row:
    """The first wrong link, in the order in which rows were made; by the rounding check if it saw one."""
    first = min(row.step for row in faults)
    rows = [row for row in faults if row.step == first]
    return next((row for row in rows if row.check == "rounding"), rows[0])


def _located(faults: list[Row]) -> str:
    """The first wrong link.

    A link whose cause is known is not called wrong: the cause is told instead.
    """
    row = first_fault(faults)
    entries = f"{row.gradient} at step {row.step}, {row.outside} of {row.entries} entries outside"
    if row.cause:
        return f"{row.cause}: {entries}"
    return f"{'first wrong link' if row.check == 'rounding' else f'{row.check} check'} {entries}"


def _why_passed(head: Head, steps: int, judged: list[Row]) -> str:
    names = list(head.implementations)
    together = " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
    agree = "agree" if len(names) > 1 else "agrees with its float64 centre"
    # Of the gradients of weights: a link that rounds once, such as 2 (a - y), reaches its bound of one rounding.
    gradients = [row for row in judged if row.used is not None and row.gradient in head.gradients]
    worst = max(gradients or judged, key=lambda row: row.used or 0.0)
    which = " of a weight gradient:" if gradients else ""
    return (
        f"{together} {agree} up to rounding: {len(head.gradients)} gradients x {steps} steps; "
        f"worst used{which} {100 * (worst.used or 0.0):.0f} % of its allowance "
        f"({worst.gradient}, {worst.against}, step {worst.step})"
    )


TWIN = "twin"


class DriftVerdict(NamedTuple):
    """Is the drift of one implementation explained by rounding? None where that cannot be told."""

    explained: bool | None
    reason: str

    def __str__(self) -> str:
        words = {True: "explained by rounding", False: "not explained by rounding", None: "not told"}
        return f"{words[self.explained]}: {self.reason}"


def moved_by_one_ulp(weights: Mapping[str, Array], seed: int) -> dict[str, Array]:
    """Every weight moved to the next number of its dtype, up or down at random."""
    rng = np.random.default_rng([seed, 1])
    return {
        name: np.nextafter(w, np.where(rng.random(w.shape) < 0.5, -np.inf, np.inf).astype(w.dtype))
        for name, w in weights.items()
    }


def distance(weights: Mapping[str, Array], others: Mapping[str, Array]) -> float:
    """The largest difference of any weight."""
    with np.errstate(invalid="ignore", over="ignore"):  # of weights that diverge
        return max(float(np.max(np.abs(np.float64(w) - others[name]))) for name, w in weights.items())


def explanation(name: str, head: Head, steps: Sequence[Step], rows: Sequence[Row]) -> DriftVerdict:
    """What every check along an implementation's own path says of its drift; `rows` are the worst over all steps."""
    fault = next((row for step in steps for row in step.rows if row.against == name and row.verdict == "FAULT"), None)
    if fault:
        return DriftVerdict(False, f"{fault.gradient} is outside its allowance at step {fault.step}")
    breach = next((f for step in steps for f in step.findings if f.against == name and f.fails), None)
    if breach:
        return DriftVerdict(False, f"{breach.message} at step {breach.step}")
    judged = {
        row.gradient
        for row in rows
        if row.against == name and row.verdict in ("ok", "convention") and row.check != "formula"
    }
    unjudged = [tensor for tensor in (*head.gradients, *head.weights) if tensor not in judged]
    if unjudged:
        return DriftVerdict(None, f"no check could judge {', '.join(unjudged[:4])} in {head.dtype}")
    full = sum(step.checked == "full" for step in steps)
    if full < len(steps):
        seen = f"every entry was compared at {full} of {len(steps)} steps only; --check full compares them at all"
        return DriftVerdict(None, f"nothing is outside its allowance, but {seen}")
    return DriftVerdict(True, "every gradient and update on its own path is within its allowance")


def drifts(head: Head, steps: Sequence[Step]) -> dict[str, list[float | None]]:
    """The drift of every implementation, and last of the twin, at every step."""
    names = [name for name in (*head.implementations, TWIN) if any(name in step.drift for step in steps)]
    return {name: [step.drift.get(name) for step in steps] for name in names}
