"""Torch programs tapped from outside: the program's own forward and backward, once, nothing of it rewritten.

    forward     a dispatch mode sees every ATen operation with what it reads and gives
    backward    hooks on the autograd nodes see what arrives at each vjp and what it sends back
    paired      by sequence number: a node is made just before its operation is dispatched

What a tensor holds when it is read is kept by reference; before an operation changes memory in place, whoever read
that memory gets a copy. So gradients are the same bits with and without taps.

Sources: torch.utils._python_dispatch (notes/extending), torch.autograd.graph.Node; that a node's number is one below
the next is what AOTAutograd builds on (torch/_functorch/_aot_autograd/logging_utils.py), and is checked on a tiny
program before any other is tapped.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.autograd.graph import Node, get_gradient_edge
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from impls.captured import CannotCaptureError, Capture, Meeting, Operation
from impls.contract import Array

ACCUMULATE = "torch::autograd::AccumulateGrad"
IN_PLACE_OF_A_VIEW = "torch::autograd::CopySlices"
NOT_OF_THE_PROGRAM = (str(Path(torch.__file__).parent), str(Path(__file__).parents[1]), "<")
"""Where a frame is not the program's own."""


@dataclass(eq=False)
class Call:
    """One ATen operation as it was dispatched.

    Attributes:
        number: of the autograd node that it belongs to.
        graded: whether gradients were recorded then: inside of a custom function they are not.
        read: its arguments as it found them; `tensors` are the tensors among them, in order.
        gave: what it returned.
    """

    op: Any
    number: int
    graded: bool
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    gave: list[Any]
    module: str
    place: tuple[str, int] | None
    edges: list[Any] = field(default_factory=list)

    @property
    def tensors(self) -> list[Any]:
        """The tensors that it read, in the order of its arguments."""
        return [leaf for leaf in tree_leaves((self.args, self.kwargs)) if isinstance(leaf, torch.Tensor)]


class _Tap(TorchDispatchMode):
    """While it is entered, every operation is written down."""

    def __init__(self, module_now: Callable[[], str]) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self._module_now = module_now
        self._readers: dict[int, list[tuple[Call, str, Any]]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        number, graded = torch.autograd._get_sequence_nr() - 1, torch.is_grad_enabled()
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        edges = [edge_of(tensor) for tensor in tensors]
        for changed in changed_by(func, args, kwargs):
            self._copy_for_readers(changed)
        changes = {id(tensor) for tensor in changed_by(func, args, kwargs)}
        read = [t.detach().clone() if id(t) in changes else t for t in tensors]
        result = func(*args, **kwargs)
        gave = list(result) if isinstance(result, list | tuple) else [result]
        kept = iter(read)
        args, kwargs = torch.utils._pytree.tree_map_only(torch.Tensor, lambda _: next(kept), (args, kwargs))
        call = Call(
            op=func, number=number, graded=graded, args=args, kwargs=kwargs, gave=gave,
            module=self._module_now(), place=_place_now(), edges=edges,
        )  # fmt: skip
        self.calls.append(call)
        for tensor in (*read, *(each for each in gave if isinstance(each, torch.Tensor))):
            self._readers.setdefault(storage_of(tensor), []).append(call)  # type: ignore[arg-type]
        return result

    def _copy_for_readers(self, changed: torch.Tensor) -> None:
        """Give those who read memory that is about to change a copy of it."""
        for call in self._readers.pop(storage_of(changed), []):  # type: ignore[assignment]
            copies: dict[int, torch.Tensor] = {}

            def alone(tensor: torch.Tensor, copies: dict[int, torch.Tensor] = copies) -> torch.Tensor:
                if storage_of(tensor) != storage_of(changed):
                    return tensor
                if id(tensor) not in copies:
                    copies[id(tensor)] = tensor.detach().clone()
                return copies[id(tensor)]

            call.args, call.kwargs, call.gave = torch.utils._pytree.tree_map_only(  # type: ignore[attr-defined]
                torch.Tensor, alone, (call.args, call.kwargs, call.gave)  # type: ignore[attr-defined]
            )


def changed_by(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> list[torch.Tensor]:
    """The tensors that an operation writes to."""
    if not func._schema.is_mutable:
        return []
    named = {argument.name: value for argument, value in zip(func._schema.arguments, args, strict=False)} | kwargs
    writes = [a.name for a in func._schema.arguments if a.alias_info is not None and a.alias_info.is_write]
    return [leaf for name in writes for leaf in tree_leaves(named.get(name)) if isinstance(leaf, torch.Tensor)]


def storage_of(tensor: torch.Tensor) -> int:
    """Which memory a tensor lies in."""
    return tensor.untyped_storage()._cdata


def edge_of(tensor: torch.Tensor) -> Any:
    """Where the gradient of a tensor arrives; None where it has none."""
    if not tensor.requires_grad:
        return None
    edge = get_gradient_edge(tensor)
    return edge.node, edge.output_nr


def _place_now() -> tuple[str, int] | None:
    """File and line of the program that is running."""
    frame = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(NOT_OF_THE_PROGRAM):
            return file, frame.f_lineno
        frame = frame.f_back  # type: ignore[assignment]
    return None
