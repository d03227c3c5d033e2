"""Memory that a capture needs, by module, counted before it is made, and for which part there is room."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from impls.captured import CannotCaptureError, Window

WIDE = 8
"""Bytes of a number while it is judged, and of its bound: float64."""


class Needed:
    """Bytes by module.

    Attributes:
        always: whatever the window.
        run: what a run without taps keeps for its backward pass, at most.
        held: what a capture holds until it is judged.
    """

    def __init__(self) -> None:
        self.always = 0
        self.run: Counter[str] = Counter()
        self.held: Counter[str] = Counter()
        self._judged: defaultdict[str, int] = defaultdict(int)

    def judging(self, module: str, given: int, made: int) -> None:
        """An operation of so many numbers that are given, and so many that are made, each of which has a bound."""
        self._judged[module] = max(self._judged[module], WIDE * (given + 2 * made))

    def of(self, window: Window) -> int:
        """A capture of this window, and the largest of its operations while it is judged, at least."""
        judged = max((size for module, size in self._judged.items() if module in window), default=0)
        return self.always + judged + sum(size for module, size in self.held.items() if module in window)

    def refuse(self, window: Window) -> None:
        """Raise CannotCaptureError where there is no room for a window, with one for which there is."""
        if window.room is None or self.of(window) <= window.room:
            return
        takes = f"{sized(self.of(window))} of memory, and {sized(window.room)} are free"
        modules = f" in the modules {', '.join(window.modules)}" if window.modules else ""
        raise CannotCaptureError(
            f"because what its operations{modules} read, give and send back takes {takes}; {self._instead(window)}"
        )

    def _instead(self, window: Window) -> str:
        """The largest part for which there is room, with what the run keeps elsewhere; else the smallest."""
        assert window.room is not None
        parts = {pattern: self.of(Window(modules=[pattern])) for pattern in self._patterns(window)}
        fitting = {pattern: size for pattern, size in parts.items() if size <= window.room}
        if not fitting:
            return "give it smaller arguments, since there is no room for any of its modules"
        surely = {p: size for p, size in fitting.items() if size + self._elsewhere(p) <= window.room}
        pattern = max(surely, key=lambda p: surely[p]) if surely else min(fitting, key=lambda p: fitting[p])
        return f'check a part of it at a time: --modules "{pattern}" takes {sized(fitting[pattern])}'

    def _elsewhere(self, pattern: str) -> int:
        window = Window(modules=[pattern])
        return sum(size for module, size in self.run.items() if module not in window)

    def _patterns(self, window: Window) -> Iterator[str]:
        """Every module in which an operation ran, and all inside of each that holds some."""
        for module in (name for name in self._judged if name and name in window):
            steps = module.split(".")
            yield from (".".join([*steps[:depth], "*"]) for depth in range(1, len(steps)))
            yield module


def sized(number: int) -> str:
    """A number of bytes, for people.

    >>> sized(3 * 2**29), sized(2**20)
    ('1.5 GiB', '1.0 MiB')
    """
    return f"{number / 2**30:,.1f} GiB" if number >= 2**30 else f"{number / 2**20:,.1f} MiB"
