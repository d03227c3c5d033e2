"""Optimizers: how a weight moves against its gradient, once per batch."""

from impls.hand.optimizers.adaptive import Adagrad, Adam, AdamW, RMSProp
from impls.hand.optimizers.base import Optimizer, update_links
from impls.hand.optimizers.descent import GradientDescent, Momentum, Nesterov

__all__ = [
    "Adagrad",
    "Adam",
    "AdamW",
    "GradientDescent",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "RMSProp",
    "update_links",
]
