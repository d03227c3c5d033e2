"""The step of a training loop in each framework, everything native, for the benchmark.

Gradients and update, weights and batch already native to each implementation, the loss read back as a
Python float: what a user's own loop would do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from impls.graph import LOSS, TARGET, Graph, evaluate
from impls.hand import GradientDescent
from impls.hand_numpy import HandUpdater

Step = Callable[[], float]
LEARNING_RATE = 1e-3


def hand_step(network: Graph, weights: dict[str, np.ndarray], x: Any, y: Any) -> Step:
    """The hand implementation."""
    held = dict(weights)
    updater = HandUpdater(GradientDescent(LEARNING_RATE), held)

    def step() -> float:
        activations = network.forward(held, x)
        loss = network.loss_of({**held, **activations}, y)
        held.update(updater.update(held, network.backward(held, x, y, activations)).weights)
        return float(loss)

    return step


def torch_step(network: Graph, weights: dict[str, np.ndarray], x: Any, y: Any) -> Step:
    """PyTorch eager: torch's own operations, backward, torch.optim.SGD."""
    import torch

    from impls.torch_autograd.operations import operation_of

    links = [replace(link, rule=operation_of(link.layer, link.local)) for link in network.links_to_loss]
    parameters = {name: torch.tensor(w, requires_grad=True) for name, w in weights.items()}
    optimizer = torch.optim.SGD(parameters.values(), lr=LEARNING_RATE)
    given = {name: torch.tensor(array) for name, array in {**network.given(x), TARGET: y}.items()}

    def step() -> float:
        loss = evaluate(links, {**given, **parameters})[LOSS]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def jax_step(network: Graph, weights: dict[str, np.ndarray], x: Any, y: Any) -> Step:
    """JAX: value_and_grad and the update in one jitted function."""
    import jax
    from jax import numpy as jnp

    from impls.jax_grad.operations import operation_of

    links = [replace(link, rule=operation_of(link.layer, link.local)) for link in network.links_to_loss]
    held = {name: jnp.asarray(w) for name, w in weights.items()}
    given = {name: jnp.asarray(array) for name, array in {**network.given(x), TARGET: y}.items()}

    @jax.jit
    def compiled(parameters: Any, given: Any) -> Any:
        loss, gradients = jax.value_and_grad(lambda p: evaluate(links, {**given, **p})[LOSS])(parameters)
        return loss, jax.tree.map(lambda w, g: w - LEARNING_RATE * g, parameters, gradients)

    def step() -> float:
        nonlocal held
        loss, held = compiled(held, given)
        return float(loss)

    return step


def bare_products(network: Graph, rows: int) -> Step | None:
    """Only the matrix products of a hand step, of its shapes, into memory that is there: z, dW and, but first, dx.

    None where there are others than those of dense layers.
    """
    layers = [node.layer for node in network.nodes if hasattr(node.layer, "multiply_adds")]
    if not all(len(getattr(layer, "weights", {}).get("W", ())) == 2 and "b" in layer.weights for layer in layers):
        return None
    rng = np.random.default_rng(0)

    def drawn(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, np.float32)

    every = []
    for number, layer in enumerate(layers):
        x, W, dz = drawn(rows, layer.inputs), drawn(layer.inputs, layer.outputs), drawn(rows, layer.outputs)
        every += [(x, W, x @ W), (x.T, dz, x.T @ dz)] + ([(dz, W.T, dz @ W.T)] if number else [])

    def step() -> float:
        for left, right, product in every:
            np.matmul(left, right, out=product)
        return 0.0

    return step


PEERS = {"hand": hand_step, "torch eager": torch_step, "jax jit": jax_step}
