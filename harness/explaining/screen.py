"""An explanation as text, at most 80 columns wide, block by block: what needs no framework comes first.

Every number printed is one of the explanation's, rounded. Boxes, arrows and signs have ASCII stand-ins
(`harness.cli.terminal.printable`), one column each but for Σ.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from harness.explaining.explanation import PathExplanation
from harness.explaining.layout import TIED, WIDTH, broken, count, operand, paragraph, plain
from harness.explaining.tables import factors, nudge, paths, samples, update, ways
from harness.rendering.notebook import shown

FEW_INPUTS = 6


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


def rendered(told: PathExplanation) -> str:
    """The whole screen."""
    return "\n\n".join(blocks(told))


def notebook(told: PathExplanation) -> str:
    """What a notebook shows of a derivative: the paths listed, the others, and their sum; no framework is asked."""
    rows = [
        [f"{row.sample}", "▸".join(row.route), *(f"{factor:+.6g}" for factor in row.factors), f"{row.product:+.6e}"]
        for row in told.paths
    ]
    blanks = [""] * len(told.columns)
    if told.others.count:
        rows.append(["", f"{told.others.count:,} others", *blanks, f"{told.others.sum:+.6e}"])
    rows.append(["", f"sum of {told.count:,} paths", *blanks, f"{told.total:+.6e}"])
    left = f"∂L/∂{told.weight} = {told.total!r}"
    return shown(left, f"{told.leads}, {told.network}", ["sample", "path", *told.columns, "product"], rows)


def heading(told: PathExplanation) -> str:
    """What it is, in which network, on what, by which conventions."""
    name = "" if told.name == told.weight else f" = {told.name}"
    lines = [f"{told.weight}{name} = {operand(told.value, bare=True)}    {told.leads}    {told.dtype}"]
    lines.append(f"{told.network} · {told.loss}")
    where = "at the start" if told.step == 0 else f"after {told.step} step{'s' * (told.step != 1)}"
    lines.append(f"{told.data} · seed {told.seed} · {where}")
    if told.sample is not None:
        fed = told.inputs if isinstance(told.inputs, dict) else {"x": told.inputs or []}
        inputs = ", ".join(f"{name} = {_numbers(numbers)}" for name, numbers in fed.items())
        lines.append(
            f"sample {told.sample} (of 0 to {told.samples - 1}): {inputs}, y{TIED}={TIED}{_target(told)}, "
            f"L{TIED}={TIED}{operand(told.loss_value)}"
        )
    else:
        lines.append(f"{_batch(told)}, L = {operand(told.loss_value)}")
    return "\n".join(paragraph(line, indent="", more="  ") for line in (*lines, *told.conventions))


def _numbers(given: Any) -> str:
    """The first few numbers of an input of a sample; of one with more axes, or without any, as they stand."""
    if not isinstance(given, list):
        return plain(given)
    flat = np.ravel(given).tolist()
    return f"({', '.join(map(plain, flat[:FEW_INPUTS]))}{', ...' * (len(flat) > FEW_INPUTS)})"


def _target(told: PathExplanation) -> str:
    target = told.target if isinstance(told.target, list) else [told.target or 0]
    shown = ", ".join(plain(y) for y in target[:FEW_INPUTS])
    return shown if len(target) == 1 else f"({shown}{', ...' * (len(target) > FEW_INPUTS)})"


def _batch(told: PathExplanation) -> str:
    if told.batch == told.samples:
        return f"all samples together, 0 to {told.samples - 1}"
    return f"the next step's batch, {told.batch} of samples 0 to {told.samples - 1}"


def drawing(told: PathExplanation) -> str:
    """The paths, how many there are, and what does not belong to them."""
    lines = [f"   {line}" for line in told.drawing]
    counted = _how_many(told)
    if len(lines[0]) + 4 + len(counted) <= WIDTH:
        lines[0] += counted.rjust(min(WIDTH - len(lines[0]), len(counted) + 8))
    else:
        lines += ["", paragraph(counted, "   ", "   ")]
    notes = [paragraph(note) for note in told.notes]
    return "\n".join([*lines, "", *notes] if notes else lines)


def _how_many(told: PathExplanation) -> str:
    one = "1 path" if told.routes_count == 1 else f"{count(told.routes_count)} paths"
    if told.sample is not None:
        return f"{one} from {told.short} to L"
    return f"{one} from {told.short} to L in each of {told.batch} samples: {count(told.count)} in all"


def formula(told: PathExplanation) -> str:
    """Factored, then path by path."""
    left = f"∂L/∂{told.short}"
    each = "" if told.sample is not None else "Σ_samples "
    whole, by_path = told.formula["factored"], told.formula["paths"]
    lines = []
    if whole:
        lines = broken([f"{left} = {each}{whole[0]}", *(f"· {part}" for part in whole[1:])], " " * len(left) + "   ")
    if told.routes_count > 1 or not whole:
        for sign, term in zip(["=", *"+" * (len(by_path) - 1)], by_path, strict=True):
            lead = f"{' ' * len(left) if lines else left} {sign} {each}"
            first, *ratios = term.split("·")
            *sums, nearest = first.split(" ")
            parts = [*(f"{sum_} " for sum_ in sums), nearest, *(f"·{ratio}" for ratio in ratios)]
            lines += broken([lead + parts[0], *parts[1:]], " " * len(lead), "")
    return "\n".join(lines)


def next_commands(told: PathExplanation, command: str) -> str:
    """What to type next."""
    first = f"--sample {told.dominant[0].sample}" if told.dominant else "--step 100"
    lines = f"next  {command} {first}", f"      {command} --nudge 0.01"
    if max(map(len, lines)) <= WIDTH:
        return "\n".join(lines)
    return f"next  the same with {first}, or with --nudge 0.01"
