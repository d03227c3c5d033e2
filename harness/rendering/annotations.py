"""A check as annotations: the verdict and every wrong link, at the line that makes it."""

from __future__ import annotations

from collections.abc import Iterator

from harness.rendering.github import Annotation
from harness.results.check import Check


def annotated(check: Check) -> Iterator[Annotation]:
    """The verdict first, then each wrong link with its cause, then findings."""
    first = check.first_wrong
    where = check.setting.lines.get(first or "") or check.setting.line or (None, None)
    yield Annotation("error" if check.exit else "notice", check.verdict, check.reason, *where)
    for diagnosis in check.diagnoses:
        causes = " or ".join(f"{cause.says} ({cause.formula})" for cause in diagnosis.causes)
        told = causes or "; ".join(["cause unknown", *diagnosis.known])
        message = f"{diagnosis.at}: {told}; what should happen: {diagnosis.should}"
        yield Annotation("error", f"wrong link {diagnosis.at}", message, *_line(check, diagnosis.at))
    for finding in check.findings:
        message = f"{finding.against} {finding.message}"
        yield Annotation("error" if finding.fails else "notice", finding.kind, message, *_line(check, finding.tensor))


def _line(check: Check, tensor: str | None) -> tuple[str, int] | tuple[None, None]:
    return check.setting.lines.get(tensor or "") or check.setting.line or (None, None)
