"""``harness check`` and ``harness template``: from options to a check, or to a dump to fill.

A check runs in a process apart; its answer comes back to the screen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click
from click.core import ParameterSource

from harness.candidates.isolated import Answer, Ended, apart
from harness.cli.group import OF_A_NETWORK
from harness.cli.terminal import complain, indented, printable, quoted, spelled, style_of, verb_of
from harness.usage import UsageError, visible

OF_AN_OPERATION = ("inputs", "backward", "surrogate", "range", "leave_out", "demand")
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
        (*OF_A_MODEL, *OF_AN_OPERATION, "reference", "optimizer", "lr", "dtype", "device", "seed"),
        "with --chain TARGET returns everything that is checked", LEAVE_OUT,
    ),
    "optimizer": (
        (*OF_A_MODEL, *OF_AN_OPERATION, "arrays", "device", "strict", "reference", "report"),
        "with --optimizer the update of weights is checked, without a network", LEAVE_OUT,
    ),
}  # fmt: skip
"""Of what is checked: options that are about something else, why that is so, and what to do."""

EARLY = " before there was an answer"


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


def check_and_print(**options: Any) -> int:
    """Check, print, and return the exit status."""
    said = {"chain": "chain", "optimizer": "optimizer", "reference": "operation"}
    what = next((what for option, what in said.items() if options[option] not in (None, False, ())), "network")
    refuse_the_others(what)
    return print_answer(options | typed_again() | {"what": what})


def print_answer(options: dict[str, Any]) -> int:
    """Check what the options say in a process apart, print its answer, and return the exit status."""
    style = options["style"] = style_of(options["style"], as_json=options["as_json"])
    answer = apart("harness.cli.answers:answered", options, partly=options["what"] == "program")
    if isinstance(answer, Ended):
        answer = _ended(answer, options)
    if answer.text:
        click.echo(answer.text if style == "json" else printable(answer.text))
    return answer.status


def _ended(ended: Ended, options: dict[str, Any]) -> Answer:
    """The answer where the process that checks gave none: what ends a call fails, what ends before could not begin."""
    function, seconds, verb = visible(options["function"]), f"{options['timeout']:g} s", verb_of(options["what"])
    how = f"{ended.end.verb} the process {ended.end}"
    if ended.code == "being loaded":
        from harness.candidates.sources import not_loaded

        how = f"takes longer than {seconds}, and could not be interrupted" if ended.overdue else how
        return Answer(complain(verb, not_loaded(function, how)), "")
    if ended.code == "of its own":
        told = f"the process that checks {ended.end.verb} {ended.end} while nothing of it ran"
        return Answer(complain(verb, f"Cannot check {function}, because {told}; run it again."), "")
    late = f"did not answer within {seconds}, and could not be interrupted"
    if options["what"] == "program":
        told = f"{late if ended.overdue else how}; give a program that returns, or more time by --timeout"
        return Answer(complain(verb, f"Cannot check {function}, because it {told}."), "")
    return Answer(1, _failed(f"{function} {late if ended.overdue else how + EARLY}", options["style"]))


def _failed(reason: str, style: str) -> str:
    """FAIL, in each style."""
    if style == "json":
        return indented({"verdict": "FAIL", "exit": 1, "reason": reason}).decode()
    if style == "github":
        from harness.rendering.github import Annotation, workflow_commands

        return workflow_commands([Annotation("error", "FAIL", reason)])[0]
    return f"FAIL  {reason}"


def template_and_print(*, model: str, output: str, **options: Any) -> int:
    """Write the file, say what it holds and how to go on, and return the exit status."""
    from harness.checking.templates import write_template
    from harness.inputs.networks import load_network
    from impls.graph import LOSS, TARGET
    from impls.hand.notation import describe

    choices = {name: options.pop(name) for name in OF_A_NETWORK}
    network = load_network(model, data=options["data"], **choices)
    source = write_template(output, network, **options)
    what = [
        describe(network), network.loss_formula, source.describe(),
        options["dtype"], f"{options['rows']} rows", f"seed {options['seed']}",
    ]  # fmt: skip
    said = [f"--{name.replace('_', '-')} {quoted(str(value))}" for name, value in choices.items() if value is not None]
    inputs = [source.name for source in network.sources]
    backwards = (network.gradient[name] for name in reversed(network.activations) if name in network.gradient)
    more = ", ".join([*network.activations, LOSS, *backwards])
    lines = [
        " · ".join(what),
        f"wrote {output}",
        f"holds {_shapes(network, [*network.weights, *network.buffers, *inputs], options['rows'])}, {TARGET}",
        f"fill  {_shapes(network, network.gradients, options['rows'])}: NaN so far; leave out what your program does "
        f"not compute",
        f"add   {more}: any of them locate a mistake more finely",
        f"next  {' '.join(['harness check', quoted(output), '--model', quoted(model), *said])}",
    ]
    click.echo(printable("\n".join(lines)))
    return 0


def _shapes(network: Any, names: Iterable[str], rows: int) -> str:
    shapes = {name: network.tensors[name].sized(rows) for name in names}
    return ", ".join(f"{name} {'×'.join(map(str, shape)) or '1'}" for name, shape in shapes.items())
