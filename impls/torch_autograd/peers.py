"""Torch's own checks at their defaults: assert_close, and gradcheck of a function with its own backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.testing._comparison import default_tolerances

from impls.abilities import Comparer, GradientChecker
from impls.contract import Array, Arrays
from impls.torch_autograd.arrays import array_of, tensor_of


def assert_close(actual: Arrays, expected: Arrays) -> bool:
    """Whether torch.testing.assert_close raises nothing, tensor by tensor."""
    try:
        for name in expected:
            torch.testing.assert_close(_tensor(actual[name]), _tensor(expected[name]))
    except AssertionError:
        return False
    return True


def _tensor(array: Array) -> torch.Tensor:
    """A copy; torch reads no array backwards, as a flipped one is read."""
    return tensor_of(np.ascontiguousarray(array)).reshape(np.shape(array))


def is_close(actual: Arrays, expected: Arrays) -> bool:
    """What assert_close decides by, without the modules of torch that its first call loads: half a second."""
    for name in expected:
        one, other = _tensor(actual[name]), _tensor(expected[name])
        rtol, atol = default_tolerances(one, other)
        if one.shape != other.shape or not torch.isclose(one, other, rtol=rtol, atol=atol).all():
            return False
    return True


def gradcheck(
    loss: Callable[[Arrays], Array], gradient: Callable[[Arrays], Arrays], weights: Arrays, *, fast_mode: bool = False
) -> bool:
    """Whether torch.autograd.gradcheck accepts an autograd.Function of this forward and this backward pass."""
    names = list(weights)

    class Candidate(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *tensors: Any) -> Any:
            ctx.save_for_backward(*tensors)
            return tensor_of(loss(_arrays(names, tensors)))

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            gradients = gradient(_arrays(names, ctx.saved_tensors))
            return tuple(upstream * tensor_of(gradients[name]) for name in names)

    inputs = [tensor_of(weights[name]).requires_grad_() for name in names]
    return bool(torch.autograd.gradcheck(Candidate.apply, inputs, raise_exception=False, fast_mode=fast_mode))


def _arrays(names: list[str], tensors: Any) -> dict[str, Array]:
    return {name: array_of(tensor) for name, tensor in zip(names, tensors, strict=True)}


COMPARERS = {
    "assert_close": Comparer("torch.testing.assert_close(actual, expected) of every gradient", assert_close, is_close)
}
GRADIENT_CHECKERS = {
    "gradcheck": GradientChecker(
        "torch.autograd.gradcheck(Function.apply, weights), the Function having the hand code's two passes",
        ("float64",),
        lambda weights: 2 * weights + 1,  # a central difference by each
        gradcheck,
    )
}
