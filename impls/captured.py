"""Captured programs: what a framework ran of an unmodified program, operation by operation, forward and backward.

    operation   one step of the program: what it read, what it gave, what arrived at that, what its vjp sent back
    meeting     where gradients of one tensor meet and are added up, a weight's own among them

Everything is observed on the real run: each operation's vjp was fed the upstream that the run had, so that an
operation can be judged by itself, whatever is wrong elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal, Protocol, runtime_checkable

from impls.contract import Arithmetic, Array

ArithmeticIn = Callable[[Any, str, str], Arithmetic]
"""Of what gives a layer's `local` from numbers of a dtype, its last argument: `impls.contract.StatesArithmetic`."""
Kind = Literal["derived", "its own forward", "its decomposition", "rounding only", "none"]
"""By what an operation can be judged, the best in front: a hand rule in bounded arithmetic; what it does forward, or
what its framework decomposes it into, differentiated in float64; the same kernel in float64; nothing."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The hand layer that an operation is, and how what it reads and gives is called there.

    Attributes:
        layer: with ``forward``, or a rule for each output, and ``d<name>`` for what has a gradient.
        reads: by the layer's own names, the place of an operand, or a constant.
        gives: places of the operation's outputs, in the order of the layer's own.
    """

    layer: Any
    reads: Mapping[str, Place | Any]
    gives: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Place:
    """An operand of an operation, by its number."""

    number: int


Row = Callable[[Any], Rule | None]
"""Of how an operation was called, the rule that it is; None where an option has none."""


class Rules(dict[str, Row]):
    """From the name of a framework's operation to its row."""

    def row(self, *names: str) -> Callable[[Row], Row]:
        """Register what makes the rule of these operations."""

        def register(make: Row) -> Row:
            self.update(dict.fromkeys(names, make))
            return make

        return register


@dataclass(frozen=True, kw_only=True)
class Form:
    """A differentiable function of an operation's operands, on own arrays, that says what it should be."""

    kind: Kind
    function: Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation of a program as it ran.

    Attributes:
        number: counted from 1 in the order of the forward pass.
        name: as the framework calls it: ``addmm``, ``GeluFast``, ``dot_general``.
        module: path of the module it ran in, by the program's own names; empty where there is none.
        place: file and line of the program.
        operands: arrays that it read.
        outputs: arrays that it gave.
        upstream: what arrived at each output; None where nothing did.
        gradients: what its vjp sent back for each operand; None where none was asked.
        sources: of each operand the number of the operation that gave it, or the name of a leaf.
        rule: the hand layer that it is, if there is one.
        form: the next best reference, if there is one; made when it is asked for, since most are not.
        why_not: where there is no reference at all, or only the kernel: what stands in the way.
        broken: what it does that no backward may: change what it has returned.
    """

    number: int
    name: str
    module: str
    place: tuple[str, int] | None
    operands: Sequence[Array]
    outputs: Sequence[Array]
    upstream: Sequence[Array | None]
    gradients: Sequence[Array | None]
    sources: Sequence[int | str | None] = ()
    rule: Rule | None = None
    form: Callable[[], Form | None] = lambda: None
    why_not: str = ""
    broken: str = ""


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """Where gradients of one tensor are added up.

    Attributes:
        name: of the tensor: a weight's own, or ``out of`` the operation that gave it.
        of: number of the operation that gave it, or None of a leaf.
        parts: what each reader's vjp sent; what was there before the backward pass among them.
        total: what arrived.
        why_not: why they need not add up: a hook of the user's own changes it.
    """

    name: str
    of: int | None
    parts: Sequence[Array]
    total: Array
    why_not: str = ""


@dataclass(frozen=True, kw_only=True)
class Window:
    """The part of a program that a capture keeps; ``path in window`` says of a module whether it is in it.

    >>> "h.3.mlp" in Window(modules=["h.3.*"]), "head" in Window(modules=["h.3.*"]), "head" in Window()
    (True, False, True)

    Attributes:
        modules: patterns of modules, such as ``h.3.*``; every module, if there are none.
        room: bytes that may be held for it; None where nobody knows.
    """

    modules: Sequence[str] = ()
    room: int | None = None

    def __contains__(self, module: str) -> bool:
        return not self.modules or any(fnmatchcase(module, pattern) for pattern in self.modules)


WHOLE = Window()


@dataclass(frozen=True, kw_only=True)
class Capture:
    """A program that was run and tapped.

    Attributes:
        version: of the framework, for people.
        dtype: in which most of it computed.
        loss: its value.
        operations: those through which a gradient passed, in the order of the forward pass.
        meetings: likewise.
        modules: how many modules there are.
        weights: names of the leaves that have a gradient.
        notes: what there is to say besides, a sentence each.
        passing: operations that ran and through which no gradient passes.
        losses: of several backward passes each one's, whose gradients add up.
        state: by the name of a leaf that is no weight, what it holds afterwards: a running mean.
        elsewhere: of each operation through which a gradient passed outside of the window, its module.
        arithmetic: how its framework computes.
    """

    version: str
    dtype: str
    loss: float
    operations: Sequence[Operation]
    meetings: Sequence[Meeting]
    modules: int = 0
    weights: Sequence[str] = ()
    notes: Sequence[str] = ()
    passing: int = 0
    losses: Sequence[float] = ()
    state: Mapping[str, Array] = field(default_factory=dict)
    elsewhere: Sequence[str] = ()
    arithmetic: ArithmeticIn | None = None


class CannotCaptureError(Exception):
    """A program cannot be captured; the message says why, and what to give instead."""


@runtime_checkable
class Captures(Protocol):
    """What an implementation has besides, if programs of its framework can be tapped."""

    def brings_program(self, program: Any, arguments: Sequence[Any]) -> bool:
        """Whether a program, or what it is given, is this framework's."""
        ...

    def capture(
        self,
        program: Callable[..., Any],
        arguments: Sequence[Any],
        loss: Callable[[Any], Any] | None,
        seed: int,
        *,
        window: Window = WHOLE,
    ) -> Capture:
        """Run a program forward and backward once, tapped from outside.

        Args:
            program: a module or a function, called with the arguments.
            loss: from what it returns to one number; None where it returns that itself.
            seed: of whatever it draws.
            window: the modules whose operations are wanted, of which more may be kept, and the room for them.

        Raises:
            CannotCaptureError: there is nothing to judge: no gradient, no number, no tensor; or no room for it.
            Exception: whatever the program raises.
        """
        ...


