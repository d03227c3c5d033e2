"""A program that JAX has traced, as a list of steps that are run one by one, in the dtype that it has or in another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

QUICK = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
"""Options of XLA by which a program that runs a few times is compiled in a tenth of the time."""
APART = {**QUICK, "xla_disable_hlo_passes": "fusion,algsimp"}
"""Options by which, besides, every operation stays what was written, in a kernel of its own: where operations are fused
or simplified, a tensor may be rounded otherwise where it is read than where it is shown."""
RULES = ("custom_jvp_call", "custom_vjp_call")
"""Calls of what has a derivative of its own."""
CALLS = ("jit", "pjit", "closed_call", "core_call", "checkpoint", "remat2", "remat")
CHOOSES = (
    "reshape", "transpose", "broadcast_in_dim", "squeeze", "expand_dims", "slice", "dynamic_slice", "gather", "rev",
    "concatenate", "stack", "pad", "select_n", "neg", "copy", "convert_element_type", "reduce_max", "reduce_min",
    "max", "min", "sort", "abs", "clamp", "stop_gradient", "split", "dynamic_update_slice", "scatter", "copy_p",
    "device_put",
)  # fmt: skip
"""Operations whose results are numbers that they were given, up to their sign."""


@dataclass(frozen=True)
class Step:
    """One operation: the places that it reads and those that it fills; where it was written, calls in front."""

    primitive: Any
    params: Mapping[str, Any]
    read: tuple[int, ...]
    made: tuple[int, ...]
    sources: tuple[Any, ...] = ()

    def run(self, operands: Sequence[Any]) -> list[Any]:
        """The results."""
        params = self.primitive.get_bind_params(dict(self.params))
        functions, params = params if isinstance(params, tuple) else ((), params)  # JAX before 0.10 parts them
        results = self.primitive.bind(*functions, *operands, **params)
        return list(results) if self.primitive.multiple_results else [results]


Entering = Callable[["Program", Any, Sequence[int], tuple[Any, ...]], "list[int] | None"]
"""Of an equation, the places that it reads and where it was written: the places that it fills; None to leave it."""


class Program:
    """Places are numbered; what a call holds stands in its stead.

    Attributes:
        inputs, outputs: places.
        constants: numbers by place.
        kinds: dtype and shape of what is in a place.
    """

    def __init__(
        self,
        traced: Any,
        *,
        inlining: Sequence[str] = CALLS,
        entering: Mapping[str, Entering] | None = None,
        given: Sequence[Any] | None = None,
    ) -> None:
        """Of a jaxpr, with its constants or without any.

        Args:
            inlining: names of calls that are looked into.
            entering: by name what puts the equations of a loop or of a branch in its place.
            given: what is in the places of the inputs, where that decides what runs.
        """
        self.steps: list[Step] = []
        self.constants: dict[int, Any] = {}
        self.kinds: list[Any] = []
        self._inlining, self._entering = inlining, entering or {}
        self.inputs = [self._place(variable.aval) for variable in getattr(traced, "jaxpr", traced).invars]
        self._known = None if given is None else dict(zip(self.inputs, given, strict=True))
        self.outputs = self.inlined(traced, self.inputs)

    def run(
        self, inputs: Sequence[Any], dtype: str | None = None, factors: Sequence[Any] = (), *, every: bool = False
    ) -> list[Any]:
        """The outputs, or what is in `every` place.

        Args:
            inputs: what is in the places of the inputs.
            dtype: of every real number on the way; as it was traced if None.
            factors: of what is `computed`, in this order; none at all where nothing is to be changed.
        """
        cast, moving = partial(_cast, dtype=dtype), dict(zip(self.computed() if factors else (), factors, strict=True))
        known = {place: cast(value) for place, value in self.constants.items()}
        known |= dict(zip(self.inputs, map(cast, inputs), strict=True))
        for step in self.steps:
            operands = [known[place] for place in step.read]
            results = (step if dtype is None else in_dtype(step, dtype)).run(operands)
            known |= {
                place: _moved(cast(result), operands, moving[place]) if place in moving else cast(result)
                for place, result in zip(step.made, results, strict=True)
            }
        return [known[place] for place in (range(len(self.kinds)) if every else self.outputs)]

    def computed(self) -> list[int]:
        """Places of real numbers that rounding makes others: what is only moved or chosen is none."""
        steps = [step for step in self.steps if step.primitive.name not in CHOOSES]
        return [place for step in steps for place in step.made if inexact(self.kinds[place])]

    def needed(self) -> set[int]:
        """The places that the outputs are made from."""
        needed = set(self.outputs)
        for step in reversed(self.steps):
            if needed.intersection(step.made):
                needed.update(step.read)
        return needed

    def pruned(self) -> None:
        """Leave out the steps that no output is made from."""
        needed = self.needed()
        self.steps = [step for step in self.steps if needed.intersection(step.made)]

    def _place(self, kind: Any) -> int:
        self.kinds.append(kind)
        return len(self.kinds) - 1

    def _constant(self, value: Any, kind: Any) -> int:
        place = self._place(kind)
        self.constants[place] = value
        return place

    def value(self, place: int) -> Any:
        """What is in a place in the run of the inputs that were given; None if none were."""
        if self._known is None:
            return None
        known = self._known | self.constants
        needed, steps = {place}.difference(known), list[Step]()
        for step in reversed(self.steps):
            if needed.intersection(step.made):
                needed = needed.difference(step.made).union(set(step.read).difference(known))
                steps.append(step)
        for step in reversed(steps):
            known |= dict(zip(step.made, step.run([known[each] for each in step.read]), strict=True))
        self._known = known
        return known[place]

    def entered(self, function: Callable[..., Any], given: Sequence[int], sources: tuple[Any, ...]) -> list[int]:
        """The places of what a function of JAX's gives, of arrays in these places, whose equations are put here."""
        return self.inlined(jax.make_jaxpr(function)(*(self.kinds[place] for place in given)), given, sources)

    def inlined(self, traced: Any, given: Sequence[int], calls: tuple[Any, ...] = ()) -> list[int]:
        """The places of what a jaxpr gives, with its constants or without any, whose equations are put here.

        Args:
            given: places of its inputs.
            calls: where it is called from.
        """
        jaxpr = getattr(traced, "jaxpr", traced)
        places: dict[Any, int] = dict(zip(jaxpr.invars, given, strict=True))
        for variable, value in zip(jaxpr.constvars, getattr(traced, "consts", ()), strict=True):
            places[variable] = self._constant(value, variable.aval)

        def place_of(variable: Any) -> int:
            if hasattr(variable, "val"):
                return self._constant(np.asarray(variable.val, variable.aval.dtype), variable.aval)
            return places[variable]

        for equation in jaxpr.eqns:
            read, sources = tuple(map(place_of, equation.invars)), (*calls, equation.source_info)
            made = None
            if (name := equation.primitive.name) in self._inlining:
                made = self.inlined(equation.params.get("jaxpr", equation.params.get("call_jaxpr")), read, sources)
            elif name in self._entering:
                made = self._entering[name](self, equation, read, sources)
            if made is None:
                made = [self._place(variable.aval) for variable in equation.outvars]
                self.steps.append(Step(equation.primitive, equation.params, read, tuple(made), sources))
            places |= dict(zip(equation.outvars, made, strict=True))
        return [place_of(variable) for variable in jaxpr.outvars]


