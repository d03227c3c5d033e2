"""Judging one answer: its output and every gradient against the reference, entry by entry, shapes and dtypes first."""

from __future__ import annotations

from msgspec.structs import replace

from harness.arithmetic import Bounded
from harness.candidates.operation import Answer
from harness.comparison.finding import Finding
from harness.comparison.judge import Check, Row, judge, not_comparable
from harness.evaluation.references.reference import Reference
from harness.inputs.cases import Case
from impls.contract import Array

YOURS = "yours"


def check_of(dtype: str) -> Check:
    """What an operation's rows are called: the formula in float64, the rounding in any other dtype."""
    return "formula" if dtype == "float64" else "rounding"


def judged(
    reference: Reference, case: Case, upstream: Array, answer: Answer, dtype: str, step: int
) -> tuple[list[Row], list[Finding]]:
    """The rows of one case, output first, and the contracts that its answer broke."""
    findings = list(answer.findings)
    tensors = {
        "output": reference.output(case.inputs, dtype),
        **{f"d{name}": g for name, g in reference.gradients(case.inputs, upstream, dtype).items()},
    }
    rows = []
    for name, right in tensors.items():
        actual = answer.output if name == "output" else answer.gradients.get(name[1:])
        if actual is None:
            rows.append(not_comparable(check_of(dtype), name, YOURS, step, _why_missing(name, answer)))
            if not findings or name not in {f.tensor for f in findings}:
                findings += _missing(name, answer, step)
            continue
        findings += _mismatches(name, actual, right, step, dtype)
        rows.append(_row(reference, case, upstream, dtype, step, name, actual, right))
    return rows, findings


def _row(
    reference: Reference,
    case: Case,
    upstream: Array,
    dtype: str,
    step: int,
    name: str,
    actual: Array,
    expected: Bounded,
) -> Row:
    def own_bound() -> Array:
        """Of the reference's own float64, below which its values cannot be told from 0."""
        if name == "output":
            return reference.output(case.inputs, "float64").bound / reference.factor
        return reference.gradients(case.inputs, upstream, "float64")[name[1:]].bound / reference.factor

    row = judge(
        check_of(dtype), name, YOURS, step,
        actual=actual, expected=expected.value, allowed=expected.bound,
        zero_bound=own_bound,
    )  # fmt: skip
    if row.verdict == "FAULT" and name != "output":
        sides = reference.sides(case.inputs, upstream, dtype).get(name[1:])
        if sides is not None and sides.widened(expected.bound).allow(actual, expected):
            reason = "exactly on a kink, another valid subgradient is taken"
            return replace(row, verdict="convention", reason=reason)
    return row


def _mismatches(name: str, actual: Array, expected: Bounded, step: int, dtype: str) -> list[Finding]:
    found = []
    if actual.shape != expected.value.shape:
        message = f"{name} has shape {actual.shape} instead of {expected.value.shape}"
        found.append(Finding(YOURS, step, "shape", message, name))
    if str(actual.dtype) != dtype:
        found.append(Finding(YOURS, step, "dtype", f"{name} has dtype {actual.dtype} instead of {dtype}", name))
    return found


def _why_missing(name: str, answer: Answer) -> str:
    told = [f.message for f in answer.findings if f.tensor in (name, "output" if name == "output" else "gradients")]
    return told[0] if told else f"there is no {name}"


def _missing(name: str, answer: Answer, step: int) -> list[Finding]:
    general = "output" if name == "output" else "gradients"
    if any(f.tensor == general and f.kind != "names" for f in answer.findings):
        return []  # told already, for all of them
    message = "forward returns nothing" if name == "output" else f"backward returns no gradient of {name[1:]}"
    return [Finding(YOURS, step, "no gradient", message, name)]
