"""What torch chooses at kinks, at ties, where there is no derivative, and by default: each by running it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any

import torch
from torch.nn import functional

from impls.abilities import Measured

GRADIENTS: dict[str, tuple[Callable[..., Any], Any]] = {
    "relu at 0": (torch.relu, 0.0),
    "leaky relu at 0": (partial(functional.leaky_relu, negative_slope=0.25), 0.0),
    "elu at 0": (partial(functional.elu, alpha=0.25), 0.0),
    "relu6 at 0": (functional.relu6, 0.0),
    "relu6 at 6": (functional.relu6, 6.0),
    "hard sigmoid at -3": (lambda z: 6 * functional.hardsigmoid(z), -3.0),
    "hard sigmoid at 3": (lambda z: 6 * functional.hardsigmoid(z), 3.0),
    "hard swish at -3": (functional.hardswish, -3.0),
    "hard swish at 3": (functional.hardswish, 3.0),
    "hard tanh at -1": (functional.hardtanh, -1.0),
    "hard tanh at 1": (functional.hardtanh, 1.0),
    "clip at its lower bound": (lambda z: torch.clip(z, -1, 1), -1.0),
    "clip at its upper bound": (lambda z: torch.clip(z, -1, 1), 1.0),
    "abs at 0": (torch.abs, 0.0),
    "sign at 0": (torch.sign, 0.0),
    "maximum of equals": (lambda x: torch.maximum(x[0], x[1]), (1.0, 1.0)),
    "minimum of equals": (lambda x: torch.minimum(x[0], x[1]), (1.0, 1.0)),
    "max of all": (torch.max, (1.0, 3.0, 3.0)),
    "min of all": (torch.min, (5.0, 3.0, 3.0)),
    "max over an axis": (lambda x: torch.max(x, dim=0).values, (1.0, 3.0, 3.0)),
    "min over an axis": (lambda x: torch.min(x, dim=0).values, (5.0, 3.0, 3.0)),
    "amax over an axis": (lambda x: torch.amax(x, dim=0), (1.0, 3.0, 3.0)),
    "max pooling": (lambda x: functional.max_pool1d(x[None], 2).sum(), (3.0, 3.0)),
    "median of equals": (torch.median, (2.0, 2.0, 1.0)),
    "sort of equals": (lambda x: torch.sort(x).values[0], (2.0, 1.0, 1.0)),
    "repeated index": (lambda w: w[torch.tensor([0, 0, 1])].sum(), (1.0, 1.0)),
    "norm at 0": (torch.linalg.vector_norm, (0.0, 0.0)),
    "sqrt at 0": (torch.sqrt, 0.0),
    "log at 0": (torch.log, 0.0),
    "x/|x| at 0": (lambda x: x / torch.abs(x), 0.0),
    "sinc at 0": (torch.sinc, 0.0),
    "atan2 at (0, 0)": (lambda x: torch.atan2(x[0], x[1]), (0.0, 0.0)),
    "x^y at (0, 0)": (lambda x: torch.pow(x[0], x[1]), (0.0, 0.0)),
    "x^y at (0, 2)": (lambda x: torch.pow(x[0], x[1]), (0.0, 2.0)),
    "xlogy at (0, 0)": (lambda x: torch.xlogy(x[0], x[1]), (0.0, 0.0)),
    "where, NaN not taken": (lambda t: torch.where(t > 0, torch.sqrt(t), 0), -1.0),
    "std of equals": (torch.std, (1.0, 1.0)),
    "logsumexp of -inf": (lambda x: torch.logsumexp(x, dim=0), (-inf, -inf)),
    "product with a zero": (torch.prod, (2.0, 0.0, 3.0)),
    "cumulative product with a zero": (lambda x: torch.cumprod(x, dim=0).sum(), (2.0, 0.0, 3.0)),
    "leaky relu slope": (functional.leaky_relu, -1.0),
    "huber delta": (lambda a: functional.huber_loss(a, torch.zeros_like(a)), 1000.0),
}
"""A function that gives one number, and where its gradient is taken."""

VALUES: dict[str, Callable[[Callable[..., Any]], Any]] = {
    "median of four": lambda array: torch.median(array(1.0, 2.0, 3.0, 4.0)),
    "argmax of equals": lambda array: torch.argmax(array(1.0, 3.0, 3.0)),
    "gelu": lambda array: _form_of_gelu(array(-2.0, -0.5, 0.5, 2.0)),
    "softplus": lambda array: max(z for z in range(40) if functional.softplus(array(z)) != z),
    "elu alpha": lambda array: -functional.elu(array(-100.0)),
    "squared error": lambda array: _loss(functional.mse_loss(array(1.0, 3.0), array(0.0, 0.0)), "per entry"),
    "squared error, factor": lambda array: functional.mse_loss(array(1.0), array(0.0)),
    "cross-entropy": lambda array: _loss(_cross_entropy(array, 2) / _cross_entropy(array, 1), "per row"),
    "binary cross-entropy": lambda array: functional.binary_cross_entropy(array(0.0), array(1.0)),
    "smooth L1 beta": lambda array: 2 * (1000 - functional.smooth_l1_loss(array(1000.0), array(0.0))),
    "std": lambda array: torch.std(array(0.0, 2.0)),
    "var": lambda array: torch.var(array(0.0, 2.0)),
    "layer norm eps": lambda _: torch.nn.LayerNorm(2).eps,
    "batch norm eps": lambda _: torch.nn.BatchNorm1d(1).eps,
    "batch norm momentum": lambda array: _after_a_batch(array, (0.0, 2.0), momentum=0.25)[0].running_mean,
    "batch norm variance": lambda array: _after_a_batch(array, (-1.0, 1.0), eps=2.0**-100)[1][1],
    "batch norm running variance": lambda array: _after_a_batch(array, (-1.0, 1.0), momentum=1.0)[0].running_var,
    "RMS norm eps": lambda array: (2.0**-80 / functional.rms_norm(array(2.0**-80)[None], (1,))) ** 2,
    "padding same, even kernel": lambda array: _same_padding(array(1.0, 2.0), array(1.0, 1.0)),
    "average over padding": lambda array: functional.avg_pool1d(array(1.0, 1.0)[None], 2, padding=1)[0, 0],
    "attention, nothing seen": lambda array: _nothing_seen(array(1.0, 3.0)[:, None]),
}
"""From what makes a tensor of the dtype to a number, or to words; eps is read off the layer as it is built."""


def measures(dtype: Any) -> dict[str, Callable[[], Measured]]:
    """Every experiment, in a torch dtype."""
    taken: dict[str, Callable[[], Measured]] = {
        name: partial(_gradient, *row, dtype) for name, row in GRADIENTS.items()
    }
    return taken | {name: partial(_value, measure, dtype) for name, measure in VALUES.items()}


def _gradient(function: Callable[..., Any], at: Any, dtype: Any) -> Measured:
    x = torch.tensor(at, dtype=dtype, requires_grad=True)
    (slope,) = torch.autograd.grad(function(x), x)
    return slope.tolist()


def _value(measure: Callable[..., Any], dtype: Any) -> Measured:
    with torch.no_grad():
        found = measure(lambda *numbers: torch.tensor(numbers if len(numbers) > 1 else numbers[0], dtype=dtype))
    return found if isinstance(found, str) else float(found)


def _loss(loss: Any, otherwise: str) -> Any:
    """A loss of several entries, or in other words that it is not reduced to one number."""
    return loss if loss.ndim == 0 else otherwise


def _cross_entropy(array: Callable[..., Any], rows: int) -> Any:
    logits = torch.stack([array(0.0, 0.0)] * rows)
    return functional.cross_entropy(logits, torch.zeros(rows, dtype=torch.int64))


def _same_padding(x: Any, kernel: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it makes a copy of x
        return functional.conv1d(x[None, None], kernel[None, None], padding="same")[0, 0, 0]


def _nothing_seen(values: Any) -> Any:
    hidden = torch.zeros(2, 2, dtype=torch.bool)
    each = values[None]
    return functional.scaled_dot_product_attention(each, each, each, attn_mask=hidden)[0, 0, 0]


def _form_of_gelu(z: Any) -> str:
    default = functional.gelu(z)
    forms = {"erf": functional.gelu(z, approximate="none"), "tanh": functional.gelu(z, approximate="tanh")}
    return next((name for name, values in forms.items() if torch.equal(values, default)), "another")


def _after_a_batch(array: Callable[..., Any], batch: tuple[float, ...], **options: float) -> Any:
    """A batch norm that started from 0 and saw one batch, and what it gave for it."""
    x = array(*batch)[:, None]
    layer = torch.nn.BatchNorm1d(1, dtype=x.dtype, **options)
    layer.running_mean.zero_()
    layer.running_var.zero_()
    return layer, layer(x)
