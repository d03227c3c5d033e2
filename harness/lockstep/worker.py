"""A worker: a process that judges steps while the run goes on with the next ones.

Threads of one process take turns wherever they do something else than arithmetic on large arrays; another process waits
for nobody. What was run of a step is written once, to memory that both have, and read there; what is made of it comes
back through a socket. The libraries of a worker have one thread, as they have where a step is judged here meanwhile:
what is computed with another number may be rounded otherwise.
"""

from __future__ import annotations

import os
import pickle
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from io import BytesIO
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, NamedTuple

from harness.arithmetic.loops import COMPILER
from harness.environment import with_threads
from harness.lockstep.evidence import StepEvidence, read_of
from harness.lockstep.judging import judged
from harness.lockstep.shared_memory import Place, Unpickler
from harness.memory import keep_freed, pass_over_imported
from harness.processes import Program, python, unnamed_file
from harness.results.record import Step
from impls.graph import Graph

POSSIBLE = Program.supervised and hasattr(os, "memfd_create")
"""Whether there can be one: elsewhere a file may be on a disk, and be full only when it is written to."""

QUEUE = 2
"""Steps that a worker has at most: the one that it judges, and the next."""


class LostError(Exception):
    """A worker has ended, whatever made it; or what it should be sent is not of this project, or does not travel."""


class Worker:
    """A process that judges steps of one network, up to `QUEUE` of them at a time; it is started when it is made.

    Raises:
        LostError: the network cannot be sent, or no process be started.
    """

    def __init__(self, network: Graph) -> None:
        self._network = network
        self._free, self._sent = deque[Place](), deque[_Sent]()
        self.there = False
        """Whether it has begun: it takes a second to start."""
        with _losing(), ExitStack() as stack:
            given, *files = (stack.enter_context(unnamed_file()) for _ in range(1 + QUEUE))
            packed = pickle.dumps(network, pickle.HIGHEST_PROTOCOL)
            Unpickler(BytesIO(packed)).load()
            given.write(packed)
            given.flush()
            self._places = [Place(file.fileno()) for file in files]
            self._ours, theirs = Pipe()
            stack.enter_context(self._ours)
            numbers = [theirs.fileno(), given.fileno(), *(file.fileno() for file in files)]
            with theirs, Path(os.devnull).open("wb") as nowhere:
                self._program = stack.enter_context(
                    Program(
                        python("harness.lockstep.worker:serve", *map(str, numbers)),
                        stdout=nowhere.fileno(), stderr=nowhere.fileno(), environment=with_threads(1), files=numbers,
                    )
                )  # fmt: skip
            self._resources = stack.pop_all()

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
            place.write(read_of(step), self._network)
            self._sent.append(_Sent(place, step.built, step if step.checked == "sample" else None))
            self._ours.send(self._places.index(place))

    def judged(self) -> Iterator[Step | StepEvidence]:
        """Steps that were sent and are judged by now, in their order; what is to be judged here is as it was run.

        That is where something is wrong: its cause is looked for in the implementation that there is.

        Raises:
            LostError: it has ended.
        """
        while self._sent:
            with _losing():
                if not self._ours.poll():
                    return
                step: Step = self._ours.recv()
                sent = self._sent.popleft()
                wrong = any(row.verdict == "FAULT" for row in step.rows)
                found = sent.read(self._network) if wrong else step
            if not sent.given_up:
                yield found
            self._free.append(sent.place)

    def taken_back(self) -> StepEvidence | None:
        """The last that it was sent and has not judged, whose answer is waited for no longer; None if there is none."""
        for place in reversed(range(len(self._sent))):
            sent = self._sent[place]
            if not sent.given_up:
                self._sent[place] = sent._replace(given_up=True)
                return sent.read(self._network)
        return None

    def end(self) -> None:
        """End it, whatever it does."""
        self._resources.close()


@contextmanager
def _losing() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a layer of somebody else's may raise whatever it likes when it is packed
        raise LostError from error


class _Sent(NamedTuple):
    """Where what was run of a step lies, until it is answered for, and what builds an implementation here.

    Of a sample only a part lies there, and the whole is kept.
    """

    place: Place
    built: Callable[[str, str], Any]
    whole: StepEvidence | None
    given_up: bool = False

    def read(self, network: Graph) -> StepEvidence:
        """It is to be let go before another step is sent."""
        return self.whole or replace(self.place.read(network), built=self.built)


def serve(socket: str, given: str, *files: str) -> None:
    """The other side: steps from these files, as the socket says, until nothing comes any more; all by their numbers.

    Args:
        given: the file of the network.
    """
    keep_freed()
    pass_over_imported()
    COMPILER.after = 0  # nobody waits for it meanwhile, and much is to come
    network = pickle.loads(os.pread(int(given), os.fstat(int(given)).st_size, 0))
    places, nonzero = [Place(int(number)) for number in files], set[str]()
    with Connection(int(socket)) as connection, suppress(EOFError):
        connection.send(None)
        while True:
            step = places[connection.recv()].read(network)
            step.here.nonzero.update(nonzero)
            found = judged(step)
            nonzero |= step.here.nonzero
            del step  # what lies in the place, before something else does
            connection.send(found)
