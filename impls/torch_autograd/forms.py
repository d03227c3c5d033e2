"""Forms of torch operations that can be run in float64: what they do forward, what they decompose into, themselves.

    a function with a backward of its own    the operations that its forward ran, run again and differentiated
    a custom operator                        the Python function that was registered as it, likewise
    an ATen operation                        torch's own decomposition into others, where that can be differentiated
    otherwise                                the same kernel: its rounding can be judged, its formula cannot

What a forward ran is run again on its own numbers first: where that does not give the same bits, something else made
them (NumPy, a kernel of the user's own), and there is no form.

Sources: torch/_decomp (the table that torch's compiler uses), torch/_library/custom_ops.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch._decomp import decomposition_table
from torch._library.custom_ops import OPDEFS
from torch.utils._pytree import tree_leaves, tree_map_only

from impls.captured import Form
from impls.torch_autograd.tap import Call

BY_LAYOUT = ("aten::as_strided", "aten::as_strided_", "aten::as_strided_copy", "aten::as_strided_scatter")
"""What these give depends on how an operand lies in memory, which a copy has not."""


OTHER_BACKWARD = ("aten::embedding", "aten::binary_cross_entropy")
"""What these have for a backward is no derivative of what they decompose into: it is scaled, or clamped, by their own
definition."""


def _steps_of_lstm(
    x: torch.Tensor, w: torch.Tensor, u: torch.Tensor, b: torch.Tensor, d: torch.Tensor, h: torch.Tensor,
    c: torch.Tensor, reverse: bool, *others: Any,
) -> Any:  # fmt: skip
    """An LSTM of one layer step by step, as torch runs it in float64, which oneDNN has not."""
    _sizes, _mode, _width, _layers, biased, *_ = others
    turned = x.flip(0) if reverse else x
    weights = [w, u, b, d] if biased else [w, u]
    y, last_h, last_c = torch.lstm(turned, (h[None], c[None]), weights, biased, 1, 0.0, True, False, False)
    return y.flip(0) if reverse else y, last_h[0], last_c[0]


DECOMPOSITIONS: dict[Any, Callable[..., Any]] = {
    **decomposition_table,
    torch.ops.aten.mkldnn_rnn_layer.default: _steps_of_lstm,
}
"""By operation; what torch's own table lacks besides."""


def form_of_call(call: Call) -> Form | None:
    """Of an ATen operation, in place or not; a function of the tensors that it read."""
    op = _out_of_place(call.op)
    if op._schema.name in BY_LAYOUT:
        return None
    if op._schema.name in OTHER_BACKWARD:
        return Form(kind="rounding only", function=_of_tensors(call, op))
    decomposed = DECOMPOSITIONS.get(op)
    if decomposed is not None and _differentiates(call, decomposed):
        return Form(kind="its decomposition", function=_of_tensors(call, decomposed))
    return Form(kind="rounding only", function=_of_tensors(call, op))


