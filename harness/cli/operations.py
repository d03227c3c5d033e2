"""``harness check`` of one operation: from options to the check of its backward pass, in a process apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from inspect import signature
from typing import Any

import click
from click.core import ParameterSource

from harness.candidates.isolated import Answer
from harness.cli.group import OF_A_NETWORK
from harness.cli.terminal import complain, indented, paged, spelled
from harness.rendering.pages import page_writer
from harness.usage import UsageError

OF_AN_OPERATION = ("inputs", "backward", "surrogate", "range", "leave_out")
OF_A_MODEL = (
    "model", "data", "target", "raw", *OF_A_NETWORK, "batch", "update", "layout",
)  # fmt: skip
LEAVE_OUT = "leave one of them out"
REFUSED = {
    "operation": (
        (*OF_A_MODEL, "arrays", "lr"), "with --reference one operation is checked, which is no network", LEAVE_OUT,
    ),
    "network": (
        OF_AN_OPERATION, "it is about one operation, which is checked against a --reference",
        "give --reference FILE.py:function too",
    ),
    "chain": (
        (*OF_A_MODEL, *OF_AN_OPERATION, "reference", "optimizer", "lr", "dtype", "seed"),
        "with --chain TARGET returns everything that is checked", LEAVE_OUT,
    ),
    "optimizer": (
        (*OF_A_MODEL, *OF_AN_OPERATION, "arrays", "strict", "reference", "report"),
        "with --optimizer the update of weights is checked, without a network", LEAVE_OUT,
    ),
}  # fmt: skip
"""Of what is checked: options that are about something else, why that is so, and what to do."""


def refuse_the_others(what: str) -> None:
    """Raise UsageError for options that are not about what is checked: a network, an operation, ..."""
    context = click.get_current_context()
    names, why, instead = REFUSED[what]
    if what == "network" and not context.params["update"]:
        _refuse(context, "lr", "it is the learning rate of an update", "give --update or --optimizer too")
    for name in names:
        _refuse(context, name, why, instead)


def _refuse(context: click.Context, name: str, why: str, instead: str) -> None:
    if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
        raise UsageError(f"Cannot use --{name.replace('_', '-')} here, because {why}; {instead}.")


def typed_again() -> dict[str, Any]:
    """The command as it was typed, and without what another one would say otherwise; whether it says a dtype."""
    context = click.get_current_context()
    names = [str(parameter.name) for parameter in context.command.params]
    return {
        "command": spelled(),
        "other_dtype": spelled(None, [name for name in names if name != "dtype"]),
        "other_seed": spelled(None, [name for name in names if name != "seed"]),
        "dtype_said": context.get_parameter_source("dtype") is ParameterSource.COMMANDLINE,
    }


def answered(options: dict[str, Any]) -> Answer:
    """What is printed, and the exit status; a complaint goes to stderr at once."""
    from harness.checking.operation import check_vjp
    from harness.rendering.github import of_operation
    from harness.rendering.operation_screen import Typed, render

    try:
        write_page = page_writer(options["report"]) if options["report"] else None
        same = ("range", "leave_out", "strict", "dtype", "seed", "timeout")
        found = check_vjp(**_operation(options), **{name: options[name] for name in same})
    except UsageError as error:
        return Answer(complain("harness check", error), "")
    result = replace(found, command=options["command"])
    typed = Typed(options["command"], options["other_dtype"], options["other_seed"])
    return answer_of(
        options, result, write_page,
        annotations=lambda: of_operation(result), text=lambda: render(result, options["style"], typed),
    )  # fmt: skip


def answer_of(
    options: dict[str, Any],
    result: Any,
    write_page: Callable[[Any], None] | None,
    *,
    annotations: Callable[[], Iterable[Any]],
    text: Callable[[], str],
) -> Answer:
    """A result in the style that was asked for, its page written, and the exit status."""
    status = 4 if options["require_power"] and result.verdict == "NO POWER" else result.exit
    if options["style"] == "json":
        told = indented(result.to_dict() | {"exit": status}).decode()
    elif options["style"] == "github":
        from harness.rendering.github import workflow_commands

        told = "\n".join(workflow_commands(annotations()))
    elif options["quiet"]:
        told = f"{result.verdict}  {result.reason}"
    else:
        told = text()
    return Answer(paged(write_page, result, "harness check", status), told)


def _operation(options: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `harness.check_vjp`.

    Raises:
        UsageError: a text names nothing that there is.
    """
    from harness.candidates.sources import named
    from harness.inputs.arguments import as_seconds

    timeout = as_seconds(options["timeout"])
    backward = options["backward"] and named(options["backward"], timeout, "backward").function
    forward = named(options["function"], timeout, "forward").function
    references = [_reference(text, timeout) for text in options["reference"]]
    if options["inputs"] is None and not any(getattr(each, "usual_inputs", None) for each in references):
        such = "; ".join(f"{name}=N,M" for name in _parameters(forward)) or "x=N,M"
        raise UsageError(
            f"Cannot draw inputs for {options['function']}, because nothing says what it reads; say it, a letter for "
            f'each size: --inputs "{such}".'
        )
    return {
        "forward": forward,
        "backward": backward,
        "reference": references[0] if len(references) == 1 else references,
        "surrogate": options["surrogate"] and _reference(options["surrogate"], timeout),
        "inputs": options["inputs"],
    }


def _parameters(forward: Any) -> list[str]:
    """What an operation is called with, where that is known."""
    try:
        return list(signature(forward).parameters)
    except (TypeError, ValueError):
        return []


def _reference(text: str, timeout: float | None) -> Any:
    """A function, or a layer of the hand code: an object in a file, an activation or a loss by its name."""
    from harness.candidates.sources import named
    from impls.hand.notation import ACTIVATIONS, LOSSES_IN_TEXT, made, parsed

    if ":" in text or text.endswith(".py"):
        return named(text, timeout, "reference").function
    try:
        kind, _ = parsed("reference", text)
        table = LOSSES_IN_TEXT if kind in LOSSES_IN_TEXT else ACTIVATIONS
        return made("reference", table, text)
    except ValueError as error:
        raise UsageError(f"{error} Or give FILE.py:function.") from None
