"""What people check a gradient with, beside this harness: how long until a verdict, and what it does not see.

The same program, the hand code's two passes, is given to every check as that check wants it. Mistakes are planted in it
one by one; the right one is checked at several seeds. Time is processor time of a verdict on the right program.

Slow gradcheck takes two forward passes for each weight, an hour on network C. It is run on some of the weights, and
its time is that of all of them in proportion. What it would not see is told by what it decides by, |a - n| <= 1e-5 +
1e-3 |n| of every entry, with the right gradient as n. Fast gradcheck decides by one projection, and runs the slow one
for its message where something is wrong: that is left out here, since the verdict is there before.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np

import harness
from harness.arithmetic import profile_of
from harness.diagnosis.location import located
from harness.evaluation.point import Point
from impls import registry
from impls.contract import Array, Arrays
from impls.graph import Graph
from reports.benchmark.networks import Case
from reports.benchmark.program import Program, mistakes, off_by, program_of
from reports.benchmark.verdicts import LADDER, OURS, Verdicts

DTYPES = ("float32", "float64")


class Check(NamedTuple):
    """One that is used.

    Attributes:
        verdict: of a program: whether it is accepted; None where the check says that it cannot tell.
        sees: whether a mistake is accepted, where that is asked otherwise than the verdict on the right program.
    """

    name: str
    dtype: str
    needs: str
    verdict: Callable[[Program], bool | None]
    sees: Callable[[Program], bool] | None = None


def checks(part: int) -> list[Check]:
    """All of them; `part` weights are given to slow gradcheck."""
    differences = "float64, and an autograd.Function around both passes"
    other = "the network written once more for torch"
    return [
        Check(OURS, "float64", "the backward pass, any of its gradients; the network by its layers", _ours, _located),
        Check(f"{OURS}, gradients of weights", "float64", "the same", _of_weights, _located_of_weights),
        Check("torch gradcheck, slow", "float64", differences, lambda p: _slow(p, part), _by_criterion),
        Check("torch gradcheck, fast", "float64", differences, lambda p: _gradcheck(p, fast=True)),
        Check("jax check_grads", "float64", "float64 mode, and a custom_vjp around both passes", _check_grads),
        Check("jax check_grads", "float32", "a custom_vjp around both passes", _check_grads),
        Check("assert_close loop", "float64", other, _assert_close),
        Check("assert_close loop", "float32", other, _assert_close),
    ]


def compared(case: Case, *, rounds: int, seeds: int, most: int, part: int) -> Iterator[Verdicts]:
    """Every check on one network."""
    batch, every = case.batch(), checks(part)
    programs = {
        (dtype, seed): program_of(case.network, batch, dtype, seed) for dtype in DTYPES for seed in range(seeds)
    }
    planted = mistakes(programs["float64", 0], most)
    verdicts = {
        check: {key: check.verdict(program) for key, program in programs.items() if _meant(check, key[0])}
        for check in every
    }  # fmt: skip
    taken: dict[Check, list[float]] = {check: [] for check in every}
    for _ in range(rounds):
        for check in every:
            begin = time.process_time()
            check.verdict(programs[check.dtype, 0])
            taken[check].append((time.process_time() - begin) * _scale(check, case.network, part))
    for check in every:
        program, sees, found = programs[check.dtype, 0], check.sees or check.verdict, verdicts[check]
        tells = found[check.dtype, 0] is not False
        yield Verdicts(
            network=case.name, check=check.name, dtype=check.dtype, needs=check.needs,
            seconds=statistics.median(taken[check]),
            ratio=statistics.median(a / b for a, b in zip(taken[check], taken[every[0]], strict=True)),
            entry=_first_seen(sees, program, everywhere=False) if tells else None,
            whole=_first_seen(sees, program, everywhere=True) if tells else None,
            planted=len(planted),
            missed=[f"{f.cause} at {f.at}" for f in planted if sees(program.with_mistake(f))] if tells else None,
            seeds=seeds,
            alarms={d: sum(v is False for (e, _), v in found.items() if e == d) for d in DTYPES if _meant(check, d)},
            unsure={d: sum(v is None for (e, _), v in found.items() if e == d) for d in DTYPES if _meant(check, d)},
        )  # fmt: skip


def _meant(check: Check, dtype: str) -> bool:
    """Whether false alarms are counted there: a check that has a line for each dtype counts in its own."""
    return dtype == check.dtype or check.name not in ("jax check_grads", "assert_close loop")


def _first_seen(sees: Callable[[Program], Any], program: Program, *, everywhere: bool) -> float | None:
    """The first rung of the ladder at which a mistake is not accepted, every further one being seen too."""
    network = program.network
    link = network.link[network.gradients[0]]
    low, high = 0, len(LADDER)
    while low < high:
        middle = (low + high) // 2
        if sees(program.with_mistake(off_by(link, LADDER[middle], everywhere=everywhere))):
            low = middle + 1
        else:
            high = middle
    return LADDER[low] if low < len(LADDER) else None


def _scale(check: Check, network: Graph, part: int) -> float:
    weights = sum(int(np.prod(shape)) for shape in network.weights.values())
    return max(1.0, weights / part) if check.sees is _by_criterion else 1.0


# -- this harness


def _ours(program: Program, of: Sequence[str] | None = None) -> bool | None:
    def backward(weights: Arrays, x: Array, y: Array) -> dict[str, Array]:
        found = program.tensors(weights, x, y)
        return {name: found[name] for name in of or found}

    data = (program.x, program.y)
    result = harness.check(backward, program.network, data, dtype=program.dtype)
    return None if result.verdict == "NO POWER" else result.verdict == "PASS"


def _of_weights(program: Program) -> bool | None:
    return _ours(program, program.network.gradients)


def _located(program: Program, of: Sequence[str] | None = None) -> bool:
    """What harness.check decides by at its first point, without the diagnosis that follows."""
    point = Point(program.network, program.weights, program.x, program.y, 1)
    found = program.tensors(program.weights, program.x, program.y)
    shown = {name: found[name] for name in of or found}
    if any(array.shape != program.network.tensors[name].sized(point.rows) for name, array in shown.items()):
        return False
    return not located(point, shown, profile_of(program.dtype), "planted").faulty


def _located_of_weights(program: Program) -> bool:
    return _located(program, program.network.gradients)


# -- others


def _assert_close(program: Program) -> bool:
    from impls.torch_autograd.peers import assert_close

    made = _torch(program.network, program.dtype).differentiate(program.weights, program.x, program.y, tap=False)
    ours = program.gradient(program.weights)
    return assert_close({program.network.gradient[name]: ours[name] for name in ours}, made.gradients)


@lru_cache
def _torch(network: Graph, dtype: str) -> Any:
    return registry.load("torch")(network, dtype)


def _gradcheck(program: Program, *, fast: bool, part: int | None = None) -> bool:
    from torch.autograd import gradcheck as module_of_the_name  # noqa: F401  (loads it)

    from impls.torch_autograd.peers import gradcheck

    asked = (program.loss, program.gradient, program.weights) if part is None else _restricted(program, part)
    with warnings.catch_warnings(), patch("torch.autograd.gradcheck._run_slow_mode_and_get_error", lambda *_: "wrong"):
        warnings.simplefilter("ignore")  # that float32 will likely fail, which it does
        return gradcheck(*asked, fast_mode=fast)


def _slow(program: Program, part: int) -> bool:
    return _gradcheck(program, fast=False, part=part)


def _restricted(
    program: Program, part: int
) -> tuple[Callable[[Arrays], Array], Callable[[Arrays], Arrays], dict[str, Array]]:
    """The loss as a function of so many weights, evenly over all of them, and its gradient."""
    names, sizes = list(program.weights), [w.size for w in program.weights.values()]
    everything = np.concatenate([program.weights[name].ravel() for name in names])
    chosen = np.unique(np.linspace(0, len(everything) - 1, part).astype(int))
    starts = np.cumsum([0, *sizes])

    def whole(given: Arrays) -> dict[str, Array]:
        changed = everything.copy()
        changed[chosen] = given["part"]
        return {
            name: changed[begin : begin + size].reshape(program.weights[name].shape)
            for name, begin, size in zip(names, starts, sizes, strict=False)
        }

    def gradient(given: Arrays) -> dict[str, Array]:
        found = program.gradient(whole(given))
        return {"part": np.concatenate([found[name].ravel() for name in names])[chosen]}

    return lambda given: program.loss(whole(given)), gradient, {"part": everything[chosen]}


def _by_criterion(program: Program) -> bool:
    """Whether slow gradcheck would accept it, at its defaults: see torch.autograd.gradcheck."""
    right = Program(network=program.network, weights=program.weights, x=program.x, y=program.y)
    mine, meant = program.gradient(program.weights), right.gradient(program.weights)
    return all(
        mine[name].shape == meant[name].shape
        and bool(np.all(np.abs(mine[name] - meant[name]) <= 1e-5 + 1e-3 * np.abs(meant[name])))
        for name in meant
    )


def _check_grads(program: Program) -> bool:
    from impls.jax_grad.peers import check_grads

    try:
        return check_grads(program.loss, program.gradient, program.weights)
    except (ValueError, TypeError):  # a gradient of another shape
        return False
