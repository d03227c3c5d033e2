"""What follows from a derivative: the weight's update, a nudge, and whether other ways give the same."""

from __future__ import annotations

from harness.explaining.explanation import PathExplanation
from harness.explaining.layout import broken, few, operand, paragraph, scientific, table, wrapped
from harness.explaining.parts import Way


def update(told: PathExplanation) -> str:
    """What the optimizer makes of the derivative."""
    assert told.update is not None
    only = "" if told.sample is None else ", if this sample were the whole batch"
    known = told.update.lr is None or "lr=" in told.update.optimizer
    rate = "" if known else f", lr {told.update.lr:g}"
    lines = [f"the update by {told.update.optimizer}{rate}{only}"]
    width = max(len(row.name) for row in told.update.rows)
    for row in told.update.rows:
        value = repr(row.value) if row.name == f"{told.short}_new" else operand(row.value)
        parts = [f"  {row.name.ljust(width)}", row.formula, row.numbers, value]
        lines += broken([parts[0], *(f"= {part}" for part in parts[1:] if part)], " " * (width + 3))
    return "\n".join(lines)


def nudge(told: PathExplanation) -> str:
    """What moving the variable does on the way and to the loss, and what of it adds up."""
    moved = told.nudge
    assert moved is not None
    inside = "" if told.sample is not None else f"; outputs in sample {moved.sample}, L of the batch"
    lines = [f"nudge {told.short} by {moved.amount:+g}{inside}"]
    rows = [
        [
            node.name, operand(node.before, bare=True), operand(node.after, bare=True), scientific(node.change),
            scientific(node.first_order),
        ]
        for node in (*moved.nodes, moved.loss)
    ]  # fmt: skip
    lines += table(["", "before", "after", "change", "to first order"], rows, "l")
    if told.count <= 4:
        terms = " + ".join(map(_added, moved.along_paths))
    else:
        terms = f"{_added(sum(moved.along_paths))} (those listed) + {_added(moved.others)} (the others)"
    first = "To first order the change along the path, amount times product, is"
    if told.count > 1:
        first = f"To first order the changes along the paths, amount times product each, add up: {terms} ="
    rounding = "unbounded" if moved.rounding is None else f"at most {few(moved.rounding).lstrip('+')}"
    lines += ["", *wrapped(
        f"{first} {scientific(moved.first_order)}, the amount times ∂L/∂{told.short}. The loss moves by "
        f"{scientific(moved.loss.change)}. What remains, {few(moved.remainder)}, is of second order: at half the "
        f"amount {few(moved.remainder_at_half)} (of which rounding is {rounding})."
    )]  # fmt: skip
    return "\n".join(lines)


def _added(number: float) -> str:
    """A term of a sum: 1.5e-04, (-1.5e-04)."""
    return f"({scientific(number)})" if number < 0 else scientific(number).lstrip("+")


def ways(told: PathExplanation) -> str:
    """The same derivative in every way, beside its difference from the reference and what is allowed."""
    reference, rows, reasons = told.reference, [], []
    for way in told.ways:
        if way.value is None:
            reasons.append(f"{way.way}: {way.reason}")
            continue
        if not way.digits:
            difference = "reference" if way is reference else few(way.difference or 0.0)
            rows.append([way.way, repr(way.value), difference, _allowed(way)])
    count = {4: "four", 5: "five", 6: "six", 7: "seven"}.get(len(told.ways), str(len(told.ways)))
    minus = "minus exact" if reference is told.ways[-1] else "minus matrix"
    lines = table([f"same derivative, {count} ways", "value", minus, "allowed"], rows, "ll")
    if reference.digits:
        lines.append(f"  {reference.way.ljust(max(len(row[0]) for row in rows))}  {reference.digits}  reference")
    outside = [way for way in told.ways if way.outside]
    lines += [f"  FAULT  {way.way} is further off than rounding allows" for way in outside]
    return "\n".join([*lines, *(paragraph(reason, more="    ") for reason in reasons)])


def _allowed(way: Way) -> str:
    if way.allowed is None:
        return "not bounded"
    text = few(way.allowed).lstrip("+")
    return f"~{text}" if way.estimate else text
