"""The hand implementation behind the contract, NumPy arrays in, NumPy arrays out; what its layers choose at kinks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

import numpy as np

from impls import hand
from impls.abilities import Comparer, Measured
from impls.contract import Arithmetic, Array, Arrays, CannotCompareError, Inputs, Pass, Update, is_real
from impls.graph import Graph, evaluate
from impls.graph.link import PassedOn
from impls.hand.activations.sigmoidal import sigmoid
from impls.hand.layers.indexing import scattered
from impls.hand.notation import ACTIVATIONS, LOSSES
from impls.hand.optimizers import initial_state, update_links

ELEMENTARY: dict[str, Callable[..., Array]] = {
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "tanh": np.tanh, "sigmoid": sigmoid,
    "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "divide": np.divide,
}  # fmt: skip
"""From the name in the constants table to NumPy's function; NumPy has no rsqrt, and erf is SciPy's."""

NO_AUTOGRAD = (
    "Cannot differentiate a function of NumPy arrays, because NumPy has no autograd; write it in torch or JAX, or "
    "give its backward pass too."
)


@dataclass(frozen=True, eq=False, kw_only=True)
class HandPass(Pass):
    """A pass of the hand code that knows where it was taken, so that an allowance can be derived from it.

    Attributes:
        network: that was differentiated.
        weights, x, y: where; read-only, and nobody else's, so that they stay what they were.
    """

    network: Graph
    weights: Arrays
    x: Array | Inputs
    y: Array


EMULATED = Arithmetic(products="float32", sums="float32", meetings="float32", within="float32")


class Working:
    """How the hand code computes in a dtype: by NumPy in that dtype, or, where it is narrower than float32, emulated.

    NumPy accumulates in such a dtype, one addition after the other. So an emulated link computes in float32 and what it
    gives is rounded once, as by a kernel that says that it works in bfloat16.
    """

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self.emulated = self.dtype.itemsize < np.dtype(np.float32).itemsize

    def taken(self, array: Any) -> Any:
        """What the links are given: the very numbers, in float32 where that is emulated."""
        return array.astype(np.float32) if self.emulated and is_real(array) else array

    def taken_by_name(self, arrays: Arrays) -> dict[str, Array]:
        """Several, by name."""
        return {name: self.taken(array) for name, array in arrays.items()} if self.emulated else dict(arrays)

    @property
    def passed_on(self) -> PassedOn | None:
        """What later links read: a result rounded to the dtype."""
        return (lambda _, value: self.taken(self.kept(value))) if self.emulated else None

    def kept(self, value: Any) -> Array:
        """A result in the dtype."""
        array = np.asarray(value)
        return array.astype(self.dtype) if self.emulated and is_real(array) else array

    def kept_by_name(self, arrays: Mapping[str, Any]) -> dict[str, Array]:
        """Several, by name."""
        return {name: self.kept(array) for name, array in arrays.items()}


class Hand:
    """`impls.hand` in one dtype; its arrays belong to the caller."""

    eager, package, strided = True, "numpy", True

    def __init__(self, network: Graph, dtype: str) -> None:
        self.network, self.dtype, self.working = network, np.dtype(dtype), Working(dtype)
        self.version = f"numpy {np.__version__}"

    def differentiate(self, weights: Arrays, x: Array | Inputs, y: Array, *, tap: bool = True) -> HandPass:
        """Forward and backward through the hand-written links."""
        own = self.working
        given, targets, passed_on = own.taken_by_name(weights), own.taken(y), own.passed_on
        batch = Inputs(own.taken_by_name(x)) if isinstance(x, Inputs) else own.taken(x)
        made = self.network.forward(given, batch, passed_on)
        loss = own.kept(self.network.loss_of({**given, **made}, targets))
        gradients = own.kept_by_name(self.network.backward(given, batch, targets, made, passed_on))
        activations = own.kept_by_name(made)
        if not tap:
            gradients, activations = {name: gradients[name] for name in self.network.gradients}, {}
        at = {name: _kept(w) for name, w in weights.items()}
        fed = Inputs({n: _kept(a) for n, a in x.items()}) if isinstance(x, Inputs) else _kept(x)
        return HandPass(loss, gradients, activations, network=self.network, weights=at, x=fed, y=_kept(y))

    @staticmethod
    def arithmetic(layer: Any, local: str) -> Arithmetic:  # noqa: ARG004
        """Every link in float32, its result rounded once."""
        return EMULATED

    def start(self, optimizer: Any, weights: Arrays) -> HandUpdater:
        """The hand-written optimizer itself."""
        return HandUpdater(optimizer, weights)

    def conventions(self) -> dict[str, Callable[[], Measured]]:
        """What the hand-written layers choose."""
        return measures(self.dtype)

    def comparers(self) -> dict[str, Comparer]:
        """What people compare NumPy arrays with."""
        return {"np.allclose": Comparer("np.allclose(actual, expected) of every gradient", _allclose)}

    def elementary(self) -> dict[str, Callable[..., Array]]:
        """NumPy's functions, and SciPy's erf and erfc where SciPy is installed."""
        functions = ELEMENTARY
        with suppress(ModuleNotFoundError):
            from scipy import special

            functions = {**ELEMENTARY, "erf": special.erf, "erfc": special.erfc}
        return {name: partial(self._evaluate, function) for name, function in functions.items()}

    def _evaluate(self, function: Callable[..., Array], *x: Array) -> Array:
        return self.working.kept(function(*map(self.working.taken, x)))

    def accumulations(self) -> dict[str, Callable[[Array], Array]]:
        """By NumPy, of rows; what meets at an entry by the hand code's own sum."""
        sums: dict[str, Callable[[Any], Any]] = {
            "sums": lambda x: np.stack([x, x], axis=1).sum(axis=0)[0],
            "products": lambda x: (x[None] @ np.ones((len(x), 2), x.dtype))[0, 0],
            "meetings": lambda x: scattered(x[None], np.zeros(len(x), np.int64), 1)[0, 0],
        }
        return {name: partial(self._evaluate, function) for name, function in sums.items()}

    def owns(self, value: Any) -> bool:
        """NumPy arrays, and its single numbers."""
        return isinstance(value, (np.ndarray, np.generic))

    def give(self, array: Array) -> Array:
        """A contiguous copy, writable."""
        return np.array(array, order="C")

    def take(self, own: Any) -> Array:
        """A copy."""
        return np.array(own)

    def running(self) -> nullcontext[None]:
        """Nothing needs to be set."""
        return nullcontext()

    def at_once(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """As it is: nothing has to be compiled."""
        return function

    def constant(self, own: Any) -> Any:
        """The array itself."""
        return own

    def forget(self) -> None:
        """Nothing is kept."""

    def vjp(self, *_: Any, **__: Any) -> NoReturn:
        """NumPy differentiates nothing."""
        raise CannotCompareError(NO_AUTOGRAD)

    perturbed = pair = vjp_of_each = vjp

    def brings_backward(self, _: Any) -> bool:
        """No object of NumPy's does."""
        return False


def _kept(array: Array) -> Array:
    """The array itself if nobody can write to it, else a read-only copy."""
    if array.base is None and not array.flags.writeable:
        return array
    copy = np.array(array)
    copy.flags.writeable = False
    return copy


def _allclose(actual: Arrays, expected: Arrays) -> bool:
    return all(np.allclose(actual[name], expected[name]) for name in expected)


class HandUpdater:
    """Applies an optimizer's rules to every weight and keeps their state."""

    def __init__(self, optimizer: Any, weights: Arrays) -> None:
        self.links, self.t = update_links(optimizer, weights), 0
        self.state = initial_state(optimizer, weights)
        self.working = Working(next(iter(weights.values())).dtype)

    def update(self, weights: Arrays, gradients: Arrays) -> Update:
        """State first, then the weight, link by link."""
        self.t += 1
        own = self.working
        tensors: dict[str, Any] = {**own.taken_by_name({**weights, **gradients, **self.state}), "t": self.t}
        evaluate(self.links, tensors, passed_on=own.passed_on)
        self.state = own.kept_by_name({name: tensors[name] for name in self.state})
        return Update(own.kept_by_name({name: tensors[name] for name in weights}), self.state)


SLOPES: dict[str, tuple[Callable[[], Any], float, float]] = {
    "relu at 0": (hand.Relu, 0.0, 1.0),
    "leaky relu at 0": (lambda: hand.LeakyRelu(slope=0.25), 0.0, 1.0),
    "elu at 0": (lambda: hand.Elu(alpha=0.25), 0.0, 1.0),
    "hard sigmoid at -3": (hand.HardSigmoid, -3.0, 6.0),
    "hard sigmoid at 3": (hand.HardSigmoid, 3.0, 6.0),
    "leaky relu slope": (hand.LeakyRelu, -1.0, 1.0),
}
"""An activation, where its derivative is taken, and the upstream gradient."""

VALUES: dict[str, Callable[[Callable[..., Any]], Any]] = {
    "abs at 0": lambda array: hand.MeanAbsoluteError().da(array(0.0), array(0.0))[0, 0],
    "gelu": lambda array: _form_of_gelu(array(-2.0, -0.5, 0.5, 2.0)),
    "softplus": lambda array: np.flatnonzero(hand.Softplus().forward(array(*range(40))) != array(*range(40)))[-1],
    "elu alpha": lambda array: -hand.Elu().forward(array(-100.0))[0, 0],
    "squared error": lambda array: LOSSES["mean-squared-error"]().forward(array(1.0, 3.0), array(0.0, 0.0)),
    "squared error, factor": lambda array: hand.MeanSquaredError().forward(array(1.0), array(0.0)),
    "cross-entropy": lambda array: _cross_entropy(array, 2) / _cross_entropy(array, 1),
    "binary cross-entropy": lambda array: hand.BinaryCrossEntropy().forward(array(0.0), array(1.0)),
    "huber delta": lambda array: hand.Huber().da(array(1000.0), array(0.0))[0, 0],
}
"""From what makes a row of the dtype, shape (1, K), to a number, or to words."""


def measures(dtype: Any) -> dict[str, Callable[[], Measured]]:
    """Every experiment that there is a layer for, in a NumPy dtype."""
    taken: dict[str, Callable[[], Measured]] = {name: partial(_slope, *row, dtype) for name, row in SLOPES.items()}
    return taken | {name: partial(_value, measure, dtype) for name, measure in VALUES.items()}


def _slope(layer: Callable[[], Any], z: float, da: float, dtype: Any) -> float:
    return float(layer().dz(np.array([[da]], dtype), np.array([[z]], dtype))[0, 0])


def _value(measure: Callable[..., Any], dtype: Any) -> Measured:
    with np.errstate(divide="ignore", over="ignore"):
        found = measure(lambda *numbers: np.array([numbers], dtype))
    return found if isinstance(found, str) else float(found)


def _cross_entropy(array: Callable[..., Any], rows: int) -> Any:
    return hand.SoftmaxCrossEntropy().forward(np.repeat(array(0.0, 0.0), rows, axis=0), np.zeros(rows, np.int64))


def _form_of_gelu(z: Any) -> str:
    default = ACTIVATIONS["gelu"]().forward(z)
    forms = {"erf": hand.Gelu().forward(z), "tanh": hand.GeluTanh().forward(z)}
    return next((name for name, values in forms.items() if np.array_equal(values, default)), "another")