def form_on_a_view(call: Call) -> Form | None:
    """Of an operation that writes to a view: a function of what that is a view of, and of what else it reads."""
    assert call.base is not None
    size, stride, offset = call.base.place
    shape, strides = call.base.before.shape, call.base.before.stride()

    def function(whole: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        written = torch.empty_strided(shape, strides, dtype=whole.dtype).copy_(whole)
        given = iter([written.as_strided(size, stride, offset), *others])
        args, kwargs = tree_map_only(torch.Tensor, lambda _: next(given), (call.args, call.kwargs))
        call.op(*args, **kwargs)
        return written

    return Form(kind="rounding only", function=function)


def form_of_function(inside: Sequence[Call], read: Sequence[Any], gave: Sequence[Any]) -> Form | None:
    """Of a function with a backward of its own, from what its forward ran."""
    if not inside or not all(call.kept for call in inside):
        return None
    outputs = [_token_of(inside, tensor) for tensor in gave]
    if any(output is None for output in outputs):
        return None
    starts = [_start(inside, tensor) for tensor in read]

    def forward(*operands: torch.Tensor) -> Any:
        known = {token: operand for token, operand in zip(starts, operands, strict=True) if token is not None}
        dtype = operands[0].dtype
        for call in inside:
            read = (
                known[token] if token in known else _as_dtype(tensor, dtype)
                for token, tensor in zip(call.tokens[0], call.read, strict=True)
            )  # fmt: skip
            args, kwargs = tree_map_only(torch.Tensor, lambda _, read=read: next(read), (call.args, call.kwargs))
            args, kwargs = tree_map_only(torch.dtype, lambda d: dtype if d.is_floating_point else d, (args, kwargs))
            result = _run_of(call.op)(*args, **kwargs)
            given = list(result) if isinstance(result, list | tuple) else [result]
            known |= {token: each for token, each in zip(call.tokens[1], given, strict=True) if token is not None}
        found = [known[output] for output in outputs]
        return found[0] if len(found) == 1 else tuple(found)

    try:
        with torch.no_grad():
            again = forward(*[tensor.detach() for tensor in read])
    except Exception:  # it needs what only the run had
        return None
    same = zip(again if isinstance(again, tuple) else (again,), gave, strict=True)
    if not all(torch.equal(torch.nan_to_num(one), torch.nan_to_num(other.detach())) for one, other in same):
        return None
    return Form(kind="its own forward", function=forward) if _reaches(forward, read) else None


def _reaches(forward: Callable[..., Any], read: Sequence[Any]) -> bool:
    """Whether what a forward gives depends on every operand, as autograd sees it: it may leave torch on the way."""
    leaves = [_as_dtype(tensor, torch.float64) for tensor in read]
    reals = [leaf.requires_grad_() for leaf in leaves if leaf.is_floating_point()]
    try:
        with torch.enable_grad():
            outputs = [each for each in tree_leaves(forward(*leaves)) if each.is_floating_point()]
            found = torch.autograd.grad([each.sum() for each in outputs], reals, allow_unused=True)
    except Exception:  # nothing that it gives depends on anything
        return False
    return all(gradient is not None for gradient in found)


def written_as(function: type, inside: Sequence[Call]) -> tuple[str, Any]:
    """What a function with a backward of its own is called, and that backward: of a custom operator as registered."""
    operator = OPDEFS.get(inside[0].op._schema.name) if len(inside) == 1 else None
    if operator is not None:
        return operator._qualname, operator._backward_fn
    return function.__name__, getattr(function, "backward", None)


def _run_of(op: Any) -> Callable[..., Any]:
    """What runs an operation so that it can be differentiated: of a custom operator its Python function."""
    if op._schema.name == "aten::detach":  # without effect where no gradient is recorded
        return lambda tensor: tensor
    custom = OPDEFS.get(op._schema.name)
    return _out_of_place(op) if custom is None else custom._init_fn


def _out_of_place(op: Any) -> Any:
    """The operation that this one does in place."""
    namespace, _, name = op._schema.name.partition("::")
    if not name.endswith("_") or name.startswith("_"):
        return op
    packet = getattr(getattr(torch.ops, namespace), name[:-1], None)
    overload = op._overloadname
    return getattr(packet, overload, op) if packet is not None else op


def _of_tensors(call: Call, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the tensors that a call read, everything else as it was."""

    def of(*operands: torch.Tensor) -> Any:
        given = iter(operands)
        dtype = next((o.dtype for o in operands if o.is_floating_point()), torch.float64)
        args, kwargs = tree_map_only(torch.Tensor, lambda _: next(given), (call.args, call.kwargs))
        args, kwargs = tree_map_only(torch.dtype, lambda d: dtype if d.is_floating_point else d, (args, kwargs))
        returned = function(*args, **kwargs)
        return tuple(returned) if isinstance(returned, list | tuple) else returned

    return of


def _differentiates(call: Call, decomposed: Callable[..., Any]) -> bool:
    """Whether a decomposition runs in float64 and can be differentiated, by other operations than itself."""
    read = [_as_dtype(tensor.detach(), torch.float64) for tensor in call.read]
    leaves = [tensor.requires_grad_() if tensor.is_floating_point() else tensor for tensor in read]
    try:
        with torch.enable_grad():
            returned = _of_tensors(call, decomposed)(*leaves)
            first = next(leaf for leaf in tree_leaves(returned) if isinstance(leaf, torch.Tensor))
            own = f"{call.op._schema.name.partition('::')[2].rstrip('_').replace('_', '')}backward"
            if first.grad_fn is None or first.grad_fn.name().lower().startswith(own.lower()):
                return False
            asked = [leaf for leaf, edge in zip(leaves, call.edges, strict=True) if edge is not None]
            found = torch.autograd.grad(first.sum(), asked, allow_unused=True)
    except Exception:  # it ends in operations without a derivative
        return False
    return all(gradient is not None for gradient in found)  # or what it writes in place is not recorded


def _as_dtype(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return tensor.detach().to(dtype, copy=True) if tensor.is_floating_point() else tensor


def _token_of(inside: Sequence[Call], tensor: Any) -> Any:
    """Of what a function gave, the state in which one of its operations gave it."""
    for call in reversed(inside):
        for token, given in zip(call.tokens[1], call.gave, strict=True):
            if given is tensor:
                return token
    return None


def _start(inside: Sequence[Call], tensor: Any) -> Any:
    """Of what a function read, the state in which one of its operations first read it."""
    for call in inside:
        for token, read in zip(call.tokens[0], call.read, strict=True):
            if read is tensor:
                return token
    return None
