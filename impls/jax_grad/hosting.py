"""Functions on JAX arrays, whatever they are: run, compiled, differentiated by jax.vjp."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from impls.abilities import Change, Differentiated, Function, Upstream
from impls.captured import Capture
from impls.contract import Array
from impls.hosting import Differentiating, taken
from impls.jax_grad import transplants
from impls.jax_grad.capture import brings_program, capture
from impls.jax_grad.chains import JaxChain
from impls.jax_grad.devices import Place
from impls.jax_grad.numpy_forms import standing
from impls.jax_grad.programs import Program, compiled


class _Compiled:
    """Counts the programs that JAX has compiled, which it keeps for as long as the process lives."""

    many = 500

    def __init__(self) -> None:
        self.count = 0
        jax.monitoring.register_event_duration_secs_listener(self._count)

    def _count(self, event: str, _: float, **__: Any) -> None:
        self.count += event.endswith("backend_compile_duration")

    def clear_if_many(self) -> None:
        """Let go of all of them, where there are many: each takes about 1 MB."""
        if self.count > self.many:
            jax.clear_caches()
            self.count = 0


COMPILED = _Compiled()


class JaxPrograms:
    """What `JaxGrad` has besides: see `impls.captured.Captures` and `Transplants`."""

    brings_program = staticmethod(brings_program)
    capture = staticmethod(capture)
    leaves_of = staticmethod(transplants.leaves_of)
    holding = staticmethod(transplants.holding)
    capture_in = staticmethod(transplants.capture_in)
    draws = staticmethod(transplants.draws)

    def capture_at_once(
        self, program: Function, arguments: Sequence[Any], loss: Callable[[Any], Any] | None, seed: int
    ) -> Capture:
        """Compiled as one program that gives every tensor."""
        return capture(program, arguments, loss, seed, at_once=True)


def _differentiated(function: Function, upstream: Any, inputs: Sequence[Any]) -> tuple[Any, list[Any]]:
    """The output, and the gradient for each input, None for whole numbers."""
    output, pull = jax.vjp(function, *inputs)
    gradients = pull(jnp.ones_like(output) if upstream is None else upstream)
    return output, [None if gradient.dtype == jax.dtypes.float0 else gradient for gradient in gradients]


def _at_once(function: Function) -> Function:
    whole, traceable = compiled(function), True

    def run(*own: Any) -> Any:
        nonlocal traceable
        if traceable:
            try:
                return whole(*own)
            except Exception:  # numbers decide what it does, or it raises: then it does so here
                traceable = False
        return function(*own)

    return run


@lru_cache(maxsize=16)
def _pass(function: Function) -> Function:
    """From upstream and inputs to output and gradients, compiled as a whole."""

    def both(upstream: Any, inputs: Any) -> Any:
        output, gradients = _differentiated(function, upstream, inputs)
        return output, tuple(gradients)

    return _at_once(both)


class JaxHosting(Differentiating):
    """What `JaxGrad` has besides: see `impls.abilities.Hosts`."""

    package, strided = "jax", False
    differentiated, whole = staticmethod(_differentiated), staticmethod(_pass)
    dtype: str
    _where: Place

    def owns(self, value: Any) -> bool:
        """JAX arrays, traced ones too."""
        return isinstance(value, jax.Array)

    def give(self, array: Array) -> jax.Array:
        """A copy on the device; whole numbers are int32 unless float64 mode is on, as JAX has them."""
        array = np.asarray(array)
        with self._where.computing(array.dtype == np.float64 or self.dtype == "float64"):
            # JAX warns where it narrows; that it does is its own convention.
            known = array.astype(jax.dtypes.canonicalize_dtype(array.dtype))
            return jnp.array(known, copy=True)

    def take(self, own: Any) -> Array:
        """A copy."""
        return np.array(own)

    def running(self) -> AbstractContextManager[Any]:
        """Float64 mode, on or off as the dtype needs it, and the device."""
        return self._where.computing(self.dtype == "float64")

    def at_once(self, function: Function) -> Function:
        """By jax.jit, which takes a tenth of what the operations take one by one; itself where JAX cannot trace it."""
        return _at_once(function)

    def constant(self, own: Any) -> Any:
        """By jax.lax.stop_gradient."""
        return jax.lax.stop_gradient(own)

    def vjp_of_each(
        self, functions: Sequence[Function], inputs: Sequence[Array], upstream: Upstream
    ) -> list[list[Array | None] | None]:
        """As one program, compiled once."""

        def every(dy: Any, given: Any) -> list[Any]:
            found: list[Any] = [None] * len(functions)
            for place, function in enumerate(functions):
                with suppress(Exception):
                    found[place] = _differentiated(function, dy, given)[1]
            return found

        with self.running():
            dy, given = self.own(upstream, inputs)
            return [gradients and taken(self, (), gradients)[1] for gradients in compiled(every)(dy, given)]

    def perturbed(
        self, function: Function, inputs: Sequence[Array], upstream: Upstream, change: Change
    ) -> Differentiated:
        """By a program of both passes, compiled with a factor for every number; a loop is one operation."""
        with self.running():
            dy, given = self.own(upstream, inputs)
            kinds = tuple((array.shape, array.dtype.name) for array in jax.tree.leaves((dy, given)))
            program, run, structure = _program(function, kinds, jax.tree.structure((dy, given)))
            factors = [change(np.ones(program.kinds[place].shape)) for place in program.computed()]
            return taken(self, *jax.tree.unflatten(structure, run(jax.tree.leaves((dy, given)), factors)))

    def forget(self) -> None:
        """Programs that were compiled, the caller's too, which are compiled again when they are next run."""
        _program.cache_clear()
        _pass.cache_clear()
        COMPILED.clear_if_many()

    def in_place_of_numpy(self, function: Function) -> Function:
        """By the protocols with which NumPy asks its operands."""
        return standing(function)

    def brings_backward(self, function: Any) -> bool:
        """Functions made by jax.custom_vjp."""
        return isinstance(function, jax.custom_vjp)

    def chain(self, forward: Function, inputs: Mapping[str, Any], loss: str) -> JaxChain:
        """Of a forward pass that JAX can trace, which is run here."""
        return JaxChain(forward, inputs, loss, self.dtype)


@lru_cache(maxsize=16)
def _program(function: Function, kinds: tuple[Any, ...], structure: Any) -> tuple[Program, Function, Any]:
    """Output and gradients of a function as a program of upstream and inputs, how it is run, and their structure."""
    shapes = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in kinds]
    dy, inputs = jax.tree.unflatten(structure, shapes)
    traced, shape = jax.make_jaxpr(partial(_differentiated, function), return_shape=True)(dy, inputs)
    program = Program(traced)
    run = compiled(lambda given, factors: program.run(given, factors=factors))
    return program, run, jax.tree.structure(shape)
