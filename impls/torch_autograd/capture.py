"""Torch programs tapped from outside: the program's own forward and backward, once, nothing of it rewritten.

    forward     a dispatch mode sees every ATen operation, with what it reads and gives
    backward    hooks on the autograd nodes see what arrives at each vjp, and what it sends back
    paired      by sequence number: a node is made just before its operation is dispatched

What an operation read is kept by reference; before another one writes to that memory, whoever read it gets a copy. So
gradients are the same bits with and without taps, which the run without says, in which sizes alone are counted.

Sources: torch.utils._python_dispatch (notes/extending); torch.autograd.graph.Node; that a node's number is one below
the next is what AOTAutograd builds on too (torch/_functorch/_aot_autograd/logging_utils.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from impls.captured import WHOLE, CannotCaptureError, Capture, Window
from impls.torch_autograd.assembly import assembled
from impls.torch_autograd.devices import on_device
from impls.torch_autograd.sizes import Sizes
from impls.torch_autograd.state import State, compiled_by, same
from impls.torch_autograd.tap import Tap
from impls.torch_autograd.tapped import Tapped


def capture(
    program: Callable[..., Any],
    arguments: Sequence[Any],
    loss: Callable[[Any], Any] | None,
    seed: int,
    *,
    window: Window = WHOLE,
) -> Capture:
    """See `impls.captured.Captures`: once without taps, once with them, from the same state and seed."""
    if by := compiled_by(program):
        raise CannotCaptureError(
            f"because {by} has compiled it, or a part of it, and its operations cannot be seen; give what was compiled"
        )
    return tapped(program, arguments, loss, seed, window)


def tapped(
    program: Callable[..., Any],
    arguments: Sequence[Any],
    loss: Callable[[Any], Any] | None,
    seed: int,
    window: Window = WHOLE,
) -> Capture:
    """As `capture`, of a program in which nothing is run compiled."""
    found = State(program, arguments)
    found.refuse()
    try:
        found.restored(seed)
        sizes = Sizes(found.path)
        with found.following(), sizes:
            plain = run(program, arguments, loss, found.beginning)
        sizes.add(found.leaves)
        sizes.needed.refuse(window)
        without = found.gradients()
        found.restored(seed)
        tap = Tap(found.path, window)
        rounds: list[Tapped] = []

        @contextmanager
        def tapping(value: torch.Tensor) -> Iterator[None]:
            names = {id(leaf): name for name, leaf in found.leaves.items()}
            rounds.append(Tapped(value, tap.calls, names, window))
            with tap.paused(), rounds[-1]:
                yield

        with found.following(), tap:
            value = run(program, arguments, loss, tapping)
        if value.device.type not in ("cpu", "cuda"):
            raise CannotCaptureError(
                f"because it computes on {value.device}, and there are bounds for cpu and cuda alone"
            )
        if tap.unreadable:
            raise CannotCaptureError(f"because {tap.unreadable}")
        notes = [*_differences(plain, value, without, found.gradients()), *found.unreached()]
        state = found.statistics()
        found.restored(changing=tap.copy_for_users)
        made, device = assembled(rounds), str(value.device)
        return Capture(
            version=f"torch {torch.__version__}" + ("" if device == "cpu" else f" on {device}"),
            dtype=str(value.dtype).removeprefix("torch."),
            loss=float(value.detach()), operations=made.operations, meetings=made.meetings,
            modules=len(found.modules),
            weights=[name for name, leaf in found.leaves.items() if leaf.requires_grad],
            notes=notes, passing=made.passing, elsewhere=made.elsewhere,
            losses=[float(each.loss.detach()) for each in rounds], state=state,
            arithmetic=partial(on_device, device=device),
        )  # fmt: skip
    finally:
        found.restored()


USED_UP = "Trying to backward through the graph a second time"
Around = Callable[[torch.Tensor], AbstractContextManager[Any]]
"""Of a loss, what is entered while it is sent back."""


class _Backwards(TorchFunctionMode):
    """While it is entered, every backward pass that the program begins by itself is run within `around`."""

    def __init__(self, around: Around) -> None:
        super().__init__()
        self.around = around
        self.last: torch.Tensor | None = None
        self.takes_gradients = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.takes_gradients |= func is torch.autograd.grad
        if func not in (torch.Tensor.backward, torch.autograd.backward):
            return func(*args, **(kwargs or {}))
        self.last = _sent_back(args[0])
        with self.around(self.last):
            return func(*args, **(kwargs or {}))


def _sent_back(losses: Any) -> torch.Tensor:
    """The loss that a backward pass begins at: one, of one number."""
    given = [losses] if isinstance(losses, torch.Tensor) else list(losses)
    if len(given) != 1:
        raise CannotCaptureError(
            f"because it sends {len(given)} losses back at once; let it send their sum back, which has the same "
            f"gradients"
        )
    if not isinstance(given[0], torch.Tensor) or given[0].numel() != 1:
        what = f"of shape {tuple(given[0].shape)}" if isinstance(given[0], torch.Tensor) else "that is no tensor"
        raise CannotCaptureError(
            f"because it begins its backward pass at something {what}, and at no single number; let it multiply that "
            f"by what it sends back, and send the sum back"
        )
    return given[0]


def run(
    program: Callable[..., Any], arguments: Sequence[Any], loss: Callable[[Any], Any] | None, around: Around
) -> torch.Tensor:
    """The loss, sent back: by the program, of whose losses it is the last one, or else here."""
    with torch.enable_grad(), _Backwards(around) as own:
        returned = program(*arguments)
    if own.last is not None:
        return own.last
    try:
        value = _loss_of(returned, loss)
    except CannotCaptureError:
        if own.takes_gradients:
            raise CannotCaptureError(
                "because it takes its gradients by torch.autograd.grad and returns no loss; let it return the loss "
                "alone, or call loss.backward()"
            ) from None
        raise
    with around(value):
        try:
            value.backward()
        except RuntimeError as error:
            if USED_UP not in str(error):
                raise
            raise CannotCaptureError(
                "because the graph of its loss is used up by a gradient that it takes itself; let it call "
                "loss.backward(), or return the loss alone, or take that gradient with retain_graph=True"
            ) from None
    return value


def _loss_of(returned: Any, loss: Callable[[Any], Any] | None) -> torch.Tensor:
    """A single number that requires a gradient."""
    with torch.enable_grad():
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


def _differences(
    plain: torch.Tensor, value: torch.Tensor, without: Mapping[str, torch.Tensor], tapped: Mapping[str, torch.Tensor]
) -> list[str]:
    """What is not the same the second time."""
    changed = [name for name, gradient in tapped.items() if not same(without.get(name), gradient)]
    if not same(plain.detach(), value.detach()):
        return [
            f"the program answers differently the second time, from the same seed and state: its loss is {plain:.9g}, "
            f"then {value:.9g}; the second run is judged"
        ]
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        return [f"gradients differ the second time, of {', '.join(changed[:3])}{more}; those of the second are judged"]
    return []
