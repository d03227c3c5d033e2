"""What ``harness check`` answers of a network, an operation, an optimizer or a chain: made in a process apart.

What a check needs is imported there; the process that only prints does without.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from harness.candidates.isolated import Answer
from harness.cli.terminal import Progress, complain, indented, paged, verb_of
from harness.rendering.pages import page_writer
from harness.usage import UsageError


def answered(options: dict[str, Any]) -> Answer:
    """What is printed, and the exit status; a complaint goes to stderr at once."""
    from harness.rendering.github import workflow_commands

    try:
        write_page = page_writer(options["report"])
        result, annotations, text = MADE[options["what"]](options)
    except UsageError as error:
        return Answer(complain(verb_of(options["what"]), error), "")
    status = 4 if options["require_power"] and result.verdict == "NO POWER" else result.exit
    if options["style"] == "json":
        told = indented(result.to_dict() | {"exit": status}).decode()
    elif options["style"] == "github":
        told = "\n".join(workflow_commands(annotations(result)))
    elif options["quiet"]:
        told = f"{result.verdict}  {result.reason}"
    else:
        told = text()
    return Answer(paged(write_page, result, verb_of(options["what"]), status), told)


class Made(NamedTuple):
    """A result, its annotations for a workflow, and its text in the style that was asked for."""

    result: Any
    annotations: Callable[[Any], Iterable[Any]]
    text: Callable[[], str]


def _network(options: dict[str, Any]) -> Made:
    from harness.checking.backward_pass import check
    from harness.inputs.asked import network_asked
    from harness.rendering.check_screen import rendered
    from harness.rendering.github import annotated

    same = ("raw", "target", "batch", "dtype", "seed", "arrays", "timeout", "layout", "strict", "device")
    result = check(
        _function(options), network_asked(options), options["data"], **{name: options[name] for name in same}
    )
    shown = {"verbose": options["verbose"], "command": options["command"]}
    return Made(result, annotated, lambda: rendered(result, options["style"], **shown))


def _function(options: dict[str, Any]) -> Any:
    """What is checked: what was typed, or with --update the gradients that its update shows."""
    if not options["update"]:
        return options["function"]
    from harness.candidates.sources import named
    from harness.candidates.steps import bound, is_method
    from harness.candidates.updates import gradients_from_update
    from harness.inputs.arguments import as_seconds

    source = named(options["function"], as_seconds(options["timeout"]), "step")
    step = source.function
    if source.owner is not None and is_method(step):
        step = bound(step, source.name, source.owner)
    return gradients_from_update(step, lr=options["lr"], name=source.name)


def _operation(options: dict[str, Any]) -> Made:
    from harness.checking.operation import check_vjp
    from harness.rendering.github import of_operation
    from harness.rendering.operation_screen import Typed, render

    same = ("range", "leave_out", "demand", "strict", "dtype", "seed", "timeout", "device")
    found = check_vjp(**_named(options), **{name: options[name] for name in same})
    result = replace(found, command=options["command"])
    typed = Typed(options["command"], options["other_dtype"], options["other_seed"])
    return Made(result, of_operation, lambda: render(result, options["style"], typed))


def _named(options: dict[str, Any]) -> dict[str, Any]:
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
        return list(inspect.signature(forward).parameters)
    except (TypeError, ValueError):
        return []


def _reference(text: str, timeout: float | None) -> Any:
    """A function, or a layer of the hand code: an object in a file, an activation or a loss by its name."""
    from harness.candidates.sources import named
    from impls.hand.notation import ACTIVATIONS, LOSSES_IN_TEXT
    from impls.hand.parsing import made, parsed

    if ":" in text or text.endswith(".py"):
        return named(text, timeout, "reference").function
    try:
        kind, _ = parsed("reference", text)
        table = LOSSES_IN_TEXT if kind in LOSSES_IN_TEXT else ACTIVATIONS
        return made("reference", table, text)
    except ValueError as error:
        raise UsageError(f"{error} Or give FILE.py:function.") from None


def _chain(options: dict[str, Any]) -> Made:
    from harness.checking.chain import check_chain
    from harness.inputs.arguments import as_seconds
    from harness.rendering.chain_screen import render
    from harness.rendering.github import of_chain

    timeout = as_seconds(options["timeout"])
    given = {} if options.get("arrays") is None else {"arrays": options["arrays"]}
    given |= {"strict": True} if options.get("strict") else {}
    found = check_chain(**_returned(options["function"], timeout) | given, timeout=timeout)
    result = replace(found, command=options["command"])
    return Made(result, of_chain, lambda: render(result, options["style"]))


def _returned(target: str, timeout: float | None) -> dict[str, Any]:
    """Arguments of `harness.check_chain`, from what the function that is named returns.

    Raises:
        UsageError: there is no such function, or it returns nothing of the kind.
    """
    from harness.candidates.guarded import guarded
    from harness.candidates.printing import Printed
    from harness.candidates.sources import named
    from harness.candidates.vocabulary import called_loss
    from harness.checking.chain import check_chain
    from harness.inputs.frameworks import kind_of

    source = named(target, timeout, "chain")
    shape = f"{source.name} is called without arguments, and returns what harness.check_chain takes"
    if not callable(source.function):
        raise UsageError(f"Cannot check {source.name}, because it is {kind_of(source.function)}; {shape}.")
    printed = Printed()
    returned, failure = guarded(source.function, timeout, printed)
    printed.tell(source.name)
    if failure:
        what = f"it {'raises ' if failure.error else ''}{failure.message}"
        raise UsageError(f"Cannot check {source.name}, because {what}; {shape}.")
    if not isinstance(returned, Mapping):
        raise UsageError(f"Cannot check {source.name}, because it returns {kind_of(returned)}; {shape}.")
    known = [name for name in inspect.signature(check_chain).parameters if name not in ("timeout", "strict")]
    if returned and all(name in known for name in returned):
        return dict(returned)
    if any(map(called_loss, returned)):  # it went through both passes itself, and returned locals()
        return {"tensors": returned, "gradients": returned}
    raise UsageError(
        f"Cannot check {source.name}, because it returns a dictionary of {', '.join(map(str, returned)) or 'nothing'}; "
        f"return some of {', '.join(known)}, or all tensors, the loss and gradients by name."
    )


def _optimizer(options: dict[str, Any]) -> Made:
    from harness.candidates.sources import named
    from harness.checking.optimizer import check_optimizer
    from harness.inputs.arguments import as_seconds
    from harness.inputs.asked import optimizer_asked
    from harness.rendering.github import of_optimizer
    from harness.rendering.optimizer_screen import rendered

    timeout, optimizer = options["timeout"], optimizer_asked(options)
    source = named(options["function"], as_seconds(timeout), "step")
    dtype = options["dtype"] if options["dtype_said"] else None
    result = check_optimizer(
        source.function, optimizer, dtype=dtype, seed=options["seed"], timeout=timeout, name=source.name
    )
    return Made(result, of_optimizer, lambda: rendered(result, options["style"], options["command"]))


def _program(options: dict[str, Any]) -> Made:
    if options["record"] is not None:
        return _recorded(options)
    from harness.cli.programs import built_by
    from harness.programs.check import check_program
    from harness.rendering.github import of_program
    from harness.rendering.program_screen import render

    built = built_by(options["function"], options["timeout"])
    with Progress("operations") as bar:
        found = check_program(
            built.program, *built.arguments, loss=built.loss, modules=options["modules"], seed=options["seed"],
            timeout=options["timeout"], progress=bar.at, demand=options["demand"],
        )  # fmt: skip
    result = replace(found, command=options["command"])
    return Made(result, of_program, lambda: render(result, options["style"], options["verbose"]))


def _tolerance(options: dict[str, Any]) -> Made:
    from harness.rendering.tolerance_screen import render
    from harness.tolerances.check import check_tolerance

    same = ("atol", "rtol", "inputs", "reference", "dtype", "seed", "timeout", "tensor_cores", "output")
    found = check_tolerance(options["rule"], on=options["function"], **{name: options[name] for name in same})
    result = replace(found, command=options["command"])
    return Made(result, lambda _: (), lambda: render(result, options["style"]))


def _recorded(options: dict[str, Any]) -> Made:
    """A program checked, and its run kept for a comparison later; all of its modules are."""
    from harness.cli.programs import built_by
    from harness.programs.pairs.trace_file import refuse_path, write_trace
    from harness.programs.pairs.tracing import traced
    from harness.rendering.github import of_program
    from harness.rendering.program_screen import render

    if options["demand"]:
        raise UsageError("Cannot demand something of a program that is recorded; check it without --record.")
    if options["modules"]:
        raise UsageError("Cannot record a part of a program, because it is compared as a whole; leave --modules out.")
    refuse_path(options["record"])
    built = built_by(options["function"], options["timeout"])
    with Progress("operations") as bar:
        trace, found = traced(
            built, options["function"], options["seed"], command=options["command"], timeout=options["timeout"],
            progress=bar.at,
        )  # fmt: skip
    wrote = write_trace(options["record"], trace)
    if found is None:
        raise UsageError(
            f"Cannot check {options['function']}, because {trace.compiled} has compiled it, or a part of it, and its "
            f"operations cannot be seen; its run is recorded all the same ({wrote}): {trace.judged.reason}."
        )
    complain(verb_of(options["what"]), wrote)
    result = replace(found, command=options["command"])
    return Made(result, of_program, lambda: render(result, options["style"], options["verbose"]))


def _pair(options: dict[str, Any]) -> Made:
    from harness.cli.programs import given_as, map_from
    from harness.programs.pairs.compare import compare_programs
    from harness.programs.pairs.trace_file import refuse_path, write_trace
    from harness.rendering.github import of_pair
    from harness.rendering.pair_screen import render

    record = options["record"]
    if record is not None:
        refuse_path(record)
    said = map_from(options["map"])
    first, second = (given_as(options[side], options["timeout"]) for side in ("first", "second"))

    def keep(trace: Any) -> None:
        if record is not None:
            complain(verb_of(options["what"]), write_trace(record, trace))

    names = options["first"], options["second"]
    with Progress("operations") as bar:
        found = compare_programs(
            first, second, map=said, seed=options["seed"], names=names, timeout=options["timeout"], keep=keep,
            progress=bar.at,
        )  # fmt: skip
    result = replace(found, command=options["command"])
    return Made(result, of_pair, lambda: render(result, options["style"], options["verbose"]))


MADE = {
    "network": _network, "operation": _operation, "optimizer": _optimizer, "chain": _chain, "program": _program,
    "tolerance": _tolerance, "pair": _pair,
}  # fmt: skip
"""By what is checked."""
