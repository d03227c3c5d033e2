"""What a certified run prints besides: what is known of the truth, and every implementation's true error."""

from __future__ import annotations

from harness.comparison.certification import CENTRE
from harness.comparison.true_errors import TrueError
from harness.results.numbers import grid, part, place, plain, small, ulps
from harness.results.run import Run

ALIGN_OF_DTYPE = ("right", "right", "right", "left")


def truth(run: Run, style: str, *, verbose: bool) -> str:
    """The certificate in words, and a table of true errors: of the weights' gradients, or of all tensors."""
    certificates = run.certificates
    known = sorted({f"{c.bits}-bit balls" if c.bits else "exact rationals" for c in certificates})
    steps = sorted({c.step for c in certificates})
    centre = [row for row in run.rows if row.against == CENTRE]
    judged = [row for row in centre if row.used is not None]
    worst = max(judged, key=lambda row: row.used or 0.0, default=None)
    outside = sum(row.outside for row in centre)
    within = "is within its bound of it" if not outside else f"is OUTSIDE its bound of it at {outside} entries"
    used = f" (worst used {part(worst.used)}: {worst.gradient}, {place(worst, run.network)})" if worst else ""
    undecided = sum(c.undecided for c in certificates)
    lines = [
        f"truth  {' and '.join(known)} at step{'s' * (len(steps) > 1)} {', '.join(map(str, steps))}; the formula check "
        f"there is the distance to the true value",
        f"       the float64 centre {within}{used}; balls at most {small(max(c.radius for c in certificates))} of a "
        f"bound; comparisons undecided: {undecided}",
    ]
    lines += [f"       not certified at step {c.step}: {c.shortfall}" for c in certificates if c.shortfall]
    return "\n\n".join(filter(None, ["\n".join(plain(line, style) for line in lines), _table(run, style, verbose)]))


def _table(run: Run, style: str, verbose: bool) -> str:
    dtypes = list(dict.fromkeys(["float64", run.head.dtype]))
    found = {(e.gradient, e.against, e.dtype): e for e in run.true_errors}
    table = []
    for name in run.head.gradients if not verbose else dict.fromkeys(error.gradient for error in run.true_errors):
        label = name
        for against in (CENTRE, *run.head.implementations):
            errors = [found.get((name, against, dtype)) for dtype in dtypes]
            if any(errors):
                table.append([label, plain(against, style), *(cell for e in errors for cell in _cells(run, e))])
                label = ""
    if not table:
        return ""
    headers = ("gradient", "against", *(h for dtype in dtypes for h in (f"{dtype} used", "ulp", "largest", "at")))
    told = (
        "true error: |value - truth| as a share of the allowance, at the entry and step where it is largest; in ulp of "
        "the truth: median over entries, and largest"
    )
    text = grid(table, headers, style, ("left", "left", *ALIGN_OF_DTYPE * len(dtypes)))
    return f"{plain(told, style)}\n\n{text}"


def _cells(run: Run, error: TrueError | None) -> list[str]:
    if error is None:
        return [""] * len(ALIGN_OF_DTYPE)
    return [part(error.used), ulps(error.median_ulp), ulps(error.largest_ulp), place(error, run.network)]
