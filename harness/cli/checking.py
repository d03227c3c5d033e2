"""``harness check``: from options to a check, in a process apart, and from its answer to the screen."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from harness.candidates.isolated import Answer, Ended, apart
from harness.cli.running import paged, printable
from harness.cli.spelling import spelled
from harness.inputs.networks import load_network
from harness.rendering.github import Annotation, workflow_commands
from harness.rendering.pages import page_writer
from harness.usage import UsageError, visible


def check_and_print(**options: Any) -> int:
    """Check, print, and return the exit status."""
    style = options["style"] = "json" if options["as_json"] else options["style"] or "table"
    answer = apart("harness.cli.checking:answered", options | {"command": spelled()}, options["timeout"])
    if isinstance(answer, Ended):
        answer = Answer(1, _ended(f"{visible(options['function'])} {answer.how}", style))
    if answer.text:
        click.echo(answer.text if style == "json" else printable(answer.text))
    return answer.status


def answered(options: dict[str, Any]) -> Answer:
    """What is printed, and the exit status; a complaint goes to stderr at once."""
    # Imported where the check runs; the process that only prints does without.
    from harness.checking.backward_pass import check
    from harness.rendering.annotations import annotated
    from harness.rendering.check_screen import rendered

    try:
        write_page = page_writer(options["report"]) if options["report"] else None
        network = load_network(
            options["model"],
            activation=options["activation"],
            output_activation=options["output_activation"],
            loss=options["loss"],
        )
        same = ("raw", "target", "batch", "dtype", "seed", "arrays", "timeout")
        keywords = {name: options[name] for name in same}
        result = check(options["function"], network, options["data"], **keywords)
    except UsageError as error:
        click.echo(printable(f"harness check: {error}"), err=True)
        return Answer(2, "")
    powerless = options["require_power"] and result.verdict == "NO POWER"
    status = 4 if powerless else result.exit
    if options["style"] == "json":
        text = msgspec.json.format(msgspec.json.encode(result.to_dict() | {"exit": status}), indent=1).decode()
    elif options["style"] == "github":
        text = "\n".join(workflow_commands(annotated(result)))
    elif options["quiet"]:
        text = f"{result.verdict}  {result.reason}"
    else:
        text = rendered(result, options["style"], verbose=options["verbose"], command=options["command"])
    return Answer(paged(write_page, result, "harness check", status), text)


def _ended(reason: str, style: str) -> str:
    """The answer where the process that checked gave none."""
    if style == "json":
        return msgspec.json.format(
            msgspec.json.encode({"verdict": "FAIL", "exit": 1, "reason": reason}), indent=1
        ).decode()
    if style == "github":
        return workflow_commands([Annotation("error", "FAIL", reason)])[0]
    return f"FAIL  {reason}"
