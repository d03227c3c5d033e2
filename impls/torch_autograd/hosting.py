"""Functions on torch tensors: run, and differentiated by torch.autograd."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from impls.contract import Array


class TorchHosting:
    """What `TorchAutograd` has besides: see `impls.abilities.Hosts`."""

    package = "torch"

    def owns(self, value: Any) -> bool:
        """Tensors."""
        return isinstance(value, torch.Tensor)

    def give(self, array: Array) -> torch.Tensor:
        """A contiguous copy on the CPU that requires no gradient."""
        return torch.tensor(np.ascontiguousarray(array)).reshape(np.shape(array))

    def take(self, own: Any) -> Array:
        """A copy, from whichever device."""
        return np.array(own.detach().cpu().resolve_conj().resolve_neg().numpy())

    def running(self) -> nullcontext[None]:
        """Nothing needs to be set: torch knows every dtype."""
        return nullcontext()

    def vjp(
        self, function: Callable[..., Any], inputs: Sequence[Array], upstream: Array | None
    ) -> tuple[Array, list[Array | None]]:
        """By torch.autograd.grad; an input that the output does not depend on has the gradient 0."""
        output, gradients = _differentiated(
            function, None if upstream is None else self.give(upstream), [self.give(array) for array in inputs]
        )
        return self.take(output), [None if g is None else self.take(g) for g in gradients]

    def perturbed(
        self,
        function: Callable[..., Any],
        inputs: Sequence[Array],
        upstream: Array,
        change: Callable[[Array], Array],
    ) -> tuple[Array, list[Array | None]]:
        """By a dispatch mode, which sees every ATen operation of both passes; what works in place is left as it is."""
        with _Perturbing(change):
            output, gradients = _differentiated(function, self.give(upstream), [self.give(array) for array in inputs])
        return self.take(output), [None if g is None else self.take(g) for g in gradients]

    def brings_backward(self, function: Any) -> bool:
        """Subclasses of torch.autograd.Function."""
        return isinstance(function, type) and issubclass(function, torch.autograd.Function)

    def pair(self, function: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """Of a torch.autograd.Function by its ``apply``, of any other function itself."""
        forward = function.apply if self.brings_backward(function) else function

        def backward(upstream: Any, *inputs: Any) -> tuple[Any, ...]:
            return tuple(_differentiated(forward, upstream, inputs)[1])

        return forward, backward


class _Perturbing(TorchDispatchMode):
    """While it is entered, results of operations are changed where they are none of the operands' numbers."""

    def __init__(self, change: Callable[[Array], Array]) -> None:
        super().__init__()
        self.change = change

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        if any(returned.alias_info is not None for returned in func._schema.returns):  # a view, or in place
            return results
        read = [leaf.detach().flatten() for leaf in tree_leaves((args, kwargs)) if _real(leaf)]
        if not read:  # a constant
            return results
        known = torch.cat([numbers.to(torch.float64) for numbers in read]).abs()
        return tree_map(lambda result: self._changed(result, known) if _real(result) else result, results)

    def _changed(self, result: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        changed = torch.from_numpy(np.asarray(self.change(result.detach().numpy()))).to(result.dtype)
        return torch.where(torch.isin(result.abs(), known), result, changed.reshape(result.shape))


def _real(leaf: Any) -> bool:
    return isinstance(leaf, torch.Tensor) and leaf.is_floating_point()


def _differentiated(function: Callable[..., Any], upstream: Any, inputs: Sequence[Any]) -> tuple[Any, list[Any]]:
    """The output, and the gradient for each input.

    The leaves are views: they share memory and strides with the inputs, so that whoever gave them sees what the
    function does to them.
    """
    with torch.enable_grad():
        leaves = [i.detach().requires_grad_() if i.is_floating_point() else i.detach() for i in inputs]
        output = function(*leaves)
        wanted = [leaf for leaf in leaves if leaf.requires_grad]
        if not output.requires_grad:  # nothing that was given is read in a differentiable way
            return output, [torch.zeros_like(leaf) if leaf.requires_grad else None for leaf in leaves]
        found = iter(torch.autograd.grad(output, wanted, upstream, allow_unused=True, materialize_grads=True))
    return output, [next(found) if leaf.requires_grad else None for leaf in leaves]
