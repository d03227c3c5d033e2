"""The step of a training loop in each framework, everything native, for the benchmark.

Gradients and update, weights and batch already native to each implementation, the loss read back as a
Python float: what a user's own loop would do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from impls.graph import TARGET, Graph
from impls.hand import GradientDescent, Relu, Sigmoid, Tanh
from impls.hand_numpy import HandUpdater
from reports.page.neurons import stages

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
    """PyTorch eager: addmm, backward, torch.optim.SGD."""
    import torch

    functions = {Sigmoid: torch.sigmoid, Tanh: torch.tanh, Relu: torch.relu}
    parameters = {name: torch.tensor(w, requires_grad=True) for name, w in weights.items()}
    optimizer = torch.optim.SGD(parameters.values(), lr=LEARNING_RATE)
    tx, ty = torch.tensor(x), torch.tensor(y)
    layers = _layers(network, functions)

    def step() -> float:
        a = tx
        for matrix, bias, function in layers:
            a = torch.addmm(parameters[bias], a, parameters[matrix])
            a = a if function is None else function(a)
        if network.tensors[TARGET].whole:
            loss = torch.nn.functional.cross_entropy(a, ty)
        else:
            loss = torch.nn.functional.mse_loss(a, ty, reduction="sum")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def jax_step(network: Graph, weights: dict[str, np.ndarray], x: Any, y: Any) -> Step:
    """JAX: value_and_grad and the update in one jitted function."""
    import jax
    from jax import numpy as jnp

    functions = {Sigmoid: jax.nn.sigmoid, Tanh: jnp.tanh, Relu: jax.nn.relu}
    layers = _layers(network, functions)
    held = {name: jnp.asarray(w) for name, w in weights.items()}
    jx, jy = jnp.asarray(x), jnp.asarray(y)

    def loss_of(parameters: Any, a: Any, y: Any) -> Any:
        for matrix, bias, function in layers:
            a = a @ parameters[matrix] + parameters[bias]
            a = a if function is None else function(a)
        if network.tensors[TARGET].whole:
            return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(a), y[:, None], axis=1))
        return jnp.sum(jnp.square(a - y))

    @jax.jit
    def compiled(parameters: Any, x: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(parameters, x, y)
        return loss, jax.tree.map(lambda w, g: w - LEARNING_RATE * g, parameters, gradients)

    def step() -> float:
        nonlocal held
        loss, held = compiled(held, jx, jy)
        return float(loss)

    return step


def _layers(network: Graph, functions: Mapping[Any, Any]) -> list[tuple[str, Any, Any]]:
    """Of every stage of a chain its matrix, its bias, and the framework's function after it, if there is one."""
    gives = {name: node.layer for node in network.nodes for name in node.gives}
    return [(s.matrix, s.bias, functions.get(type(gives[s.output]))) for s in stages(network) or ()]


PEERS = {"hand": hand_step, "torch eager": torch_step, "jax jit": jax_step}
