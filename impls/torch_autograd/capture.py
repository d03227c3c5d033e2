"""Torch programs tapped from outside: the program's own forward and backward, once, nothing of it rewritten.

    forward     a dispatch mode sees every ATen operation, with what it reads and gives
    backward    hooks on the autograd nodes see what arrives at each vjp, and what it sends back
    paired      by sequence number: a node is made just before its operation is dispatched

What an operation read is kept by reference; before another one writes to that memory, whoever read it gets a copy. So
gradients are the same bits with and without taps, which the run without says.

Sources: torch.utils._python_dispatch (notes/extending); torch.autograd.graph.Node; that a node's number is one below
the next is what AOTAutograd builds on too (torch/_functorch/_aot_autograd/logging_utils.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._pytree import tree_leaves

from impls.captured import CannotCaptureError, Capture
from impls.torch_autograd.tap import Tap
from impls.torch_autograd.tapped import Tapped, operations_of


def brings_program(program: Any, arguments: Sequence[Any]) -> bool:
    """Whether a program is a module, or is given tensors, or comes from code that names torch."""
    given = tree_leaves(list(arguments))
    return isinstance(program, torch.nn.Module) or any(isinstance(leaf, torch.Tensor) for leaf in given)


def capture(
    program: Callable[..., Any], arguments: Sequence[Any], loss: Callable[[Any], Any] | None, seed: int
) -> Capture:
    """See `impls.captured.Captures`: once without taps, once with them, from the same state and seed."""
    with _as_found(program, arguments) as begin:
        begin(seed)
        plain = _run(program, arguments, loss)
        plain.backward()
        without = _gradients(program, arguments)
        begin(seed)
        names = _names(program, arguments)
        modules = _Modules(program)
        before = {id(leaf): leaf.grad for leaf in names.values() if leaf.grad is not None}
        with modules, Tap(modules.path) as tap:
            value = _run(program, arguments, loss)
        tapped = Tapped(value, tap.calls, {id(leaf): name for name, leaf in names.items()})
        with tapped:
            value.backward()
        tapped.accumulated(before)
        notes = _differences(plain, value, without, _gradients(program, arguments))
        operations, meetings, passing = operations_of(tapped)
        dtype = str(value.dtype).removeprefix("torch.")
        return Capture(
            version=f"torch {torch.__version__}", dtype=dtype, loss=float(value.detach()), operations=operations,
            meetings=meetings, modules=modules.many, weights=[n for n, leaf in names.items() if leaf.requires_grad],
            notes=notes, passing=passing,
        )  # fmt: skip


def _run(program: Callable[..., Any], arguments: Sequence[Any], loss: Callable[[Any], Any] | None) -> torch.Tensor:
    """The loss, a single number that requires a gradient."""
    with torch.enable_grad():
        returned = program(*arguments)
        value = loss(returned) if loss is not None else getattr(returned, "loss", returned)
    what = "the loss" if loss is not None else "what the program returns"
    if isinstance(value, Mapping) and loss is None and "loss" in value:
        value = value["loss"]
    if not isinstance(value, torch.Tensor):
        raise CannotCaptureError(
            f"because {what} is a {type(value).__name__}, and no tensor; give loss=, a function of what it returns "
            f"that gives one number"
        )
    if value.numel() != 1 or not value.is_floating_point():
        raise CannotCaptureError(
            f"because {what} has the shape {tuple(value.shape)} and dtype {str(value.dtype).removeprefix('torch.')}, "
            f"and is no single real number; give loss=, a function of what it returns that gives one number"
        )
    if not value.requires_grad:
        raise CannotCaptureError(
            f"because {what} requires no gradient of anything; let a parameter or an argument require one, and compute "
            f"it without detach() and no_grad()"
        )
    return value


def _names(program: Any, arguments: Sequence[Any]) -> dict[str, torch.Tensor]:
    """The leaves that the program brings: parameters by their names, tensors among the arguments."""
    named = dict(program.named_parameters()) if isinstance(program, torch.nn.Module) else {}
    for number, argument in enumerate(arguments, 1):
        leaves = [leaf for leaf in tree_leaves(argument) if isinstance(leaf, torch.Tensor) and leaf.is_leaf]
        for place, leaf in enumerate(leaves, 1):
            named[f"argument {number}" + (f", tensor {place}" if len(leaves) > 1 else "")] = leaf
    return named


def _gradients(program: Any, arguments: Sequence[Any]) -> dict[str, torch.Tensor]:
    return {
        name: leaf.grad.detach().clone() for name, leaf in _names(program, arguments).items() if leaf.grad is not None
    }


def _differences(
    plain: torch.Tensor, value: torch.Tensor, without: Mapping[str, torch.Tensor], tapped: Mapping[str, torch.Tensor]
) -> list[str]:
    """What is not the same the second time."""
    changed = [name for name, gradient in tapped.items() if not _same(without.get(name), gradient)]
    if not _same(plain.detach(), value.detach()):
        return [
            f"the program answers differently the second time, from the same seed and state: its loss is {plain:.9g}, "
            f"then {value:.9g}; the second run is judged"
        ]
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        return [f"gradients differ the second time, of {', '.join(changed[:3])}{more}; those of the second are judged"]
    return []


def _same(one: torch.Tensor | None, other: torch.Tensor) -> bool:
    return one is not None and torch.equal(torch.nan_to_num(one), torch.nan_to_num(other))


@contextmanager
def _as_found(program: Any, arguments: Sequence[Any]) -> Iterator[Callable[[int], None]]:
    """What puts everything back as it was found, and seeds; and so at the end."""
    leaves = _names(program, arguments)
    buffers = dict(program.named_buffers()) if isinstance(program, torch.nn.Module) else {}
    state = {**buffers, **{n: t for n, t in leaves.items() if not t.requires_grad}}
    kept = {name: tensor.detach().clone() for name, tensor in state.items()}
    gradients = {name: None if leaf.grad is None else leaf.grad.detach().clone() for name, leaf in leaves.items()}
    numbers = torch.random.get_rng_state(), np.random.get_state()  # noqa: NPY002  (whatever the program draws by)

    def begin(seed: int | None) -> None:
        with torch.no_grad():
            for name, tensor in state.items():
                tensor.copy_(kept[name])
            for name, leaf in leaves.items():
                given = gradients[name]
                leaf.grad = None if given is None else given.clone()
        if seed is not None:
            torch.manual_seed(seed)
            np.random.seed(seed)  # noqa: NPY002

    try:
        yield begin
    finally:
        begin(None)
        torch.random.set_rng_state(numbers[0])
        np.random.set_state(numbers[1])  # noqa: NPY002


class _Modules:
    """Which module runs, by the program's own names."""

    def __init__(self, program: Any) -> None:
        named = list(program.named_modules()) if isinstance(program, torch.nn.Module) else []
        self._names = {id(module): name for name, module in reversed(named)}
        self.many = len(named)
        self._stack: list[str] = []

    def path(self) -> str:
        """Of the innermost; empty at the top."""
        return self._stack[-1] if self._stack else ""

    def __enter__(self) -> _Modules:
        def enters(module: Any, _: Any) -> None:
            self._stack.append(self._names.get(id(module), type(module).__name__))

        def leaves(*_: Any) -> None:
            if self._stack:
                self._stack.pop()

        self._hooks = [
            register_module_forward_pre_hook(enters),
            register_module_forward_hook(leaves, always_call=True),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()
