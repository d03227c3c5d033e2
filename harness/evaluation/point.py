"""A point: one network at one set of weights on one batch, where implementations are differentiated and compared.

In lockstep all share one point a step; in a free run each has its own. What is derived for a point, the
centres above all, is derived once, when it is first asked for. A moment of a training is where the next point will be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from threading import RLock
from typing import Any, TypeVar

import numpy as np

from harness.arithmetic import Context, Profile, profile_of
from harness.arithmetic.operands import Operands
from harness.arithmetic.products import Products
from harness.arithmetic.profile import ANYWHERE, ArithmeticOf, cores_among
from harness.arithmetic.threads import MOST_IN_THREADS
from harness.evaluation.centre import Centre, end_to_end
from harness.evaluation.given import as_numbers, fed, named, sealed, with_buffers
from harness.evaluation.truth import Truth, true_tensors
from harness.evaluation.zeros import Move, vanishes
from harness.inputs.batches import Batches
from harness.usage import UsageError
from impls.contract import Arithmetic, Array, Inputs, Pass, tensors_of
from impls.graph import TARGET, Graph, evaluate
from impls.hand_numpy import Hand, HandUpdater

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Point:
    """Weights and batch in the working dtype, at a step counted from 1.

    Attributes:
        certified: whether the truth is found here; `watch` is told of the links done and of all meanwhile.
        nonzero: gradients that are not 0 but for rounding, here or at an earlier point of the same run: what is 0 by
            algebra is 0 at every point.
        operands: what is made of weights and batch for everybody who is judged here.
        arithmetic: how whoever is judged here computes in the working dtype, where it says so.
    """

    network: Graph
    weights: Mapping[str, Array]
    x: Array | Inputs
    y: Array
    step: int
    certified: bool = False
    watch: Callable[[int, int], None] | None = None
    nonzero: set[str] = field(default_factory=set, repr=False)
    operands: Operands = field(default_factory=Operands, repr=False)
    arithmetic: ArithmeticOf | None = None
    _derived: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)
    _deriving: Any = field(default_factory=RLock, init=False, repr=False)
    """Held by whoever derives something: another who asks for it meanwhile waits."""

    def __post_init__(self) -> None:
        self.operands.share(self.named.values())

    def __reduce__(self) -> tuple[Any, ...]:
        """What is derived does not travel, nor who watches."""
        given = (self.network, self.weights, self.x, self.y, self.step, self.certified)
        return Point, (*given, None, self.nonzero)

    @property
    def rows(self) -> int:
        """Samples in the batch."""
        return len(self.y)

    @cached_property
    def dtype(self) -> str:
        """The working dtype, which the weights have."""
        return str(next(iter(self.weights.values())).dtype)

    @cached_property
    def profile(self) -> Profile:
        """Of the programs of the working dtype that are judged here: one for all of their links."""
        if self.arithmetic is None:
            return profile_of(self.dtype)
        of_any = self.arithmetic(None, "")
        cores = cores_among(self.arithmetic, ((link.layer, link.local) for link in self.network.links))
        return profile_of(self.dtype, arithmetic=replace(of_any, cores=cores or of_any.cores))

    @cached_property
    def named(self) -> dict[str, Array]:
        """Weights and batch by name."""
        return named(self.network, self.weights, self.x, self.y)

    @cached_property
    def given(self) -> dict[str, Array]:
        """Weights and batch as implementations get copies of them: by these a change is told."""
        return sealed(self.named)

    # A point that kept itself would stay, with all that is derived for it, until the garbage collector comes.
    @property
    def computed(self) -> Point:
        """The point itself; where gradients are read off something else, the same as if they were shown."""
        return self if self.network.computed is self.network else self._computed

    @cached_property
    def _computed(self) -> Point:
        return replace(self, network=self.network.computed)

    def elsewhere(self, weights: Mapping[str, Array], rows: Any) -> Point:
        """The point of other weights on some of the rows."""
        tensors = self.network.tensors
        given = {name: array[rows] if tensors[name].per_row else array for name, array in self.named.items()}
        x, y = fed(self.network, given), given[TARGET]
        return Point(self.network, weights, x, y, self.step, arithmetic=self.arithmetic)

    def where(self, given: Mapping[str, Array]) -> Point:
        """The point with other inputs or targets, by name."""
        given = {**self.named, **given}
        x, y = fed(self.network, given), given[TARGET]
        return Point(self.network, self.weights, x, y, self.step, arithmetic=self.arithmetic)

    @property
    def double(self) -> Point:
        """The same point in float64, every number unchanged; the point itself if it is in float64."""
        return self if self.dtype == "float64" else self._double

    @cached_property
    def _double(self) -> Point:
        tensors = as_numbers(self.network, self.named, self.operands.double)
        weights = {name: tensors[name] for name in self.weights}
        x, y = fed(self.network, tensors), tensors[TARGET]
        return Point(self.network, weights, x, y, self.step, self.certified, self.watch, operands=self.operands)

    def once(self, what: Any, derive: Callable[[], T]) -> T:
        """Something that is derived for this point, when it is first asked for."""
        with self._deriving:
            if what not in self._derived:
                self._derived[what] = derive()
            found: T = self._derived[what]
            return found

    def centre(self, dtype: str, whole: Arithmetic = ANYWHERE) -> Centre:
        """Every tensor here as a bounded array, for the programs of a dtype; `whole` is how a whole pass computes."""
        if self.arithmetic is not None and dtype == self.dtype:
            return self.once("centre", lambda: self._centre(self.profile))
        return self.once(("centre", dtype, whole), lambda: self._centre(profile_of(dtype, arithmetic=whole)))

    def _centre(self, profile: Profile) -> Centre:
        # That in float64 comes first; products of its own are kept for the other.
        first = self.double is self
        context = self.context(profile, kept=first)
        made = end_to_end(self.network, self.weights, self.x, self.y, profile, context=context)
        if not first:
            self.products.forget()
        return made

    def context(self, profile: Profile, *, kept: bool = False) -> Context:
        """A context in which what others have made here is not made again; products of its own are kept for them."""
        matmul = self.products.kept if kept else self.products.recalled
        return Context(profile, matmul=matmul, operands=self.operands)

    def context_near(self, profile: Profile) -> Context:
        """Likewise, of who computes near the centre, which is derived first where nobody else waits meanwhile."""
        if self.network.multiply_adds(self.rows) <= MOST_IN_THREADS:
            return self.context(profile)
        self.double.centre("float64")
        return Context(profile, matmul=self.products.near, operands=self.operands)

    @cached_property
    def products(self) -> Products:
        """Products of matrices that the centres here are made of, in whichever dtype."""
        return Products(self.operands) if self.double is self else self.double.products

    @cached_property
    def truth(self) -> Truth | None:
        """Every tensor here, true, as sharply as judging by the float64 bounds needs; None unless certified."""
        if not self.certified:
            return None
        if self.double is not self:
            return self.double.truth
        below = {name: tensor.bound for name, tensor in self.centre("float64").tensors.items()}
        return true_tensors(self.network, self.weights, self.x, self.y, below=below, watch=self.watch)

    def vanishes(self, name: str) -> bool:
        """Whether a gradient is 0 but for rounding."""
        if name in self.nonzero:
            return False
        found = self.once(("vanishes", name), lambda: vanishes(partial(self._moved, name), profile_of("float64").u))
        if not found:
            self.nonzero.add(name)
        return found

    def _moved(self, name: str, move: Move) -> Array:
        """A gradient in float64 at a point near by."""

        def derived() -> dict[str, Any]:
            each = move.each()
            given = {n: array if n == TARGET else each(array) for n, array in self.double.named.items()}
            return evaluate(self.network.computed.links, given)

        return np.asarray(self.once(move, derived)[name])

    def may_overflow(self, result: Pass) -> bool:
        """Whether everything that is not finite in a pass stands where a correct program may overflow."""
        bounds = {name: tensor.bound for name, tensor in self.centre(self.dtype).tensors.items()}
        return all(
            np.all(np.isfinite(array) | ~np.isfinite(bounds[name])) for name, array in tensors_of(result).items()
        )

    def tensors(self, result: Pass) -> dict[str, Array]:
        """Everything that a link may read: weights and batch in the pass's dtype, the pass's tensors."""
        dtype = np.asarray(result.loss).dtype
        given = as_numbers(self.network, self.named, lambda array: array.astype(dtype, copy=False))
        return {**given, **tensors_of(result)}


@dataclass(frozen=True)
class Moment:
    """Where a network stands after some steps.

    Attributes:
        step: number of steps taken.
        state: of the optimizer: ``mW1``, ...
        rows: of the data that the next step's batch holds, counted from 0.
        buffers: what a forward pass has kept so far.
    """

    step: int
    weights: Mapping[str, Array]
    state: Mapping[str, Array]
    rows: Array
    buffers: Mapping[str, Array] = field(default_factory=dict)


def moment_after(network: Graph, batches: Batches, optimizer: Any, seed: int, steps: int) -> Moment:
    """Train the hand code, nothing compared, for so many steps from ``network.init(seed)``, in the batches' dtype.

    Raises:
        UsageError: the training diverges before.
    """
    dtype = batches.dtype
    weights: Mapping[str, Array] = network.init(seed, dtype)
    buffers, hand, updater = network.fresh_buffers(dtype), Hand(network, dtype), HandUpdater(optimizer, weights)
    with np.errstate(all="ignore"):
        for step in range(1, steps + 1):
            x, y = batches.at(step)
            x = with_buffers(network, x, buffers)
            made = hand.differentiate(weights, x, y)
            buffers = network.next_buffers(made.activations)
            update = updater.update(weights, made.gradients)
            weights = update.weights
            if not all(np.all(np.isfinite(w)) for w in weights.values()):
                raise UsageError(
                    f"Cannot go on to the network after {steps} steps, because the training diverges at step {step}; "
                    f"choose fewer steps or a smaller lr."
                )
    return Moment(steps, weights, updater.state, batches.rows(steps + 1), buffers)
