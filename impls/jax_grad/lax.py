"""JAX's primitives by the hand rules that they are: a line each.

A primitive is called by its own name. What it read stands as its `Place`, in the order of the equation; whole numbers
that say where entries go are read off the run.

Which derivatives these have: jax/_src/lax (lax.py, slicing.py, windowed_reductions.py, convolution.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import GatherScatterMode

from impls.captured import Place, Row, Rule, Rules
from impls.hand import activations
from impls.hand.layers import broadcasting, functions
from impls.hand.operations import (
    arithmetic,
    convolution,
    elementary,
    extremes,
    indexing,
    moving,
    products,
    reductions,
)

DTYPES = ("bfloat16", "float16", "float32", "float64")
"""That hand rules have bounds for."""


class Arguments:
    """What an equation read and gave, and how it was called; parameters by their names.

    Attributes:
        operands, outputs: arrays.
        asked: of each operand, whether a gradient is.
    """

    def __init__(
        self, params: Mapping[str, Any], operands: Sequence[Any], outputs: Sequence[Any], asked: Sequence[bool]
    ) -> None:
        self._params, self.operands, self.outputs, self.asked = params, operands, outputs, asked

    def __getattr__(self, name: str) -> Any:
        try:
            return self._params[name]
        except KeyError:
            raise AttributeError(name) from None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the first operand."""
        return tuple(self.operands[0].shape)

    def reading(self, layer: Any) -> Rule:
        """A layer that reads the operands in their order, under its own names."""
        names = [layer.reads] if isinstance(layer.reads, str) else layer.reads
        return Rule(layer=layer, reads={name: Place(number) for number, name in enumerate(names)})


RULES = Rules()
row = RULES.row


def rule_of(name: str, a: Arguments) -> Rule | None:
    """The hand rule of a primitive, if there is one for its options, its dtype and its numbers."""
    kinds = {str(array.dtype) for array in (*a.operands, *a.outputs) if jnp.issubdtype(array.dtype, jnp.floating)}
    make = RULES.get(name)
    return make(a) if make is not None and kinds and kinds.issubset(DTYPES) else None


# Entry by entry.

for _name, _layer in {
    "add": broadcasting.Add, "add_any": broadcasting.Add, "sub": broadcasting.Subtract, "mul": broadcasting.Multiply,
    "div": broadcasting.Divide, "max": broadcasting.Maximum, "min": broadcasting.Minimum, "neg": arithmetic.Negative,
    "exp": functions.Exp, "log": functions.Log, "log1p": functions.Log1p, "expm1": elementary.Expm1,
    "sqrt": functions.Sqrt, "rsqrt": functions.Rsqrt, "abs": functions.Abs, "sin": functions.Sin,
    "cos": functions.Cos, "erf": functions.Erf, "tanh": activations.Tanh, "logistic": activations.Sigmoid,
    "clamp": elementary.Clamp,
}.items():  # fmt: skip
    row(_name)(lambda a, layer=_layer: a.reading(layer()))  # type: ignore[misc]


@row("square")
def _(_: Arguments) -> Rule:
    return Rule(layer=broadcasting.Multiply(), reads={"p": Place(0), "q": Place(0)})


MOST_FACTORS = 64
"""From where on a whole power is not multiplied out by hand."""


@row("integer_pow")
def _(a: Arguments) -> Rule | None:
    return a.reading(elementary.WholePower(a.y)) if 0 < abs(a.y) <= MOST_FACTORS else None


@row("pow")
def _(a: Arguments) -> Rule | None:
    base, exponent = a.operands
    if not a.asked[1] and exponent.size and np.unique(exponent).size == 1 and exponent.flat[0]:
        return Rule(layer=functions.Power(float(exponent.flat[0])), reads={"z": Place(0)})
    real = exponent.dtype.kind == "f" and bool((base > 0).all())
    return a.reading(broadcasting.Pow()) if real else None


