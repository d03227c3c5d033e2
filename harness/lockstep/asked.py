"""A run as somebody asks for it: options of ``harness run`` as they are typed, from the shell or a matrix of runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.inputs.asked import network_asked, optimizer_asked
from harness.lockstep.training import run
from harness.results.run import Run

SAME = ("raw", "target", "steps", "epochs", "batch", "dtype", "device", "seed", "check_every", "free_run", "exact")
"""Options that `harness.run` takes by the same name."""


def run_asked(options: Mapping[str, Any], against: list[str] | None, **more: Any) -> Run:
    """The run that options describe; `against` names its implementations, `more` is passed on.

    Raises:
        UsageError: something impossible was asked for.
    """
    return run(
        network_asked(options), options["data"], against, optimizer=optimizer_asked(options),
        full=options["check"] == "full", **{name: options[name] for name in SAME}, **more,
    )  # fmt: skip
