"""How much a capture of a torch program will hold: counted while it runs, of which nothing is kept or read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from impls.graph.node import path_of
from impls.needed import Needed
from impls.torch_autograd.tap import changed_by, memory_of, unreadable


class Sizes(TorchDispatchMode):
    """While it is entered, what operations make is added to `needed`; `where` says which module runs."""

    def __init__(self, where: Callable[[], str]) -> None:
        super().__init__()
        self.where = where
        self.needed = Needed()
        self._modules: dict[int, str] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        read = _tensors((args, kwargs))
        memories = {memory_of(tensor) for tensor in read if not unreadable(tensor)}
        number, graded = torch.autograd._get_sequence_nr() - 1, torch.is_grad_enabled()
        asked = [tensor for tensor in read if tensor.requires_grad]
        result = func(*args, **kwargs)
        gave = _tensors(result)
        made = sum(tensor.nbytes for tensor in gave if not unreadable(tensor) and memory_of(tensor) not in memories)
        if (node := torch._C._current_autograd_node()) is not None:
            self.needed.held[self._modules.get(node._sequence_nr(), "")] += made
            return result
        module = self.where()
        # What is written in place is copied before, and for those who have read it.
        made += 2 * sum(tensor.nbytes for tensor in changed_by(func, args, kwargs) if not unreadable(tensor))
        self.needed.held[module] += made
        if graded:
            self._modules.setdefault(number, module)
            self.needed.run[module] += made
            self.needed.judging(module, _numbers(read) + _numbers(gave), _numbers(gave) + _numbers(asked))
        return result

    def add(self, leaves: Mapping[str, torch.Tensor]) -> None:
        """What is kept of the gradients of leaves: two copies of each that is wanted, and one of all."""
        for name, leaf in leaves.items():
            if leaf.requires_grad:
                self.needed.always += leaf.nbytes
                self.needed.held[path_of(name)] += 2 * leaf.nbytes


def _tensors(tree: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def _numbers(tensors: list[torch.Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)
