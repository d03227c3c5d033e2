"""LeNet-5 on the 8 x 8 images of digits, layer by layer as figure 2 of its paper names them.

Of 32 x 32 pixels there are 8 x 8 here, so the convolutions pad, and 16 images of 2 x 2 are left for C5. C3 reads all of
S2, where the paper leaves some connections out; S2 and S4 have no weights; the output is of logits.

Source: LeCun et al., "Gradient-based learning applied to document recognition" (1998), section II.B.
"""

from __future__ import annotations

from impls.graph import Graph, GraphBuilder
from impls.hand.activations import Tanh
from impls.hand.layers import AvgPool2d, Conv2d, Dense, Flatten, MaxPool2d, Reshape
from impls.hand.losses import SoftmaxCrossEntropy


def lenet(max_pool: bool = False) -> Graph:
    """64 pixels in, 10 logits out; S2 and S4 give the mean of a window, or its largest entry."""
    net, Pool = GraphBuilder(), MaxPool2d if max_pool else AvgPool2d
    x = net("image", Reshape([1, 8, 8]), net.input("x", 64))
    c1 = net("c1_act", Tanh(), net("c1", Conv2d(1, 6, 5, padding=2), x))
    s2 = net("s2", Pool(2), c1)
    c3 = net("c3_act", Tanh(), net("c3", Conv2d(6, 16, 5, padding=2), s2))
    s4 = net("s4", Pool(2), c3)
    c5 = net("c5_act", Tanh(), net("c5", Dense(64, 120), net("flat", Flatten(), s4)))
    f6 = net("f6_act", Tanh(), net("f6", Dense(120, 84), c5))
    return net.loss(SoftmaxCrossEntropy(), net("out", Dense(84, 10), f6))
