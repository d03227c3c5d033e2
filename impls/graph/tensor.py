"""Tensors: what a network computes with, each with its role, what it belongs to, its shape and what its axes mean.

    input, target, weight, buffer        given: the batch, what is learned, what a forward pass keeps
    activation, loss                     made going forward
    gradient                             of the loss, with respect to the tensor that it is `of`
    state                                what an optimizer keeps of a weight

Nobody needs to take a name apart to know any of this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["input", "target", "weight", "buffer", "activation", "loss", "gradient", "state"]
ROWS = "N"
"""The axis of the batch, whose size is not the network's."""
Shape = tuple[int | str, ...]
"""Sizes; ``N`` stands for the number of rows of the batch."""


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """One tensor of a network.

    Attributes:
        name: by which everybody calls it.
        local: its name at its node: ``W``, ``z``, ``dW``.
        node: the node that gives or owns it; None of what the batch holds.
        shape: sizes, ``N`` first where it has a row per sample.
        of: of a gradient, the tensor that it is the gradient of; of a new buffer, the buffer.
        through: of a part of a gradient, the vjp that gives this part, where several add up.
        whole: whether it holds whole numbers: labels, indices.
        choices: of whole numbers, how many there are: 0 to choices - 1.
    """

    name: str
    role: Role
    shape: Shape
    local: str
    node: str | None = None
    of: str | None = None
    through: str | None = None
    whole: bool = False
    choices: int | None = None

    @property
    def axes(self) -> tuple[str, ...]:
        """What each axis counts: sample, position and neuron of what has rows; input and neuron of a weight."""
        if self.per_row:
            return ("sample", *("position",) * (len(self.shape) - 2), *("neuron",) * (len(self.shape) > 1))
        return ("input",) * (len(self.shape) - 1) + ("neuron",) * bool(self.shape)

    @property
    def per_row(self) -> bool:
        """Whether it has a row for every sample."""
        return bool(self.shape) and self.shape[0] == ROWS

    @property
    def width(self) -> int:
        """Entries along its last axis; 1 where it has none but the batch's."""
        return last if self.shape and isinstance(last := self.shape[-1], int) else 1

    def sized(self, rows: int) -> tuple[int, ...]:
        """Its shape on so many rows."""
        return tuple(rows if size == ROWS else int(size) for size in self.shape)
