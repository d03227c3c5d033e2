"""What a torch program is made of, and what it may change: put back as it was found, whatever has run."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._pytree import tree_leaves

from impls.captured import CannotCaptureError
from impls.torch_autograd.arrays import array_of
from impls.torch_autograd.nodes import leaves_of
from impls.torch_autograd.tap import unreadable


def brings_program(program: Any, arguments: Sequence[Any]) -> bool:
    """Whether a program is a module, or is given tensors, or reaches modules or tensors by itself."""
    reached = [program, *_reached(program).values(), *tree_leaves(list(arguments))]
    return any(isinstance(each, torch.nn.Module | torch.Tensor) for each in reached)


def compiled_by(program: Any) -> str:
    """Of what was compiled only the whole can be seen, and none of its operations: by what; empty if nothing is."""
    roots = [program, *_named_by(program).values()]
    inner = [module for root in roots if isinstance(root, torch.nn.Module) for module in root.modules()]
    for each in [*roots, *inner]:
        if isinstance(each, torch.jit.ScriptModule | torch.jit.ScriptFunction):
            return "torch.jit"
        if hasattr(each, "_orig_mod") or hasattr(each, "_torchdynamo_orig_callable"):
            return "torch.compile"
    return ""


def _named_by(program: Any) -> dict[str, Any]:
    """What a function, one that is compiled too, reaches by name without being given it."""
    program = getattr(program, "_torchdynamo_orig_callable", program)
    if not inspect.isroutine(program) or not hasattr(program, "__code__"):
        return {}
    reached = inspect.getclosurevars(program)
    return {**reached.globals, **reached.nonlocals}


def _reached(program: Any) -> dict[str, Any]:
    """The modules and tensors among that."""
    named = _named_by(program)
    return {name: each for name, each in named.items() if isinstance(each, torch.nn.Module | torch.Tensor)}


class State:
    """What a program may change, as it was found.

    Attributes:
        modules: by their paths.
        leaves: tensors that have, or may have, a gradient: parameters by their paths, and those among the arguments.
    """

    def __init__(self, program: Any, arguments: Sequence[Any]) -> None:
        reached = {"": program} if isinstance(program, torch.nn.Module) else _reached(program)
        roots = {name: each for name, each in reached.items() if isinstance(each, torch.nn.Module)}
        self.modules = {
            ".".join(filter(None, (name, path))): module
            for name, root in roots.items()
            for path, module in root.named_modules()
        }
        self.leaves: dict[str, torch.Tensor] = {}
        self._kept: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        self._gradients: dict[str, torch.Tensor | None] = {}
        self._names = {id(module): name for name, module in reversed([*self.modules.items()])}
        self._stack: list[str] = []
        # What a module holds may be replaced by another tensor, which is no writing in place.
        self._held = [
            (module, dict(module._parameters), dict(module._buffers), module.training)
            for module in self.modules.values()
        ]
        for name, root in roots.items():
            for path, parameter in root.named_parameters():
                self._add(".".join(filter(None, (name, path))), parameter)
            self._keep(name, dict(root.named_buffers()))
        for name, each in reached.items():
            if isinstance(each, torch.Tensor):
                self._add(name, each)
        for number, argument in enumerate(arguments, 1):
            given = [leaf for leaf in tree_leaves(argument) if isinstance(leaf, torch.Tensor)]
            for place, leaf in enumerate(given, 1):
                self._add(f"argument {number}" + (f", tensor {place}" if len(given) > 1 else ""), leaf)
        self._numbers = torch.random.get_rng_state(), np.random.get_state()  # noqa: NPY002  (whatever it draws by)

    def has(self, leaf: torch.Tensor) -> None:
        """A leaf that was reached on the way."""
        if not any(leaf is known for known in self.leaves.values()):
            self._add(f"leaf {len(self.leaves) + 1}", leaf)

    def refuse(self) -> None:
        """A tensor that was computed from others has a graph behind it, which one backward pass uses up."""
        for name, tensor in self.leaves.items():
            if why := unreadable(tensor):
                raise CannotCaptureError(f"because {name} is {why}")
            if not tensor.is_leaf:
                raise CannotCaptureError(
                    f"because {name} was computed from other tensors and brings their graph, which one backward pass "
                    f"uses up; give its detach(), with requires_grad_() if its gradient is wanted"
                )

    def unreached(self) -> list[str]:
        """What requires a gradient and got none, in a sentence."""
        without = [n for n, leaf in self.leaves.items() if leaf.is_leaf and leaf.requires_grad and leaf.grad is None]
        more = f" and {len(without) - 4} more" if len(without) > 4 else ""
        return [f"no gradient reaches {', '.join(without[:4])}{more}"] if without else []

    @contextmanager
    def beginning(self, loss: torch.Tensor) -> Iterator[None]:
        """Before a backward pass: what it arrives at may be leaves that nobody has named."""
        for leaf in leaves_of(loss):
            self.has(leaf)
        yield

    def path(self) -> str:
        """Of the innermost module that runs; empty at the top."""
        return self._stack[-1] if self._stack else ""

    @contextmanager
    def following(self) -> Iterator[None]:
        """While it is entered, `path` follows the modules that run."""

        def enters(module: Any, _: Any) -> None:
            self._stack.append(self._names.get(id(module), type(module).__name__))

        def leaves(*_: Any) -> None:
            if self._stack:
                self._stack.pop()

        hooks = [register_module_forward_pre_hook(enters), register_module_forward_hook(leaves, always_call=True)]
        try:
            with warnings.catch_warnings():  # where something is compiled, torch tells its author of these hooks
                warnings.filterwarnings("ignore", message=".*when there are global hooks on modules")
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def gradients(self) -> dict[str, torch.Tensor]:
        """Copies of those that there are now."""
        return {name: leaf.grad.detach().clone() for name, leaf in self.leaves.items() if leaf.grad is not None}

    def buffers(self) -> dict[str, torch.Tensor]:
        """What the modules hold besides parameters, by their paths."""
        return {
            ".".join(filter(None, (name, path))): buffer
            for name, module in self.modules.items()
            for path, buffer in module.named_buffers(recurse=False)
        }

    def statistics(self) -> dict[str, np.ndarray]:
        """Copies of the buffers of real numbers as they are now."""
        reals = {name: buffer for name, buffer in self.buffers().items() if buffer.is_floating_point()}
        return {name: array_of(buffer) for name, buffer in reals.items()}

    def restored(self, seed: int | None = None, changing: Callable[[torch.Tensor], Any] = lambda _: None) -> None:
        """Put everything back; seed what is drawn by, or put that back too. `changing` is told what will be written."""
        for module, parameters, buffers, training in self._held:
            module._parameters.update(parameters)
            module._buffers.update(buffers)
            module.training = training
        with torch.no_grad():
            for tensor, kept in self._kept.values():
                if not same(kept, tensor):
                    changing(tensor)
                    tensor.copy_(kept)
        for name, leaf in self.leaves.items():
            if leaf.is_leaf and leaf.requires_grad:
                given = self._gradients[name]
                leaf.grad = None if given is None else given.clone()
        if seed is None:
            torch.random.set_rng_state(self._numbers[0])
            np.random.set_state(self._numbers[1])  # noqa: NPY002
        else:
            torch.manual_seed(seed)
            np.random.seed(seed)  # noqa: NPY002

    def _add(self, name: str, leaf: torch.Tensor) -> None:
        self.leaves[name] = leaf
        self._gradients[name] = None if not leaf.is_leaf or leaf.grad is None else leaf.grad.detach().clone()
        if leaf.is_leaf:
            self._keep(name, {"": leaf})

    def _keep(self, name: str, tensors: Mapping[str, torch.Tensor]) -> None:
        self._kept |= {f"{name}.{path}": (tensor, tensor.detach().clone()) for path, tensor in tensors.items()}


def same(one: torch.Tensor | None, other: torch.Tensor) -> bool:
    """Whether both hold the same, NaN in the same places."""
    if one is None or one.layout is not torch.strided or other.layout is not torch.strided:
        return one is not None and one.layout is other.layout
    return (
        one.shape == other.shape
        and torch.equal(torch.isnan(one), torch.isnan(other))
        and torch.equal(torch.nan_to_num(one, 0.0), torch.nan_to_num(other, 0.0))
    )
