"""A network of JAX operations, differentiated by jax.value_and_grad under jit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from impls.abilities import Function, GradientChecker, Measured
from impls.contract import CPU, Arithmetic, Array, Arrays, CannotCompareError, Inputs, Pass
from impls.graph import LOSS, TARGET, Graph, Link, evaluate
from impls.jax_grad.conventions import measures
from impls.jax_grad.devices import Place, devices
from impls.jax_grad.hosting import JaxHosting, JaxPrograms
from impls.jax_grad.operations import ACCUMULATIONS, ELEMENTARY, operation_of
from impls.jax_grad.optimizers import OPTIMIZERS, JaxUpdater
from impls.jax_grad.peers import GRADIENT_CHECKERS


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

    def __init__(self, network: Graph, dtype: str, device: str = CPU) -> None:
        self._where = Place(device)
        self.device = self._where.device
        self._links = [replace(e, rule=operation_of(e.layer, e.local)) for e in network.links_to_loss]
        self.network, self.dtype = network, dtype
        self.version = f"jax {jax.__version__}" + ("" if device == CPU else f" on {device}")
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
        # JAX may alias a NumPy array that it is given, but until its results are there only, and these are copies.
        given = {name: np.asarray(array) for name, array in {**network.given(x), **weights, TARGET: y}.items()}
        variables = {name: given.pop(name) for name in network.variables}
        with self.running():
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
        return JaxUpdater(optimizer, weights, self.running)

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
        with self.running():
            return _numpy(function(*[jnp.array(operand, copy=True) for operand in x]))


def _numpy(array: Any) -> Array:
    """In JAX's own memory on the CPU, which nobody writes to."""
    return np.asarray(array)
