"""``harness check`` and ``harness template``: from options to a check, or to a dump to fill.

A check runs in a process apart; its answer comes back to the screen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from harness.candidates.isolated import Answer, Ended, apart
from harness.cli.group import OF_A_NETWORK
from harness.cli.operations import refuse_the_others, typed_again
from harness.cli.terminal import complain, indented, printable, quoted, style_of
from harness.rendering.pages import page_writer
from harness.usage import UsageError, visible

ANSWERED = {
    "network": "harness.cli.checking:answered",
    "operation": "harness.cli.operations:answered",
    "optimizer": "harness.cli.optimizers:answered",
    "chain": "harness.cli.chains:answered",
}

EARLY = " before there was an answer"


def check_and_print(**options: Any) -> int:
    """Check, print, and return the exit status."""
    said = {"chain": "chain", "optimizer": "optimizer", "reference": "operation"}
    what = next((what for option, what in said.items() if options[option]), "network")
    try:
        refuse_the_others(what)
        style = options["style"] = style_of(options["style"], as_json=options["as_json"])
    except UsageError as error:
        return complain("harness check", error)
    answer = apart(ANSWERED[what], options | typed_again())
    if isinstance(answer, Ended):
        answer = _ended(answer, options)
    if answer.text:
        click.echo(answer.text if style == "json" else printable(answer.text))
    return answer.status


def answered(options: dict[str, Any]) -> Answer:
    """What is printed, and the exit status; a complaint goes to stderr at once."""
    # Imported where the check runs; the process that only prints does without.
    from harness.checking.backward_pass import check
    from harness.cli.operations import answer_of
    from harness.inputs.networks import load_network
    from harness.rendering.check_screen import rendered
    from harness.rendering.github import annotated

    try:
        write_page = page_writer(options["report"]) if options["report"] else None
        network = load_network(options["model"], data=options["data"], **{name: options[name] for name in OF_A_NETWORK})
        same = ("raw", "target", "batch", "dtype", "seed", "arrays", "timeout", "layout", "strict")
        keywords = {name: options[name] for name in same}
        result = check(_function(options), network, options["data"], **keywords)
    except UsageError as error:
        return Answer(complain("harness check", error), "")
    style, command = options["style"], options["command"]
    return answer_of(
        options, result, write_page,
        annotations=lambda: annotated(result),
        text=lambda: rendered(result, style, verbose=options["verbose"], command=command),
    )  # fmt: skip


def _function(options: dict[str, Any]) -> Any:
    """What is checked: what was typed, or with --update the gradients that its update shows."""
    if not options["update"]:
        return options["function"]
    from harness.candidates.sources import named
    from harness.candidates.updates import bound, gradients_from_update, is_method
    from harness.inputs.arguments import as_seconds

    source = named(options["function"], as_seconds(options["timeout"]), "step")
    step = source.function
    if source.owner is not None and is_method(step):
        step = bound(step, source.name, source.owner)
    return gradients_from_update(step, lr=options["lr"], name=source.name)


def _ended(ended: Ended, options: dict[str, Any]) -> Answer:
    """The answer where the process that checks gave none: what ends a call fails, what ends before could not begin."""
    function, seconds = visible(options["function"]), f"{options['timeout']:g} s"
    how = f"{ended.end.verb} the process {ended.end}"
    if ended.code == "being loaded":
        from harness.candidates.sources import not_loaded

        how = f"takes longer than {seconds}, and could not be interrupted" if ended.overdue else how
        return Answer(complain("harness check", not_loaded(function, how)), "")
    if ended.code == "of its own":
        told = f"the process that checks {ended.end.verb} {ended.end} while nothing of it ran"
        return Answer(complain("harness check", f"Cannot check {function}, because {told}; run it again."), "")
    late = f"did not answer within {seconds}, and could not be interrupted"
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
    try:
        network = load_network(model, data=options["data"], **choices)
        source = write_template(output, network, **options)
    except UsageError as error:
        return complain("harness template", error)
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
