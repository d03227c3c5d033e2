"""A network of torch operations, differentiated by torch.autograd."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from impls.abilities import (
    Comparer,
    Function,
    GradientChecker,
    Measured,
)
from impls.contract import Arithmetic, Array, Arrays, CannotCompareError, Inputs, Pass
from impls.graph import LOSS, TARGET, Graph, evaluate
from impls.torch_autograd.arrays import array_of, arrays_of, tensor_of
from impls.torch_autograd.conventions import measures
from impls.torch_autograd.devices import devices, matmul_precision, on_device, settings
from impls.torch_autograd.hosting import TorchHosting, TorchPrograms
from impls.torch_autograd.operations import ACCUMULATIONS, ELEMENTARY, operation_of
from impls.torch_autograd.optimizers import OPTIMIZERS, TorchUpdater
from impls.torch_autograd.peers import COMPARERS, GRADIENT_CHECKERS


class TorchAutograd(TorchHosting, TorchPrograms):
    """A network of torch operations in one dtype, on one device."""

    eager = True

    def __init__(self, network: Graph, dtype: str, device: str = "cpu") -> None:
        self.device = device
        self._links = [replace(e, rule=operation_of(e.layer, e.local)) for e in network.links_to_loss]
        self.network, self.dtype = network, getattr(torch, dtype)
        self.version = f"torch {torch.__version__}" + ("" if device == "cpu" else f" on {device}")

    def differentiate(self, weights: Arrays, x: Array | Inputs, y: Array, *, tap: bool = True) -> Pass:
        """Gradients by torch.autograd.grad; tapped, of the intermediates too."""
        network = self.network
        # A copy: torch would write through a read-only NumPy array with only a warning.
        tensors = {name: tensor_of(array, self.device) for name, array in {**network.given(x), **weights}.items()}
        for name in network.variables:
            tensors[name].requires_grad_()
        tensors = evaluate(self._links, tensors | {TARGET: tensor_of(y, self.device)})
        intermediates = network.activations if tap else ()
        wanted = [name for name in (*network.variables, *intermediates) if name in network.gradient]
        gradients = torch.autograd.grad(tensors[LOSS], [tensors[name] for name in wanted])
        slopes = {network.gradient[name]: slope for name, slope in zip(wanted, gradients, strict=True)}
        shown = {name: tensors[name] for name in intermediates}
        arrays = arrays_of(slopes | shown, tensors.values())  # which nobody has but this call
        return Pass(
            array_of(tensors[LOSS]), {name: arrays[name] for name in slopes}, {name: arrays[name] for name in shown}
        )

    def arithmetic(self, layer: Any, local: str) -> Arithmetic:
        """As its kernels do."""
        return on_device(layer, local, str(self.dtype).removeprefix("torch."), self.device)

    def devices(self) -> list[str]:
        """The CPU, and CUDA where it is."""
        return devices()

    def on(self, device: str) -> TorchAutograd:
        """The same there."""
        return TorchAutograd(self.network, str(self.dtype).removeprefix("torch."), device)

    def start(self, optimizer: Any, weights: Arrays) -> TorchUpdater:
        """The torch.optim optimizer equal in formula."""
        if type(optimizer) not in OPTIMIZERS:
            raise CannotCompareError(f"Cannot update with {optimizer!r}, because torch.optim has no equal to it.")
        return TorchUpdater(optimizer, weights, self.device)

    def environment(self) -> dict[str, str]:
        """Threads and the precision of matrix products."""
        return {
            "torch threads": str(torch.get_num_threads()),
            "torch matmul precision": matmul_precision(),
            "torch CPU capability": torch.backends.cpu.get_cpu_capability(),
            **settings(self.device),
        }

    def conventions(self) -> dict[str, Callable[[], Measured]]:
        """What torch chooses, eager."""
        return measures(self.dtype)

    def comparers(self) -> dict[str, Comparer]:
        """Torch's own comparison of tensors."""
        return COMPARERS

    def gradient_checkers(self) -> dict[str, GradientChecker]:
        """Torch's own check of gradients."""
        return GRADIENT_CHECKERS

    def elementary(self) -> dict[str, Callable[..., Array]]:
        """Torch's functions, eager, on contiguous tensors."""
        return {name: partial(self._evaluate, function) for name, function in ELEMENTARY.items()}

    def accumulations(self) -> dict[str, Callable[[Array], Array]]:
        """Torch's, eager."""
        return {name: partial(self._evaluate, function) for name, function in ACCUMULATIONS.items()}

    def _evaluate(self, function: Function, *x: Array) -> Array:
        return array_of(function(*[tensor_of(each, self.device) for each in x]))