@row("select_n")
def _(a: Arguments) -> Rule | None:
    if len(a.operands) != 3:
        return None
    return Rule(layer=arithmetic.Choose(), reads={"c": Place(0), "p": Place(2), "q": Place(1)})


# What only moves entries.


def _moved(move: moving.Move, back: moving.Move | None = None) -> Rule:
    return Rule(layer=moving.Moved(move, back), reads={"x": Place(0)})


def _to_places(places: Any) -> moving.Move:
    return lambda x: x.reshape(-1)[places]


@row("copy", "copy_p", "convert_element_type", "device_put", "sharding_constraint", "reduce_precision")
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


# Reductions.


def _along(layer: Callable[[Sequence[int]], Any]) -> Row:
    return lambda a: a.reading(layer(tuple(a.axes)))


row("reduce_sum")(_along(reductions.Sum))
row("reduce_max")(_along(reductions.Max))
row("reduce_min")(_along(reductions.Min))


@row("cumsum")
def _(a: Arguments) -> Rule:
    return a.reading(reductions.CumulativeSum(a.axis, a.reverse))


def _of_windows(layer: Callable[..., Any]) -> Row:
    return lambda a: a.reading(
        layer(a.window_dimensions, a.window_strides, a.padding, a.base_dilation, a.window_dilation)
    )


row("reduce_window_sum")(_of_windows(extremes.SumOfWindows))
row("reduce_window_max")(_of_windows(extremes.MaxOfWindows))


# Products.


@row("dot_general")
def _(a: Arguments) -> Rule:
    summed, batch = a.dimension_numbers
    return a.reading(products.Contraction(summed, batch))


@row("conv_general_dilated")
def _(a: Arguments) -> Rule | None:
    d, kernel = a.dimension_numbers, a.operands[1].shape
    if len(kernel) not in (3, 4) or a.batch_group_count != 1 or 0 in (*a.shape, *kernel):
        return None
    frame = [(*pair, gap - 1) for pair, gap in zip(a.padding, a.lhs_dilation, strict=True)]
    orders = (d.lhs_spec, d.rhs_spec, d.out_spec)
    layer = convolution.Convolution(
        kernel, orders, a.window_strides, frame, a.rhs_dilation, groups=a.feature_group_count
    )
    return a.reading(layer)


# Functions with a derivative of their own that JAX itself defines.


def _softplus(a: Arguments) -> Rule | None:
    """log(exp(z) + exp(0)); of two numbers there is no hand rule."""
    alone = not a.asked[1] and a.operands[1].size == 1 and not a.operands[1].any()
    return Rule(layer=activations.Softplus(), reads={"z": Place(0)}) if alone else None


KNOWN: dict[str, tuple[Callable[..., Any], Row]] = {
    "relu": (jax.nn.relu, lambda _: Rule(layer=activations.Relu(), reads={"z": Place(0)})),
    "relu6": (
        jax.nn.relu6,
        lambda _: Rule(layer=elementary.Clamp(), reads={"low": 0.0, "x": Place(0), "high": 6.0}),
    ),
    "logaddexp": (jax.numpy.logaddexp, _softplus),
}
"""By name, and what makes the rule."""


@cache
def _forward_text(name: str, *kinds: tuple[tuple[int, ...], str]) -> str:
    """The forward pass of one of them on arrays of these kinds, as text."""
    function, _ = KNOWN[name]
    traced = jax.make_jaxpr(function)(*(jax.ShapeDtypeStruct(*kind) for kind in kinds))
    (call,) = (e for e in traced.jaxpr.eqns if e.primitive.name == "custom_jvp_call")
    return str(call.params["call_jaxpr"])


@row("custom_jvp_call")
def _(a: Arguments) -> Rule | None:
    """By hand where the forward pass is that of the function of this name, whose derivative is known then."""
    name = a.call_jaxpr.jaxpr.debug_info.func_name
    kinds = [(tuple(x.shape), str(x.dtype)) for x in a.operands]
    if name not in KNOWN or str(a.call_jaxpr) != _forward_text(name, *kinds):
        return None
    _, make = KNOWN[name]
    return make(a)
