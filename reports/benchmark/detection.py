"""Which published mistakes of backward passes the rules that people use detect, and how often they cry wolf.

Each of `historical.MISTAKES` is asked at so many seeds; every rule sees the wrong gradients, and the right ones summed
in another order. A rule is given what it asks for: gradcheck float64, the others the dtype; an exact expected value,
and NumPy's own result in the dtype as eager. `harness.check_vjp` asks the operation itself, in its own cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
import numpy as np
from tabulate import tabulate

import harness
from harness.checking.operation_points import References, points_of
from harness.evaluation.references.derived import HandReference
from harness.evaluation.references.expected import Expected
from harness.formats import FORMATS, WIDE, rounded_to
from harness.tolerances.operations import allowed_tensors
from harness.tolerances.orders import from_last
from harness.tolerances.rules import AssertClose, Eager, Pair
from harness.tolerances.subject import Floats, Subject
from impls.contract import Array, is_real
from reports.benchmark.figure import Figure
from reports.benchmark.historical import MISTAKES, Mistake

OURS = ("allowance of every entry", "harness.check_vjp")
Accepts = Callable[[Floats, Subject], bool]


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """One rule.

    Attributes:
        found: by mistake, at how many of so many seeds the wrong gradients are rejected.
        alarms: by operation, at how many the right ones are.
    """

    rule: str
    dtype: str
    seeds: int
    found: Mapping[str, int]
    alarms: Mapping[str, int]

    @property
    def missed(self) -> list[str]:
        """Mistakes that pass at some seed."""
        return [name for name, count in self.found.items() if count < self.seeds]


def rules(dtype: str) -> dict[str, Accepts]:
    """What decides by numbers at one point, by its name."""
    liger = Pair(1.0, 1e-5) if dtype == "float32" else Pair(5, 50)
    return {
        "assert_close": AssertClose().accepts,
        "flash-attention, 2 x": lambda a, s: Eager(2, 2 * _last_bits(s)).accepts(a, s),
        "flash-attention, 3 x": lambda a, s: Eager(3, 3e-4 + 2 * _last_bits(s)).accepts(a, s),
        "Liger: atol 1" if dtype == "float32" else "Liger: atol 5, rtol 50": liger.accepts,
        "per tensor: n u max |e|": _per_tensor,
        "2 x eager": Eager(2, 1e-6).accepts,
        OURS[0]: lambda a, s: s.holds(a),
    }


def _last_bits(subject: Subject) -> float:
    """What 0.3 added and subtracted again changes in the dtype."""
    there = rounded_to(rounded_to(subject.expected + 0.3, subject.dtype) - 0.3, subject.dtype)
    return float(np.abs(there - rounded_to(subject.expected, subject.dtype)).max())


def _per_tensor(actual: Floats, subject: Subject) -> bool:
    """As Composable Kernel and hipDNN: by the number of accumulations and the largest value.

    Source: get_absolute_threshold and get_relative_threshold of composable_kernel's library/utility/check_err.hpp.
    """
    bound = max(int(subject.mistakes.get("terms", lambda: np.ones(()))()), 1) * FORMATS[subject.dtype].u
    size = np.abs(subject.expected)
    with np.errstate(invalid="ignore"):
        return bool(np.all(np.abs(actual - subject.expected) <= bound * (size.max(initial=0.0) + size)))


def detections(*, seeds: int, dtype: str = "float32") -> Iterator[Detection]:
    """Every rule on every mistake."""
    asked = rules(dtype)
    names = ["gradcheck", *asked, OURS[1]] if dtype in WIDE else list(asked)
    found = {name: dict.fromkeys([m.says for m in MISTAKES], 0) for name in names}
    alarms = {name: dict.fromkeys([m.says for m in MISTAKES], 0) for name in names}
    for mistake in MISTAKES:
        for seed in range(seeds):
            for wrong, counted in ((True, found), (False, alarms)):
                for name, rejected in _rejected(mistake, asked, seed, dtype, wrong=wrong).items():
                    counted[name][mistake.says] += rejected
    for name in names:
        yield Detection(rule=name, dtype=dtype, seeds=seeds, found=found[name], alarms=alarms[name])


def _rejected(
    mistake: Mistake, asked: Mapping[str, Accepts], seed: int, dtype: str, *, wrong: bool
) -> dict[str, bool]:  # fmt: skip
    at = _point(mistake, dtype, seed)
    upstream, given = (_wide(at.upstream), {name: _wide(array) for name, array in at.given.items()})
    made = mistake.wrong(upstream, given) if wrong else _other_order(mistake, upstream, given)
    shown = {name: rounded_to(array, dtype) for name, array in made.items()}
    subjects = _subjects(mistake, at)
    verdicts = {
        name: not all(accepts(shown[each], subjects[each]) for each in subjects) for name, accepts in asked.items()
    }
    if dtype not in WIDE:
        return verdicts
    return {
        "gradcheck": _gradcheck(mistake, seed, wrong=wrong),
        **verdicts,
        OURS[1]: _ours(mistake, seed, dtype, wrong),
    }


def _wide(array: Array) -> Array:
    """What a kernel computes with."""
    return array.astype("float32") if is_real(array) and str(array.dtype) not in WIDE else array


def _point(mistake: Mistake, dtype: str, seed: int) -> Expected:
    """The first case of its inputs."""
    points = points_of(mistake.layer, mistake.inputs, (), dtype, seed, None)
    made = References(mistake.layer, None, points.signature)
    return made.expected(points.cases[0], dtype, np.random.default_rng(seed))


def _subjects(mistake: Mistake, at: Expected) -> dict[str, Subject]:
    """Each gradient, with its terms where the rule per tensor asks for them."""
    eager, tensors = mistake.right(at.upstream, at.given), allowed_tensors(at)
    return {
        name: Subject(
            name=gradient,
            expected=np.asarray(tensors[gradient].value),
            allowed=np.asarray(tensors[gradient].bound),
            dtype=at.dtype,
            source="derived",
            programs={"eager": np.asarray(eager[name], np.float64)},
            mistakes={"terms": _terms(at, name)},
        )
        for gradient, name in at.inputs.items()
    }


def _terms(at: Expected, name: str) -> Callable[[], Floats]:
    """How many products are added in an entry: all numbers that there are to one of it."""
    largest = max([at.upstream.size, *(array.size for array in at.given.values())])
    return lambda: np.asarray(float(max(largest // max(at.given[name].size, 1), at.given[name].shape[-1])))


def _other_order(mistake: Mistake, upstream: Array, given: Mapping[str, Array]) -> dict[str, Array]:
    gradients = HandReference(mistake.layer).computed(given, upstream, from_last)[1]
    return {name: np.asarray(array) for name, array in gradients.items()}


def _gradcheck(mistake: Mistake, seed: int, *, wrong: bool) -> bool:
    """What torch.autograd.gradcheck decides by at its defaults, with the right gradient in place of differences."""
    at = _point(mistake, "float64", seed)
    shown = (mistake.wrong if wrong else mistake.right)(at.upstream, at.given)
    return not all(
        Pair(1e-5, 1e-3).accepts(np.asarray(shown[name], np.float64), subject)
        for name, subject in _subjects(mistake, at).items()
    )


def _ours(mistake: Mistake, seed: int, dtype: str, wrong: bool) -> bool:
    reference = HandReference(mistake.layer)
    names = reference.inputs

    def forward(*arrays: Array) -> Array:
        return np.asarray(mistake.layer.forward(*arrays))

    def backward(upstream: Array, *arrays: Array) -> dict[str, Array]:
        given = dict(zip(names, arrays, strict=True))
        return dict((mistake.wrong if wrong else mistake.right)(upstream, given))

    found = harness.check_vjp(
        forward, backward, reference=mistake.layer, inputs=mistake.inputs, dtype=dtype, seed=seed
    )  # fmt: skip
    return found.verdict == "FAIL"


def figures_of(found: Sequence[Detection]) -> Iterator[Figure]:
    """What is missed and what is alarmed about; only this harness has goals."""
    for each in found:
        ours = each.rule in OURS
        missed = sum(each.seeds - count for count in each.found.values())
        of = f"{each.rule}, {each.dtype}"
        yield Figure(
            network="historical mistakes", measure=f"{of}: missed", ratio=missed, unit="",
            target=0 if each.rule == OURS[1] else None, detail=f"of {len(each.found)} at {each.seeds} seeds",
        )  # fmt: skip
        yield Figure(
            network="historical mistakes", measure=f"{of}: false alarms", ratio=sum(each.alarms.values()), unit="",
            target=0 if ours else None, detail=f"of {len(each.alarms)} at {each.seeds} seeds",
        )  # fmt: skip


def detection_table(found: Sequence[Detection], form: str = "simple") -> str:
    """A line for each mistake, a column for each rule: at how many seeds it is found; then the false alarms."""
    if not found:
        return ""
    lines = [
        (mistake.says, mistake.source, *(each.found[mistake.says] for each in found)) for mistake in MISTAKES
    ]  # fmt: skip
    alarms = ("false alarms, of all", "", *(sum(each.alarms.values()) for each in found))
    headers = ("mistake", "source", *(f"{each.rule}, {each.dtype}" for each in found))
    aligned = ("left", "left", *("right",) * len(found))
    return tabulate([*lines, alarms], headers, tablefmt=form, disable_numparse=True, colalign=aligned)
