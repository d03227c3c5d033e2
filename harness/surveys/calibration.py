"""Calibration: the elementary functions of the installed libraries against the constants table.

Every bound of this project takes for granted that exp, tanh and the like are within the table. That is a
fact about libraries, their versions and the machine, so it can be measured where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import to_builtins

from harness.arithmetic.profile import profile_of
from harness.arithmetic.true_values import FLOAT64, NoTruthError
from harness.candidates.conformance import BreachError
from harness.candidates.implementation import Participant, placed_by
from harness.environment import environment
from harness.formats import DTYPES
from harness.inputs.devices import as_device, having
from harness.interrupts import heard, heed
from harness.surveys import Survey
from harness.surveys.accuracy import (
    Accuracy,
    Tried,
    Worst,
    evaluated,
    judged,
    known,
    measured,
    size,
    unmeasured,
)
from harness.surveys.arguments import CHUNK, EVERY_FLOAT32, batches, every_number
from harness.usage import UsageError
from impls import registry
from impls.abilities import Computes
from impls.contract import CPU, Array, network_of_example
from impls.hand.parsing import lookup

ALWAYS_EVERY = ("float16", "bfloat16")
Functions = Mapping[str, Callable[..., Array]]


@dataclass
class Calibration(Survey):
    """What was measured, complete or interrupted."""

    unusable = "could not be imported"
    seed: int
    device: str = CPU
    rows: list[Accuracy] = field(default_factory=list)

    @property
    def measured(self) -> list[Accuracy]:
        """Rows that hold a measurement."""
        return [row for row in self.rows if row.largest is not None]

    @property
    def verdict(self) -> str:
        """FAIL, NOT COMPARED (nothing could be measured, or not of what was named) or PASS."""
        if any(row.verdict in ("EXCEEDS", "failed") for row in self.rows):
            return "FAIL"
        found = {row.against for row in self.measured}
        asked = {*self.implementations, *self.missing} if self.named else set()
        return "PASS" if found and asked <= found else "NOT COMPARED"

    @property
    def exit(self) -> int:
        """130 interrupted, 1 FAIL, 3 could not compare, 0."""
        return 130 if self.how == "interrupted" else {"FAIL": 1, "NOT COMPARED": 3, "PASS": 0}[self.verdict]

    @property
    def reason(self) -> str:
        """The rest of the first line."""
        return self.marked(self._why())

    def _why(self) -> str:
        wrong = [row.reason or "" for row in self.rows if row.verdict in ("EXCEEDS", "failed")]
        if wrong:
            return wrong[0] + (f", and {len(wrong) - 1} more" if len(wrong) > 1 else "")
        if self.verdict == "NOT COMPARED":
            reasons = [*self.missing.values(), *[row.reason or "" for row in self.rows if row.largest is None]]
            return reasons[0] if reasons else "no function was measured"
        names = list(dict.fromkeys(row.against for row in self.measured))
        together = " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
        nearest = max(self.measured, key=lambda row: (row.largest or 0.0) / row.constant)
        return (
            f"the elementary functions of {together} are within the table; nearest to it {nearest.function} of "
            f"{nearest.against} in {nearest.dtype}: {size(nearest)} of {nearest.constant:g} u"
        )

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of ``harness calibrate --json``."""
        return {
            "verdict": self.verdict,
            "exit": self.exit,
            "reason": self.reason,
            "seed": self.seed,
            "device": self.device,
            "ended": self.how,
            "implementations": self.implementations,
            "missing": self.missing,
            "environment": environment(),
            "u": {dtype: profile_of(dtype).u for dtype in DTYPES},
            "rows": to_builtins(self.rows),
        }


