"""A network of JAX operations, differentiated by jax.value_and_grad under jit; any other function, by jax.vjp."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from impls.abilities import Change, Differentiated, Function, GradientChecker, Measured, Upstream, own_upstream, taken
from impls.captured import Capture
from impls.contract import Arithmetic, Array, Arrays, CannotCompareError, Inputs, Pass
from impls.graph import LOSS, TARGET, Graph, Link, evaluate
from impls.jax_grad import transplants
from impls.jax_grad.capture import brings_program, capture
from impls.jax_grad.chains import JaxChain
from impls.jax_grad.conventions import measures
from impls.jax_grad.devices import Place, devices
from impls.jax_grad.numpy_forms import standing
from impls.jax_grad.operations import ACCUMULATIONS, ELEMENTARY, operation_of
from impls.jax_grad.optimizers import OPTIMIZERS, JaxUpdater
from impls.jax_grad.peers import GRADIENT_CHECKERS
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


class JaxHosting:
    """What `JaxGrad` has besides: see `impls.abilities.Hosts`."""

    package, strided = "jax", False
    dtype: str

    def owns(self, value: Any) -> bool:
        """JAX arrays, traced ones too."""
        return isinstance(value, jax.Array)

    def give(self, array: Array) -> jax.Array:
        """A copy on the default device; whole numbers are int32 unless float64 mode is on, as JAX has them."""
        array = np.asarray(array)
        with jax.enable_x64(array.dtype == np.float64 or self.dtype == "float64"):
            # JAX warns where it narrows; that it does is its own convention.
            known = array.astype(jax.dtypes.canonicalize_dtype(array.dtype))
            return jnp.array(known, copy=True)

    def take(self, own: Any) -> Array:
        """A copy."""
        return np.array(own)

    def running(self) -> AbstractContextManager[Any]:
        """Float64 mode, on or off as the dtype needs it."""
        return jax.enable_x64(self.dtype == "float64")

    def at_once(self, function: Function) -> Function:
        """By jax.jit, which takes a tenth of what the operations take one by one; itself where JAX cannot trace it."""
        return _at_once(function)

    def constant(self, own: Any) -> Any:
        """By jax.lax.stop_gradient."""
        return jax.lax.stop_gradient(own)

    def vjp(
        self, function: Function, inputs: Sequence[Array], upstream: Upstream, *, at_once: bool = False
    ) -> Differentiated:
        """By jax.vjp; `at_once`, compiled as a whole where JAX can trace it."""
        with self.running():
            given, dy = [self.give(array) for array in inputs], own_upstream(self, upstream)
            differentiated = _pass(function) if at_once else partial(_differentiated, function)
            return taken(self, *differentiated(dy, given))

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
            given, dy = [self.give(array) for array in inputs], own_upstream(self, upstream)
            return [gradients and taken(self, (), gradients)[1] for gradients in compiled(every)(dy, given)]

    def perturbed(
        self, function: Function, inputs: Sequence[Array], upstream: Upstream, change: Change
    ) -> Differentiated:
        """By a program of both passes, compiled with a factor for every number; a loop is one operation."""
        with self.running():
            given, dy = [self.give(array) for array in inputs], own_upstream(self, upstream)
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

    def pair(self, function: Any) -> tuple[Function, Function]:
        """By jax.vjp, which takes the rule of a jax.custom_vjp function where there is one."""

        def backward(upstream: Any, *inputs: Any) -> tuple[Any, ...]:
            return tuple(_differentiated(function, upstream, inputs)[1])

        return function, backward

    def chain(self, forward: Function, inputs: Mapping[str, Any], loss: str) -> JaxChain:
        """Of a forward pass that JAX can trace, which is run here."""
        return JaxChain(forward, inputs, loss, self.dtype)


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


@lru_cache(maxsize=16)
def _program(function: Function, kinds: tuple[Any, ...], structure: Any) -> tuple[Program, Function, Any]:
    """Output and gradients of a function as a program of upstream and inputs, how it is run, and their structure."""
    shapes = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in kinds]
    dy, inputs = jax.tree.unflatten(structure, shapes)
    traced, shape = jax.make_jaxpr(partial(_differentiated, function), return_shape=True)(dy, inputs)
    program = Program(traced)
    run = compiled(lambda given, factors: program.run(given, factors=factors))
    return program, run, jax.tree.structure(shape)


def _differentiated(function: Function, upstream: Any, inputs: Sequence[Any]) -> tuple[Any, list[Any]]:
    """The output, and the gradient for each input, None for whole numbers."""
    output, pull = jax.vjp(function, *inputs)
    gradients = pull(jnp.ones_like(output) if upstream is None else upstream)
    return output, [None if gradient.dtype == jax.dtypes.float0 else gradient for gradient in gradients]


@jax.custom_vjp
def _tap(value: Any, _cotangent_of_value: Any) -> Any:
    """The identity; the gradient of its second argument is the cotangent that passes through.

    Nothing is added to the forward or backward computation, unlike with a zero that is added to the
    value to differentiate by it.
    """
    return value


_tap.defvjp(lambda value, _: (value, None), lambda _, cotangent: (cotangent, cotangent))


class JaxGrad(JaxHosting, JaxPrograms):
    """A network of JAX operations in one dtype, compiled by jit, on one device."""

    def __init__(self, network: Graph, dtype: str, device: str = "") -> None:
        self._where = Place(device)
        self.device = self._where.device
        self._links = [replace(e, rule=operation_of(e.layer, e.local)) for e in network.links_to_loss]
        self.network, self.dtype = network, dtype
        self.version = f"jax {jax.__version__}" + (f" on {device}" if device else "")
        self._untapped = jax.jit(jax.value_and_grad(self.loss))
        self._tapped = jax.jit(self._gradients_with_taps)

    def loss(self, variables: Any, batch: Any) -> Any:
        """The loss alone: the program that a user would differentiate."""
        return evaluate(self._links, {**batch, **variables})[LOSS]

    def _loss_with_taps(self, variables: Any, cotangents: Any, batch: Any) -> Any:
        def tapped(link: Link, value: Any) -> Any:
            return _tap(value, cotangents[link.output]) if link.output in cotangents else value

        tensors = evaluate(self._links, {**batch, **variables}, passed_on=tapped)
        return tensors[LOSS], {name: tensors[name] for name in self.network.activations}

    def _gradients_with_taps(self, variables: Any, batch: Any) -> Any:
        network, y = self.network, batch[TARGET]
        tapped = [network.tensors[name] for name in network.activations if name in network.gradient]
        cotangents = {tensor.name: jnp.zeros(tensor.sized(len(y)), self.dtype) for tensor in tapped}
        differentiate = jax.value_and_grad(self._loss_with_taps, argnums=(0, 1), has_aux=True)
        return differentiate(variables, cotangents, batch)

    def differentiate(self, weights: Arrays, x: Array | Inputs, y: Array, *, tap: bool = True) -> Pass:
        """Gradients by jax.value_and_grad; float64 mode is on for this call only if the dtype needs it."""
        network = self.network
        # JAX may alias a NumPy array that it is given, and the caller's arrays must not be shared.
        given = {name: np.array(array) for name, array in {**network.given(x), **weights, TARGET: y}.items()}
        variables = {name: given.pop(name) for name in network.variables}
        with self._where.computing(self.dtype):
            if not tap:
                loss, gradients = self._untapped(variables, given)
                return Pass(_numpy(loss), {network.gradient[n]: _numpy(g) for n, g in gradients.items()})
            (loss, activations), gradients = self._tapped(variables, given)
        return Pass(
            _numpy(loss),
            {network.gradient[n]: _numpy(g) for part in gradients for n, g in part.items()},
            {n: _numpy(a) for n, a in activations.items()},
        )

    def arithmetic(self, layer: Any, local: str) -> Arithmetic:
        """As XLA does."""
        return self._where.arithmetic(layer, local, self.dtype)

    def devices(self) -> list[str]:
        """As JAX calls them."""
        return devices()

    def on(self, device: str) -> JaxGrad:
        """The same there."""
        return JaxGrad(self.network, self.dtype, device)

    def start(self, optimizer: Any, weights: Arrays) -> JaxUpdater:
        """The optax optimizer equal in formula."""
        if type(optimizer) not in OPTIMIZERS:
            raise CannotCompareError(f"Cannot update with {optimizer!r}, because optax has no equal to it.")
        return JaxUpdater(optimizer, weights, partial(self._where.computing, self.dtype))

    def environment(self) -> dict[str, str]:
        """Float64 mode, matmul precision and the device, as found."""
        return {
            "jax float64 mode": "on" if jax.config.jax_enable_x64 else "off",
            "jax matmul precision": str(jax.config.jax_default_matmul_precision or "default"),
            "jax device": self._where.described(),
        }

    def conventions(self) -> dict[str, Callable[[], Measured]]:
        """What JAX and optax choose."""
        return measures(self.dtype)

    def gradient_checkers(self) -> dict[str, GradientChecker]:
        """JAX's own check of gradients."""
        return GRADIENT_CHECKERS

    def elementary(self) -> dict[str, Callable[..., Array]]:
        """JAX's functions, each compiled by itself; inside a larger program XLA may fuse them."""
        return {name: partial(self._evaluate, jax.jit(function)) for name, function in ELEMENTARY.items()}

    def accumulations(self) -> dict[str, Callable[[Array], Array]]:
        """JAX's, each compiled by itself."""
        return {name: partial(self._evaluate, jax.jit(function)) for name, function in ACCUMULATIONS.items()}

    def _evaluate(self, function: Function, *x: Array) -> Array:
        with self._where.computing(self.dtype):
            return _numpy(function(*[jnp.array(operand, copy=True) for operand in x]))


def _numpy(array: Any) -> Array:
    return np.array(array)
