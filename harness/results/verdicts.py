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
from typing import Any, NamedTuple, get_args

import numpy as np

from harness.comparison.judge import Row
from harness.results.record import Head, Lost, Verdict
from harness.results.summary import Summary
from harness.usage import visible
from impls.contract import Array
from impls.registry import REFERENCE

HALVED = "would have passed at half their size too"
GRAVEST = get_args(Verdict)


class _Told(NamedTuple):
    verdict: Verdict
    exit: int
    reason: str


class Outcome(_Told):
    """Verdict, exit status, and the rest of the first line, in which what others named something cannot steer."""

    __slots__ = ()

    def __new__(cls, verdict: Verdict, status: int, reason: str) -> Outcome:
        """Of a verdict, the exit status that it calls for, and the reason."""
        return super().__new__(cls, verdict, status, visible(reason))


class Judged:
    """A result with an outcome."""

    @property
    def outcome(self) -> Outcome:
        """Verdict, exit status and the rest of the first line."""
        raise NotImplementedError

    @property
    def verdict(self) -> Verdict:
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

    def told(self) -> dict[str, Any]:
        """The first line, as JSON holds it."""
        return {"verdict": self.verdict, "exit": self.exit, "reason": self.reason}


def outcome_of(head: Head, summary: Summary, rows: Sequence[Row], how: str, lost: Lost | None = None) -> Outcome:
    """The outcome of a run, complete or not.

    Args:
        head, summary: what was asked, and what is told of all finished steps.
        rows: one per check, tensor and implementation, the worst over all steps.
        how: finished, interrupted, diverged or cut off.
        lost: what its record lacks.
    """
    verdict, status, reason = _judged(head, summary, rows)
    if lost:
        ended = lost.end.verdict if lost.end else verdict
        if GRAVEST.index(ended) < GRAVEST.index(verdict):
            reason = f"as the run ended; what is left says {verdict}: {reason}"
            verdict, status = ended, 1 if ended == "FAIL" else 3 if ended == "NOT COMPARED" else 0
        reason = f"{reason} (the record lacks {lost})"
    if how == "interrupted":
        return Outcome(verdict, 130, f"{reason} (interrupted after step {summary.steps})")
    if how == "cut off":
        return Outcome(verdict, status, f"{reason} (the record ends after step {summary.steps})")
    return Outcome(verdict, status, reason)


def _judged(head: Head, summary: Summary, rows: Sequence[Row]) -> Outcome:
    judged = [row for row in rows if row.verdict != "not comparable"]
    findings = summary.findings
    missing = [finding for finding in findings if finding.kind == "missing"]
    diverged = next((f for f in findings if f.kind == "diverged" and not f.fails), None)
    if summary.faults or any(finding.fails for finding in findings):
        return Outcome("FAIL", 1, _why_failed(head, summary))
    if diverged:
        return Outcome("NOT COMPARED", 3, diverged.message)
    if not judged:
        why = "nothing could be judged" if summary.steps else "no step was run"
        return Outcome("NOT COMPARED", 5, f"{why}, so nothing was compared")
    if missing:
        status = 3 if head.named else 5
        if status == 3 or len(head.implementations) < 2:
            return Outcome("NOT COMPARED", status, missing[0].message)
    blocked = [row for row in rows if row.verdict == "not comparable" and "forward pass" in (row.reason or "")]
    if blocked:
        return Outcome("NOT COMPARED", 3, f"{blocked[0].against}: {blocked[0].reason}")
    has_rows = {(row.against, row.gradient) for row in judged}
    for name in head.implementations:
        if unjudged := [gradient for gradient in head.gradients if (name, gradient) not in has_rows]:
            return Outcome("NOT COMPARED", 3, f"{', '.join(unjudged[:4])} of {name} could not be judged at any step")
    if summary.powerless:
        named = ", ".join(sorted(summary.powerless)[:4])
        return Outcome("NO POWER", 0, f"nothing failed, but most entries of {named} {HALVED}")
    return Outcome("PASS", 0, _why_passed(head, summary, judged))


def _why_failed(head: Head, summary: Summary) -> str:
    guilty = list(summary.faults)
    others = [name for name in head.implementations if name != REFERENCE]
    if len(others) > 1 and set(others) == set(guilty) and _alike(summary, others):
        first = _located(summary.first_faults)
        return f"{' and '.join(others)} differ alike from the hand code, which is the odd one out: {first}"
    if guilty:
        return f"{', '.join(guilty)}: {_located(summary.faults[guilty[0]])}"
    failed = next(finding for finding in summary.findings if finding.fails)
    return f"{failed.against} {failed.message} at step {failed.step}"


def _alike(summary: Summary, names: list[str]) -> bool:
    """Do all of them differ from the centre by the same amount, at the first step where one does?

    Compared at the worst entry of each gradient of a weight, in the formula check: the same entry, and
    differences that agree within both allowances.
    """
    found = summary.outside.values()
    wrong = [rows for rows in found if any(rows[n].outside for n in names if n in rows)]
    return bool(wrong) and all(_same_difference([rows.get(name) for name in names]) for rows in wrong)


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
    """The first wrong link of a step, in the order in which rows were made; by the rounding check if it saw one."""
    return next((row for row in faults if row.check == "rounding"), faults[0])


def _located(faults: list[Row]) -> str:
    """The first wrong link.

    A link whose cause is known is not called wrong: the cause is told instead.
    """
    row = first_fault(faults)
    entries = f"{row.gradient} at step {row.step}, {row.outside} of {row.entries} entries outside"
    if row.cause:
        return f"{row.cause}: {entries}"
    return f"{'first wrong link' if row.check == 'rounding' else f'{row.check} check'} {entries}"


def _why_passed(head: Head, summary: Summary, judged: list[Row]) -> str:
    names = list(head.implementations)
    together = " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
    agree = "agree" if len(names) > 1 else "agrees with its float64 centre"
    # Of the gradients of weights: a link that rounds once, such as 2 (a - y), reaches its bound of one rounding.
    gradients = [row for row in judged if row.used is not None and row.gradient in head.gradients]
    worst = max(gradients or judged, key=lambda row: row.used or 0.0)
    which = " of a weight gradient:" if gradients else ""
    return (
        f"{together} {agree} up to rounding: {len(head.gradients)} gradients x {_compared(summary)}; "
        f"worst used{which} {100 * (worst.used or 0.0):.0f} % of its allowance "
        f"({worst.gradient}, {worst.against}, step {worst.step})"
    )


def _compared(summary: Summary) -> str:
    """The steps at which anything was compared, and at how many of them every entry was."""
    steps, compared, full = summary.steps, summary.compared, summary.full
    told = f"{steps} steps" if compared == steps else f"{compared} of {steps} steps"
    return told if full == compared else f"{told}, every entry at {full} of them"


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


def explanation(name: str, head: Head, summary: Summary, rows: Sequence[Row]) -> DriftVerdict:
    """What every check along an implementation's own path says of its drift; `rows` are the worst over all steps."""
    if name in summary.faults:
        fault = summary.faults[name][0]
        return DriftVerdict(False, f"{fault.gradient} is outside its allowance at step {fault.step}")
    breach = next((f for f in summary.findings if f.against == name and f.fails), None)
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
    if summary.full < summary.steps:
        seen = f"every entry was compared at {summary.full} of {summary.steps} steps only"
        return DriftVerdict(None, f"nothing is outside its allowance, but {seen}; --check full compares them at all")
    return DriftVerdict(True, "every gradient and update on its own path is within its allowance")
