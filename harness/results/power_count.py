"""The power of a run in a few numbers, as its record keeps them."""

from __future__ import annotations

import msgspec


class PowerCount(msgspec.Struct, frozen=True):
    """How many planted faults a run's checks, and others, would miss.

    Attributes:
        planted: faults; ``possible`` in the whole catalogue.
        links: at which they were planted.
        unchanged: of them make no difference on this data.
        missed: of them neither the formula check nor the rounding check sees.
        others: by the name of a comparison, how many it would miss.
        left_out: why nothing was planted, or None.
        which: of those missed the first, cause and link: ``sign flipped at dz2``.
    """

    planted: int
    possible: int
    links: int
    unchanged: int
    missed: int
    others: dict[str, int] = {}
    left_out: str | None = None
    which: list[str] = []

    def __str__(self) -> str:
        if self.left_out:
            return f"not measured: {self.left_out}"
        sample = f" (an even sample of {self.possible})" if self.planted < self.possible else ""
        same = f" ({self.unchanged} change nothing on this data)" if self.unchanged else ""
        told = f"{self.planted} faults{sample} planted at {self.links} links{same}, {self.missed} missed"
        missed = [f"{name} {number}" for name, number in self.others.items()]
        return f"{told}; others at their defaults would miss: {', '.join(missed)}" if missed else told
