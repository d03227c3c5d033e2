"""A finding: something to say about an implementation or a candidate besides its numbers."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec.structs import force_setattr

from harness.usage import visible

Kind = Literal[
    "missing", "raised", "not a pass", "names", "shape", "dtype", "non-finite", "changed its input",
    "diverged", "second call differs", "tap changes the program", "no optimizer",
    "timeout", "accumulates", "overwrites", "other point", "layout", "aliasing",
    "not an array", "number of gradients", "no gradient", "not linear", "zero upstream",
]  # fmt: skip


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something to say about an implementation besides its numbers; `fails` if it broke its contract."""

    against: str
    step: int
    kind: Kind
    message: str
    tensor: str | None = None
    fails: bool = True

    def __post_init__(self) -> None:
        """What somebody else's code raised or returned is shown, never obeyed, by a terminal or a log."""
        force_setattr(self, "message", visible(self.message))
        if self.tensor is not None:
            force_setattr(self, "tensor", visible(self.tensor))
