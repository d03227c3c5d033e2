"""A worker: a process that judges steps while the run goes on with the next ones.

Threads of one process take turns wherever they do something else than arithmetic on large arrays; another process waits
for nobody. What was run of a step is written once, to memory that both have, and read there; what is made of it comes
back through a socket. The libraries of a worker have one thread, as they have where a step is judged here meanwhile:
what is computed with another number may be rounded otherwise.
"""

from __future__ import annotations

import mmap
import os
import pickle
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BytesIO
from itertools import accumulate
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

from harness.arithmetic.loops import COMPILER
from harness.environment import with_threads
from harness.lockstep.evidence import StepEvidence
from harness.lockstep.judging import judged
from harness.memory import keep_freed, pass_over_imported
from harness.processes import Program, python, unnamed_file
from harness.results.record import Step
from impls.graph import Graph

POSSIBLE = Program.supervised and hasattr(os, "memfd_create")
"""Whether there can be one: elsewhere a file may be on a disk, and be full only when it is written to."""

QUEUE = 2
"""Steps that a worker has at most: the one that it judges, and the next."""

LINE = 64
"""Bytes of a line of memory, at whose beginning each array lies."""


class LostError(Exception):
    """A worker has ended, whatever made it; or what it should be sent is of a kind that does not travel."""


class Worker:
    """A process that judges steps of one network, up to `QUEUE` of them at a time; it is started when it is made.

    Raises:
        LostError: the network cannot be sent, or the process has ended.
    """

    def __init__(self, network: Graph) -> None:
        with _losing():
            packed = pickle.dumps(network, pickle.HIGHEST_PROTOCOL)
        self._network = network
        self._files = [unnamed_file() for _ in range(QUEUE)]
        self._places = [_Place(file.fileno()) for file in self._files]
        self._free, self._sent = deque[_Place](), deque[tuple[_Place, list[int]]]()
        self._ours, theirs = Pipe()
        numbers = [theirs.fileno(), *(file.fileno() for file in self._files)]
        with theirs, Path(os.devnull).open("wb") as nowhere:
            self._program = Program(
                python("harness.lockstep.worker:serve", *map(str, numbers)),
                stdout=nowhere.fileno(), stderr=nowhere.fileno(), environment=with_threads(1), files=numbers,
            )  # fmt: skip
        self.there = False
        """Whether it has begun: it takes a second to start."""
        with _losing():
            self._ours.send_bytes(packed)

    def has_room(self) -> bool:
        """Whether it has begun, and may be sent one more.

        Raises:
            LostError: it has ended.
        """
        with _losing():
            if not self.there and self._ours.poll():
                self._ours.recv()
                self.there = True
                self._free.extend(self._places)
        return bool(self._free)

    def send(self, step: StepEvidence) -> None:
        """Have one more step judged, where there is room.

        Raises:
            LostError: it has ended, or this cannot be sent.
        """
        place = self._free.popleft()
        with _losing():
            sizes = place.write(step, self._network)
            self._sent.append((place, sizes))
            self._ours.send((self._places.index(place), sizes))

    def judged(self) -> Iterator[Step]:
        """Steps that were sent and are judged by now, in their order.

        Raises:
            LostError: it has ended.
        """
        while self._sent:
            with _losing():
                if not self._ours.poll():
                    return
                step = self._ours.recv()
            self._free.append(self._sent.popleft()[0])
            yield step

    def taken_back(self) -> StepEvidence | None:
        """The last that it was sent and has not judged, which it is not asked for any longer; None if there is none."""
        if not self._sent:
            return None
        place, sizes = self._sent.pop()
        return place.read(sizes, self._network)

    def end(self) -> None:
        """End it, whatever it does."""
        self._program.end()
        self._ours.close()
        for file in self._files:
            file.close()


@contextmanager
def _losing() -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, pickle.PicklingError, AttributeError, TypeError) as error:
        raise LostError from error


class _Place:
    """Memory for what was run of one step, in a file that two processes have open."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._mapped: mmap.mmap | None = None

    def write(self, step: StepEvidence, network: Graph) -> list[int]:
        """Keep everything but the network, which both have; of each part, how many bytes it takes."""
        packed, arrays = BytesIO(), list[pickle.PickleBuffer]()
        _Pickler(packed, network, arrays.append).dump(step)
        parts = [packed.getbuffer(), *(array.raw() for array in arrays)]
        sizes = [part.nbytes for part in parts]
        for room, part in zip(self._rooms(sizes), parts, strict=True):
            room[:] = part
        return sizes

    def read(self, sizes: Sequence[int], network: Graph) -> StepEvidence:
        """What was written, its arrays where they are: it is to be let go before the next is written."""
        packed, *arrays = (room.toreadonly() for room in self._rooms(sizes))
        step: StepEvidence = _Unpickler(BytesIO(packed), network, arrays).load()
        return step

    def _rooms(self, sizes: Sequence[int]) -> Iterator[memoryview]:
        begins = list(accumulate((-(-size // LINE) * LINE for size in sizes), initial=0))
        if self._mapped is None or len(self._mapped) < begins[-1]:
            if os.fstat(self._number).st_size < begins[-1]:
                os.posix_fallocate(self._number, 0, begins[-1])  # now, if ever, it is known that there is no room
            self._mapped = mmap.mmap(self._number, 0)
        whole = memoryview(self._mapped)
        return (whole[begin : begin + size] for begin, size in zip(begins, sizes, strict=False))


def of_network(link: int | None) -> Any:
    """Stands for the layer of a link, by number, or for the network, if None, in what is sent."""
    raise NotImplementedError


class _Pickler(pickle.Pickler):
    def __init__(self, file: BytesIO, network: Graph, keep: Callable[[pickle.PickleBuffer], Any]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL, buffer_callback=keep)
        self._known: dict[int, int | None] = {id(link.layer): place for place, link in enumerate(network.links)}
        self._known[id(network)] = None

    def reducer_override(self, each: Any) -> Any:
        return (of_network, (self._known[id(each)],)) if id(each) in self._known else NotImplemented


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BytesIO, network: Graph, arrays: Sequence[memoryview]) -> None:
        super().__init__(file, buffers=arrays)
        self._network = network

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == (of_network.__module__, of_network.__name__):
            return lambda link: self._network if link is None else self._network.links[link].layer
        return super().find_class(module, name)


def serve(socket: str, *files: str) -> None:
    """The other side: steps from these files, as the socket of that number says, until nothing comes any more."""
    keep_freed()
    pass_over_imported()
    COMPILER.after = 0  # nobody waits for it meanwhile, and much is to come
    places, nonzero = [_Place(int(number)) for number in files], set[str]()
    with Connection(int(socket)) as connection, suppress(EOFError):
        network = pickle.loads(connection.recv_bytes())
        connection.send(None)
        while True:
            which, sizes = connection.recv()
            step = places[which].read(sizes, network)
            step.here.nonzero.update(nonzero)
            found = judged(step)
            nonzero |= step.here.nonzero
            del step  # what lies in the place, before something else does
            connection.send(found)
