"""The chain rule path by path: a derivative is the sum, over all paths, of the product along each path.

    dL/dw = sum over paths  dL/dO * dO/dO * ... * dO/dw

A path leads from a weight w into a neuron that w feeds, through one neuron of every later layer, to the loss L. In a
batch every sample has neurons of its own, and all samples share w: a path runs within one sample.

    w_21^(1) -> O11 -> O21 -> O31 -> L              4-3-2-1: two routes,
    w_21^(1) -> O11 -> O22 -> O31 -> L              so two paths in every sample

Where a tensor has several readers the paths part, and where a layer reads several tensors they meet: a network that
branches has several sequences of tensors from the start to the loss, its `Branch`es. A weight that several nodes share
starts paths at each of them.

A step from one layer's output to the next is weighted sum and activation in one, dO_k/dO_i = f'(z_k) w_ik. Where
an activation couples the neurons of its layer (softmax) each z_m leads to every O_k: z is a level of its own, and
the paths fan out once more. The loss is one step, whatever it couples: dL/dO_k, all other outputs held.

Nothing is differentiated here. Each step's local derivatives are what the layer's own vjp makes of rows of the
identity: with e_k as upstream gradient it gives the derivatives of output k.
"""

from impls.hand.paths.branches import Branch
from impls.hand.paths.derivatives import WEIGHED, Derivatives, weighed
from impls.hand.paths.paths import Path, Paths
from impls.hand.paths.steps import Level, Step

__all__ = ["WEIGHED", "Branch", "Derivatives", "Level", "Path", "Paths", "Step", "weighed"]
