"""Conventions: what every implementation does at every topic where mathematics leaves a choice, and where they differ.

Two right gradients may differ at a kink, a tie or a singular point, and two right losses by a default. What each
framework does there is a fact about its version, so it is measured, never looked up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.candidates.conformance import BreachError, guarded
from harness.candidates.implementation import Participant
from harness.environment import environment
from harness.inputs.arguments import as_dtype, as_names
from harness.inputs.plain import as_called
from harness.interrupts import heard
from harness.results.numbers import grid, plain
from harness.results.printable import Printable
from harness.surveys import Survey
from harness.surveys.topics import GROUPS, TOPICS, Topic
from harness.usage import visible
from impls import registry
from impls.abilities import Conventional, Measured
from impls.contract import CannotCompareError, network_of_example

Experiments = Mapping[str, Callable[[], Measured]]


@dataclass(frozen=True)
class Answers:
    """What was measured at one topic.

    Attributes:
        words: of each implementation that has such a function, by its name.
    """

    topic: Topic
    words: Mapping[str, str]

    @property
    def differ(self) -> bool:
        """Whether two implementations answer differently."""
        return len(set(self.words.values())) > 1


@dataclass
class Conventions(Survey, Printable, text="harness.surveys.conventions:render"):
    """What was measured at all topics, complete or interrupted.

    Attributes:
        answers: in the order of the topics; those that nobody answers are left out.
        notes: what else there is to say.
    """

    unusable = "cannot be used"
    dtype: str
    answers: list[Answers] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def exit(self) -> int:
        """130 interrupted, 3 where nothing, or not everybody who was named, could be asked, 0."""
        if self.how == "interrupted":
            return 130
        return 3 if not self.answers or (self.named and self.missing) else 0

    @property
    def reason(self) -> str:
        """The first line: how many topics, and where their answers differ."""
        if self.named and self.missing:
            return next(iter(self.missing.values()))
        differing = [each for each in self.answers if each.differ]
        counts = Counter(group for group, topics in GROUPS.items() for each in differing if each.topic in topics)
        where = ", ".join(f"{count} {group}" for group, count in counts.items())
        shared = [each for each in self.answers if len(each.words) > 1]
        text = f"of {len(self.answers)} topics, {len(shared)} are answered by more than one: "
        text += f"{len(differing)} differ{'s' * (len(differing) == 1)} ({where})" if differing else "none differs"
        return self.marked(text)

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of ``harness conventions --json``; all answers are in words, numbers among them."""
        group_of = {topic.name: group for group, topics in GROUPS.items() for topic in topics}
        return {
            "exit": self.exit,
            "reason": self.reason,
            "dtype": self.dtype,
            "ended": self.how,
            "implementations": self.implementations,
            "missing": self.missing,
            "environment": environment(),
            "notes": self.notes,
            "topics": [
                {
                    "topic": each.topic.name,
                    "group": group_of[each.topic.name],
                    "says": each.topic.says,
                    "choices": list(each.topic.choices),
                    "answers": dict(each.words),
                    "differ": each.differ,
                }
                for each in self.answers
            ],
        }


@heard()
def conventions(
    against: Sequence[str] | None = None,
    dtype: str = "float64",
    *,
    progress: Callable[[float, int], None] | None = None,
) -> Conventions:
    """Measure what implementations choose at kinks, at ties, where there is no derivative, and by default.

    Args:
        against: implementations by name, hand besides; all that are installed if None.
        dtype: in which to compute.
        progress: called with the topics done and the topics there are.

    Raises:
        UsageError: a name or the dtype is unknown.
    """
    names = as_names(against)
    progress = as_called("progress", progress, "the topics done", "those there are")
    result = Conventions(as_dtype(dtype), named=against is not None)
    try:
        asked = {name: _experiments_of(name, result) for name in names}
        for done, topic in enumerate(TOPICS.values(), 1):
            words: dict[str, str] = {}
            for name, experiments in asked.items():
                if topic.name in experiments:
                    answer = _answer(name, topic, experiments[topic.name], result)
                    words |= {} if answer is None else {name: answer}
            if words:
                result.answers.append(Answers(topic, words))
            if progress:
                progress(done, len(TOPICS))
    except KeyboardInterrupt:
        result.how = "interrupted"
    return result


def _experiments_of(name: str, result: Conventions) -> Experiments:
    """The experiments of an implementation; none, with the reason kept, where there are none."""
    try:
        participant = Participant(name, registry.load(name), network_of_example(), result.dtype)
        version, _ = participant.describe()
        made = participant.built(result.dtype)
        if not isinstance(made, Conventional):
            result.missing[name] = f"{name} tells no conventions; add a method conventions() to its implementation"
            return {}
        experiments = dict(guarded(made.conventions, {}, {}))
    except Exception as error:
        result.missing[name] = visible(result.why_not(name, error))
        return {}
    result.implementations[name] = version
    others = [str(topic)[:80] for topic in experiments if topic not in TOPICS]
    if others:
        result.notes.append(visible(f"{name} answers what is no topic: {', '.join(others[:8])}"))
    return experiments


def _answer(name: str, topic: Topic, experiment: Callable[[], Measured], result: Conventions) -> str | None:
    """What was measured, in words; None, with a note, where nothing was."""
    try:
        words = guarded(lambda: topic.read(experiment(), result.dtype), {}, {})
    except (BreachError, CannotCompareError) as error:
        result.notes.append(visible(f"{topic.name}: {name} {error}"))
        return None
    if topic.choices and words not in topic.choices:
        known = " | ".join(topic.choices)
        result.notes.append(f"{topic.name}: {words} of {name} is none of the answers known so far ({known})")
    return words


NONE = "—"


def render(result: Conventions, style: str = "table") -> str:
    """The whole screen; `style` is table or markdown."""
    heading = f"conventions of {result.who} · {result.dtype} · measured by running them"
    parts = [plain(heading, style), plain(result.reason, style)]
    if result.answers:
        parts.append(_table(result, style))
    notes = [*result.missing.values(), *result.notes]
    if notes:
        parts.append("\n".join(f"note  {plain(note, style)}" for note in notes))
    other = "float32" if result.dtype == "float64" else "float64"
    parts.append(f"next  harness conventions --dtype {other}    harness run --activation relu    harness doctor")
    return "\n\n".join(parts)


def _table(result: Conventions, style: str) -> str:
    names = list(result.implementations)
    answers = {each.topic.name: each for each in result.answers}
    table = []
    for group, topics in GROUPS.items():
        asked = [answers[topic.name] for topic in topics if topic.name in answers]
        if asked:
            table.append([f"{group}:", *[""] * (len(names) + 2)])
        for each in asked:
            words = [each.words.get(name, NONE) for name in names]
            row = [each.topic.name, *words, "differs" if each.differ else "", each.topic.says]
            table.append([plain(cell, style) for cell in row])
    headers = ["topic", *names, "", "what was measured"]
    return grid(table, headers, style, ("left",) * len(headers))
