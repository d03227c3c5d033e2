"""What a program owes only where somebody says so: the same bits again, and the same whatever stands in a batch.

equal bits          run again from the same seed and state, every operation gives the same bits; where one does not, it
                    is the first that was given equal operands and gave others
batch invariance    row 1 by itself has the bits that it has among all, in what every operation gives going forward
micro-batches       the gradients of the two halves add up to those of all rows, by rows where the loss is a mean and as
                    they are where it is a sum; in float64, where what differs otherwise than by rounding shows, which
                    is measured by the same runs in float32: see `harness.programs.rounding`
layouts             given arguments in transposed memory, or as rows of a wider tensor, every operation is right too

Rows are the first axis of the arguments that are arrays and have as many of them as the last one has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.arithmetic.enclosure import bounded, within
from harness.candidates.handed import same
from harness.programs.judging import judged
from harness.programs.rounding import NARROW, WIDE, gradients_of, measured, total_loss
from harness.results.program_check import Demanded
from harness.usage import told
from impls.abilities import Hosts
from impls.captured import Capture, Operation, Transplants
from impls.contract import Array

Numbers = Mapping[str, Array]
"""The loss and gradients of a run, by what they are called."""
LOSS = "its loss"


@dataclass(frozen=True)
class Ran:
    """A program that was run, and how it is run again.

    Attributes:
        first: what was judged.
        again: from arguments to another run of it.
    """

    host: Any
    program: Any
    arguments: Sequence[Any]
    loss: Callable[[Any], Any] | None
    seed: int
    first: Capture

    def again(self, arguments: Sequence[Any] | None = None) -> Capture:
        """The same with other arguments."""
        given = self.arguments if arguments is None else arguments
        found: Capture = self.host.capture(self.program, given, self.loss, self.seed)
        return found

    def in_dtype(self, dtype: str, rows: slice) -> Capture:
        """The same for some of the rows, with every real number on the way in a dtype."""
        if not isinstance(self.host, Transplants):
            raise _UntriedError(f"its framework has no way to run it in {dtype}")
        return self.host.capture_in(dtype, self.program, self.of(rows), self.loss, self.seed, {})

    @property
    def rows(self) -> int:
        """How many there are; 0 where no argument has rows."""
        sizes = [len(each) for each in self.arguments if self.is_batch(each)]
        return sizes[-1] if sizes else 0

    def of(self, rows: slice) -> list[Any]:
        """The arguments for some of the rows."""
        among = self.rows
        return [each[rows] if self.is_batch(each) and len(each) == among else each for each in self.arguments]

    def is_batch(self, argument: Any) -> bool:
        """Whether an argument is an array with a first axis."""
        return isinstance(self.host, Hosts) and self.host.owns(argument) and argument.ndim > 0


def kept(demand: str, ran: Ran) -> Demanded:
    """Whether a program does what is demanded; what it raises on the way leaves that open."""
    try:
        broken = next(DEMANDS[demand](ran), None)
    except (KeyboardInterrupt, MemoryError):
        raise
    except _UntriedError as why:
        return Demanded(demand, None, str(why))
    except (Exception, SystemExit) as error:  # of so few rows, say
        return Demanded(demand, None, f"it raises {told(error)}")
    return Demanded(demand, broken is None, broken or "")


class _UntriedError(Exception):
    """Why it cannot be told."""


def _equal_bits(ran: Ran) -> Iterator[str]:
    again = ran.again()
    pairs, gradients = _aligned(ran.first, again), gradients_of(again)
    for one, other in pairs:
        if not _equal(one.outputs, other.outputs) and _equal(one.operands, other.operands):
            yield f"{_called(one)} gives other bits of the same operands, run again from the same seed"
    for one, other in reversed(pairs):
        sent = _equal(one.upstream, other.upstream) and _equal(one.operands, other.operands)
        if sent and not _equal(one.gradients, other.gradients):
            yield f"{_called(one)} sends back other bits of the same upstream, run again from the same seed"
    for name, gradient in gradients_of(ran.first).items():
        if not same(gradient, gradients.get(name)):
            yield f"the gradient of {name} has other bits, run again: its parts meet in another order"
    if ran.first.loss != again.loss:
        yield "its loss has other bits, run again from the same seed"


def _batch_invariance(ran: Ran) -> Iterator[str]:
    rows = _rows(ran)
    alone = ran.again(ran.of(slice(0, 1)))
    for one, other in _aligned(ran.first, alone):
        for among, by_itself in zip(one.outputs, other.outputs, strict=True):
            row = among.shape[:1] == (rows,) and by_itself.shape == (1, *among.shape[1:])
            if row and not same(among[:1], by_itself):
                yield f"{_called(one)} gives row 1 other bits by itself than among {rows} rows"


def _micro_batches(ran: Ran) -> Iterator[str]:
    rows = _rows(ran)
    half = rows // 2
    sizes, parts = [half, rows - half], [slice(None), slice(0, half), slice(half, rows)]
    wide, narrow = ([_numbers(ran.in_dtype(dtype, part)) for part in parts] for dtype in (WIDE, NARROW))
    ways = [(sizes[0] / rows, sizes[1] / rows), (1.0, 1.0)]  # a mean, or a sum
    weights = next((each for each in ways if not _off(LOSS, wide, narrow, each)), None)
    if weights is None:
        yield (
            f"its loss of {rows} rows, {wide[0][LOSS]:.9g}, is neither the mean nor the sum of those of {sizes[0]} and "
            f"{sizes[1]} of them: rows depend on each other"
        )
        return
    for name in wide[0]:
        if off := _off(name, wide, narrow, weights):
            yield (f"{name} of {rows} rows is not that of two micro-batches together: {off}, though the losses add up")


def _off(name: str, wide: Sequence[Numbers], narrow: Sequence[Numbers], weights: tuple[float, float]) -> str:
    """By how much the second and the third of three runs together are not the first, in words; or nothing."""
    whole = wide[0][name]
    if any(name not in run or run[name].shape != whole.shape for run in (*wide, *narrow)):
        return ""  # of the rows themselves
    total = weights[0] * wide[1][name] + weights[1] * wide[2][name]
    bounds = [measured(one[name], other[name]) for one, other in zip(wide, narrow, strict=True)]
    allowed = bounds[0] + weights[0] * bounds[1] + weights[1] * bounds[2]
    if not bounded(whole, allowed).all():
        raise _UntriedError(f"nothing bounds what rounding does to {name}, which is not finite in {NARROW}")
    if within(total, whole, allowed):
        return ""
    off = np.abs(total - whole)
    worst = np.unravel_index(np.argmax(off / allowed), off.shape)
    return f"off by {off[worst]:.2g}, where {allowed[worst]:.2g} is allowed"


def _layouts(ran: Ran) -> Iterator[str]:
    layouts: Mapping[str, Callable[[Any], Any]] = {"transposed": _transposed, "rows of a wider tensor": _wider}
    if not getattr(ran.host, "strided", False):
        raise _UntriedError("its framework's arrays have no layout that a program sees")
    for name, laid in layouts.items():
        batch = [laid(each) if ran.is_batch(each) and each.ndim > 1 else each for each in ran.arguments]
        for operation in judged(ran.again(batch)):
            if operation.wrong:
                yield f"{operation.called} is wrong where arguments are not contiguous ({name})"


def _transposed(array: Any) -> Any:
    return array.swapaxes(-1, -2).contiguous().swapaxes(-1, -2)


def _wider(array: Any) -> Any:
    wide = array.repeat(*[1] * (array.ndim - 1), 2)
    return wide[..., : array.shape[-1]]


def _rows(ran: Ran) -> int:
    if ran.rows < 2:
        raise _UntriedError("no argument of it is an array of at least two rows")
    return ran.rows


def _aligned(one: Capture, other: Capture) -> list[tuple[Operation, Operation]]:
    names = [[operation.name for operation in capture.operations] for capture in (one, other)]
    if names[0] != names[1]:
        raise _UntriedError("it runs other operations then")
    return list(zip(one.operations, other.operations, strict=True))


def _equal(one: Sequence[Array | None], other: Sequence[Array | None]) -> bool:
    return len(one) == len(other) and all(
        (a is None) == (b is None) and (a is None or same(a, b)) for a, b in zip(one, other, strict=True)
    )


def _numbers(capture: Capture) -> Numbers:
    return {LOSS: total_loss(capture), **{f"the gradient of {name}": g for name, g in gradients_of(capture).items()}}


def _called(operation: Operation) -> str:
    where = f" ({operation.place[0].rpartition('/')[2]}:{operation.place[1]})" if operation.place else ""
    return f"{operation.module}, {operation.name}{where}" if operation.module else f"{operation.name}{where}"


DEMANDS: Mapping[str, Callable[[Ran], Iterator[str]]] = {
    "equal bits": _equal_bits,
    "batch invariance": _batch_invariance,
    "micro-batches": _micro_batches,
    "layouts": _layouts,
}
