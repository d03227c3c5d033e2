"""``harness check`` of an optimizer: from options to the check of its steps, in a process apart."""

from __future__ import annotations

from typing import Any

from harness.candidates.isolated import Answer
from harness.cli.operations import answer_of
from harness.cli.terminal import complain
from harness.rendering.pages import page_writer
from harness.usage import UsageError


def of_optimizer(options: dict[str, Any]) -> Answer:
    """What is printed, and the exit status; a complaint goes to stderr at once."""
    from harness.candidates.sources import named
    from harness.checking.optimizer import check_optimizer
    from harness.inputs.arguments import as_optimizer, as_seconds
    from harness.rendering.github import of_optimizer as annotated
    from harness.rendering.optimizer_screen import rendered

    timeout, rate = options["timeout"], {} if options["lr"] is None else {"lr": options["lr"]}
    try:
        optimizer = as_optimizer(options["optimizer"], **rate)
        source = named(options["function"], as_seconds(timeout), "step")
        result = check_optimizer(
            source.function, optimizer, dtype=options["dtype"] if options["dtype_said"] else None,
            seed=options["seed"], timeout=timeout, name=source.name,
        )  # fmt: skip
    except UsageError as error:
        return Answer(complain("harness check", error), "")
    return answer_of(
        options, result, page_writer(options["report"]),
        annotations=lambda: annotated(result),
        text=lambda: rendered(result, options["style"], options["command"]),
    )  # fmt: skip
