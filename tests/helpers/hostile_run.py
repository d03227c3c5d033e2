"""A run whose every name and message tries to be markup, script or a terminal's command."""

from msgspec.structs import replace

from harness.comparison.judge import Finding
from harness.results.run import Run

HOSTILE = "<script>hacked=1</script>\"'&<img src=x onerror=hacked=2>\x1b[31m\u202egnp"


def hostile(run):
    """The same run with that text wherever a record may hold text of others."""
    head = replace(
        run.head, description=HOSTILE, data=HOSTILE, command=f"harness run {HOSTILE}", environment={HOSTILE: HOSTILE},
        implementations={HOSTILE: HOSTILE}, optimizer=HOSTILE, loss_formula=HOSTILE, created=HOSTILE, ledger=[HOSTILE],
    )  # fmt: skip
    steps = [
        replace(
            step,
            rows=[replace(row, against=HOSTILE, reason=HOSTILE, cause=HOSTILE, verdict="FAULT") for row in step.rows],
            losses={HOSTILE: 1.0}, findings=[Finding(HOSTILE, 1, "raised", HOSTILE)],
        )
        for step in run.steps
    ]  # fmt: skip
    return Run(head, steps)
