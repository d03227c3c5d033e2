"""Functions on torch tensors, whatever they are: run, and differentiated by torch.autograd."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from impls.abilities import Change, Differentiated, Function, Upstream
from impls.contract import Array
from impls.hosting import Differentiating, taken
from impls.torch_autograd import transplants
from impls.torch_autograd.arrays import array_of, arrays_in, tensor_of
from impls.torch_autograd.capture import capture
from impls.torch_autograd.chains import TorchChain, moved, real
from impls.torch_autograd.compiled import capture_whole
from impls.torch_autograd.state import brings_program, compiled_by


class TorchPrograms:
    """What `TorchAutograd` has besides: see `impls.captured.Captures`, `Transplants` and `Compiles`."""

    brings_program = staticmethod(brings_program)
    capture = staticmethod(capture)
    leaves_of = staticmethod(transplants.leaves_of)
    holding = staticmethod(transplants.holding)
    capture_in = staticmethod(transplants.capture_in)
    draws = staticmethod(transplants.draws)
    capture_at_once = capture
    compiled_by = staticmethod(compiled_by)
    capture_whole = staticmethod(capture_whole)


def _differentiated(function: Function, upstream: Any, inputs: Sequence[Any]) -> tuple[Any, list[Any]]:
    """The output, or several in a tuple, and the gradient for each input.

    The leaves are views: they share memory and strides with the inputs, so that whoever gave them sees what the
    function does to them.
    """
    with torch.enable_grad():
        leaves = [i.detach().requires_grad_() if i.is_floating_point() else i.detach() for i in inputs]
        output = function(*leaves)
        wanted = [leaf for leaf in leaves if leaf.requires_grad]
        several = isinstance(output, tuple)
        pairs = zip(output, upstream, strict=True) if several else [(output, upstream)]
        reached = [(o, u) for o, u in pairs if o.requires_grad]
        if not reached:  # nothing that was given is read in a differentiable way
            return output, [torch.zeros_like(leaf) if leaf.requires_grad else None for leaf in leaves]
        outputs, upstreams = zip(*reached, strict=True)
        found = iter(torch.autograd.grad(outputs, wanted, upstreams, allow_unused=True, materialize_grads=True))
    return output, [next(found) if leaf.requires_grad else None for leaf in leaves]


class TorchHosting(Differentiating):
    """What `TorchAutograd` has besides: see `impls.abilities.Hosts` and `Reads`."""

    package, strided = "torch", True
    endings = (".pt", ".pth")
    arrays_in = staticmethod(arrays_in)
    differentiated = staticmethod(_differentiated)
    device: str

    def owns(self, value: Any) -> bool:
        """Tensors."""
        return isinstance(value, torch.Tensor)

    def give(self, array: Array) -> torch.Tensor:
        """A contiguous copy on the device that requires no gradient."""
        return tensor_of(np.array(array, order="C"), self.device)

    def take(self, own: Any) -> Array:
        """A copy, from whichever device."""
        return array_of(own)

    def running(self) -> nullcontext[None]:
        """Nothing needs to be set: torch knows every dtype."""
        return nullcontext()

    def at_once(self, function: Function) -> Function:
        """As it is: nothing has to be compiled."""
        return function

    def constant(self, own: torch.Tensor) -> torch.Tensor:
        """Detached."""
        return own.detach()

    def vjp_of_each(
        self, functions: Sequence[Function], inputs: Sequence[Array], upstream: Upstream
    ) -> list[list[Array | None] | None]:
        """One after the other."""
        found: list[list[Array | None] | None] = [None] * len(functions)
        for place, function in enumerate(functions):
            with suppress(Exception):
                found[place] = self.vjp(function, inputs, upstream)[1]
        return found

    def perturbed(
        self, function: Function, inputs: Sequence[Array], upstream: Upstream, change: Change
    ) -> Differentiated:
        """By a dispatch mode, which sees every ATen operation of both passes; what works in place is left as it is."""
        with _Perturbing(change):
            found = _differentiated(function, *self.own(upstream, inputs))
        return taken(self, *found)

    def forget(self) -> None:
        """Nothing is kept."""

    def brings_backward(self, function: Any) -> bool:
        """Subclasses of torch.autograd.Function."""
        return isinstance(function, type) and issubclass(function, torch.autograd.Function)

    def pair(self, function: Any) -> tuple[Function, Function]:
        """Of a torch.autograd.Function by its ``apply``, of any other function itself."""
        return super().pair(function.apply if self.brings_backward(function) else function)

    def chain(self, forward: Function, inputs: Mapping[str, Any], loss: str) -> TorchChain:
        """Of a forward pass that is run here, or of finished tensors, while torch keeps their graph."""
        return TorchChain(forward, inputs, loss)


class _Perturbing(TorchDispatchMode):
    """While it is entered, results of operations are changed where they are none of the operands' numbers."""

    def __init__(self, change: Change) -> None:
        super().__init__()
        self.change = change

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled in here; if it were to be seen to, the whole compiler would be loaded, for a second."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        results = func(*args, **(kwargs or {}))
        if any(returned.alias_info is not None for returned in func._schema.returns):  # a view, or in place
            return results
        return moved(results, [leaf for leaf in tree_leaves((args, kwargs)) if real(leaf)], self.change)
