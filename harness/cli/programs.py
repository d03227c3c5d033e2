"""``harness program``: from options to the check of a program that a function builds, in a process apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import click

from harness.candidates.isolated import Answer, Ended, apart
from harness.cli.terminal import Progress, complain, indented, paged, printable, spelled, style_of
from harness.usage import UsageError, told, visible

BUILT = 'return model, x, y; or {"program": model, "arguments": (x, y), "loss": function}'


class Built(NamedTuple):
    """What somebody's build function returned."""

    program: Callable[..., Any]
    arguments: Sequence[Any]
    loss: Callable[[Any], Any] | None


def check_and_print(**options: Any) -> int:
    """Check, print, and return the exit status."""
    style = options["style"] = style_of(options["style"], as_json=options["as_json"])
    answer = apart("harness.cli.programs:answered", options | {"command": spelled()})
    if isinstance(answer, Ended):
        reason = f"{visible(options['function'])} {answer.end.verb} the process {answer.end} before there was an answer"
        if style == "json":
            reason = indented({"verdict": "FAIL", "exit": 1, "reason": reason}).decode()
        click.echo(reason if style == "json" else f"FAIL  {reason}")
        return 1
    if answer.text:
        click.echo(answer.text if style == "json" else printable(answer.text))
    return answer.status


def answered(options: dict[str, Any]) -> Answer:
    """What is printed, and the exit status; a complaint goes to stderr at once."""
    from harness.programs.check import check_program
    from harness.rendering.github import of_program, workflow_commands
    from harness.rendering.pages import page_writer
    from harness.rendering.program_screen import render

    try:
        write_page = page_writer(options["report"])
        built = built_by(options["function"], options["timeout"])
        with Progress("operations") as bar:
            result = check_program(
                built.program, *built.arguments, loss=built.loss, modules=options["modules"], seed=options["seed"],
                progress=bar.at,
            )  # fmt: skip
    except UsageError as error:
        return Answer(complain("harness program", error), "")
    result = replace(result, command=options["command"])
    status = 4 if options["require_power"] and result.verdict == "NO POWER" else result.exit
    if options["style"] == "json":
        text = indented(result.to_dict() | {"exit": status}).decode()
    elif options["style"] == "github":
        text = "\n".join(workflow_commands(of_program(result)))
    elif options["quiet"]:
        text = f"{result.verdict}  {result.reason}"
    else:
        text = render(result, options["style"], options["verbose"])
    return Answer(paged(write_page, result, "harness program", status), text)


def built_by(target: str, timeout: float | None) -> Built:
    """What a function that a text names builds.

    Raises:
        UsageError: there is no such function, it raises, or it returns something else.
    """
    from harness.candidates.deadline import OverdueError, deadline
    from harness.candidates.sources import named
    from harness.inputs.arguments import as_seconds

    source = named(target, as_seconds(timeout), "build")
    if not callable(source.function):
        raise UsageError(f"Cannot check {target}, because {source.name} cannot be called; name a function that builds.")
    try:
        with deadline(as_seconds(timeout)):
            returned = source.function()
    except OverdueError:
        raise UsageError(
            f"Cannot check {target}, because {source.name} takes longer than {timeout:g} s; give more by --timeout."
        ) from None
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"Cannot check {target}, because {source.name} raises {told(error)}; let it return a program and its "
            f"arguments."
        ) from error
    return as_built(returned, source.name)


def as_built(returned: Any, name: str) -> Built:
    """A program, its arguments and its loss, from what a build function returned."""
    if isinstance(returned, Mapping):
        known = {"program", "arguments", "loss"}
        if "program" not in returned or set(returned) - known:
            raise UsageError(
                f"Cannot check what {name} returns, because a dictionary holds program, arguments and loss, and not "
                f"{', '.join(map(str, returned)) or 'nothing'}; {BUILT}."
            )
        arguments = returned.get("arguments", ())
        arguments = tuple(arguments) if isinstance(arguments, list | tuple) else (arguments,)
        return Built(returned["program"], arguments, returned.get("loss"))
    parts = tuple(returned) if isinstance(returned, tuple | list) else (returned,)
    if not parts or not callable(parts[0]):
        what = f"a {type(returned).__name__}" if returned is not None else "nothing"
        raise UsageError(
            f"Cannot check what {name} returns, because it is {what}, and no program with its arguments; {BUILT}."
        )
    return Built(parts[0], parts[1:], None)
