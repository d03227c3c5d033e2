"""``harness check --chain``: from what a function returns to the check of its chain, in a process apart."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.candidates.isolated import Answer
from harness.cli.operations import answer_of
from harness.cli.terminal import complain
from harness.rendering.pages import page_writer
from harness.usage import UsageError


def answered(options: dict[str, Any]) -> Answer:
    """What is printed, and the exit status; a complaint goes to stderr at once."""
    from harness.checking.chain import check_chain
    from harness.inputs.arguments import as_seconds
    from harness.rendering.chain_screen import render
    from harness.rendering.github import of_chain

    try:
        write_page = page_writer(options["report"]) if options["report"] else None
        timeout = as_seconds(options["timeout"])
        given = {name: options[name] for name in ("arrays",) if options.get(name)}
        found = check_chain(**_arguments(options["function"], timeout) | given, timeout=timeout)
    except UsageError as error:
        return Answer(complain("harness check", error), "")
    result = replace(found, command=options["command"])
    return answer_of(
        options, result, write_page,
        annotations=lambda: of_chain(result), text=lambda: render(result, options["style"]),
    )  # fmt: skip


def _arguments(target: str, timeout: float | None) -> dict[str, Any]:
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
    known = [name for name in inspect.signature(check_chain).parameters if name != "timeout"]
    if returned and all(name in known for name in returned):
        return dict(returned)
    if any(map(called_loss, returned)):  # it went through both passes itself, and returned locals()
        return {"tensors": returned, "gradients": returned}
    raise UsageError(
        f"Cannot check {source.name}, because it returns a dictionary of {', '.join(map(str, returned)) or 'nothing'}; "
        f"return some of {', '.join(known)}, or all tensors, the loss and gradients by name."
    )
