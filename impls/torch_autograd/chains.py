"""A forward pass that torch has run, and its backward pass anew: in another precision, with gradients of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from impls.abilities import Change
from impls.chains import Reading, read_as_kept
from impls.contract import Array, Arrays, CannotCompareError
from impls.torch_autograd.arrays import array_of, tensor_of


class TorchChain:
    """See `impls.abilities.Chain`: the graph is the one that torch.autograd kept."""

    running = nullcontext

    def __init__(self, forward: Callable[[Any], Any], inputs: Mapping[str, Any], loss: str) -> None:
        self._forward, self._given, self._name = forward, inputs, loss
        leaves = {name: tree_map(_leaf, value) for name, value in inputs.items()}
        with torch.enable_grad():
            returned = forward(dict(leaves))
        named = {name: value for name, value in {**leaves, **returned}.items() if isinstance(value, torch.Tensor)}
        elsewhere = next((name for name, tensor in named.items() if tensor.device.type != "cpu"), None)
        if elsewhere:
            raise CannotCompareError(f"{elsewhere} is not on the CPU; move it there")
        if loss not in named:
            raise CannotCompareError(f"{loss} is no tensor; compute it with torch")
        if not named[loss].requires_grad:
            raise CannotCompareError(
                f"{loss} requires no gradient of anything; compute it from the inputs, without detach() and no_grad()"
            )
        self.inputs = {name: tree_map(_alone, value) for name, value in leaves.items()}
        self.returned = {name: _alone(value) for name, value in returned.items()}
        self._loss = named[loss]
        self._own = {name: tensor for name, tensor in named.items() if tensor.requires_grad}
        self.tensors = {name: _taken(tensor) for name, tensor in self._own.items()}
        self.constants = {name: _taken(tensor) for name, tensor in named.items() if name not in self._own}
        first: dict[Any, str] = {}
        self.same = {name: first.setdefault(_node(tensor), name) for name, tensor in self._own.items()}
        self.changed = frozenset(name for name, tensor in self._own.items() if tensor._version)
        self._names: dict[Any, tuple[str, ...]] = {}
        for name, tensor in self._own.items():
            self._names[_place(tensor)] = (*self._names.get(_place(tensor), ()), name)

    def again(self, inputs: Arrays) -> TorchChain:
        """By running forward once more."""
        return TorchChain(self._forward, {**self._given, **inputs}, self._name)

    def pull(
        self, of: Sequence[str], given: Arrays, dtype: str, *,
        root: str | None = None, reading: Reading = read_as_kept, change: Change | None = None,
    ) -> dict[str, Array]:  # fmt: skip
        """By hooks on the named tensors, while a dispatch mode runs every operation in `dtype` too."""
        with (
            torch.enable_grad()
        ):  # one number to begin at: torch loads much else before it takes a gradient to begin with
            start = self._loss.sum() if root is None else self._own[root].sum()
        shadows = _Shadows(getattr(torch, dtype), lambda place, kept: reading(self._names.get(place, ()), kept), change)
        arrived: dict[str, Array] = {}
        nodes: dict[str, list[str]] = {}
        for name in {**dict.fromkeys(of), **given}:
            nodes.setdefault(self.same[name], []).append(name)
        wanted = [self._own[name] for name in dict.fromkeys(map(self.same.__getitem__, of))]

        def arrives(names: list[str], gradient: torch.Tensor) -> torch.Tensor | None:
            if root not in names:
                arrived.update({name: shadows.taken(gradient) for name in names})
            sent = next((given[name] for name in names if name in given), None)
            return None if sent is None else shadows.sent(sent, gradient)

        retained = [(own, own.grad) for own in self._own.values() if own.is_leaf or own.retains_grad]
        hooks = [self._own[name].register_hook(partial(arrives, names)) for name, names in nodes.items()]
        try:
            with shadows:
                torch.autograd.grad(start, wanted, retain_graph=True, allow_unused=True)
        finally:
            for hook in hooks:
                hook.remove()
            for own, gradient in retained:  # what retain_grad() holds in a notebook is nothing of ours
                own.grad = gradient
        return {name: gradient for name, gradient in arrived.items() if name in of}


class _Shadows(TorchDispatchMode):
    """While it is entered, every operation is run a second time, on *shadows*: numbers of another dtype.

    They go along with each gradient. A tensor that has none was kept by the forward pass: its shadow is what is read of
    it. What works in place on a tensor works in place on its shadow, and a view of a tensor has a view for its shadow.
    """

    def __init__(self, dtype: torch.dtype, reading: Callable[[Any, Array], Array], change: Change | None) -> None:
        super().__init__()
        self.dtype, self.reading, self.change = dtype, reading, change
        self.known: dict[
            int, tuple[torch.Tensor, torch.Tensor]
        ] = {}  # keeps both alive: an id, or a place, stays one tensor's
        self.kept: dict[Any, tuple[torch.Tensor, torch.Tensor]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here, and to load what would see to that takes seconds."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        read = _each(self._shadow, args), {name: _each(self._shadow, value) for name, value in (kwargs or {}).items()}
        results, numbers = func(*args, **(kwargs or {})), func(*read[0], **read[1])
        aliased = any(returned.alias_info is not None for returned in func._schema.returns)  # a view, or in place
        if self.change and not aliased:
            numbers = moved(numbers, [leaf for leaf in tree_leaves(read) if real(leaf)], self.change)
        for own, shadow in zip(_listed(results), _listed(numbers), strict=True):
            if real(own):
                self.known.setdefault(id(own), (own, shadow))
        return results

    def taken(self, own: torch.Tensor) -> Array:
        """The numbers that go along with a gradient, in float64."""
        return np.array(self._shadow(own).numpy(), np.float64)

    def sent(self, numbers: Array, like: torch.Tensor) -> torch.Tensor:
        """A gradient of these numbers, which are its shadow as they are."""
        shadow = torch.from_numpy(np.array(numbers, np.float64)).to(self.dtype)
        own = shadow.to(like.dtype, copy=True)
        self.known[id(own)] = (own, shadow)
        return own

    def _shadow(self, leaf: Any) -> Any:
        if isinstance(leaf, torch.dtype):
            return self.dtype if leaf.is_floating_point else leaf
        if not real(leaf):
            return leaf
        if id(leaf) in self.known:
            return self.known[id(leaf)][1]
        place = _place(leaf)
        if place not in self.kept:
            numbers = self.reading(place, _taken(leaf).astype(np.float64))
            shadow = torch.from_numpy(np.ascontiguousarray(numbers)).reshape(leaf.shape).to(self.dtype)
            self.kept[place] = (leaf, shadow)
        return self.kept[place][1]


def moved(numbers: Any, read: list[torch.Tensor], change: Change) -> Any:
    """Results, changed where they are none of the operands' numbers: what is only chosen or copied is not rounded."""
    if not read:  # a constant
        return numbers
    known = torch.cat([leaf.detach().flatten().to(torch.float64) for leaf in read]).abs()

    def changed(result: Any) -> Any:
        if not real(result):
            return result
        other = torch.from_numpy(np.asarray(change(result.detach().numpy()))).to(result.dtype)
        return torch.where(torch.isin(result.abs(), known), result, other.reshape(result.shape))

    return tree_map(changed, numbers)


