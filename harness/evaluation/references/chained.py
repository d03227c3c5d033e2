"""What the gradients of a chain should be, each made from the gradients that somebody has for what reads its tensor.

A link is cut out of the framework's own graph: what the forward pass computed and the gradients that are given are
read as they are, in float64. Its allowance is measured as that of any foreign function is (see
`harness.evaluation.references.measured`), but on the backward pass alone: points near by have what was read of the
forward pass jittered, and where every number is moved by up to a unit roundoff, those that the forward pass computed
are moved with them, each by itself. So a right program may read the tensors that it was given, or compute those
without a name anew; one that computes a named tensor anew by a way that loses digits is off by what it loses.

In 16 bits the factor of 128 would allow half of a number and more, and nothing would be seen. What is narrower than
those is nearer to them too: bfloat16 in place of float16 is 2^3 times as coarse, float8 in place of bfloat16 2^4 times.
By the same reason, the square root of the nearer, the factor is 4. It allows sums that are accumulated in float32, as
torch.sum and jax.numpy.sum do, and the result rounded; and what is below the smallest normal number to be rounded to a
subnormal one. Right backward passes of five kinds in torch used at most 0.8 of a 4th of it, over 20 draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import cache, cached_property
from itertools import islice

import numpy as np

from harness.arithmetic import Bounded, Context, profile_of
from harness.evaluation.references.jumps import NUDGE, NUDGES, ways_of
from harness.evaluation.references.measured import POINTS, allowed, jittered
from harness.evaluation.subgradients import Sides
from harness.evaluation.zeros import Move, vanishes
from harness.formats import FORMATS, WIDE
from harness.inputs.outputs import OUTPUT, Parts
from impls.chains import Chain, Reading, read_as_kept
from impls.contract import Array, Arrays

U_32 = profile_of("float32").u


class ChainReference:
    """Every gradient of a chain.

    Attributes:
        of: names of the tensors whose gradients are judged.
        given: gradients by the names of their tensors, that others are made from.
    """

    def __init__(
        self, chain: Chain, of: Sequence[str], given: Arrays, dtype: str, again: Callable[[Arrays], Chain] | None = None
    ) -> None:
        """Where the forward pass can be run `again`, with some inputs others, it is known where gradients jump."""
        self.chain, self.of, self.given, self.dtype, self.again = chain, tuple(of), given, dtype, again

    @cached_property
    def expected(self) -> dict[str, Bounded]:
        """Of each tensor, given those of its readers; in the order of the backward pass."""
        return self._all(self.given)

    @cached_property
    def end_to_end(self) -> dict[str, Bounded]:
        """Of each tensor, with nothing given."""
        return self._all({})

    def convention(self, name: str, actual: Array) -> bool:
        """Whether a gradient outside its allowance takes no more than another valid subgradient, at a kink."""
        right, near = self.expected[name], [one[name] for one in self._near if name in one]
        if actual.shape != right.shape or not near:
            return False
        return Sides.of(np.stack(near), right).widened(right.bound).allow(actual, right)

    @cached_property
    def _near(self) -> list[dict[str, Array]]:
        """Gradients where inputs are nudged to both sides, none if the forward pass is another one each time."""
        inputs = {name: self.chain.tensors[name] for name in self.chain.inputs if name in self.chain.tensors}
        if self.again is None or not inputs:
            return []
        same = self.again({}).tensors
        if not all(np.array_equal(array, same[name], equal_nan=True) for name, array in self.chain.tensors.items()):
            return []
        reach = NUDGE * profile_of(self.dtype).u
        ways = islice(ways_of(inputs), NUDGES)
        moved = ({n: _beside(array, reach * way[n]) for n, array in inputs.items()} for way in ways)
        return [self.again(near).pull(self.of, self.given, "float64") for near in moved]

    def vanishes(self, name: str) -> bool:
        """Whether a gradient is 0 but for rounding, of the forward pass or of the backward pass, end to end."""
        return vanishes(lambda move: self._moved(move)[name], profile_of(self.dtype).u)

    @cache  # noqa: B019  (of one check)
    def _moved(self, move: Move) -> dict[str, Array]:
        """Every gradient end to end, what is read of the forward pass moved; here, where it cannot be run again."""
        each, chain = move._replace(elsewhere=False).each(), self.chain
        if move.elsewhere and self.again is not None:
            inputs = {name: chain.tensors[name] for name in chain.inputs if name in chain.tensors}
            away = Move(0, 0.0, elsewhere=True).each()
            chain = self.again({name: away(array).astype(array.dtype) for name, array in inputs.items()})
        found = chain.pull(self.of, {}, "float64", reading=lambda _, kept: each(kept))
        return {name: np.zeros(self.chain.tensors[name].shape) for name in self.of} | found

    def readers(self, name: str) -> list[str]:
        """Tensors with a given gradient that the gradient of this one is made from, and no other between them."""
        stopped = {other: np.zeros(self.chain.tensors[other].shape) for other in self.given if other != name}
        rng, found = np.random.default_rng(3), list[str]()
        for other in stopped:
            sent = {**stopped, other: rng.normal(size=stopped[other].shape)}
            arrived = self.chain.pull((name,), sent, "float64", root=other)
            found += [other] if np.any(arrived.get(name, 0.0)) else []
        return found

    def _all(self, given: Arrays) -> dict[str, Bounded]:
        found = measured(self.chain, self.of, given, self.dtype) if self.of else {}
        zero = Context(profile_of(self.dtype)).exact
        return {**found, **{n: zero(np.zeros(self.chain.tensors[n].shape)) for n in self.of if n not in found}}


class LinkReference:
    """One gradient as a function of what its link reads and of one reader's gradient; the others stay as they are.

    See `harness.evaluation.references.reference.Reference`; the only gradient that it has is that of `of`.
    """

    measured = True

    def __init__(self, chain: Chain, of: str, reader: str, given: Arrays) -> None:
        self.others: Bounded | None = None
        self.chain, self.reader, self.given = chain, reader, {n: np.zeros_like(g) for n, g in given.items() if n != of}
        self.name, self.of = f"{of} to {reader}", of
        self.differentiable: tuple[str, ...] = (of,)
        read = dict.fromkeys([of])

        def seeing(names: tuple[str, ...], kept: Array) -> Array:
            read.update(dict.fromkeys(names[:1]))
            return kept

        self._pull(np.ones_like(given[reader]), seeing)
        self.usual = {name: chain.tensors[name] for name in read} | dict(chain.constants)
        self.inputs = tuple(self.usual)

    def _pull(self, upstream: Array, reading: Reading) -> dict[str, Array]:
        given = {**self.given, self.reader: upstream}
        return self.chain.pull(self.differentiable, given, "float64", root=self.reader, reading=reading)

    def parts(self, inputs: Mapping[str, Array]) -> Parts:  # noqa: ARG002
        """The shape of what the reader holds."""
        return {OUTPUT: self.chain.tensors[self.reader].shape}

    def output(self, inputs: Mapping[str, Array], dtype: str) -> Bounded:  # noqa: ARG002
        """What the reader holds, whatever the inputs are."""
        return Context(profile_of(dtype)).exact(self.chain.tensors[self.reader])

    def gradients(self, inputs: Mapping[str, Array], upstream: Array, dtype: str) -> dict[str, Bounded]:
        """What arrives from this reader, where it sends on this upstream and these inputs are read."""
        changed = {name: array for name, array in inputs.items() if array is not self.usual[name]}

        def reading(names: tuple[str, ...], kept: Array) -> Array:
            return next((np.asarray(changed[name], np.float64) for name in names if name in changed), kept)

        given = {**self.given, self.reader: np.asarray(upstream, np.float64)}
        found = measured(self.chain, self.differentiable, given, dtype, self.reader, reading)
        zero = Context(profile_of(dtype)).exact
        part = found.get(self.of, zero(np.zeros(self.chain.tensors[self.of].shape)))
        return {self.of: part if self.others is None else part + self.others}

    def values(self, inputs: Mapping[str, Array], upstream: Array) -> dict[str, Array]:
        """What arrives from this reader."""
        return {self.of: self.gradients(inputs, upstream, "float64")[self.of].value}

    def plus(self, others: Bounded) -> LinkReference:
        """The same, where what arrives from other readers is added."""
        whole = copy(self)
        whole.others = others
        return whole


def _beside(array: Array, way: Array) -> Array:
    return np.asarray(array + way * np.maximum(np.abs(array), 1), array.dtype)


def measured(
    chain: Chain, of: Sequence[str], given: Arrays, dtype: str,
    root: str | None = None, reading: Reading = read_as_kept,
) -> dict[str, Bounded]:  # fmt: skip
    """What arrives at each tensor, as programs of the dtype may give it; see `Chain.pull` for the arguments."""
    values = chain.pull(of, given, "float64", root=root, reading=reading)
    gaps = {name: np.zeros(value.shape) for name, value in values.items()}
    with np.errstate(all="ignore"):
        for point in range(POINTS):
            rng = np.random.default_rng([point, 1])
            near = {name: np.asarray(jittered(gradient, rng), np.float64) for name, gradient in given.items()}
            narrow, wide = (
                chain.pull(of, near, precision, root=root, reading=_jittering(point, reading))
                for precision in ("float32", "float64")
            )
            gaps = {name: np.maximum(gap, np.abs(narrow[name] - wide[name])) for name, gap in gaps.items()}
        up, down = (
            chain.pull(of, given, "float64", root=root, reading=_moving(way, reading), change=_changing(way, dtype))
            for way in (1, -1)
        )
        for name, value in values.items():
            least = np.minimum(np.abs(up[name] - value), np.abs(down[name] - value))
            gaps[name] = np.where(np.isfinite(least), np.maximum(gaps[name], least), gaps[name])
    return {name: allowed(value, gaps[name], dtype) for name, value in values.items()}


def _jittering(point: int, reading: Reading) -> Reading:
    """The same jitter in every pass: all read the same tensors in the same order."""
    rng = np.random.default_rng([point, 0])
    return lambda names, kept: np.asarray(jittered(reading(names, kept), rng), np.float64)


def _moving(way: int, reading: Reading) -> Reading:
    rng = np.random.default_rng(2)
    return lambda names, kept: reading(names, kept) * (1 + way * U_32 * rng.uniform(0, 1, kept.shape))


def _changing(way: int, dtype: str) -> Callable[[Array], Array]:
    """By a roundoff of float32, which the allowance makes one of the dtype; in 16 bits by half a subnormal besides."""
    rng, of = np.random.default_rng(1), FORMATS[dtype]
    least = 0.0 if dtype in WIDE else of.smallest_subnormal / 2 * U_32 / of.u
    return lambda numbers: numbers * (1 + way * U_32 * rng.uniform(0, 1, numbers.shape)) + way * least
