"""Compared: tensors or an operation that somebody has, checked against the hand code, and told in a few lines.

A test must show every gradient of a weight. Names that mean nothing to the network are ignored, as `harness.check`
ignores them, but one that looks like a tensor that is missing is taken for a slip, and fails. What is wrong is told in
few lines, the first of at most 80 characters, because pytest shows eight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from harness.arithmetic import profile_of
from harness.candidates.answers import Answer, answer_of
from harness.candidates.updates import ReadOff, read_off_from
from harness.checking.backward_pass import concluded
from harness.checking.chain import check_chain
from harness.checking.operation import check_vjp
from harness.checking.reading import said_of_factor, said_of_reading
from harness.comparison.judge import Finding, Row
from harness.diagnosis import Diagnosis
from harness.dialects import recognised
from harness.evaluation.point import Point
from harness.programs.check import check_program
from harness.programs.pairs.compare import compare_programs
from harness.rendering.check_screen import links
from harness.results.check import Check
from harness.results.numbers import counted
from harness.results.operation_check import OperationCheck
from harness.results.setting import setting_of
from harness.testing.tally import announce
from harness.usage import did_you_mean, nearest


class GradientMismatch(AssertionError):  # noqa: N818  (it says what is wrong, as AssertionError's message would)
    """Gradients do not agree up to rounding, or could not be told from zeros.

    Its first line has at most 80 characters.

    Attributes:
        result: the `Run` or the `Check`.
        rows: one per tensor: what was judged.
    """

    __module__ = "harness"  # where it is imported from, and what pytest prints in its short summary

    def __init__(self, message: str, result: Any) -> None:
        super().__init__(message)
        self.result = result
        self.rows: Sequence[Row] = result.rows


MINE = "mine"
FIRST_LINE = 80
CUT = "…"
MOST_IGNORED = 12


def compared(mine: Mapping[str, Any], point: Point, *, strict: bool = False) -> Check:
    """Check tensors by name at a point.

    Args:
        mine: arrays of NumPy, torch or JAX by name: dW1, db1, also dz1, da1, z1, a1, loss.
        point: network, weights and batch at which they were computed, in their dtype.
        strict: fail what has to be read as something else: in another shape, under another name.
    """
    if isinstance(mine, ReadOff):
        point = replace(point, network=read_off_from(point.network, mine.lr))
    answer = answer_of(mine, point, MINE, strict=strict)
    setting = setting_of(MINE, point, "the rows of the reference", None, None)
    read, *_ = recognised(point, answer.shown, profile_of(setting.dtype), MINE, strict=strict)
    said = said_of_reading(MINE, mine, point, read.located)
    findings = [*answer.findings, *_names(answer, point), *said]
    check = concluded(setting, read, findings, answer.ignored)
    rate = said_of_factor(MINE, mine.lr if isinstance(mine, ReadOff) else None, check)
    return replace(check, findings=[*check.findings, *_not_numbers(check, answer), *rate])


def told(check: Check) -> str:
    """The verdict in a line of at most 80 characters, where and why, then the table of links."""
    return "\n".join([*_summary(check), "", links(check, "table")])


def first_line(text: str) -> str:
    """A line that is no longer than the first may be."""
    return text if len(text) <= FIRST_LINE else f"{text[: FIRST_LINE - len(CUT)]}{CUT}"


def _summary(check: Check) -> Iterator[str]:
    failed = [finding.message for finding in check.findings if finding.fails]
    headline = f"{check.verdict}  {failed[0] if failed else _located(check)}"
    yield first_line(headline)
    if len(headline) > FIRST_LINE:
        yield headline
    for message in failed[1:4]:
        yield f"also  {message}"
    for diagnosis in check.diagnoses[:1]:
        yield from _explained(check, diagnosis)
    if check.ignored:
        more = f" and {len(check.ignored) - MOST_IGNORED} more" if len(check.ignored) > MOST_IGNORED else ""
        yield f"ignored  {', '.join(check.ignored[:MOST_IGNORED])}{more}: no tensors of this network"
    if check.verdict == "NO POWER":
        yield "to be seen, show z1, a1, ..., dz1, da1 as well, or compare in float64"


def _located(check: Check) -> str:
    if not check.wrong_links:
        return check.reason
    if check.factor is not None:
        return f"every gradient is {check.factor:g} × the reference"
    first, *also = check.wrong_links
    seen = [check.diagnoses[0].shown_at] if check.diagnoses and check.diagnoses[0].shown_at != first else []
    inherited = [row.gradient for row in check.located.of("inherited") if row.gradient not in seen]
    named = {"also wrong:": also, "seen at": seen, "inherited by": inherited}
    told = [f"{words} {', '.join(names)}" for words, names in named.items() if names]
    return "; ".join([f"first wrong link: {first}", *told])


def _explained(check: Check, diagnosis: Diagnosis) -> Iterator[str]:
    """What should happen, what happened, and where most: a line each."""
    yield f"what should happen  {diagnosis.should}"
    for cause in diagnosis.causes[:1]:
        yield f"what you computed   {cause.formula}: {cause.says}"
    if not diagnosis.causes:
        yield f"what you computed   unknown; {'; '.join(diagnosis.known[:2]) or 'no pattern'}"
    entry = diagnosis.entry
    where = f"{entry.tensor}, {counted(check.network, entry.tensor, entry.index)}"
    yield f"worst entry         {where}: yours {entry.actual:+.9g}, correct {entry.expected:+.9g}"


def _names(answer: Answer, point: Point) -> Iterator[Finding]:
    """Every gradient of a weight must be there, and nothing that looks like a tensor that is not."""
    known = [name for name in point.network.link if not point.network.tensors[name].through]
    for name in answer.ignored:
        near = nearest(name, known)
        if near is not None and near not in answer.held:
            yield Finding(MINE, 1, "names", f"{name} is no tensor of this network{did_you_mean(name, known)}", name)
    missing = [name for name in point.network.gradients if name not in answer.held]
    if missing:
        yield Finding(MINE, 1, "names", f"{', '.join(missing)} missing", missing[0])


def _not_numbers(check: Check, answer: Answer) -> Iterator[Finding]:
    """NaN where nothing is bounded is no fault of the link, but it is never right either."""
    for row in check.rows:
        name = row.gradient
        if row.unbounded and row.verdict != "FAULT" and np.isnan(answer.shown[name]).any():
            yield Finding(MINE, 1, "non-finite", f"{name} holds NaN where a correct program may overflow", name)


def assert_vjp_matches(forward: Any, backward: Any = None, **options: Any) -> None:
    """Raise unless every gradient of an operation is within its allowance, in every case, and it keeps its contracts.

    Args:
        forward, backward, options: as of `harness.check_vjp`: reference, inputs, range, leave_out, dtype, ...

    Raises:
        GradientMismatch: the verdict is not PASS; its first line names the gradient and the cause.
        UsageError: something impossible was asked for.
    """
    __tracebackhide__ = True
    matching_vjp({"forward": forward, "backward": backward, **options})


def assert_chain_matches(forward: Any = None, backward: Any = None, **options: Any) -> None:
    """Raise unless every gradient by hand of a chain is within its allowance, given your own upstream.

    Args:
        forward, backward, options: as of `harness.check_chain`: inputs, tensors, gradients, loss.

    Raises:
        GradientMismatch: the verdict is not PASS; its first line names the first wrong gradient.
        UsageError: something impossible was asked for.
    """
    __tracebackhide__ = True
    result = check_chain(forward, backward, **options)
    settle(result, result.reason)


def assert_program_right(program: Any, *arguments: Any, **options: Any) -> None:
    """Raise unless every operation of an unmodified program is within its allowance, forward and backward.

    Args:
        program, arguments, options: as of `harness.check_program`: loss, modules, seed.

    Raises:
        GradientMismatch: the verdict is not PASS; its first line names the first wrong operation.
        UsageError: the program cannot be run, or has no gradient of anything.
    """
    __tracebackhide__ = True
    result = check_program(program, *arguments, **options)
    settle(result, result.reason)


def assert_programs_match(first: Any, second: Any, **options: Any) -> None:
    """Raise unless two programs are the same function up to rounding, and each is right by itself.

    Args:
        first, second, options: as of `harness.compare_programs`: what a build function returns, or a record; map, seed.

    Raises:
        GradientMismatch: the verdict is not PASS; its first line says where they begin to differ.
        UsageError: they cannot be compared.
    """
    __tracebackhide__ = True
    result = compare_programs(first, second, **options)
    settle(result, result.reason)


def matching_vjp(options: Mapping[str, Any], keep: Callable[[OperationCheck], None] | None = None) -> OperationCheck:
    """The check of an operation that passed; `keep` gets it, passed or not."""
    __tracebackhide__ = True
    result = check_vjp(**options)
    if keep:
        keep(result)
    settle(result, result.reason)
    return result


def settle(result: Any, reason: str) -> None:
    """Count a result and raise unless it passed: the verdict in one line of at most 80 characters, then everything."""
    __tracebackhide__ = True
    announce(result)
    if result.verdict != "PASS":
        raise GradientMismatch(f"{first_line(f'{result.verdict}  {reason}')}\n\n{result}", result)