def inexact(kind: Any) -> bool:
    """Whether an array, or what is known of one, holds reals or complex numbers."""
    return bool(jnp.issubdtype(kind.dtype, jnp.inexact))


def compiled(function: Any, *, apart: bool = False) -> Any:
    """The function, compiled when it is first called; `apart`, with every operation by itself."""
    return jax.jit(function, compiler_options=APART if apart else QUICK)


def _cast(value: Any, dtype: Any) -> Any:
    if dtype is None or not inexact(value):
        return value
    return jnp.asarray(value, _dtype_in(value.dtype, dtype))


def _dtype_in(own: Any, dtype: str) -> Any:
    """The dtype in place of another one: complex for complex."""
    return jnp.result_type(dtype, jnp.complex64) if jnp.issubdtype(own, jnp.complexfloating) else np.dtype(dtype)


def in_dtype(step: Step, dtype: str) -> Step:
    """An operation with this dtype in place of its own, in what it calls too; rules of its own are left out there."""
    if step.primitive.name == "bitcast_convert_type":  # of bits that were drawn, which are no others in another dtype
        return step
    return Step(step.primitive, {name: _param(value, dtype) for name, value in step.params.items()}, step.read, ())


def _param(value: Any, dtype: str) -> Any:
    if isinstance(value, np.dtype) and jnp.issubdtype(value, jnp.inexact):
        return _dtype_in(value, dtype)
    if isinstance(value, tuple) and any(hasattr(each, "eqns") for each in value):
        others = [_param(each, dtype) for each in value]
        return type(value)(*others) if hasattr(value, "_fields") else tuple(others)  # linear solvers have named ones
    if not hasattr(value, "eqns"):
        return value
    inner = Program(value, inlining=CALLS + RULES)
    kinds = [inner.kinds[place] for place in inner.inputs]
    shapes = [jax.ShapeDtypeStruct(k.shape, _dtype_in(k.dtype, dtype) if inexact(k) else k.dtype) for k in kinds]
    made = jax.make_jaxpr(lambda *inputs: inner.run(inputs, dtype))(*shapes)
    return made if hasattr(value, "consts") else made.jaxpr


def _moved(result: Any, operands: Sequence[Any], factors: Any) -> Any:
    """A result times its factors, but where it is one of the numbers beside it in the operands."""
    other = result * factors
    for operand in operands:
        if inexact(operand) and operand.shape in ((), result.shape):
            other = jnp.where(jnp.abs(result) == jnp.abs(operand), result, other)
    return other
