"""A run or a check as annotations of GitHub Actions: one workflow command a line, shown beside the code.

    ::error file=my_nn.py,line=41,title=FAIL::first wrong link: dz2

Source: docs.github.com, "Workflow commands for GitHub Actions"; what separates properties (: and ,) is escaped in
them, line ends and % everywhere. A runner shows ten annotations of a level for one step, so no more are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.usage import visible

if TYPE_CHECKING:
    from harness.results.chain_check import ChainCheck
    from harness.results.check import Check
    from harness.results.operation_check import OperationCheck
    from harness.results.optimizer_check import OptimizerCheck
    from harness.results.program_check import ProgramCheck
    from harness.results.program_pair import ProgramPair
    from harness.results.run import Run

MOST = 10


@dataclass(frozen=True)
class Annotation:
    """One thing to show.

    Attributes:
        title, message: of any text; a message may have several lines.
        file: path of the file that it is about.
        line: in that file, counted from 1; means nothing without it.
    """

    level: Literal["error", "warning", "notice"]
    title: str
    message: str
    file: str | None = None
    line: int | None = None


def workflow_commands(found: Iterable[Annotation]) -> list[str]:
    """Workflow commands for the first ten, a line each."""
    return [_command(annotation) for annotation in islice(found, MOST)]


def of_run(run: Run) -> list[Annotation]:
    """The verdict of a run, then its wrong tensors, gravest first."""
    found = [Annotation("error" if run.exit else "notice", run.verdict, run.outcome.reason)]
    for row in run.select(lambda row: row.verdict in ("FAULT", "inherited")):
        text = (
            f"{row.check}: {row.gradient} of {row.against} at step {row.step}, {row.outside} of {row.entries} outside"
        )
        found.append(Annotation("error" if row.verdict == "FAULT" else "warning", row.verdict, text))
    return found


def _command(annotation: Annotation) -> str:
    properties = {"title": annotation.title}
    if annotation.file is not None:
        line = {} if annotation.line is None else {"line": str(annotation.line)}
        properties = {"file": _from_here(annotation.file), **line, **properties}
    told = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{annotation.level} {told}::{_data(annotation.message)}"


def _from_here(file: str) -> str:
    """The path from the working directory, where a runner starts: it finds no file by another."""
    path = Path(file)
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.as_posix()


def _data(text: str) -> str:
    """In one line, so that no line of it can be a command; nothing in it steers a terminal either."""
    return visible(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


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


def of_operation(check: OperationCheck) -> Iterator[Annotation]:
    """The verdict of an operation first, then each wrong gradient with its cause, then contracts that it broke."""

    def where(tensor: str | None) -> tuple[str, int] | tuple[None, None]:
        return check.place(tensor) or (None, None)

    first = check.wrong[0] if check.wrong else None
    yield Annotation("error" if check.exit else "notice", check.verdict, check.reason, *where(first))
    for found in check.causes:
        told = found.says if found.likeliest else f"cause unknown: {found.known}"
        yield Annotation("error", f"wrong gradient {found.at}", told, *where(found.at))
    for finding in check.findings:
        yield Annotation(
            "error" if finding.fails else "notice", check.contract(finding), check.said(finding), *where(finding.tensor)
        )


def of_chain(check: ChainCheck) -> Iterator[Annotation]:
    """The verdict of a chain first, then each wrong gradient with its cause, then contracts that it broke."""

    def where(tensor: str | None) -> tuple[str, int] | tuple[None, None]:
        return check.lines.get(tensor or "") or check.line or (None, None)

    yield Annotation("error" if check.exit else "notice", check.verdict, check.reason, *where(check.first_wrong))
    for found in check.causes:
        told = found.says if found.causes else f"cause unknown: {found.known}"
        yield Annotation("error", f"wrong gradient {found.at}", told, *where(found.at))
    for finding in check.findings:
        yield Annotation("error" if finding.fails else "notice", finding.kind, finding.message, *where(finding.tensor))


def of_optimizer(check: OptimizerCheck) -> Iterator[Annotation]:
    """The verdict of an optimizer first, then what was found besides."""
    yield Annotation("error" if check.exit else "notice", check.verdict, check.reason)
    for finding in check.findings:
        level: Literal["error", "notice"] = "error" if finding.fails else "notice"
        yield Annotation(level, finding.kind, f"{finding.against} {finding.message}")


def of_program(check: ProgramCheck) -> Iterator[Annotation]:
    """The verdict of a program first, then each operation that is wrong by itself, then what made NaN or inf."""
    first = check.first or check.lost
    yield Annotation(
        "error" if check.exit else "notice", check.verdict, check.reason, *((first and first.place) or (None, None))
    )
    for operation in check.wrong:
        causes = "; ".join(cause.says for cause in operation.causes)
        told = f"{operation.called}: {', '.join(operation.wrong)}; {causes or 'cause unknown'}"
        yield Annotation("error", f"wrong operation {operation.name}", told, *(operation.place or (None, None)))


def of_pair(pair: ProgramPair) -> Iterator[Annotation]:
    """The verdict of two programs at the first place in the second that is known, then the place in the other."""
    wrong = [side.at for side in pair.sides if side.wrong and side.at]
    places = [] if pair.difference is None else [at for at in pair.difference.at[::-1] if at is not None and at.file]
    lines = [*wrong, *((at.file or "", at.line or 1) for at in places), (None, None)]
    yield Annotation("error" if pair.exit else "notice", pair.verdict, pair.reason, *lines[0])
    for at in places[1:]:
        yield Annotation("error", "different function", f"the other program's: {at}", at.file, at.line)
    for note in pair.notes:
        yield Annotation("notice", "note", note)
