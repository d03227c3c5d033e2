"""Optimizers: how a weight moves against its gradient, once per batch."""

from impls.hand.optimizers.adaptive import Adagrad, Adam, AdamW, RMSProp
from impls.hand.optimizers.descent import (
    GradientDescent,
    Momentum,
    Nesterov,
    Optimizer,
    initial_state,
    read_off,
    update_links,
)

__all__ = [
    "Adagrad", "Adam", "AdamW", "GradientDescent", "Momentum", "Nesterov", "Optimizer", "RMSProp",
    "initial_state", "read_off", "update_links",
]  # fmt: skip