Role = Literal["weight", "buffer", "argument"]


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """An array that a program starts from: of its own, or one of its arguments.

    Attributes:
        name: as captures call it.
        role: an argument is data; what is in a container among the arguments of a JAX function counts as weights.
    """

    name: str
    array: Array
    role: Role


@runtime_checkable
class Transplants(Protocol):
    """What an implementation has besides, if its programs can be given other numbers, and run in another precision."""

    def leaves_of(self, program: Any, arguments: Sequence[Any]) -> Sequence[Leaf]:
        """The arrays that a program starts from, in its own order."""
        ...

    def holding(
        self, program: Any, arguments: Sequence[Any], numbers: Mapping[str, Array]
    ) -> AbstractContextManager[tuple[Any, Sequence[Any]]]:
        """While it is entered, a program and its arguments that hold these numbers, by the names of leaves."""
        ...

    def capture_in(
        self,
        dtype: str,
        program: Any,
        arguments: Sequence[Any],
        loss: Callable[[Any], Any] | None,
        seed: int,
        numbers: Mapping[str, Array],
    ) -> Capture:
        """As `Captures.capture`, from these numbers, every real number on the way in this dtype.

        What was compiled is run as it was written.

        Raises:
            CannotCaptureError: as of `Captures.capture`, or some of it cannot run in that dtype.
        """
        ...

    def draws(
        self, program: Any, arguments: Sequence[Any], loss: Callable[[Any], Any] | None, seed: int
    ) -> Sequence[str]:
        """Operations by which random numbers decide what a program answers; none where they do not."""
        ...

    def capture_at_once(
        self, program: Any, arguments: Sequence[Any], loss: Callable[[Any], Any] | None, seed: int
    ) -> Capture:
        """As `Captures.capture`; what is compiled for each operation there may be compiled together, which is quick."""
        ...


@runtime_checkable
class Compiles(Protocol):
    """What an implementation has besides, if what it has compiled cannot be tapped."""

    def compiled_by(self, program: Any) -> str:
        """What has compiled a program, or a part of it; empty if nothing has."""
        ...

    def capture_whole(
        self, program: Any, arguments: Sequence[Any], loss: Callable[[Any], Any] | None, seed: int
    ) -> Capture:
        """A program as it is compiled: its operations are the modules that can be seen from outside."""
        ...
