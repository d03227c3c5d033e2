"""How the result is had again: the command, the environment, and the data of the page."""

from __future__ import annotations

from harness.environment import environment
from harness.results.run import Run
from reports.page.sections.section import Content, Section
from reports.page.subjects import ChainSubject, CheckSubject, OperationSubject, PairSubject, ProgramSubject, RunSubject

Facts = list[tuple[str, str]]


def of_run(subject: RunSubject) -> Content:
    """Of a run."""
    run = subject.run
    shows = {"command": run.head.command or _command(run), "facts": _facts(run), "ledger": run.head.ledger}
    return Content(shows, data={"file": f"{'run' if subject.steps else 'result'}.json"})


def of_check(subject: CheckSubject) -> Content:
    """Of a check."""
    setting = subject.check.setting
    facts: Facts = [
        ("function", setting.name), ("network", setting.network), ("data", setting.data), ("dtype", setting.dtype),
    ]  # fmt: skip
    facts += [("seed", str(setting.seed))] if setting.seed is not None else []
    shows = {"command": subject.command, "facts": [*facts, *setting.environment.items()], "ledger": []}
    return Content(shows, data={"file": f"{'run' if subject.drawing else 'result'}.json"})


def of_operation(subject: OperationSubject) -> Content:
    """Of the check of an operation."""
    check = subject.check
    facts: Facts = [
        ("operation", check.name), ("reference", check.reference), ("dtype", check.dtype), ("seed", str(check.seed)),
    ]  # fmt: skip
    shows = {"command": subject.command, "facts": [*facts, *environment().items()], "ledger": []}
    return Content(shows, data={"file": "result.json"})


def of_chain(subject: ChainSubject) -> Content:
    """Of the check of a chain."""
    check = subject.check
    facts: Facts = [("reference", check.package), ("dtype", check.dtype)]
    shows = {"command": subject.command, "facts": [*facts, *environment().items()], "ledger": []}
    return Content(shows, data={"file": "result.json"})


def of_program(subject: ProgramSubject) -> Content:
    """Of the check of a program."""
    check = subject.check
    facts: Facts = [("framework", check.version), ("dtype", check.dtype), ("seed", str(check.seed))]
    shows = {"command": subject.command, "facts": [*facts, *environment().items()], "ledger": []}
    return Content(shows, data={"file": "result.json"})


def of_pair(subject: PairSubject) -> Content:
    """Of the comparison of two programs."""
    facts: Facts = [(side.name, f"{side.framework}, {side.dtype}") for side in subject.pair.sides]
    facts.append(("seed", str(subject.pair.seed)))
    shows = {"command": subject.command, "facts": [*facts, *environment().items()], "ledger": []}
    return Content(shows, data={"file": "result.json"})


def _command(run: Run) -> str:
    """What makes such a run in Python, where no command made it."""
    head = run.head
    names = list(head.implementations)[1:]
    return (
        f"# {head.network}\n# data: {head.data}\n"
        f"harness.run(network, data, {names!r}, optimizer={head.optimizer}, steps={head.steps}, batch={head.batch}, "
        f"dtype={head.dtype!r}, seed={head.seed}, free_run={head.free_run}, exact={head.exact})"
    )


def _facts(run: Run) -> Facts:
    head = run.head
    return [
        ("created", head.created),
        ("network", head.network),
        ("data", head.data),
        ("optimizer", head.optimizer),
        ("dtype", head.dtype),
        ("seed", str(head.seed)),
        ("batch", str(head.batch)),
        ("schedule", head.schedule),
        ("steps", f"{len(run.steps)} of {head.steps}, {run.how}"),
        *([("data, SHA-256", head.data_digest)] if head.data_digest else []),
        ("weights, SHA-256 over all steps", run.weights_digest),
        *((f"weights of step {step.step}", step.digest) for step in (*run.steps[:1], *run.steps[1:][-1:])),
        *head.implementations.items(),
        *head.environment.items(),
    ]


SECTION = Section(
    "reproduce", "Reproduce", of_run, of_check, "reproduce.html.j2", of_operation, of_chain, None, of_program, of_pair
)
