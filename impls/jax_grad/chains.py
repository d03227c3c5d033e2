"""A forward pass that JAX has traced, and its backward pass anew: in another precision, with gradients of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from impls.abilities import Change
from impls.chains import Reading, read_as_kept
from impls.contract import Array, Arrays, CannotCompareError
from impls.jax_grad.programs import CALLS, RULES, Program, Step, compiled, inexact


class JaxChain:
    """See `impls.abilities.Chain`: the graph is what JAX traces, a call of what is compiled looked into."""

    changed = frozenset[str]()

    def __init__(self, forward: Callable[[Any], Any], inputs: Mapping[str, Any], loss: str, dtype: str) -> None:
        """Of a forward pass that runs in this dtype; float64 mode, with whole numbers of 64 bits, stays on if it is."""
        self.running = partial(jax.enable_x64, dtype == "float64" or jax.config.jax_enable_x64)
        with self.running():
            self._trace(forward, inputs, loss)

    def _trace(self, forward: Callable[[Any], Any], inputs: Mapping[str, Any], loss: str) -> None:
        leaves, structure = jax.tree.flatten({name: _own(value) for name, value in inputs.items()})
        reals = [place for place, leaf in enumerate(leaves) if _real(leaf)]
        returned: Any = None
        names: list[str] = []

        def traced(given: Sequence[Any]) -> list[Any]:
            nonlocal returned
            every = list(leaves)
            for place, value in zip(reals, given, strict=True):
                every[place] = value
            begun = jax.tree.unflatten(structure, every)
            returned = dict(forward(dict(begun)))
            named = {n: v for n, v in {**begun, **returned}.items() if _is_array(v)}
            names.extend(named)
            return [*named.values(), *filter(_is_array, jax.tree.leaves(returned))]

        try:
            closed = jax.make_jaxpr(traced)([leaves[place] for place in reals])
        except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError,
                jax.errors.TracerIntegerConversionError) as error:  # fmt: skip
            raise CannotCompareError(
                "forward makes a Python or NumPy number of an array (if, float(), np.), which JAX cannot trace; "
                "stay within jax.numpy: jnp.where"
            ) from error
        if loss not in names:
            raise CannotCompareError(f"{loss} is no JAX array; compute it with jax.numpy")
        self._loss, self._structure, self._returned = loss, structure, returned
        self._leaves, self._reals, self._names = leaves, reals, names
        self._program = Program(closed)
        self._places = dict(zip(names, self._program.outputs, strict=False))
        self._compiled: dict[Any, Any] = {}
        self._depending = _depending(self._program, self._program.inputs)
        if self._places[loss] not in self._depending:
            raise CannotCompareError(
                f"{loss} is not computed from any input of reals; JAX keeps no graph, so give forward and inputs"
            )
        self._run([leaves[place] for place in reals])

    def _run(self, reals: Sequence[Any]) -> None:
        """Everything that the forward pass computes."""
        if "forward" not in self._compiled:
            self._compiled["forward"] = compiled(lambda given: self._program.run(given, every=True))
        self._values = self._compiled["forward"](list(reals))
        outputs = [self._values[place] for place in self._program.outputs]
        arrays = {name: np.array(value) for name, value in zip(self._names, outputs, strict=False)}
        self.tensors = {name: array for name, array in arrays.items() if self._places[name] in self._depending}
        self.constants = {name: array for name, array in arrays.items() if name not in self.tensors}
        first: dict[int, str] = {}
        self.same = {name: first.setdefault(self._places[name], name) for name in self.tensors}
        every = list(self._leaves)
        for place, value in zip(self._reals, reals, strict=True):
            every[place] = value
        self.inputs = jax.tree.unflatten(self._structure, every)
        rest = iter(outputs[len(self._names) :])
        self.returned = jax.tree.map(lambda leaf: next(rest) if _is_array(leaf) else leaf, self._returned)

    def again(self, inputs: Mapping[str, Any]) -> JaxChain:
        """With some inputs others: what was traced is run again."""
        other = copy(self)
        with self.running():
            given = jax.tree.leaves({**self.inputs, **{name: _own(value) for name, value in inputs.items()}})
            other._run([given[place] for place in self._reals])
        return other

    def pull(
        self, of: Sequence[str], given: Arrays, dtype: str, *,
        root: str | None = None, reading: Reading = read_as_kept, change: Change | None = None,
    ) -> dict[str, Array]:  # fmt: skip
        """By the vjp of each step, traced once and run in `dtype`."""
        key = (tuple(of), tuple(given) if root else tuple(self.tensors), root)
        with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
            if key not in self._compiled:
                self._compiled[key] = _Backward(self, *key)
            backward: _Backward = self._compiled[key]
            kept = [
                reading(self._names_of.get(place, ()), _double(self._values[place]))
                if place in self._depending and _real(self._values[place])
                else self._values[place]
                for place in backward.reads
            ]
            return backward.run(kept, given, dtype, change)

    @cached_property
    def _names_of(self) -> dict[int, tuple[str, ...]]:
        found: dict[int, tuple[str, ...]] = {}
        for name in self.tensors:
            found[self._places[name]] = (*found.get(self._places[name], ()), name)
        return found


class _Backward:
    """The backward pass of a chain as a program of what is read of the forward pass, and of given gradients.

    Attributes:
        reads: places of the forward pass.
    """

    def __init__(self, chain: JaxChain, of: Sequence[str], cuts: Sequence[str], root: str | None) -> None:
        """Without arrays; `of` and `root` as of `JaxChain.pull`, given gradients may be sent on at `cuts`."""
        self._of: list[str] = []
        places, kinds = chain._places, chain._program.kinds
        self._cuts = {name: kinds[places[name]] for name in cuts}
        start = places[chain._loss if root is None else root]
        towards = _reaching(chain._program, {places[name] for name in of}, chain._depending)
        steps = [step for step in chain._program.steps if chain._depending.intersection(step.made)]
        last = {place: number for number, step in reversed(list(enumerate(steps))) for place in step.read}

        def traced(values: Sequence[Any], given: Sequence[tuple[Any, Any]]) -> list[Any]:
            found: dict[int, Any] = {}
            arrived = {start: jnp.ones(kinds[start].shape, kinds[start].dtype)}

            def complete(place: int) -> None:
                """Nothing more arrives there."""
                if place not in arrived:
                    return
                if root is None or place != start:
                    found[place] = arrived[place]
                for name, (whether, gradient) in zip(cuts, given, strict=True):
                    if places[name] == place:
                        arrived[place] = gradient if root else jnp.where(whether, gradient, arrived[place])

            complete(start)
            for number, step in reversed(list(enumerate(steps))):
                for place, gradient in _pulled(step, values, arrived, towards, kinds).items():
                    arrived[place] = arrived[place] + gradient if place in arrived else gradient
                for place in dict.fromkeys(reversed(step.read)):
                    if last[place] == number and place != start:
                        complete(place)
            self._of = [name for place in found for name in of if places[name] == place]
            return [found[places[name]] for name in self._of]

        shapes = [jax.ShapeDtypeStruct(kind.shape, kind.dtype) for kind in kinds]
        flag = jax.ShapeDtypeStruct((), bool)
        closed = jax.make_jaxpr(traced)(shapes, [(flag, shapes[places[name]]) for name in cuts])
        self._program = Program(closed, inlining=CALLS + RULES)
        self._program.pruned()
        needed = self._program.needed()
        self.reads = [place for place in range(len(kinds)) if self._program.inputs[place] in needed]
        gradients = self._program.inputs[len(kinds) :]
        self._program.inputs = [*(self._program.inputs[place] for place in self.reads), *gradients]
        self._compiled: dict[str, Any] = {}

    def run(self, values: Sequence[Any], given: Arrays, dtype: str, change: Change | None) -> dict[str, Array]:
        """What arrives, by name, in order."""
        if not self._of:
            return {}
        if dtype not in self._compiled:
            self._compiled[dtype] = compiled(lambda inputs, factors: self._program.run(inputs, dtype, factors))
        inputs = list(values)
        for name, kind in self._cuts.items():
            inputs += [name in given, _double(given[name]) if name in given else np.zeros(kind.shape)]
        kinds, computed = self._program.kinds, self._program.computed() if change else ()
        factors = [change(np.ones(kinds[place].shape)) for place in computed] if change else []
        return dict(zip(self._of, map(_double, self._compiled[dtype](inputs, factors)), strict=True))


def _pulled(
    step: Step, values: Sequence[Any], arrived: Mapping[int, Any], towards: set[int], kinds: Sequence[Any]
) -> dict[int, Any]:
    """What a step sends to the places that it reads; nothing where nothing arrives."""
    wanted = list(dict.fromkeys(place for place in step.read if place in towards))
    made = [place for place in step.made if inexact(kinds[place])]
    if not wanted or not any(place in arrived for place in made):
        return {}

    def run(moved: Sequence[Any]) -> list[Any]:
        own = dict(zip(wanted, moved, strict=True))
        return [result for result in step.run([own.get(p, values[p]) for p in step.read]) if inexact(result)]

    results, pull = jax.vjp(run, [values[place] for place in wanted])
    upstream = [arrived.get(place, jnp.zeros_like(result)) for place, result in zip(made, results, strict=True)]
    (sent,) = pull(upstream)
    return dict(zip(wanted, sent, strict=True))


def _depending(program: Program, reals: Sequence[int]) -> set[int]:
    """Places with a gradient: of reals that are computed from inputs of reals, by what can be differentiated."""
    found = set(reals)
    for step in program.steps:
        if found.intersection(step.read) and step.primitive.name != "stop_gradient":
            found.update(place for place in step.made if inexact(program.kinds[place]))
    return found


def _reaching(program: Program, wanted: set[int], depending: set[int]) -> set[int]:
    """Places with a gradient that are made from those that are wanted, and these."""
    found = set(wanted)
    for step in program.steps:
        if found.intersection(step.read):
            found.update(depending.intersection(step.made))
    return found


def _own(value: Any) -> Any:
    """Arrays of NumPy as JAX has them, at any depth."""
    numeric = lambda leaf: isinstance(leaf, np.ndarray) and leaf.dtype.kind in "biufc"  # noqa: E731
    return jax.tree.map(lambda leaf: jnp.array(leaf) if numeric(leaf) else leaf, value)


def _is_array(value: Any) -> bool:
    """An array of numbers; keys of random numbers are none."""
    return isinstance(value, jax.Array) and not jnp.issubdtype(value.dtype, jax.dtypes.extended)


def _real(value: Any) -> bool:
    return _is_array(value) and bool(jnp.issubdtype(value.dtype, jnp.floating))


def _double(value: Any) -> Array:
    return np.asarray(value, np.float64)