def _each(change: Callable[[Any], Any], value: Any) -> Any:
    """Operands changed, also those in lists; what a pytree does too, in a tenth of the time."""
    return [_each(change, one) for one in value] if isinstance(value, list | tuple) else change(value)


def _listed(results: Any) -> Sequence[Any]:
    return results if isinstance(results, list | tuple) else [results]


def real(leaf: Any) -> bool:
    """A tensor of real numbers."""
    return isinstance(leaf, torch.Tensor) and leaf.is_floating_point()


def _leaf(value: Any) -> Any:
    """What a forward pass begins with: its gradient is asked for if it holds reals."""
    if isinstance(value, np.ndarray):
        value = tensor_of(value)
    if not isinstance(value, torch.Tensor):
        return value
    copy = value.detach().clone()
    return copy.requires_grad_() if real(copy) else copy


def _alone(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, torch.Tensor) else value


def _node(tensor: torch.Tensor) -> Any:
    """Where the gradient of a tensor arrives: two names of one tensor have one."""
    return id(tensor) if tensor.grad_fn is None else (tensor.grad_fn, tensor.output_nr)


def _place(tensor: torch.Tensor) -> Any:
    """Where its numbers lie: what the forward pass kept is another object each time that it is read."""
    return tensor.data_ptr(), tuple(tensor.shape), tensor.stride()


def _taken(tensor: torch.Tensor) -> Array:
    return array_of(tensor)