@heard()
def calibrate(
    against: Sequence[str] | None = None,
    functions: Sequence[str] | None = None,
    dtypes: Sequence[str] | None = None,
    *,
    seed: int = 0,
    exhaustive: bool = False,
    device: str = CPU,
    patterns: range = EVERY_FLOAT32,
    progress: Callable[[float, int], None] | None = None,
) -> Calibration:
    """Measure elementary functions and compare each with its constant.

    Args:
        against: implementations by name; all that are installed if None, of those that have the device.
        functions: names in the constants table; all that can be measured if None.
        dtypes: those that are measured, all if None (exhaustive: float32).
        seed: of the sample.
        exhaustive: try every float32 number, as every number of 16 bits always is; ``divide``, of two operands, is
            sampled all the same.
        device: where they are evaluated, cpu, cuda, cuda:1, ..., and whose constants are promised.
        patterns: the bit patterns that are tried then.
        progress: called with the functions done, the one under way in part, and the functions there are.

    Raises:
        UsageError: a name is unknown, or every float64 was asked for.
    """
    if seed < 0:
        raise UsageError(f"Cannot use seed={seed}, because it is a count; give a whole number from 0 on.")
    device = as_device(device)
    there = having(device)
    names = there if against is None else _chosen("implementation", against, registry.names())
    chosen = _chosen("elementary function", functions, list(FLOAT64))
    kinds = _chosen("dtype", dtypes or (["float32"] if exhaustive else None), list(DTYPES))
    if exhaustive and "float64" in kinds:
        raise UsageError("Cannot try every float64, because there are 2^64 of them; leave out --exhaustive.")
    result = Calibration(seed, device, named=against is not None)
    work = [(dtype, function) for dtype in kinds for function in chosen]
    try:
        built = {dtype: {name: _functions_of(name, dtype, result) for name in names} for dtype in kinds}
        for done, (dtype, function) in enumerate(work):
            every = exhaustive and function != "divide"
            parts = every_number(dtype, patterns) if every and dtype == "float32" else batches(function, dtype, seed)
            count = -(-len(patterns) // CHUNK) if isinstance(parts, Iterator) else len(parts)
            whole = dtype in ALWAYS_EVERY or (every and patterns == EVERY_FLOAT32)
            tried = f"every {dtype}" if whole and function != "divide" else "sample"
            result.rows += _rows(
                function, dtype, built[dtype], tried, _told(parts, count, done, len(work), progress), device
            )
    except KeyboardInterrupt:
        result.how = "interrupted"
    return result


def _chosen(what: str, chosen: Sequence[str] | None, known_names: list[str]) -> list[str]:
    if chosen is None:
        return known_names
    try:
        for name in chosen:
            lookup(what, dict.fromkeys(known_names), name)
    except ValueError as error:
        raise UsageError(str(error)) from None
    return list(dict.fromkeys(chosen))


def _functions_of(name: str, dtype: str, result: Calibration) -> Functions | str:
    """The elementary functions of an implementation, or why there are none."""
    try:
        participant = Participant(name, placed_by(name, result.device), network_of_example(), dtype)
        result.implementations[name], _ = participant.describe()
        made = participant.built(dtype)
        return made.elementary() if isinstance(made, Computes) else f"{name} shows no elementary functions"
    except Exception as error:
        reason = result.why_not(name, error)
        if name not in result.implementations:
            result.missing[name] = reason
        return reason


def _told(
    parts: Iterable[tuple[Array, ...]], count: int, done: int, of: int, progress: Callable[[float, int], None] | None
) -> Iterator[tuple[Array, ...]]:
    """The parts of one function, each told when it is done."""
    for part, x in enumerate(parts, 1):
        yield x
        heed()
        if progress:
            progress(done + part / count, of)


def _rows(
    function: str,
    dtype: str,
    built: Mapping[str, Functions | str],
    tried: Tried,
    parts: Iterable[tuple[Array, ...]],
    device: str,
) -> list[Accuracy]:
    """One function of every implementation; the truth is computed once for all."""
    calls, why_not = {}, {}
    for name, functions in built.items():
        if isinstance(functions, str):
            why_not[name] = functions
        elif function in functions:
            calls[name] = functions[function]
        else:
            why_not[name] = f"{name} evaluates no {function}"
    worst, failed = {name: Worst() for name in calls}, dict[str, str]()
    try:
        for x in parts if calls else ():
            truth = known(function, *x)
            for name in calls.keys() - failed.keys():
                try:
                    worst[name] = worst[name].or_worse(measured(function, x, evaluated(calls[name], *x), truth, device))
                except BreachError as breach:
                    failed[name] = f"{function} of {name} {breach}"
    except NoTruthError as error:
        why_not |= dict.fromkeys(calls, str(error))
    rows = []
    for name in built:
        if name in why_not:
            rows.append(unmeasured("not calibrated", function, name, dtype, tried, why_not[name], device))
        elif name in failed:
            rows.append(unmeasured("failed", function, name, dtype, tried, failed[name], device))
        else:
            rows.append(judged(function, name, dtype, tried, worst[name], device))
    return rows
