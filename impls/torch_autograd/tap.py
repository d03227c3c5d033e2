"""The forward half of a tap: every ATen operation of a torch program, with what it reads and gives.

What an operation read is kept by reference; before another one writes to that memory, whoever read it gets a copy. Of
an operation outside of the window nothing is kept but which tensors these were, and those that lie in memory of the
window's, since their readers tell what it gave.

Sources: torch.utils._python_dispatch (notes/extending); that the number of the node that an operation belongs to is one
below the next is what AOTAutograd builds on too (torch/_functorch/_aot_autograd/logging_utils.py).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.weak import WeakIdKeyDictionary

from impls.captured import WHOLE, Window

IMPLS = Path(__file__).parents[1]
OURS_AND_TORCHS = (Path(torch.__file__).parent, IMPLS, IMPLS.with_name("harness"))
NOT_OF_THE_PROGRAM = (*(f"{folder}{os.sep}" for folder in OURS_AND_TORCHS), "<")
"""Where a frame is not the program's own."""


class Base(NamedTuple):
    """What a view is a view of that was written to.

    Attributes:
        before, after: copies.
        token: which tensor, and in which state afterwards.
        place: size, stride and offset of the view in it.
    """

    before: torch.Tensor
    after: torch.Tensor
    token: Any
    place: tuple[Any, Any, Any]


@dataclass(eq=False)
class Call:
    """One ATen operation as it was dispatched.

    Attributes:
        number: of the autograd node that it belongs to.
        graded: whether gradients were recorded then: inside of a custom function they are not.
        args, kwargs: as it found them.
        read, gave: tensors among its arguments, and what it returned.
        edges: where the gradient of each tensor that it read arrives, None where it has none.
        tokens: which tensors these were, and in which state: of what it read, of what it gave.
        base: where it writes to a view, what that is a view of.
        kept: whether it is in the window; else its args are what it read, None where that is not kept, and gave is
            empty.
    """

    op: Any
    number: int
    graded: bool
    args: Any
    kwargs: Any
    gave: list[Any]
    module: str
    place: tuple[str, int] | None
    edges: list[Any]
    tokens: tuple[list[Any], list[Any]] = ([], [])
    base: Base | None = None
    kept: bool = True

    @property
    def read(self) -> list[torch.Tensor]:
        """The tensors among its arguments, in order."""
        return [leaf for leaf in tree_leaves((self.args, self.kwargs)) if isinstance(leaf, torch.Tensor)]


