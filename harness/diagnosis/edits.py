"""Edits at the links of one network: which are tried for a wrong tensor, and in which order.

Single edits, at all entries or at the part that is wrong; then edits with a number of their own; then two at once; then
the same edit at every link of a kind that is not shown, which is what a helper function or a loop over layers makes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from harness.diagnosis.edited import Work, everywhere, fitted, near
from harness.diagnosis.hypotheses import Hypothesis, Planted, residual
from harness.diagnosis.parts import moved_faults, parts_of
from harness.diagnosis.screening import Screen
from harness.faults import Fault
from harness.faults.cause import Cause
from harness.faults.edits import edit_faults
from harness.faults.pairs import pair_faults
from harness.faults.place import Place
from impls.graph import Graph, Link


class Edits:
    """The edits of a network's rules, made when they are asked for.

    Attributes:
        work: what the search may still compute.
    """

    def __init__(self, network: Graph) -> None:
        self.network, self.work = network, Work()
        self._at: dict[str, list[Fault]] = {}

    def at(self, name: str, now: Planted) -> list[Fault]:
        """The edits of a link's rule."""
        if name not in self._at:
            place = Place(self.network, self.network.link[name])
            self._at[name] = list(edit_faults(place, now.point.rows, name in now.shown))
        return self._at[name]

    def tried(
        self, tensor: str, suspects: Sequence[str], now: Planted, faults: Callable[[str], Sequence[Fault]]
    ) -> Iterator[list[Hypothesis]]:
        """What comes near the numbers of a wrong tensor, the best first; each list only if the one before is none.

        Args:
            faults: what the catalogue has at a link, which may be at a part only.
        """
        links = [self.network.link[name] for name in suspects]
        edits = [edit for name in suspects for edit in self.at(name, now)]
        parts = {link.output: parts_of(link, tensor, now) for link in links}
        in_part = [link for link in links if parts[link.output]]
        others = [f for link in in_part for f in (*faults(link.output), *moved_faults(link, tensor, now))]
        yield near([*edits, *others], tensor, now, parts, self.work)
        yield fitted(edits, tensor, now, self.work)
        yield near(self._pairs(links, tensor, now), tensor, now, {}, self.work)

    def _pairs(self, links: Sequence[Link], tensor: str, now: Planted) -> Iterator[Fault]:
        for link in links:
            screen = Screen(link, tensor, now)
            asked = lambda value, screen=screen: self.work.allows_pair() and screen.passes(value)  # noqa: E731
            yield from pair_faults(Place(self.network, link), now.floats.tensors, asked)

    def everywhere(
        self, tensor: str, suspects: Sequence[str], now: Planted, wrong: Sequence[str]
    ) -> Iterator[tuple[Cause, tuple[str, ...], Planted, frozenset[str]]]:
        """The cause, its links, the walk with it planted and what it explains."""
        kinds: dict[tuple[type, str], list[str]] = {}
        for name, link in self.network.link.items():
            if name not in now.shown:
                kinds.setdefault((type(link.layer), link.rule.__name__), []).append(name)
        for names in kinds.values():
            if len(names) < 2 or not set(names) & set(suspects):
                continue
            if found := everywhere([self.at(name, now) for name in names], tensor, now, wrong):
                (first, *more), planted, explains = found
                off = residual(now.shown[tensor], planted.floats.expected[tensor], 1.0)
                says = f"{first.says}; the same at {', '.join(edit.at for edit in more)}"
                cause = Cause(first.cause, first.at, says, first.formula, off)
                yield cause, (first.at, *(edit.at for edit in more)), planted, explains
