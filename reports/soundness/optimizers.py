"""The optimizers of the campaign's cases: every kind with drawn parameters, and gradients of every size.

An update works entry by entry, so the weights need not be those of a network: what matters is how large weights,
gradients and state are, and how many steps went before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from impls.contract import Array
from impls.graph import prefixed
from impls.hand.notation import OPTIMIZERS

SHAPES = {"W1": (37, 11), "b1": (11,)}
STEPS = 8

FRACTIONS = (0.0, 0.1, 0.5, 0.75, 0.9, 0.99, 0.999)
GRADIENTS: Mapping[str, tuple[float, float]] = {
    "gradients near 1": (-1.0, 0.5),
    "gradients of every size": (-44.0, 6.0),
    "gradients near 1e-20, whose squares underflow in float32": (-24.0, -16.0),
    "gradients near 1e-160, whose squares underflow in float64": (-170.0, -150.0),
    "gradients near 1e18, whose squares nearly overflow": (15.0, 18.9),
}
"""Decimal exponents between which magnitudes are drawn, log-uniform."""


def drawn_optimizer(rng: np.random.Generator, turn: int) -> Any:
    """An optimizer, its kind cycling with `turn`, its parameters drawn."""
    kind = list(OPTIMIZERS)[turn % len(OPTIMIZERS)]
    given: dict[str, Any] = {"lr": float(10 ** rng.uniform(-4, 0))}
    if rng.random() < 0.5:
        given["weight_decay"] = float(10 ** rng.uniform(-4, -0.5))
    if kind in ("momentum", "nesterov"):
        given["mu"] = float(rng.choice(FRACTIONS))
    if kind == "rmsprop":
        given["rho"] = float(rng.choice(FRACTIONS))
    if kind in ("adagrad", "rmsprop"):
        given["epsilon_from"] = str(rng.choice(["torch", "optax"]))
    if kind in ("adam", "adamw"):
        given |= {"beta1": float(rng.choice(FRACTIONS)), "beta2": float(rng.choice(FRACTIONS))}
    if kind in ("adagrad", "rmsprop", "adam", "adamw"):
        given["epsilon"] = float(rng.choice([1e-3, 1e-8, 1e-10, 1e-16]))
    return OPTIMIZERS[kind](**given)


def drawn_steps(rng: np.random.Generator, dtype: str) -> Iterator[tuple[dict[str, Array], dict[str, Array], str]]:
    """Weights, gradients and what they are like, step by step; the first weights serve to start from."""
    kinds = list(GRADIENTS)
    for _ in range(STEPS):
        kind = kinds[rng.choice(len(kinds), p=[0.4, 0.3, 0.1, 0.1, 0.1])]
        weights = {name: of_every_size(rng, shape, -3.0, 1.0) for name, shape in SHAPES.items()}
        gradients = {prefixed("d", name): of_every_size(rng, shape, *GRADIENTS[kind]) for name, shape in SHAPES.items()}
        yield (
            {name: w.astype(dtype) for name, w in weights.items()},
            {name: g.astype(dtype) for name, g in gradients.items()},
            kind,
        )


def of_every_size(rng: np.random.Generator, shape: tuple[int, ...], low: float, high: float) -> Array:
    """Magnitudes log-uniform from 10^low to 10^high, either sign, one in twenty 0."""
    size = 10.0 ** rng.uniform(low, high, shape)
    return size * rng.choice([-1.0, 1.0], shape) * (rng.random(shape) < 0.95)
