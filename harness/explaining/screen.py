"""An explanation as text, at most 80 columns wide, block by block: what needs no framework comes first.

Every number printed is one of the explanation's, rounded. Boxes, arrows and signs have ASCII stand-ins
(`harness.cli.running.printable`), one column each but for Σ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

from harness.explaining.explanation import CONVENTIONS, PathExplanation
from harness.explaining.figures import few, operand, plain, scientific, signed
from harness.explaining.parts import Factor, PathRow, Rest, Way

WIDTH = 80
FEW_INPUTS = 6
TIED = "\xa0"
"""A space at which no line is broken."""


def blocks(told: PathExplanation, command: str | None = None) -> Iterator[str]:
    """The parts of the screen, to be parted by empty lines; the frameworks are asked when the last but one is due.

    `command` is what was typed, for what to type next.
    """
    yield heading(told)
    yield drawing(told)
    yield formula(told)
    yield paths(told)
    if told.dominant:
        yield samples(told)
    yield factors(told.factors)
    if told.update:
        yield update(told)
    if told.nudge:
        yield nudge(told)
    yield ways(told)
    yield next_commands(told, command or f'harness explain "{told.weight}"')


def heading(told: PathExplanation) -> str:
    """What it is, in which network, on what, by which conventions."""
    name = "" if told.name == told.weight else f" = {told.name}"
    lines = [f"{told.weight}{name} = {operand(told.value, bare=True)}    {told.leads}    (all in {told.dtype})"]
    lines.append(f"{told.network} · {told.loss}")
    where = "at the start" if told.step == 0 else f"after {told.step} step{'s' * (told.step != 1)} of {told.optimizer}"
    lines.append(f"{told.data} · seed {told.seed} · {where}")
    if told.sample is not None:
        shown = ", ".join(plain(x) for x in (told.inputs or [])[:FEW_INPUTS])
        more = ", ..." if len(told.inputs or []) > FEW_INPUTS else ""
        lines.append(
            f"sample {told.sample} (of 0 to {told.samples - 1}): x = ({shown}{more}), y{TIED}={TIED}{_target(told)}, "
            f"L{TIED}={TIED}{operand(told.loss_value)}"
        )
    else:
        lines.append(f"{_batch(told)}, L = {operand(told.loss_value)}")
    return "\n".join(_paragraph(line, indent="", more="  ") for line in (*lines, *CONVENTIONS))


def drawing(told: PathExplanation) -> str:
    """The paths, how many there are, and what does not belong to them."""
    lines = [f"   {line}" for line in told.drawing]
    counted = _how_many(told)
    if len(lines[0]) + 4 + len(counted) <= WIDTH:
        lines[0] += counted.rjust(min(WIDTH - len(lines[0]), len(counted) + 8))
    else:
        lines += ["", f"   {counted}"]
    notes = [_paragraph(note) for note in told.notes]
    return "\n".join([*lines, "", *notes] if notes else lines)


def _target(told: PathExplanation) -> str:
    target = told.target if isinstance(told.target, list) else [told.target or 0]
    shown = ", ".join(plain(y) for y in target[:FEW_INPUTS])
    return shown if len(target) == 1 else f"({shown}{', ...' * (len(target) > FEW_INPUTS)})"


def _batch(told: PathExplanation) -> str:
    if told.batch == told.samples:
        return f"all samples together, 0 to {told.samples - 1}"
    return f"the next step's batch, {told.batch} of samples 0 to {told.samples - 1}"


def _how_many(told: PathExplanation) -> str:
    one = "1 path" if told.routes_count == 1 else f"{told.routes_count:,} paths"
    if told.sample is not None:
        return f"{one} from {told.short} to L"
    return f"{one} from {told.short} to L in each of {told.batch} samples: {told.count:,} in all"


def formula(told: PathExplanation) -> str:
    """Factored, then path by path."""
    left = f"∂L/∂{told.short}"
    each = "" if told.sample is not None else "Σ_samples "
    whole = told.formula["factored"]
    by_path = told.formula["paths"]
    lines = _broken([f"{left} = {each}{whole[0]}", *(f"· {factor}" for factor in whole[1:])], " " * len(left) + "   ")
    if len(whole) > 1 or len(by_path) > 1:
        same = len(by_path) == 1 and "Σ" not in by_path[0]
        if not same:
            signs = ["=", *"+" * (len(by_path) - 1)]
            for sign, term in zip(signs, by_path, strict=True):
                first = f"{' ' * len(left)} {sign} {each}"
                lines += _broken(
                    [f"{first}{term.split('·')[0]}", *(f"·{f}" for f in term.split("·")[1:])], " " * len(first), ""
                )
    return "\n".join(lines)


def _broken(parts: Sequence[str], indent: str, joint: str = " ") -> list[str]:
    """Parts in lines no longer than the screen; a part that is longer itself is broken at its signs."""
    lines = [parts[0]]
    for part in parts[1:]:
        if _columns(lines[-1]) + len(joint) + _columns(part) <= WIDTH:
            lines[-1] += joint + part
        else:
            lines.append(indent + part)
    fitting: list[str] = []
    for line in lines:
        while _columns(line) > WIDTH:
            cut = max(line.rfind(sign, len(indent) + 2, WIDTH - 8) for sign in (" + ", " · "))
            if cut < 0:
                break
            fitting.append(line[:cut])
            line = indent + "  " + line[cut + 1 :]
        fitting.append(line)
    return fitting


def _columns(text: str) -> int:
    """Columns that a text takes, in ASCII too, where Σ is written sum."""
    return len(text) + 2 * text.count("Σ")


def paths(told: PathExplanation) -> str:
    """Every path with its factors and product, the sum, and whether they cancel."""
    lines = _path_table(told)
    lines += _path_blocks(told) if not lines else []
    total = [f"sum of {told.count:,} paths" if told.count != 1 else "the derivative", scientific(told.total)]
    ends = max(map(len, lines))
    if told.others.count:
        lines.append(_sum_line(f"and {_others(told.others, 'path')}", scientific(told.others.sum), ends))
    if told.count > 1:
        lines.append(_sum_line(total[0], total[1], ends))
    cancelled = _cancellation(told)
    return "\n".join(lines) + (f"\n\n{_paragraph(cancelled)}" if cancelled else "")


def _others(rest: Rest, noun: str) -> str:
    return f"1 other {noun}, with" if rest.count == 1 else f"{rest.count:,} other {noun}s, which sum to"


def _sum_line(label: str, number: str, ends: int) -> str:
    text = f"  {label}"
    return text + number.rjust(max(ends - len(text), len(number) + 2))


def _path_table(told: PathExplanation) -> list[str]:
    """A table with a column for each factor; no lines if it would be too wide."""
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


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], align: str, gap: int = 2) -> list[str]:
    """Lines of a table: columns aligned as `align` says, those beyond it to the right; two columns of margin."""
    every = [headers, *rows]
    widths = [max(len(row[column]) for row in every) for column in range(len(headers))]
    align = align.ljust(len(headers), "r")
    lines = []
    for row in every:
        cells = [
            cell.ljust(width) if side == "l" else cell.rjust(width)
            for cell, width, side in zip(row, widths, align, strict=True)
        ]
        lines.append(("  " + (" " * gap).join(cells)).rstrip())
    return lines


def _path_blocks(told: PathExplanation) -> list[str]:
    """A few lines for each path, where a table would be too wide."""
    lines = []
    for number, row in enumerate(told.paths, 1):
        label = f"  sample {row.sample}  " if told.sample is None else f"  path {number}  "
        lines += _wrapped(label, _route(row))
        product = " · ".join(map(signed, row.factors)) + f" = {scientific(row.product)}"
        lines += _wrapped(" " * len(label), product)
    return [line.ljust(WIDTH) if line == lines[0] else line for line in lines] if lines else lines


def _route(row: PathRow) -> str:
    return " ▸ ".join(row.route)


def _wrapped(label: str, text: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent=label, subsequent_indent=" " * (len(label) + 2), break_long_words=False)


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
        if told.other_routes.count:
            lines.append(
                _sum_line(
                    f"and {_others(told.other_routes, 'route')}",
                    scientific(told.other_routes.sum),
                    max(map(len, lines)),
                )
            )
        lines.append("")
    rows = [
        [str(row.sample), scientific(row.sum), "" if row.share is None else f"{100 * row.share:.1f} %"]
        for row in told.dominant
    ]
    lines += table(["samples that dominate", "sum of its paths", "share of all magnitudes"], rows, "l")
    if told.other_samples and told.other_samples.count:
        lines.append(f"  and {_others(told.other_samples, 'sample')} {scientific(told.other_samples.sum)}")
    return "\n".join(lines)


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
        if len(line) <= WIDTH:
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
    lines = [f"the update by {told.update.optimizer}, lr {told.update.lr:g}{only}"]
    width = max(len(row.name) for row in told.update.rows)
    for row in told.update.rows:
        value = repr(row.value) if row.name.endswith("_new") and row.name[0] in "wb" else operand(row.value)
        parts = [f"  {row.name.ljust(width)}", row.formula, row.numbers, value]
        lines += _broken([parts[0], *(f"= {part}" for part in parts[1:] if part)], " " * (width + 3))
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
    lines += ["", *_text(
        f"{first} {scientific(moved.first_order)}, the amount times ∂L/∂{told.short}. The loss moves by "
        f"{scientific(moved.loss.change)}. What remains, {few(moved.remainder)}, is of second order: at half the "
        f"amount {few(moved.remainder_at_half)} (of which rounding is at most {few(moved.rounding)[1:]})."
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
    count = {6: "six", 5: "five", 7: "seven"}.get(len(told.ways), str(len(told.ways)))
    minus = "minus exact" if reference is told.ways[-1] else "minus matrix"
    lines = table([f"same derivative, {count} ways", "value", minus, "allowed"], rows, "ll")
    if reference.digits:
        lines.append(f"  {reference.way.ljust(max(len(row[0]) for row in rows))}  {reference.digits}  reference")
    outside = [way for way in told.ways if way.outside]
    lines += [f"  FAULT  {way.way} is further off than rounding allows" for way in outside]
    return "\n".join([*lines, *(_paragraph(reason, more="    ") for reason in reasons)])


def _allowed(way: Way) -> str:
    if way.allowed is None:
        return "not bounded"
    text = few(way.allowed).lstrip("+")
    return f"~{text}" if way.estimate else text


def next_commands(told: PathExplanation, command: str) -> str:
    """What to type next."""
    first = f"--sample {told.dominant[0].sample}" if told.dominant else "--step 100"
    return f"next  {command} {first}\n      {command} --nudge 0.01"


def _paragraph(text: str, indent: str = "  ", more: str = "  ") -> str:
    return "\n".join(_text(text, indent, more))


def _text(text: str, indent: str = "  ", more: str = "  ") -> list[str]:
    lines = wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=more, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace(TIED, " ") for line in lines]
