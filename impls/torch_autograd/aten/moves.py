"""What only moves entries: views, indices, frames, parts and what is put somewhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from impls.captured import Place, Rule
from impls.hand.operations import arithmetic, indexing, moving, rows
from impls.torch_autograd.aten.table import Arguments, row


def _moved(a: Arguments, move: moving.Move, back: moving.Move | None = None, what: str = "self") -> Rule:
    return Rule(layer=moving.Moved(move, back), reads={"x": getattr(a, what)})


@row(
    "view", "_unsafe_view", "reshape", "unsqueeze", "squeeze", "squeeze.dim", "squeeze.dims", "clone", "alias",
    "detach", "_reshape_alias", "contiguous", "view_as", "lift_fresh",
)  # fmt: skip
def _(a: Arguments) -> Rule:
    shape = tuple(a.outputs[0].shape)
    return _moved(a, lambda x: x.reshape(shape), lambda ds: ds)


@row("_to_copy")
def _(a: Arguments) -> Rule | None:
    return Rule(layer=arithmetic.Cast(), reads={"x": a.self}) if a.outputs[0].is_floating_point() else None


def _permuted(a: Arguments, order: Sequence[int]) -> Rule:
    order = [axis % len(order) for axis in order]
    return _moved(a, lambda x: np.transpose(x, order), lambda ds: np.transpose(ds, np.argsort(order)))


@row("permute")
def _(a: Arguments) -> Rule:
    return _permuted(a, a.dims)


@row("t")
def _(a: Arguments) -> Rule:
    return _permuted(a, range(a.value_of("self").ndim)[::-1])


@row("transpose.int", "transpose")
def _(a: Arguments) -> Rule:
    order = list(range(a.value_of("self").ndim))
    if order:
        first, second = a.axis_of("self", a.dim0), a.axis_of("self", a.dim1)
        order[first], order[second] = second, first
    return _permuted(a, order)


@row("expand")
def _(a: Arguments) -> Rule:
    shape = tuple(a.outputs[0].shape)
    sizes = a.shape_of("self")
    layer = indexing.Repeated((1,) * (len(shape) - len(sizes)) + sizes, shape)
    return Rule(layer=layer, reads={"x": a.self})


@row("slice.Tensor")
def _(a: Arguments) -> Rule:
    axis = a.axis_of("self", a.dim)
    cut = (*(slice(None),) * axis, slice(a.start, a.end, a.step))
    return _moved(a, lambda x: x[cut])


@row("select.int")
def _(a: Arguments) -> Rule:
    at = (*(slice(None),) * a.axis_of("self", a.dim), a.index)
    return _moved(a, lambda x: x[at])


@row("index.Tensor")
def _(a: Arguments) -> Rule:
    index = tuple(slice(None) if i is None else a.placed[i.number].numpy() for i in a.indices)
    return _moved(a, lambda x: x[index])


@row("index_select")
def _(a: Arguments) -> Rule:
    places, axis = a.value_of("index").numpy(), a.axis_of("self", a.dim)
    return _moved(a, lambda x: np.take(x, places, axis=axis))


@row("gather")
def _(a: Arguments) -> Rule:
    places, axis = a.value_of("index").numpy(), a.axis_of("self", a.dim)
    cut = tuple(slice(None) if k == axis else slice(n) for k, n in enumerate(places.shape))
    return _moved(a, lambda x: np.take_along_axis(x[cut], places, axis=axis) if x.ndim else x)


@row("flip")
def _(a: Arguments) -> Rule:
    return _moved(a, lambda x: np.flip(x, tuple(a.dims)), lambda ds: np.flip(ds, tuple(a.dims)))


@row("roll")
def _(a: Arguments) -> Rule:
    axes = tuple(a.dims) if a.dims else None
    shifts = tuple(a.shifts) if axes else a.shifts[0]
    return _moved(a, lambda x: np.roll(x, shifts, axes))


@row("repeat")
def _(a: Arguments) -> Rule:
    return _moved(a, lambda x: np.tile(x, a.repeats))


@row("diagonal")
def _(a: Arguments) -> Rule:
    return _moved(a, lambda x: np.diagonal(x, a.offset, a.dim1, a.dim2))


@row("unfold")
def _(a: Arguments) -> Rule | None:
    if not a.value_of("self").ndim:
        return None
    axis = a.axis_of("self", a.dimension)

    def windows(x: Any) -> Any:
        every = np.lib.stride_tricks.sliding_window_view(x, a.size, axis)
        return every[(*(slice(None),) * axis, slice(None, None, a.step))]

    return _moved(a, windows)


@row("constant_pad_nd")
def _(a: Arguments) -> Rule | None:
    pairs = list(zip(a.pad[::2], a.pad[1::2], strict=True))[::-1]
    widths = [(0, 0)] * (a.value_of("self").ndim - len(pairs)) + pairs
    if a.value or min(min(pair) for pair in widths) < 0:
        return None
    return Rule(layer=Padded(widths), reads={"x": a.self})


class Padded(moving.Moved):
    """x in a frame of zeros."""

    def __init__(self, widths: Sequence[tuple[int, int]]) -> None:
        def back(ds: Any) -> Any:
            return ds[tuple(slice(b, n - e) for (b, e), n in zip(widths, ds.shape, strict=True))]

        super().__init__(lambda x: np.pad(x, widths), back)


def _triangle(a: Arguments, triangle: Callable[..., Any]) -> Rule:
    shape = a.shape_of("self")
    kept = triangle(np.ones(shape[-2:], bool), a.diagonal)
    zero = np.zeros(())
    return Rule(layer=arithmetic.Choose(), reads={"c": np.broadcast_to(kept, shape), "p": a.self, "q": zero})


@row("tril")
def _(a: Arguments) -> Rule:
    return _triangle(a, np.tril)


@row("triu")
def _(a: Arguments) -> Rule:
    return _triangle(a, np.triu)


@row("cat")
def _(a: Arguments) -> Rule | None:
    parts = [p for p in a.tensors if a.placed[p.number].ndim == a.outputs[0].ndim]  # one of shape (0,) counts nothing
    axis = a.dim % max(a.outputs[0].ndim, 1)
    layer = moving.Joined([a.placed[p.number].shape[axis] for p in parts], axis)
    return Rule(layer=layer, reads=dict(zip(layer.reads, parts, strict=True))) if parts else None


@row("stack")
def _(a: Arguments) -> Rule:
    axis = a.dim % (a.placed[0].ndim + 1)
    layer = moving.Joined([1] * len(a.tensors), axis, stacked=True)
    return Rule(layer=layer, reads=dict(zip(layer.reads, a.tensors, strict=True)))


def _parted(a: Arguments, sizes: Sequence[int], *, squeezed: bool = False) -> Rule:
    layer = moving.Parted(sizes, a.axis_of("self", a.dim), squeezed)
    return Rule(layer=layer, reads={"x": a.self}, gives=tuple(range(len(sizes))))


@row("split.Tensor", "split_with_sizes", "chunk")
def _(a: Arguments) -> Rule:
    axis = a.axis_of("self", a.dim)
    return _parted(a, [part.shape[axis] for part in a.outputs])


@row("unbind.int")
def _(a: Arguments) -> Rule:
    return _parted(a, [1] * len(a.outputs), squeezed=True)


@row("scatter_add", "scatter.src")
def _(a: Arguments) -> Rule | None:
    axis, places = a.axis_of("self", a.dim), a.value_of("index").numpy()
    shape, cut = a.shape_of("self"), tuple(map(slice, a.shape_of("index")))
    if not shape:
        return Rule(layer=moving.Put(lambda x: x, "add" in a.name), reads={"x": a.self, "v": a.src})

    def chosen(x: Any) -> Any:
        inside = tuple(slice(None) if k == axis else slice(n) for k, n in enumerate(places.shape))
        return np.take_along_axis(x[inside], places, axis=axis)

    if "add" not in a.name and _repeats(chosen, shape):
        return None
    layer = moving.Put(chosen, "add" in a.name, of=lambda v: v[cut])
    return Rule(layer=layer, reads={"x": a.self, "v": a.src})


@row("index_add")
def _(a: Arguments) -> Rule | None:
    if a.alpha != 1 or not a.value_of("self").ndim:
        return None
    at = (*(slice(None),) * a.axis_of("self", a.dim), a.value_of("index").numpy().reshape(-1))
    return Rule(layer=moving.Put(lambda x: x[at], adds=True), reads={"x": a.self, "v": a.source})


@row("index_fill.int_Scalar", "index_fill.int_Tensor")
def _(a: Arguments) -> Rule:
    """By places, so that one that is filled twice counts once, as torch counts it; its decomposition counts both."""
    filled = np.zeros(a.shape_of("self") or (1,), bool)
    filled[(*(slice(None),) * a.axis_of("self", a.dim), a.value_of("index").numpy().reshape(-1))] = True
    value = a.value if isinstance(a.value, Place) else np.full((), a.value, float)
    return Rule(layer=arithmetic.Choose(), reads={"c": filled.reshape(a.shape_of("self")), "p": value, "q": a.self})


@row("index_put")
def _(a: Arguments) -> Rule | None:
    index = tuple(slice(None) if i is None else a.placed[i.number].numpy() for i in a.indices)
    if not a.accumulate and _repeats(lambda x: x[index], a.shape_of("self")):
        return None
    return Rule(layer=moving.Put(lambda x: x[index], a.accumulate), reads={"x": a.self, "v": a.values})


@row("index_copy")
def _(a: Arguments) -> Rule | None:
    if not a.value_of("self").ndim:
        return None
    at = (*(slice(None),) * a.axis_of("self", a.dim), a.value_of("index").numpy().reshape(-1))
    if _repeats(lambda x: x[at], a.shape_of("self")):
        return None
    return Rule(layer=moving.Put(lambda x: x[at]), reads={"x": a.self, "v": a.source})


@row("copy")
def _(a: Arguments) -> Rule | None:
    alike = a.value_of("self").dtype == a.value_of("src").dtype and a.shape_of("self") == a.shape_of("src")
    return Rule(layer=moving.Put(lambda x: x), reads={"x": a.self, "v": a.src}) if alike else None


def _repeats(move: moving.Move, shape: Sequence[int]) -> bool:
    """Whether a move takes an entry twice: which of two values ends there is nobody's promise."""
    places = move(np.arange(math.prod(shape)).reshape(shape))
    return bool(np.unique(places).size < places.size)


@row("embedding")
def _(a: Arguments) -> Rule | None:
    if a.scale_grad_by_freq:  # a sparse gradient is judged by its numbers
        return None
    return Rule(layer=rows.Lookup(a.padding_idx if a.padding_idx >= 0 else None), reads={"W": a.weight, "i": a.indices})


@row("sort", "sort.stable", "topk", "kthvalue", "median.dim", "mode", "cummax", "cummin")
def _(a: Arguments) -> Rule:
    axis, places = a.axis_of("self", a.dim), a.outputs[1].numpy()
    kept = getattr(a, "keepdim", True) or not a.value_of("self").ndim

    def chosen(x: Any) -> Any:
        if not x.ndim:
            return x
        index = places if kept else np.expand_dims(places, axis)
        taken = np.take_along_axis(x, index, axis=axis)
        return taken if kept else np.squeeze(taken, axis)

    return _moved(a, chosen)
