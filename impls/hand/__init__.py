"""The reference: forward and backward passes written by hand from the chain rule, in NumPy only.

One letter per dimension, in every docstring of this package:

    N  rows of the batch          M  inputs of a layer (source neurons, index i)
    K  outputs of a layer (destination neurons, index j)

``w_ij`` is the weight from source neuron i to destination neuron j, so a layer's weight matrix
has shape (M, K) and the layer computes ``x @ W + b``. (torch.nn.Linear stores (K, M).)

One law of names, everywhere: the gradient of ``W1`` is ``dW1``, of the pre-activation ``z1`` it is
``dz1``, of the activation ``a1`` it is ``da1``.

No line of this package mentions a dtype. The same lines run on float32 and float64 arrays and on
any array type that speaks NumPy's protocols and, for the named primitives, `impls.graph.primitive`.
"""

from impls.graph import Graph, GraphBuilder, Input, Link, node
from impls.hand import activations, layers, losses
from impls.hand.activations import *  # noqa: F403  (what a room lists is listed there alone)
from impls.hand.layers import *  # noqa: F403
from impls.hand.losses import *  # noqa: F403
from impls.hand.network import Network
from impls.hand.notation import from_text
from impls.hand.optimizers import Adagrad, Adam, AdamW, GradientDescent, Momentum, Nesterov, RMSProp

__all__ = [
    "Adagrad",
    "Adam",
    "AdamW",
    "GradientDescent",
    "Graph",
    "GraphBuilder",
    "Input",
    "Link",
    "Momentum",
    "Nesterov",
    "Network",
    "RMSProp",
    "from_text",
    "node",
]
__all__ += [*activations.__all__, *layers.__all__, *losses.__all__]
