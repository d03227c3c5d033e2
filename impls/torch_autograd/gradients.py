"""A network of torch operations, differentiated by torch.autograd."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch

from impls.abilities import Comparer, GradientChecker, Measured
from impls.contract import Array, Arrays, CannotCompareError, Inputs, Pass
from impls.graph import LOSS, TARGET, Graph, evaluate
from impls.torch_autograd.conventions import measures
from impls.torch_autograd.hosting import TorchHosting
from impls.torch_autograd.operations import ELEMENTARY, operation_of
from impls.torch_autograd.optimizers import OPTIMIZERS, TorchUpdater
from impls.torch_autograd.peers import COMPARERS, GRADIENT_CHECKERS


class TorchAutograd(TorchHosting):
    """A network of torch operations in one dtype, on the CPU."""

    eager = True

    def __init__(self, network: Graph, dtype: str) -> None:
        self._links = [replace(e, rule=operation_of(e.layer, e.local)) for e in network.links_to_loss]
        self.network, self.dtype = network, getattr(torch, dtype)
        self.version = f"torch {torch.__version__}"

    def differentiate(self, weights: Arrays, x: Array | Inputs, y: Array, *, tap: bool = True) -> Pass:
        """Gradients by torch.autograd.grad; tapped, of the intermediates too."""
        network = self.network
        # torch.tensor copies: torch would write through a read-only NumPy array with only a warning.
        tensors = {name: torch.tensor(array) for name, array in {**network.given(x), **weights}.items()}
        for name in network.variables:
            tensors[name].requires_grad_()
        tensors = evaluate(self._links, tensors | {TARGET: torch.tensor(y)})
        intermediates = network.activations if tap else ()
        wanted = [name for name in (*network.variables, *intermediates) if name in network.gradient]
        gradients = torch.autograd.grad(tensors[LOSS], [tensors[name] for name in wanted])
        return Pass(
            _numpy(tensors[LOSS]),
            {network.gradient[name]: _numpy(g) for name, g in zip(wanted, gradients, strict=True)},
            {name: _numpy(tensors[name]) for name in intermediates},
        )

    def start(self, optimizer: Any, weights: Arrays) -> TorchUpdater:
        """The torch.optim optimizer equal in formula."""
        if type(optimizer) not in OPTIMIZERS:
            raise CannotCompareError(f"Cannot update with {optimizer!r}, because torch.optim has no equal to it.")
        return TorchUpdater(optimizer, weights)

    def environment(self) -> dict[str, str]:
        """Threads and the precision of matrix products."""
        return {
            "torch threads": str(torch.get_num_threads()),
            "torch matmul precision": torch.get_float32_matmul_precision(),
            "torch CPU capability": torch.backends.cpu.get_cpu_capability(),
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
        return {name: partial(_evaluate, function) for name, function in ELEMENTARY.items()}


def _evaluate(function: Callable[..., Any], *x: Array) -> Array:
    return _numpy(function(*map(torch.tensor, x)))


def _numpy(tensor: Any) -> Array:
    return np.array(tensor.detach().numpy())
