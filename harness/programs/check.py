"""Checking a program as it is: captured once, then judged operation by operation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import chain, islice
from math import isfinite
from typing import Any

import numpy as np

from harness.arithmetic.threads import every_pool_on_one_thread
from harness.candidates.deadline import OverdueError, deadline
from harness.environment import free_memory
from harness.faults.operations.explanation import Explanation
from harness.inputs.arguments import as_seconds
from harness.inputs.frameworks import loaded_hosts
from harness.inputs.plain import as_count, as_demands, refused
from harness.interrupts import heard, heed
from harness.programs.demands import DEMANDS, Ran, kept
from harness.programs.judging import judged
from harness.results.program_check import JudgedOperation, ProgramCheck
from harness.usage import UsageError, told, visible
from impls import registry
from impls.captured import WHOLE, CannotCaptureError, Capture, Captures, Window
from impls.contract import CannotCompareError, network_of_example

Told = Callable[[int, int], None]
"""Of how many operations there are, how many are judged."""


def check_program(
    program: Any,
    *arguments: Any,
    loss: Callable[[Any], Any] | None = None,
    modules: Sequence[str] | str = (),
    seed: int = 0,
    name: str | None = None,
    timeout: float | None = None,
    progress: Told | None = None,
    demand: Sequence[str] = (),
) -> ProgramCheck:
    """Check an unmodified program: every operation that it ran, forward and backward, judged up to rounding.

    The program is run as it is, once without taps and once with them, and put back as it was: gradients, buffers and
    random numbers included. Each operation is judged given its own operands and its own upstream gradient.

    >>> import torch
    >>> found = check_program(torch.nn.Linear(3, 1), torch.ones(4, 3), loss=lambda y: y.square().mean())
    >>> found.verdict, found.coverage["derived"]
    ('PASS', 4)

    Args:
        program: a torch.nn.Module, a function of torch tensors, or a JAX function of pytrees.
        arguments: what it is called with.
        loss: from what the program returns to one number; by default that is what it returns, or has as ``loss``.
        modules: patterns of modules, such as ``h.3.*``, to which judging is confined: of torch nothing else is kept.
        seed: of whatever the program draws.
        name: what the program is called.
        timeout: seconds that its two runs may take.
        progress: is told how far judging has come.
        demand: what else is demanded: ``equal bits`` when it is run again, ``batch invariance`` of what it gives,
            ``micro-batches`` whose gradients add up, right gradients in other ``layouts`` of its arguments; see
            `harness.programs.demands`.

    Returns:
        The verdict (PASS, FAIL, NO POWER, NOT COMPARED) with exit status and every operation; ``str()`` of it is for
        people. If it is interrupted, what was judged so far, with exit status 130.

    Raises:
        UsageError: the program cannot be run, has no gradient of anything, or memory would not suffice.
    """
    if as_count("seed", seed, 0) is None or seed >= 2**32:
        raise refused("seed", seed, "random numbers are drawn by it", "give a whole number from 0 to 2**32 - 1")
    demanded = as_demands(demand, tuple(DEMANDS), " of a program")
    window = Window(modules=[modules] if isinstance(modules, str) else list(modules), room=free_memory())
    called = visible(name or str(getattr(program, "__name__", type(program).__name__)))
    drawn = np.random.get_state()  # noqa: NPY002  (what is imported on the way may draw)
    try:
        with deadline(as_seconds(timeout)):
            capture = captured(program, arguments, loss, seed, called, window)
    except OverdueError:
        raise UsageError(
            f"Cannot check {called}, because it takes longer than {timeout:g} s to run twice; give it smaller "
            f"arguments, or a longer timeout."
        ) from None
    finally:
        np.random.set_state(drawn)  # noqa: NPY002
    result = checked(capture, called, seed, window, progress)
    if result.interrupted or not demanded:
        return result
    ran = Ran(host_of_program(program, arguments, called), program, arguments, loss, seed, capture)
    found = [kept(each, ran) for each in demanded]
    return replace(result, demands=found, notes=[*result.notes, *(f"demanded, {each}" for each in found)])


def checked(
    capture: Capture, called: str, seed: int, window: Window = WHOLE, progress: Told | None = None
) -> ProgramCheck:
    """The check of a program that was run and tapped; see `check_program`."""
    total = len(capture.operations) + len(capture.meetings)
    found: list[JudgedOperation] = []
    interrupted = False
    try:
        with heard(), every_pool_on_one_thread():
            for operation in judged(capture, window):
                heed()
                found.append(operation)
                if progress is not None:
                    progress(len(found), total)
    except KeyboardInterrupt:
        interrupted = True
    kept = sum(1 for operation in found if not operation.meets)
    everywhere = [*(operation.module for operation in capture.operations), *capture.elsewhere]
    if window.modules and not kept and not interrupted:
        modules_there = list(filter(None, dict.fromkeys(everywhere)))
        raise UsageError(
            f"Cannot check the modules {', '.join(window.modules)}, because no operation ran in one of them; choose "
            f"from {', '.join(islice(modules_there, 12)) or 'a program with modules'}."
        )
    result = ProgramCheck(
        name=called, version=capture.version, dtype=capture.dtype, loss=capture.loss, operations=found,
        modules=capture.modules, weights=capture.weights, notes=capture.notes, passing=capture.passing,
        left_out=0 if interrupted else len(everywhere) - kept, interrupted=interrupted, seed=seed,
        finite=isfinite(capture.loss) and all(np.isfinite(meeting.total).all() for meeting in capture.meetings),
    )  # fmt: skip
    return result if interrupted else _explained(result)


MOST_EXPLAINED = 3
"""Wrong operations, the first ones, whose causes are looked for: what comes later may be wrong for the same reason."""


def _explained(result: ProgramCheck) -> ProgramCheck:
    """With causes; a Ctrl-C on the way leaves them out, and what was judged stands."""
    causes: dict[int, Sequence[Explanation]] = {}
    try:
        with every_pool_on_one_thread():
            for operation in result.wrong[:MOST_EXPLAINED]:
                causes[id(operation)] = operation.explain()
    except KeyboardInterrupt:
        result = replace(result, interrupted=True)
    operations = [replace(o, causes=causes[id(o)]) if id(o) in causes else o for o in result.operations]
    return replace(result, operations=operations)


def captured(
    program: Any, arguments: Sequence[Any], loss: Any, seed: int, name: str, window: Window = WHOLE
) -> Capture:
    """A program run and tapped; UsageError says what is wrong with it."""
    refuse_uncallable(program, loss, name)
    with refusing(name):
        return host_of_program(program, arguments, name).capture(program, arguments, loss, seed, window=window)


@contextmanager
def refusing(name: str) -> Iterator[None]:
    """What a program raises, or why it cannot be captured, as a UsageError."""
    try:
        yield
    except CannotCaptureError as error:
        raise UsageError(f"Cannot check {name}, {error}.") from None
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        why = f"Cannot check {name}, because it raises {told(error)}; give arguments with which it runs."
        raise UsageError(why) from error


def refuse_uncallable(program: Any, loss: Any, name: str) -> None:
    """Raise UsageError where a program or a loss cannot be called."""
    if not callable(program):
        raise UsageError(
            f"Cannot check {name}, because it is a {type(program).__name__} and cannot be called; give a "
            f"torch.nn.Module, or a function of torch or JAX arrays."
        )
    if loss is not None and not callable(loss):
        raise UsageError(
            f"Cannot use loss={loss!r:.80}, because it is called with what the program returns; give a function of "
            f"that which returns one number."
        )


def host_of_program(program: Any, arguments: Sequence[Any], name: str) -> Captures:
    """Whose program it is: a framework that is not loaded yet is loaded only where no loaded one has it."""
    for host in chain(loaded_hosts("float32").values(), _installed()):
        if isinstance(host, Captures) and host.brings_program(program, arguments):
            return host
    raise UsageError(
        f"Cannot check {name}, because neither it nor its arguments are torch's or JAX's; give a torch.nn.Module, or a "
        f"function and arrays of one of them."
    )


def _installed() -> Iterator[Any]:
    for name in registry.names():
        with suppress(ImportError, CannotCompareError):
            yield registry.load(name)(network_of_example(), "float32")
