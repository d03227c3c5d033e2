"""What a page says of power and of conventions, also where there is nothing to tell."""

from __future__ import annotations

from msgspec import to_builtins

from harness.results.check import Check
from harness.results.run import Run
from reports.page.tables import Table

MOST_ROWS = 40


def power_of_run(run: Run) -> tuple[list[str], Table | None]:
    """What this run could have seen: planted faults, where the record has them, and what each gradient's check sees."""
    counted_ = getattr(run, "power", None)
    told = [str(counted_)] if counted_ else ["This record holds no planted faults; `harness power` plants them."]
    table = None
    if counted_ and not counted_.left_out:
        found = to_builtins(counted_)
        rows = [["this comparison", str(found["missed"])], *([name, str(n)] for name, n in found["others"].items())]
        table = Table(f"Of {found['planted']} planted faults, missed by", ["comparison", "missed"], rows, [False, True])
    powerless = sorted({row.gradient for row in run.rows if row.verdict == "no power"})
    if powerless:
        told.append(f"Zeros in place of {', '.join(powerless)} would pass one of the checks.")
    return told, table


def power_of_check(check: Check) -> list[str]:
    """What a check could have seen."""
    powerless = [row.gradient for row in check.rows if row.verdict == "no power"]
    zeros = (
        f"Zeros in place of {', '.join(powerless)} would have passed."
        if powerless
        else "Zeros would have passed nowhere."
    )
    return [zeros, f"`harness power --of {check.setting.name}` plants faults in the function itself."]


def conventions_of_run(run: Run) -> list[str]:
    """The conventions that a run's numbers rest on, and the kinks that it met."""
    rows = run.select(lambda row: row.verdict == "convention")
    met = [
        f"{row.gradient} of {row.against} at step {row.step}: another subgradient at a kink is taken, which is "
        f"right too ({row.outside} of {row.entries} entries)."
        for row in rows[:MOST_ROWS]
    ]
    kinks = run.undecided
    told = f"{kinks:,} arguments were closer to a kink than their float64 bound." if kinks else "No kink was undecided."
    return [*_always(run.head.loss_formula), told, *(met or ["No row differs by a convention."])]


def conventions_of_check(check: Check) -> list[str]:
    """The conventions that a check's numbers rest on, and the kinks that it met."""
    rows = [row for row in check.rows if row.verdict == "convention"]
    met = [f"{row.gradient}: another subgradient at a kink is taken, which is right too." for row in rows]
    kinks = check.located.undecided
    told = (
        f"{kinks:,} arguments are so near a kink that either side may be taken." if kinks else "No kink is undecided."
    )
    return [*_always(check.setting.loss_formula), told, *(met or ["No link differs by a convention."])]


def _always(loss: str) -> list[str]:
    return [
        "w_ij^(l): i is the source, j the destination, counted from 1; W has shape (n_in, n_out), z = x W + b. "
        "torch.nn.Linear keeps W transposed, flax does not.",
        f"The loss is {loss}.",
    ]