class Tap(TorchDispatchMode):
    """While it is entered, every operation is written down in `calls`; `where` says which module runs.

    Attributes:
        unreadable: why what some operation reads cannot be looked into.
    """

    def __init__(self, where: Callable[[], str], window: Window = WHOLE) -> None:
        super().__init__()
        self.where, self.window = where, window
        self.calls: list[Call] = []
        self.unreadable = ""
        self._pauses = 0
        self._users: dict[int, list[Call]] = {}
        self._serials = WeakIdKeyDictionary()
        self._count = count()
        self._inside: Call | None = None

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here."""
        return False

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While a backward pass runs, nothing is written down."""
        self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self._pauses:
            return func(*args, **kwargs)
        number, graded = torch.autograd._get_sequence_nr() - 1, torch.is_grad_enabled()
        read = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        if whys := list(filter(None, map(unreadable, read))):
            nested = any(tensor.is_nested for tensor in read)  # which have tensors without numbers inside
            self.unreadable = self.unreadable or (f"what {func} reads is {whys[0]}" if nested else "")
            return func(*args, **kwargs)  # nothing is raised here, where compiled code may be in between
        edges, tokens = [edge_of(tensor) for tensor in read], [self._token(tensor) for tensor in read]
        module = self.where()
        kept = module in self.window or self._goes_on(number, graded)
        held = [tensor if kept or memory_of(tensor) in self._users else None for tensor in read]
        changed = changed_by(func, args, kwargs)
        before = {id(t): t.detach().clone() for t in changed if any(t is tensor for tensor in held)}
        for tensor in changed:
            self.copy_for_users(tensor)
        base = changed[0]._base if kept and graded and len(changed) == 1 else None
        whole = None if base is None else base.detach().clone()
        result = func(*args, **kwargs)
        if not kept:
            args, kwargs = held, {}
        if before:
            args, kwargs = tree_map_only(torch.Tensor, lambda t: before.get(id(t), t), (args, kwargs))
        gave = list(result) if isinstance(result, list | tuple) else [result]
        written = set(map(id, changed))
        call = Call(
            op=func, number=number, graded=graded, args=args, kwargs=kwargs, gave=gave if kept else [],
            module=module, place=_place_now(), edges=edges, kept=kept,
            tokens=(tokens, [self._token(t, id(t) in written) if isinstance(t, torch.Tensor) else None for t in gave]),
            base=None if base is None or whole is None else Base(
                whole, base.detach().clone(), self._token(base, written=True),
                (changed[0].shape, changed[0].stride(), changed[0].storage_offset() - base.storage_offset()),
            ),
        )  # fmt: skip
        self.calls.append(call)
        self._inside = call if kept and not graded else None
        for tensor in (*call.read, *call.gave):
            if isinstance(tensor, torch.Tensor):
                self._users.setdefault(memory_of(tensor), []).append(call)
        return result

    def _goes_on(self, number: int, graded: bool) -> bool:
        """Whether a call may be of a function with a backward of its own, whose first call is in the window."""
        return not graded and self._inside is not None and number == self._inside.number

    def _token(self, tensor: torch.Tensor, written: bool = False) -> Any:
        """Which tensor, in which state; what was just written to is counted on once its operation is done."""
        if tensor not in self._serials:
            self._serials[tensor] = next(self._count)
        return self._serials[tensor], tensor._version + written

    def copy_for_users(self, changed: torch.Tensor) -> None:
        """Give those who read, or gave, memory that is about to change a copy of it."""
        memory = memory_of(changed)
        copies: dict[int, torch.Tensor] = {}

        def copied(tensor: torch.Tensor) -> torch.Tensor:
            if memory_of(tensor) != memory:
                return tensor
            if id(tensor) not in copies:
                copies[id(tensor)] = tensor.detach().clone()
            return copies[id(tensor)]

        for call in self._users.pop(memory, []):
            call.args, call.kwargs, call.gave = tree_map_only(torch.Tensor, copied, (call.args, call.kwargs, call.gave))


def unreadable(tensor: torch.Tensor) -> str:
    """Why a tensor cannot be looked into, and what to give instead."""
    if tensor.is_nested:
        return "a nested tensor, of which nothing is judged; give padded tensors in its place"
    meta = tensor.device.type == "meta"
    return "on the device meta, where there are no numbers; give a program whose tensors are on the CPU" if meta else ""


def changed_by(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[torch.Tensor]:
    """The tensors that an operation writes to."""
    if not func._schema.is_mutable:
        return []
    named = dict(zip((a.name for a in func._schema.arguments), args, strict=False)) | dict(kwargs)
    writes = [a.name for a in func._schema.arguments if a.alias_info is not None and a.alias_info.is_write]
    return [leaf for name in writes for leaf in tree_leaves(named.get(name)) if isinstance(leaf, torch.Tensor)]


def memory_of(tensor: torch.Tensor) -> int:
    """Which memory a tensor lies in."""
    return tensor.untyped_storage()._cdata if tensor.layout is torch.strided else id(tensor)


def edge_of(tensor: torch.Tensor) -> Any:
    """Where the gradient of a tensor arrives: at an output of a node, or at itself if it is a leaf; None if nowhere."""
    if not tensor.requires_grad:
        return None
    return tensor if tensor.grad_fn is None else (tensor.grad_fn, tensor.output_nr)


def _place_now() -> tuple[str, int] | None:
    """File and line of the program that is running."""
    frame: Any = sys._getframe(2)
    while frame is not None:
        if not frame.f_code.co_filename.startswith(NOT_OF_THE_PROGRAM):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return None
