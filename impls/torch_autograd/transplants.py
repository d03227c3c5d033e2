"""Torch programs that hold other numbers, or run in another precision, for a while: see `impls.captured.Transplants`.

Numbers are swapped in place, tensor by tensor, so that whoever holds a tensor (a closure, a tied layer) sees them, and
what was there is put back; nothing is written to memory of the program's own. In another precision every real number
on the way is of it, also where the program names one: a mode above torch's functions replaces the dtype, so that
`x.float()` inside of a program does not round what is to be seen to sixteen digits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from impls.captured import Capture, Leaf
from impls.contract import Array
from impls.torch_autograd.assembly import array_of, plainly
from impls.torch_autograd.capture import tapped
from impls.torch_autograd.compiled import capture_whole
from impls.torch_autograd.state import State, compiled_by

PRECISIONS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
CASTS = (torch.Tensor.half, torch.Tensor.bfloat16, torch.Tensor.float, torch.Tensor.double)


def leaves_of(program: Any, arguments: Sequence[Any]) -> list[Leaf]:
    """Parameters, tensors that a function reaches, arguments; then buffers of real numbers."""
    found = State(program, arguments)
    found.refuse()
    given = {id(leaf) for leaf in tree_leaves(list(arguments)) if isinstance(leaf, torch.Tensor)}
    leaves = []
    for name, tensor in found.leaves.items():
        is_data = id(tensor) in given or not (tensor.requires_grad or isinstance(tensor, torch.nn.Parameter))
        leaves.append(Leaf(name=name, array=_numbers(tensor), role="argument" if is_data else "weight"))
    return leaves + [Leaf(name=name, array=array, role="buffer") for name, array in found.statistics().items()]


@contextmanager
def holding(
    program: Any, arguments: Sequence[Any], numbers: Mapping[str, Array], dtype: torch.dtype | None = None
) -> Iterator[tuple[Any, Sequence[Any]]]:
    """While it is entered, leaves hold these numbers, and reals are of the dtype; then everything is as it was."""
    found = State(program, arguments)
    tensors = found.leaves | found.buffers()
    kept = {id(tensor): (tensor, tensor.data, tensor.grad) for tensor in tensors.values()}
    try:
        for name, tensor in tensors.items():
            data, kind = kept[id(tensor)][1], tensor.dtype
            if dtype is not None and kind in PRECISIONS:
                kind = dtype
            if name in numbers:
                data = torch.tensor(numbers[name]).reshape(data.shape)
            tensor.grad = None
            tensor.data = data.to(kind)
        yield program, arguments
    finally:
        for tensor, data, gradient in kept.values():
            tensor.grad = None
            tensor.data = data
            tensor.grad = gradient


def capture_in(
    dtype: str,
    program: Any,
    arguments: Sequence[Any],
    loss: Callable[[Any], Any] | None,
    seed: int,
    numbers: Mapping[str, Array],
) -> Capture:
    """Tapped while everything is of the dtype; what was compiled is run as it was written."""
    kind: torch.dtype = getattr(torch, dtype)
    before = torch.get_default_dtype()
    with holding(program, arguments, numbers, kind), as_written(program), InPrecision(kind):
        torch.set_default_dtype(kind)
        try:
            return tapped(program, arguments, loss, seed)
        finally:
            torch.set_default_dtype(before)


@contextmanager
def as_written(program: Any) -> Iterator[None]:
    """While it is entered, what torch.compile has compiled runs eagerly."""
    if compiled_by(program) != "torch.compile":
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def draws(
    program: Callable[..., Any], arguments: Sequence[Any], loss: Callable[[Any], Any] | None, seed: int
) -> list[str]:
    """Of a program that answers otherwise from another seed, the operations that draw."""
    with as_written(program), _Drawn() as drawn:
        first, other = (capture_whole(program, arguments, loss, s % 2**32) for s in (seed, seed + 1))
    same = np.array_equal(first.losses, other.losses, equal_nan=True) and all(
        np.array_equal(one.total, two.total, equal_nan=True)
        for one, two in zip(first.meetings, other.meetings, strict=True)
    )
    return [] if same else [*drawn.names] or ["an operation outside of torch"]


class _Drawn(TorchDispatchMode):
    """While it is entered, operations that draw random numbers are written down."""

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, None] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.Tag.nondeterministic_seeded in func.tags:
            self.names[plainly(str(func))] = None
        return func(*args, **(kwargs or {}))


def _numbers(tensor: torch.Tensor) -> Array:
    """A copy; of a dtype that NumPy lacks in float32, which holds the same numbers."""
    array = np.array(array_of(tensor))
    return array.astype(np.float32) if array.dtype.kind == "V" else array


class InPrecision(TorchFunctionMode):
    """While it is entered, all real numbers are of one dtype."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """As the function; what names a precision names this one, and what is of the other is converted."""
        if func in CASTS:
            return args[0].to(self.dtype)
        args, kwargs = tree_map_only(
            torch.dtype, lambda d: self.dtype if d in PRECISIONS else d, (tuple(args), kwargs or {})
        )
        kinds = {t.dtype for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)}
        if len(kinds.intersection(PRECISIONS)) > 1:
            args, kwargs = tree_map_only(torch.Tensor, self._converted, (args, kwargs))
        return func(*args, **kwargs)

    def _converted(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(self.dtype) if tensor.dtype in PRECISIONS else tensor
