"""Torch programs as torch.compile has compiled them: what can be seen of them from outside.

That is the loss, the gradients of leaves, buffers, and what the modules give that no compiled code lies around: a hook
inside of it would be compiled too, or change what is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from impls.captured import Capture, Meeting, Operation
from impls.torch_autograd.assembly import array_of
from impls.torch_autograd.capture import run
from impls.torch_autograd.state import State


def capture_whole(
    program: Callable[..., Any], arguments: Sequence[Any], loss: Callable[[Any], Any] | None, seed: int
) -> Capture:
    """Run once, as it is."""
    found = State(program, arguments)
    found.refuse()
    try:
        found.restored(seed)
        for leaf in found.leaves.values():
            leaf.grad = None
        losses: list[torch.Tensor] = []

        @contextmanager
        def around(value: torch.Tensor) -> Iterator[None]:
            losses.append(value)
            with found.beginning(value):
                yield

        with seen(found.modules) as gave:
            value = run(program, arguments, loss, around)
        gradients = {name: array_of(gradient) for name, gradient in found.gradients().items()}
        return Capture(
            version=f"torch {torch.__version__}", dtype=str(value.dtype).removeprefix("torch."),
            loss=float(value.detach()), losses=[float(each.detach()) for each in losses],
            operations=[
                Operation(
                    number=number, name=type(module).__name__, module=name, place=None, operands=[], outputs=outputs,
                    upstream=[None] * len(outputs), gradients=[],
                )
                for number, (name, module, outputs) in enumerate(gave, 1)
            ],
            meetings=[Meeting(name=name, of=None, parts=[g], total=g) for name, g in gradients.items()],
            modules=len(found.modules), weights=[n for n, leaf in found.leaves.items() if leaf.requires_grad],
            state=found.statistics(),
        )  # fmt: skip
    finally:
        found.restored()


@contextmanager
def seen(modules: dict[str, torch.nn.Module]) -> Iterator[list[tuple[str, Any, list[Any]]]]:
    """While it is entered, what modules give that no compiled code lies around: path, module and arrays."""
    compiled = [name for name, module in modules.items() if hasattr(module, "_orig_mod")]
    inside = {id(m) for name in compiled for m in modules[name].modules() if m is not modules[name]}
    gave: list[tuple[str, Any, list[Any]]] = []

    def kept(name: str) -> Callable[..., None]:
        def hook(module: Any, _: Any, output: Any) -> None:
            reals = [t for t in tree_leaves(output) if isinstance(t, torch.Tensor) and t.is_floating_point()]
            gave.append((name, module, [array_of(t.detach().clone()) for t in reals]))

        return hook

    hooks = [m.register_forward_hook(kept(n)) for n, m in modules.items() if id(m) not in inside]
    try:
        yield gave
    finally:
        for hook in hooks:
            hook.remove()
