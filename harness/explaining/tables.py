"""The tables of an explanation: paths and their sums, factors, the update, a nudge, and what other ways give."""

from __future__ import annotations

from collections.abc import Sequence

from harness.explaining.explanation import Factor, PathExplanation, Rest, Way
from harness.explaining.layout import (
    WIDTH,
    broken,
    columns,
    count,
    few,
    operand,
    paragraph,
    scientific,
    signed,
    sum_line,
    table,
    wrapped,
)


def paths(told: PathExplanation) -> str:
    """Every path with its factors and product, the sum, and whether they cancel."""
    lines = _path_table(told)
    ends = max(map(len, lines), default=WIDTH)
    lines = lines or _path_blocks(told)
    if told.others.count:
        lines.append(sum_line(_others(told.others, "path"), scientific(told.others.sum), ends))
    if told.count > 1:
        lines.append(sum_line(f"sum of {count(told.count)} paths", scientific(told.total), ends))
    cancelled = _cancellation(told)
    return "\n".join(lines) + (f"\n\n{paragraph(cancelled)}" if cancelled else "")


def _path_table(told: PathExplanation) -> list[str]:
    """A table with a column for each factor; no lines if it would be too wide, or where paths have other factors."""
    if not told.columns:
        return []
    batch = told.sample is None
    numbers = [str(row.sample if batch else number) for number, row in enumerate(told.paths, 1)]
    width = max(map(len, numbers))
    rows = [
        [f"{number.rjust(width)} {'▸'.join(row.route)}", *map(signed, row.factors), scientific(row.product)]
        for number, row in zip(numbers, told.paths, strict=True)
    ]
    for gap in (2, 1):
        lines = table(["sample, path" if batch else "path", *told.columns, "product"], rows, "l", gap)
        if max(map(len, lines)) <= WIDTH:
            return lines
    return []


def _path_blocks(told: PathExplanation) -> list[str]:
    """A few lines for each path, where a table would be too wide."""
    lines = ["  path: its factors from the start to the loss, and their product"]
    for number, row in enumerate(told.paths, 1):
        label = f"  sample {row.sample}  " if told.sample is None else f"  path {number}  "
        product = f"{' · '.join(map(signed, row.factors))} = {scientific(row.product)}"
        margin = " " * len(label)
        lines += wrapped(" ▸ ".join(row.route), label, f"{margin}  ") + wrapped(product, margin, f"{margin}  ")
    return lines


def _cancellation(told: PathExplanation) -> str:
    if told.count == 1:
        return ""
    if told.cancellation is None:
        return (
            "Nothing arrives: every path is 0." if told.magnitude == 0
            else f"The paths cancel completely; their magnitudes add up to {scientific(told.magnitude)}."
        )  # fmt: skip
    times = f"{told.cancellation:.3g}"
    if times == "1":
        return "All that the paths carry has one sign: nothing cancels."
    what = {"weight": "this weight", "bias": "this bias"}.get(told.kind, told.short)
    if told.cancellation >= 10:
        return (
            f"The paths nearly cancel (×{times}): {what} matters {times} times as much on the paths, taken one by one, "
            f"as in total."
        )
    return f"The paths cancel in part (×{times}): their magnitudes add up to {times} times the magnitude of their sum."


def samples(told: PathExplanation) -> str:
    """Over a batch: what each route sums to, and which samples contribute most."""
    lines = []
    if told.routes and told.other_routes and told.routes_count > 1:
        rows = [["▸".join(row.route), scientific(row.sum)] for row in told.routes]
        lines += table(["route, summed over the samples", "sum"], rows, "l")
        if max(map(len, lines)) > WIDTH:
            lines = ["  routes, and their sums over the samples"]
            for row in told.routes:
                lines += wrapped(f"{' ▸ '.join(row.route)}: {scientific(row.sum)}", more="    ")
        if told.other_routes.count:
            ends = max(map(len, lines))
            lines.append(sum_line(_others(told.other_routes, "route"), scientific(told.other_routes.sum), ends))
        lines.append("")
    rows = [
        [str(row.sample), scientific(row.sum), "" if row.share is None else f"{100 * row.share:.1f} %"]
        for row in told.dominant
    ]
    lines += table(["samples that dominate", "sum of its paths", "share of all magnitudes"], rows, "l")
    if told.other_samples and told.other_samples.count:
        lines.append(f"  {_others(told.other_samples, 'sample')} {scientific(told.other_samples.sum)}")
    return "\n".join(lines)


def _others(rest: Rest, noun: str) -> str:
    return f"and 1 other {noun}, with" if rest.count == 1 else f"and {count(rest.count)} other {noun}s, which sum to"


def factors(rows: Sequence[Factor]) -> str:
    """Where each factor comes from."""
    samples = {row.sample for row in rows}
    where = f", in sample {samples.pop()}" if len(samples) == 1 else ""
    lines = [f"where each factor comes from{where}"]
    widths = [max(len(getattr(row, part)) for row in rows) for part in ("name", "formula", "numbers")]
    for row in rows:
        parts = [part.ljust(width) for part, width in zip((row.name, row.formula, row.numbers), widths, strict=True)]
        value = signed(row.value)
        middle = f" = {parts[2]}" if row.numbers else " " * (widths[2] + 3 * (widths[2] > 0))
        line = f"  {parts[0]} = {parts[1]}{middle} = {value}"
        if columns(line) <= WIDTH:
            lines.append(line)
        else:
            lead = f"  {parts[0]} = "
            numbers = f"= {row.numbers} = {value}" if row.numbers else f"= {value}"
            lines += [f"{lead}{row.formula}", f"{' ' * (len(lead) - 2)}{numbers}"]
    return "\n".join(lines)


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
