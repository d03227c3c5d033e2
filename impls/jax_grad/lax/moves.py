"""Primitives that only move entries, repeat them, or put them beside others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.lax import GatherScatterMode

from impls.captured import Place, Rule
from impls.hand.operations import (
    arithmetic,
    indexing,
    moving,
)
from impls.jax_grad.lax.table import Arguments, row


def _moved(move: moving.Move, back: moving.Move | None = None) -> Rule:
    return Rule(layer=moving.Moved(move, back), reads={"x": Place(0)})


def _to_places(places: Any) -> moving.Move:
    return lambda x: x.reshape(-1)[places]


@row("convert_element_type")
def _(a: Arguments) -> Rule | None:
    return Rule(layer=arithmetic.Cast(), reads={"x": Place(0)}) if len(a.operands) == 1 else None


@row("copy", "copy_p", "device_put", "sharding_constraint", "reduce_precision")
def _(a: Arguments) -> Rule | None:
    digits = getattr(a, "mantissa_bits", None)
    if digits is not None and digits < jnp.finfo(a.operands[0].dtype).nmant:
        return None
    return _moved(lambda x: x, lambda ds: ds) if len(a.operands) == 1 else None


@row("reshape", "squeeze", "expand_dims")
def _(a: Arguments) -> Rule | None:
    if getattr(a, "dimensions", None) is not None and hasattr(a, "new_sizes"):
        return None
    shape = tuple(a.outputs[0].shape)
    return _moved(lambda x: x.reshape(shape), lambda ds: ds)


@row("transpose")
def _(a: Arguments) -> Rule:
    order = tuple(a.permutation)
    return _moved(lambda x: np.transpose(x, order), lambda ds: np.transpose(ds, np.argsort(order)))


@row("broadcast_in_dim")
def _(a: Arguments) -> Rule | None:
    if len(a.operands) != 1:
        return None
    shape = tuple(a.outputs[0].shape)
    sizes = dict(zip(a.broadcast_dimensions, a.shape, strict=True))
    return a.reading(indexing.Repeated([sizes.get(axis, 1) for axis in range(len(shape))], shape))


@row("rev")
def _(a: Arguments) -> Rule:
    axes = tuple(a.dimensions)
    return _moved(lambda x: np.flip(x, axes), lambda ds: np.flip(ds, axes))


@row("slice")
def _(a: Arguments) -> Rule:
    steps = a.strides or [1] * len(a.shape)
    cut = tuple(map(slice, a.start_indices, a.limit_indices, steps))
    return _moved(lambda x: x[cut])


def _window_at(a: Arguments, starts: Sequence[Any], sizes: Sequence[int]) -> tuple[slice, ...]:
    """A window, moved back inside where it reaches out."""
    begins = [min(max(int(s), 0), n - size) for s, n, size in zip(starts, a.shape, sizes, strict=True)]
    return tuple(slice(begin, begin + size) for begin, size in zip(begins, sizes, strict=True))


@row("dynamic_slice")
def _(a: Arguments) -> Rule:
    cut = _window_at(a, a.operands[1:], a.slice_sizes)
    return _moved(lambda x: x[cut])


@row("dynamic_update_slice")
def _(a: Arguments) -> Rule:
    cut = _window_at(a, a.operands[2:], a.operands[1].shape)
    return Rule(layer=moving.Put(lambda x: x[cut]), reads={"x": Place(0), "v": Place(1)})


@row("gather")
def _(a: Arguments) -> Rule | None:
    d = a.dimension_numbers
    windows = indexing.Windows(
        sizes=tuple(a.slice_sizes), starts=d.start_index_map, within=d.offset_dims,
        dropped=(*d.collapsed_slice_dims, *d.operand_batching_dims),
        along=tuple(zip(d.operand_batching_dims, d.start_indices_batching_dims, strict=True)),
        clipped=_clips(a.mode),
    )  # fmt: skip
    places = windows.places(a.shape, a.operands[1])
    return None if (places < 0).any() else _moved(_to_places(places))


@row("scatter-add", "scatter")
def _(a: Arguments) -> Rule | None:
    """Of windows that reach out nothing is put; by hand they all stay inside, and are apart where they replace."""
    d, v = a.dimension_numbers, a.operands[2]
    dropped = (*d.inserted_window_dims, *d.operand_batching_dims)
    kept = iter(v.shape[axis] for axis in d.update_window_dims)
    windows = indexing.Windows(
        sizes=tuple(1 if axis in dropped else next(kept) for axis in range(len(a.shape))),
        starts=d.scatter_dims_to_operand_dims, within=d.update_window_dims, dropped=dropped,
        along=tuple(zip(d.operand_batching_dims, d.scatter_indices_batching_dims, strict=True)),
        clipped=_clips(a.mode),
    )  # fmt: skip
    places = windows.places(a.shape, a.operands[1])
    adds = a.update_jaxpr is not None
    if (places < 0).any() or not (adds or np.unique(places).size == places.size):
        return None
    return Rule(layer=moving.Put(_to_places(places), adds), reads={"x": Place(0), "v": Place(2)})


def _clips(mode: Any) -> bool:
    return bool(GatherScatterMode.from_any(mode) == GatherScatterMode.CLIP)


@row("concatenate")
def _(a: Arguments) -> Rule:
    return a.reading(moving.Joined([x.shape[a.dimension] for x in a.operands], a.dimension))


@row("stack")
def _(a: Arguments) -> Rule:
    return a.reading(moving.Joined([1] * len(a.operands), a.axis, stacked=True))


@row("split")
def _(a: Arguments) -> Rule:
    parts = tuple(range(len(a.outputs)))
    return Rule(layer=moving.Parted([int(n) for n in a.sizes], a.axis), reads={"x": Place(0)}, gives=parts)


@row("pad")
def _(a: Arguments) -> Rule:
    return a.reading(indexing.Frame(a.padding_config))


@row("sort")
def _(a: Arguments) -> Rule | None:
    """Where the entries went is what sorting them says, the first of equals in front."""
    if len(a.operands) != 1 or not np.isfinite(a.operands[0]).all():
        return None
    return _ordered(a, a.operands[0], a.dimension, a.shape[a.dimension])


@row("top_k")
def _(a: Arguments) -> Rule | None:
    if not np.isfinite(a.operands[0]).all():
        return None
    return _ordered(a, -a.operands[0], getattr(a, "axis", len(a.shape) - 1), a.k)


def _ordered(a: Arguments, by: Any, axis: int, count: int) -> Rule:
    """The first so many along an axis in the order of other numbers."""
    order = np.take(np.argsort(by, axis=axis, kind="stable"), np.arange(count), axis=axis)
    numbered = np.arange(by.size).reshape(a.shape)
    return _moved(_to_places(np.take_along_axis(numbered, order, axis=axis)))
