"""Activations: layers without weights, a = f(z)."""

from impls.hand.activations.gelu import Gelu, GeluTanh
from impls.hand.activations.piecewise import HardSigmoid, LeakyRelu, Relu
from impls.hand.activations.sigmoidal import Identity, Sigmoid, Tanh
from impls.hand.activations.smooth import Elu, Silu, Softplus
from impls.hand.activations.softmax import Softmax
from impls.hand.parts import Activation

__all__ = [
    "Activation", "Elu", "Gelu", "GeluTanh", "HardSigmoid", "Identity", "LeakyRelu", "Relu", "Sigmoid", "Silu",
    "Softmax", "Softplus", "Tanh",
]  # fmt: skip
