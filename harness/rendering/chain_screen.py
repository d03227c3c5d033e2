"""What the check of a chain prints: the verdict, every gradient in backward order, causes, what next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.comparison.judge import Row
from harness.evaluation.references.expected import gradient_of
from harness.rendering import columns
from harness.rendering.columns import PAGE, TEXT, Column, dims, signed
from harness.rendering.operation_screen import told_causes
from harness.results.numbers import plain, share, small
from impls.graph import LOSS

if TYPE_CHECKING:
    from harness.results.chain_check import ChainCheck


def render(check: ChainCheck, style: str = "table") -> str:
    """The whole text: a table or Markdown."""
    parts = [plain(heading(check), style), f"{check.verdict}  {plain(check.reason, style)}"]
    if check.rows:
        parts.append(columns.text(of_chain(check), check.rows, style))
    said = (told_causes(check.causes), list(_findings(check)))
    parts += ["\n".join(plain(line, style) for line in lines) for lines in said if lines]
    parts.append(f"next  {plain(_next(check), style)}")
    return "\n\n".join(parts)


def heading(check: ChainCheck) -> str:
    """What is checked against what, in one line."""
    return (
        f"{len(check.rows)} gradients by hand of {check.tensors} named tensors against {check.package} · {check.dtype} "
        f"· each given your own upstream · allowance measured, times a stated factor"
    )


def of_chain(check: ChainCheck) -> tuple[Column[Row], ...]:
    """How much of its allowance each gradient used, what would have been seen, its verdict and its line."""
    return (
        Column("gradient", lambda row: row.gradient, foreign=True),
        Column("shape", lambda row: dims(check.shapes.get(row.gradient, ()))),
        Column("used", lambda row: "" if row.verdict in ("not comparable", "no power") else share(row), "right"),
        Column("sees", lambda row: small(row.sees), "right"),
        *([Column("line", lambda row: _line(check, row), "right")] if check.lines else []),
        Column("verdict", lambda row: _verdict(row.verdict, row), on=TEXT, foreign=True),
        Column("verdict", lambda row: _verdict(signed(row.verdict), row), on=PAGE),
    )


def _verdict(word: str, row: Row) -> str:
    return f"{word}  {row.reason}" if row.reason and row.verdict != "FAULT" else word


def _line(check: ChainCheck, row: Row) -> str:
    place = check.lines.get(row.gradient)
    return str(place[1]) if place else ""


def _findings(check: ChainCheck) -> Iterator[str]:
    yield from (f"{'contract' if finding.fails else 'note'}  {finding.message}" for finding in check.findings)
    if check.lost and check.verdict == "FAIL":
        yield f"note  the {check.loss} is {check.lost}: correct the forward pass first"
    if check.loss != LOSS:
        yield f"note  {check.loss} is read as the loss"
    if check.unseen:
        yield f"note  not shown: {', '.join(map(gradient_of, check.unseen))}"
    if check.ignored:
        yield f"note  ignored, since no tensor has that name: {', '.join(check.ignored)}"


def _next(check: ChainCheck) -> str:
    if check.verdict == "FAIL":
        return f"correct {check.first_wrong or 'it'}; what is wrong further on is wrong by itself"
    if check.verdict == "PASS":
        other = "float64" if check.dtype == "float32" else "float32"
        as_numpy = (
            ", as arrays of NumPy or with jax_enable_x64" if check.package == "jax" and other == "float64" else ""
        )
        return f"the same with inputs in {other}{as_numpy}"
    if check.lost:
        return "print each tensor of the forward pass, or give other inputs"
    return "show gradients: the one of h is called dh"
