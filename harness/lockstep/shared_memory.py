"""Shared memory: what was run of a step, written by one process and read by another where it lies.

Arrays are written once. The network, and its layers, are not written at all: both processes have them.
"""

from __future__ import annotations

import mmap
import os
import pickle
from collections.abc import Callable, Sequence
from io import BytesIO
from itertools import accumulate
from typing import Any

import numpy as np

from harness.lockstep.evidence import StepEvidence
from impls.contract import Pass
from impls.graph import Graph

LINE = 64
"""Bytes of a line of memory, at whose beginning each array lies."""


class Place:
    """Memory for what was run of one step, in a file that two processes have open.

    It begins with the number of parts, and of each how many bytes it takes; each part begins a line of memory.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._mapped: mmap.mmap | None = None

    def write(self, step: StepEvidence, network: Graph) -> None:
        """Keep everything but the network, which both have."""
        packed, arrays = BytesIO(), list[pickle.PickleBuffer]()
        _Pickler(packed, network, arrays.append).dump(step)
        parts = [packed.getbuffer(), *(array.raw() for array in arrays)]
        table = np.array([len(parts), *(part.nbytes for part in parts)], np.int64)
        rooms = self._rooms(table.tolist())
        for room, part in zip(rooms, [table.data.cast("B"), *parts], strict=True):
            room[:] = part

    def read(self, network: Graph) -> StepEvidence:
        """What was written, its arrays where they are: it is to be let go before the next is written."""
        with memoryview(self._whole(os.fstat(self._number).st_size)).cast("q") as numbers:
            table = numbers[: 1 + numbers[0]].tolist()
        _, packed, *arrays = (room.toreadonly() for room in self._rooms(table))
        step: StepEvidence = Unpickler(BytesIO(packed), network, arrays).load()
        return step

    def _rooms(self, table: Sequence[int]) -> list[memoryview]:
        """Of the table itself, and of the parts that it tells."""
        sizes = [8 * len(table), *table[1:]]
        begins = list(accumulate((-(-size // LINE) * LINE for size in sizes), initial=0))
        whole = memoryview(self._whole(begins[-1]))
        return [whole[begin : begin + size] for begin, size in zip(begins, sizes, strict=False)]

    def _whole(self, size: int) -> mmap.mmap:
        """The file in memory, so large at least."""
        if self._mapped is None or len(self._mapped) < size:
            if os.fstat(self._number).st_size < size:
                os.posix_fallocate(self._number, 0, size)  # now, if ever, it is known that there is no room
            self._mapped = mmap.mmap(self._number, 0)
        return self._mapped


def of_network(link: int | None) -> Any:
    """Stands for the layer of a link, by number, or for the network, if None, in what is sent."""
    raise NotImplementedError


class _Pickler(pickle.Pickler):
    def __init__(self, file: BytesIO, network: Graph, keep: Callable[[pickle.PickleBuffer], Any]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL, buffer_callback=keep)
        self._known: dict[int, int | None] = {id(link.layer): place for place, link in enumerate(network.links)}
        self._known[id(network)] = None

    def reducer_override(self, each: Any) -> Any:
        if id(each) in self._known:
            return of_network, (self._known[id(each)],)
        if isinstance(each, Pass):  # what an implementation keeps with its own is read by nobody there
            return Pass, (each.loss, each.gradients, each.activations)
        return NotImplemented


OURS = {"harness", "impls", "numpy", "ml_dtypes", "builtins", "collections", "functools", "msgspec"}
"""Packages of what is sent. A module of somebody else's, imported anew, may be another than that which was run here."""


class Unpickler(pickle.Unpickler):
    """Reads what is of this project and of nobody else; of what was run, with its arrays and the network besides."""

    def __init__(self, file: BytesIO, network: Graph | None = None, arrays: Sequence[memoryview] = ()) -> None:
        super().__init__(file, buffers=arrays)
        self._network = network

    def find_class(self, module: str, name: str) -> Any:
        """What a name stands for.

        Raises:
            pickle.UnpicklingError: it is somebody else's.
        """
        if (module, name) == (of_network.__module__, of_network.__name__):
            return self._of_network
        if module.partition(".")[0] not in OURS:
            raise pickle.UnpicklingError(f"Cannot send {module}.{name}")
        return super().find_class(module, name)

    def _of_network(self, link: int | None) -> Any:
        assert self._network is not None
        return self._network if link is None else self._network.links[link].layer
