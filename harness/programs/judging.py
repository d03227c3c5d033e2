"""Judging a captured program: every operation by the best reference that it has, every sum of gradients likewise.

An operation is fed its own operands and its own upstream, so that what is wrong elsewhere does not show in it. Judging
is a function of what was captured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from msgspec.structs import replace as with_other

from harness.arithmetic import Context
from harness.comparison.judge import Row, but_for_rounding
from harness.comparison.operation import JudgedAnswer, row_by, row_of
from harness.evaluation.references.captured import RuleReference, profile_by
from harness.evaluation.references.expected import Expected
from harness.evaluation.references.measured import MeasuredReference
from harness.evaluation.references.reference import Reference
from harness.faults.operations.causes import cause_of
from harness.faults.operations.explanation import Explanation
from harness.faults.operations.situation import Situation
from harness.formats import DTYPES, FORMATS, WIDE
from harness.inputs.outputs import joined
from harness.results.program_check import JudgedOperation
from harness.usage import UsageError, told
from impls.captured import WHOLE, ArithmeticIn, Capture, Form, Kind, Meeting, Operation, Rule, Window
from impls.contract import Array, is_real
from impls.graph.backward import accumulate
from impls.graph.node import path_of
from impls.hand.operations.arithmetic import Choose
from impls.hand.operations.moving import Moved, Put

OF_GRADIENTS = "sum of gradients"


def judged(capture: Capture, window: Window = WHOLE) -> Iterator[JudgedOperation]:
    """Every operation in the order of the backward pass, the sums of gradients where they are made.

    Args:
        window: operations of modules outside of it are left out.
    """
    meetings: dict[int | None, list[Meeting]] = {}
    for meeting in capture.meetings:
        meetings.setdefault(meeting.of, []).append(meeting)
    for operation in reversed(capture.operations):
        if operation.module not in window:
            continue
        for meeting in meetings.get(operation.number, ()):
            yield judged_meeting(meeting, operation.module, operation.place, capture.arithmetic)
        yield judged_operation(operation, capture.arithmetic)
    for meeting in meetings.get(None, ()):
        module = path_of(meeting.name)
        if module in window:
            yield judged_meeting(meeting, module, None, capture.arithmetic)


def judged_operation(operation: Operation, arithmetic: ArithmeticIn | None = None) -> JudgedOperation:
    """One operation by the best reference it has; where that cannot be run, by the next, and by none in the end."""
    why, blind = operation.why_not, None
    for kind, reference in _references(operation, arithmetic):
        try:
            found = _result(operation, kind, _by(reference(), operation, kind), "")
            if blind is not None and found.wrong and _in_16_bits(operation):
                continue  # what is measured knows of no accumulator in the format itself, which a bound allows
            if found.wrong or not _blind(found):
                return found
            # A worst case over many steps may allow anything, where what is measured does not.
            blind = found if blind is None else min(blind, found, key=_blind)
        except UsageError as error:
            why = str(error).partition(" because ")[2].partition("; ")[0] or str(error)
        except (ValueError, IndexError, TypeError) as error:  # options that the rule was not written for
            why = f"its rule raises {told(error)}"
    return blind or _result(operation, "none", None, why or "there is no reference")


def _in_16_bits(operation: Operation) -> bool:
    gives = (*operation.outputs, *(g for g in operation.gradients if g is not None))
    return any(is_real(each) and str(each.dtype) not in WIDE for each in gives)


def _blind(found: JudgedOperation) -> int:
    """How many of its rows would have passed at half their size too."""
    return sum(row.verdict == "no power" for row in found.rows)


def _references(
    operation: Operation, arithmetic: ArithmeticIn | None
) -> Iterator[tuple[Kind, Callable[[], Reference]]]:
    if operation.rule is not None and _looks_everywhere(operation.rule, operation.upstream):
        yield "derived", partial(RuleReference, operation, arithmetic)
    if operation.outputs and (form := operation.form()) is not None:
        yield form.kind, partial(_measured, operation, form)


def _looks_everywhere(rule: Rule, upstream: Sequence[Array | None]) -> bool:
    """Whether nothing arrives at an output that the rule does not give."""
    return not any(u is not None and np.any(u) for number, u in enumerate(upstream) if number not in rule.gives)


def _measured(operation: Operation, form: Form) -> MeasuredReference:
    inputs = {name: operation.operands[number] for name, number in numbered(operation).items()}
    constant = [name for name, number in numbered(operation).items() if operation.gradients[number] is None]
    return MeasuredReference(form.function, inputs, constant)


def numbered(operation: Operation) -> dict[str, int]:
    """The operands by name, where no rule has one for them: x, or x1, x2, ... in their order."""
    many = len(operation.operands)
    return {"x": 0} if many == 1 else {f"x{number + 1}": number for number in range(many)}


def _by(reference: Reference, operation: Operation, kind: Kind) -> JudgedAnswer:
    places = _real(operation) if kind != "derived" or operation.rule is None else list(operation.rule.gives)
    outputs = [operation.outputs[place] for place in places]
    dtype = _narrowest([*outputs, *(g for g in operation.gradients if g is not None)])
    arrived = [operation.upstream[place] for place in places]
    sent = tuple(np.zeros(o.shape, o.dtype) if u is None else u for u, o in zip(arrived, outputs, strict=True))
    number = reference.numbers if isinstance(reference, RuleReference) else numbered(operation)
    given = {name: operation.operands[number[name]] for name in reference.inputs}
    upstream = sent[0] if len(sent) == 1 else joined(sent)
    expected = Expected(reference, given, upstream, dtype, step=operation.number)
    shown = dict(zip(expected.parts, outputs, strict=True))
    gradients = {tensor: operation.gradients[number[name]] for tensor, name in expected.inputs.items()}
    if any(u is not None for u in arrived):
        shown |= {tensor: gradient for tensor, gradient in gradients.items() if gradient is not None}
    # Of several outputs those that nobody reads may hold anything.
    unread = [name for name, u in zip(expected.parts, arrived, strict=True) if u is None and kind != "derived"]
    shown = {name: array for name, array in shown.items() if array.size and (name not in unread or len(places) == 1)}
    with np.errstate(all="ignore"):
        rows = {tensor: row_of(expected, tensor, shown, "program") for tensor in shown}
        rows = {name: but_for_rounding(row, partial(expected.vanishes, name)) for name, row in rows.items()}
    return JudgedAnswer(expected, shown, rows)


def _narrowest(arrays: Sequence[Array]) -> str:
    """The format that rounds most, of all that an operation gives."""
    kinds = {str(array.dtype) for array in arrays if is_real(array)}
    if others := kinds.difference(DTYPES):
        raise UsageError(f"Cannot judge it, because it computes in {min(others)}; there are no bounds for that yet.")
    return min(kinds, key=lambda kind: FORMATS[kind].digits, default="float64")


def _real(operation: Operation) -> list[int]:
    return [place for place, output in enumerate(operation.outputs) if is_real(output)]


def _result(operation: Operation, kind: Kind, found: JudgedAnswer | None, why: str) -> JudgedOperation:
    explained = found is not None and kind != "rounding only"
    return JudgedOperation(
        number=operation.number,
        name=operation.name,
        module=operation.module,
        place=operation.place,
        shape=tuple(operation.outputs[0].shape) if operation.outputs else (),
        kind=kind,
        reference="" if found is None else found.at.reference.name,
        rows=[] if found is None else list(found.rows.values()),
        sources=tuple(operation.sources),
        why_not=why,
        lost=_lost(operation),
        broken=operation.broken,
        explain=partial(_causes, found) if explained and found else tuple,
    )


def _causes(found: JudgedAnswer) -> tuple[Explanation, ...]:
    """What explains each wrong gradient, where the catalogue has it."""
    if not found.at.upstream.any():
        return ()
    situation = Situation.of(found.at, found.shown, {})
    return tuple(
        cause_of(found.at.inputs[tensor], [situation]) for tensor in found.outside if tensor in found.at.inputs
    )


CHOOSING = (Choose, Moved, Put)
"""What these give is what they were given: an infinity among it was meant."""


def _lost(operation: Operation) -> str:
    """Where an operation makes a number that is not finite of numbers that all are; which, and of what."""
    if operation.rule is not None and isinstance(operation.rule.layer, CHOOSING):
        return ""
    read = [operand for operand in operation.operands if is_real(operand)]
    if not all(np.isfinite(operand).all() for operand in read):
        return ""
    for output in operation.outputs:
        if is_real(output) and not np.isfinite(output).all():
            return _told_of(output, "its output", read)
    if all(u is None or np.isfinite(u).all() for u in operation.upstream):
        for gradient in operation.gradients:
            if gradient is not None and is_real(gradient) and not np.isfinite(gradient).all():
                return _told_of(gradient, "its gradient", read)
    return ""


def _told_of(array: Array, what: str, read: Sequence[Array]) -> str:
    place = tuple(map(int, np.argwhere(~np.isfinite(array))[0]))
    ranges = ", ".join(f"{operand.min():.4g} to {operand.max():.4g}" for operand in read if operand.size)
    return f"{what} is {array[place]} at {list(place)}, of numbers from {ranges}"


def judged_meeting(
    meeting: Meeting, module: str, place: tuple[str, int] | None, arithmetic: ArithmeticIn | None = None
) -> JudgedOperation:
    """A sum of gradients, in any order."""
    dtype, rows, why = str(meeting.total.dtype), list[Row](), meeting.why_not
    if not why and dtype in DTYPES:
        try:
            rows = [_total(meeting, dtype, arithmetic)]
        except ValueError as error:
            why = told(error)
    return JudgedOperation(
        number=meeting.of or 0, name=OF_GRADIENTS if len(meeting.parts) > 1 else "gradient",
        module=module, place=place, shape=tuple(meeting.total.shape), kind="derived" if rows else "none",
        reference="hand sum", rows=rows, sources=(), why_not=why or ("" if rows else f"numbers of {dtype}"),
        meets=meeting.name,
    )  # fmt: skip


def _total(meeting: Meeting, dtype: str, arithmetic: ArithmeticIn | None) -> Row:
    context = Context(profile_by(arithmetic, dtype, dtype))
    parts = [context.exact(part) for part in meeting.parts]
    total = parts[0] if len(parts) == 1 else accumulate(*parts)
    row = row_by(total, dtype, f"d({meeting.name})", "program", meeting.of or 0, meeting.total)
    return with_other(row, verdict="ok", reason="0 but for rounding") if row.verdict == "no power" else row
