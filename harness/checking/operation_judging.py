"""Judging one answer: its output and every gradient against the reference, entry by entry, shapes and dtypes first."""

from __future__ import annotations

from msgspec.structs import replace

from harness.arithmetic import Bounded
from harness.candidates.answers import Answer
from harness.candidates.operation import GRADIENTS
from harness.comparison.judge import Check, Finding, Row, judge, not_comparable
from harness.evaluation.references.expected import OUTPUT, Expected
from impls.contract import Array

YOURS = "yours"


def check_of(dtype: str) -> Check:
    """What an operation's rows are called: the formula in float64, the rounding in any other dtype."""
    return "formula" if dtype == "float64" else "rounding"


def judged(expected: Expected, answer: Answer, step: int) -> tuple[list[Row], list[Finding]]:
    """The rows of one case, output first, and the contracts that its answer broke."""
    rows, shown = list[Row](), answer.shown
    findings = [replace(finding, step=step) for finding in answer.findings]
    for name, right in expected.tensors.items():
        if name not in shown:
            rows.append(not_comparable(check_of(expected.dtype), name, YOURS, step, _why_missing(name, answer)))
            if name not in {finding.tensor for finding in findings}:
                findings += _missing(name, expected, answer, step)
            continue
        findings += _mismatches(name, shown[name], right, step, expected.dtype)
        rows.append(_row(expected, step, name, shown[name], right))
    return rows, findings


def _row(expected: Expected, step: int, name: str, actual: Array, right: Bounded) -> Row:
    row = judge(
        check_of(expected.dtype), name, YOURS, step,
        actual=actual, expected=right.value, allowed=right.bound,
    )  # fmt: skip
    if row.verdict == "FAULT" and expected.convention(name, actual):
        reason = "exactly on a kink, another valid subgradient is taken"
        return replace(row, verdict="convention", reason=reason)
    return row


def _mismatches(name: str, actual: Array, right: Bounded, step: int, dtype: str) -> list[Finding]:
    found = []
    if actual.shape != right.shape:
        found.append(Finding(YOURS, step, "shape", f"{name} has shape {actual.shape} instead of {right.shape}", name))
    if str(actual.dtype) != dtype:
        found.append(Finding(YOURS, step, "dtype", f"{name} has dtype {actual.dtype} instead of {dtype}", name))
    return found


def _why_missing(name: str, answer: Answer) -> str:
    told = [finding.message for finding in answer.findings if finding.tensor in (name, _general(name))]
    return told[0] if told else f"there is no {name}"


def _missing(name: str, expected: Expected, answer: Answer, step: int) -> list[Finding]:
    if any(finding.tensor == _general(name) and finding.kind != "names" for finding in answer.findings):
        return []  # told already, for all of them
    of = expected.inputs.get(name)
    message = f"backward returns no gradient of {of}" if of else "forward returns nothing"
    return [Finding(YOURS, step, "no gradient", message, name)]


def _general(name: str) -> str:
    """What a finding about a whole call is of."""
    return name if name == OUTPUT else GRADIENTS
