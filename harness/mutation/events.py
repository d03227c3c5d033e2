"""What the process that runs somebody's tests tells the one that started it: one JSON line per event."""

from __future__ import annotations

from pathlib import Path

import msgspec


class Plan(msgspec.Struct, frozen=True):
    """What is to be done.

    Attributes:
        target: the function to plant mutants in; None for the hand code's backward rules.
        timeout: seconds for one mutant; None for ten times what the test takes, at least `LEAST`.
        events: the file to write events to.
        first: mutants before this one are done already.
        most: if there are more mutants, so many are taken, evenly over all lines.
    """

    target: str | None
    timeout: float | None
    events: str
    first: int = 0
    most: int = 0


class Unmutated(msgspec.Struct, frozen=True, tag="unmutated", tag_field="kind"):
    """The test without a mutant.

    Attributes:
        wrong: why it cannot be used, or None: a sentence's end after "because".
        seconds: that it took.
        limit: seconds that each mutant may take.
        called: targets that it called.
        uncalled: targets that it did not call.
        planned: number of mutants that are to be run, out of ``possible``.
    """

    wrong: str | None
    seconds: float = 0.0
    limit: float = 0.0
    tests: int = 0
    called: tuple[str, ...] = ()
    uncalled: tuple[str, ...] = ()
    planned: int = 0
    possible: int = 0


class Unusable(msgspec.Struct, frozen=True, tag="unusable", tag_field="kind"):
    """Nothing can be run, for a reason that a person can read."""

    message: str


class Begun(msgspec.Struct, frozen=True, tag="begun", tag_field="kind"):
    """A mutant is about to run."""

    number: int
    target: str
    operator: str
    file: str
    line: int
    before: str
    after: str
    equal: bool


class Done(msgspec.Struct, frozen=True, tag="done", tag_field="kind"):
    """A mutant has run.

    Attributes:
        caught: whether a test failed.
        how: what failed: ``AssertionError``, or ``did not end``.
        itself: whether the mutant raised, so that any test that calls it fails.
        ran: whether its statement was reached.
        alike: whether it survived and gave, bit by bit, what the unmutated function gives for the same arguments.
    """

    number: int
    caught: bool
    how: str | None = None
    itself: bool = False
    ran: bool = True
    alike: bool = False


class Again(msgspec.Struct, frozen=True, tag="again", tag_field="kind"):
    """The test without a mutant, after all of them: whether it still passes."""

    passed: bool


Event = Unmutated | Unusable | Begun | Done | Again


def tell(path: str, event: Event) -> None:
    """Append one event to the file."""
    with Path(path).open("ab") as file:
        file.write(msgspec.json.encode(event) + b"\n")


def told(path: Path) -> list[Event]:
    """Every whole line of the file."""
    if not path.exists():
        return []
    text = path.read_bytes()
    return [msgspec.json.decode(line, type=Event) for line in text[: text.rfind(b"\n") + 1].splitlines()]
