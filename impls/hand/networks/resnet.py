"""A residual network on the 8 x 8 images of digits: two blocks, the second of half the size and twice the channels.

    relu(bn(conv(x)) ...) = F(x), and F(x) + x             a block learns what to add to what it reads
    F(x) + bn(conv1x1(x))                                  where the sizes change, the way past F is a projection

A convolution has no bias where a BatchNorm follows, which would take it off again.

Source: He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2016), figure 2, equations (1), (2) and
section 4.2, option B.
"""

from __future__ import annotations

from impls.graph import Graph, GraphBuilder
from impls.hand.activations import Relu
from impls.hand.layers import Add, BatchNorm, Conv2d, Dense, GlobalAvgPool2d, Reshape
from impls.hand.losses import SoftmaxCrossEntropy


def resnet_tiny(width: int = 8) -> Graph:
    """64 pixels in, 10 logits out; `width` channels in the first block, twice as many in the second."""
    net = GraphBuilder()

    def convolved(name: str, x: str, inputs: int, outputs: int, kernel: int, stride: int = 1) -> str:
        z = net(f"{name}.conv", Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), x)
        return str(net(f"{name}.bn", BatchNorm(outputs), z))

    def block(name: str, x: str, inputs: int, outputs: int, stride: int) -> str:
        f = net(f"{name}.relu1", Relu(), convolved(f"{name}.first", x, inputs, outputs, 3, stride))
        f = convolved(f"{name}.second", f, outputs, outputs, 3)
        past = x if inputs == outputs else convolved(f"{name}.past", x, inputs, outputs, 1, stride)
        return str(net(f"{name}.relu2", Relu(), net(f"{name}.sum", Add(), f, past)))

    x = net("image", Reshape([1, 8, 8]), net.input("x", 64))
    x = net("relu", Relu(), convolved("stem", x, 1, width, 3))
    x = block("b1", x, width, width, 1)
    x = block("b2", x, width, 2 * width, 2)
    return net.loss(SoftmaxCrossEntropy(), net("out", Dense(2 * width, 10), net("pool", GlobalAvgPool2d(), x)))
