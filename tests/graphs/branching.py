"""Networks with branches, by which everything that runs on graphs is tried."""

import numpy as np

from impls.contract import Inputs
from impls.hand import (
    Abs,
    Add,
    AttentionScores,
    AvgPool2d,
    BatchNorm,
    BatchNormEvaluation,
    CausalSoftmax,
    Clip,
    Concatenate,
    Conv2d,
    Dense,
    Divide,
    Dropout,
    Embedding,
    Erf,
    Exp,
    Flatten,
    GlobalAvgPool2d,
    Graph,
    GraphBuilder,
    Heads,
    LayerNorm,
    Log,
    Log1p,
    MaskedSoftmax,
    MatrixProduct,
    Maximum,
    MaxPool2d,
    Mean,
    MeanSquaredError,
    MergeHeads,
    Minimum,
    Multiply,
    Positions,
    Relu,
    RepeatHeads,
    Reshape,
    Rotary,
    Rsqrt,
    Sigmoid,
    Softmax,
    SoftmaxCrossEntropy,
    Split,
    SplitHeads,
    Sqrt,
    Subtract,
    Sum,
    SumSquaredError,
    Tanh,
    Transpose,
    Unembedding,
)

CHOICES = 5


def branching() -> Graph:
    """A residual sum, a weight that two nodes share, three inputs, whole numbers, a concatenation, two outputs."""
    net = GraphBuilder()
    x, u, k = net.input("x", 4), net.input("u", 3), net.input("k", (), choices=CHOICES)
    h = net("act1", Tanh(), net("fc1", Dense(4, 6), x))
    s = net("res", Add(), h, net("act2", Sigmoid(), net("fc2", Dense(6, 6), h)))
    a = net("act4", Relu(), net("act3", Tanh(), net("again", Dense(6, 6), s, W="fc2.W")))
    v = net("u2", Multiply(), u, net("emb", Embedding(CHOICES, 3), k))
    p, q = net("split", Split(2), net("cat", Concatenate(), a, v))
    out = net("out", Add(), net("h1", Dense(2, 3), p), net("h2", Dense(7, 3), q))
    return net.loss(MeanSquaredError(), out)


def batch_of(network: Graph, rows: int, seed: int = 0):
    """Inputs and targets that fit."""
    rng = np.random.default_rng(seed)
    x = Inputs(
        {
            s.name: rng.integers(0, s.choices, (rows, *s.shape)) if s.choices else rng.normal(size=(rows, *s.shape))
            for s in network.sources
        }
    )
    x |= {s.name: 1.0 * (x[s.name] > 0) for s in network.sources if s.keep}
    target = network.tensors["y"]
    size = target.sized(rows)
    real = rng.uniform if network.loss.unit_targets else rng.normal
    y = rng.integers(0, target.choices, size) if target.whole else real(size=size)
    return next(iter(x.values())) if len(x) == 1 else x, y


def positions() -> Graph:
    """Tokens by position, an input with a gradient, softmax over the last of three axes."""
    net = GraphBuilder()
    i, v = net.input("i", (5,), choices=7), net.input("v", (5, 3), gradient=True)
    z = net("fc", Dense(3, 4), net("add", Add(), net("emb", Embedding(7, 3), i), v))
    return net.loss(MeanSquaredError(), net("fc2", Dense(4, 2), net("sm", Softmax(), z)))


def tokens() -> Graph:
    """A class for every position of every row: labels (N, T)."""
    net = GraphBuilder()
    e = net("emb", Embedding(4, 3), net.input("i", (5,), choices=4))
    return net.loss(SoftmaxCrossEntropy(), net("fc", Dense(3, 4), net("ln", LayerNorm(3), e)))


def classified(loss) -> Graph:
    """A distribution over classes at every position."""
    net = GraphBuilder()
    z = net("fc", Dense(3, 4), net.input("v", (5, 3)))
    return net.loss(loss, net("sm", Softmax(), z) if loss.on_probabilities else z)


def attention() -> Graph:
    """A block of a transformer, its tokens' embedding shared with the output, one position more than is used."""
    net = GraphBuilder()
    e = net("wte", Embedding(4, 6), net.input("i", (3,), choices=4))
    x = net("wpe", Positions(4, 6), e)
    q, k, v = net("heads", SplitHeads(2), net("qkv", Dense(6, 18), net("ln", LayerNorm(6), x)))
    a = net("att", CausalSoftmax(), net("scores", AttentionScores(), q, k))
    o = net("proj", Dense(6, 6), net("merge", MergeHeads(2), net("values", MatrixProduct(), a, v)))
    out = net("out", Unembedding(4, 6), net("res", Add(), x, o), W="wte.W")
    return net.loss(SoftmaxCrossEntropy(), out)


def three_readers() -> Graph:
    """A tensor that three nodes read, one of them twice."""
    net = GraphBuilder()
    h = net("act", Tanh(), net("fc", Dense(3, 4), net.input("x", 3)))
    s = net("sum", Add(), net("one", Dense(4, 4), h), net("two", Relu(), h))
    return net.loss(SumSquaredError(), net("out", Add(), s, net("square", Multiply(), h, h)))


def images() -> Graph:
    """Convolutions with every option, on images that a stride does not divide, and changes of shape between them."""
    net = GraphBuilder()
    x = net("x1", Transpose([3, 1, 2]), net("x0", Reshape([7, 6, -1]), net.input("x", (14, 6), gradient=True)))
    z = net("a1", Tanh(), net("c1", Conv2d(2, 4, 3, padding=1, dilation=[2, 1]), x))
    z = net("c2", Conv2d(4, 4, [2, 3], stride=2, padding=[0, 1], groups=2), z)
    z = net("c3", Conv2d(4, 4, 2, stride=[1, 2], padding="same", groups=4, bias=False), z)
    z = net("f", Flatten(), net("c4", Conv2d(4, 3, 1), z))
    return net.loss(MeanSquaredError(), net("out", Dense(12, 2), z))


def pooled() -> Graph:
    """Every kind of pooling, of windows that overlap and that do not, with padding; a relu makes equal entries."""
    net = GraphBuilder()
    x = net("r", Relu(), net("c", Conv2d(1, 2, 3), net.input("x", (1, 8, 8), gradient=True)))
    m = net("m", Add(), net("m1", MaxPool2d(3, 2, padding=1), x), net("m2", MaxPool2d([2, 3], 2, padding=[0, 1]), x))
    a = net("a2", AvgPool2d([2, 1], padding=[1, 0], count_include_pad=False), net("a1", AvgPool2d([2, 3], 2), x))
    s = net("sum", Add(), net("g1", GlobalAvgPool2d(), m), net("g2", GlobalAvgPool2d(), a))
    return net.loss(MeanSquaredError(), net("out", Dense(2, 2), s))


def functions() -> Graph:
    """Elementary functions, differences, quotients and choices with repeated axes, sums and means."""
    net = GraphBuilder()
    z = net("fc", Dense(3, 4), net.input("x", (5, 3), gradient=True))
    e = net("exp", Exp(), net("erf", Erf(), z))
    s = net("sub", Subtract(), e, net("mean", Mean([2]), net("sqrt", Sqrt(), e)))
    q = net("div", Divide(), net("sum", Sum([1]), net("abs", Abs(), s)), net("log1p", Log1p(), e))
    c = net("clip", Clip(-0.5, 0.75), z)
    m = net("max", Maximum(), c, net("log", Log(), q))
    m = net("min", Minimum(), m, net("rsqrt", Rsqrt(), net("mean2", Mean([2]), e)))
    out = net("dif", Subtract(), m, c)
    return net.loss(MeanSquaredError(), out)


def normalised() -> Graph:
    """BatchNorm of images and of rows, in training and in evaluation, with either framework's running statistics."""
    net = GraphBuilder()
    x = net("c", Conv2d(1, 2, 2, bias=False), net.input("x", (1, 4, 4), gradient=True))
    x = net("a1", Tanh(), net("bn1", BatchNorm(2), x))
    x = net("bn2", BatchNorm(2, eps=1e-3, momentum=0.75, momentum_from="flax"), x)
    x = net("drop", Dropout(0.25), net("a2", Tanh(), x), net.mask("m", (2, 3, 3), rate=0.25))
    z = net("fc", Dense(2, 3, bias=False), net("g", GlobalAvgPool2d(), x))
    return net.loss(MeanSquaredError(), net("bn4", BatchNormEvaluation(3), net("bn3", BatchNorm(3), z)))


def sequence() -> Graph:
    """Grouped queries with rotary positions of both kinds, causal and not, some keys hidden by a mask."""
    net = GraphBuilder()
    x, m = net.input("x", (3, 8), gradient=True), net.input("m", (3,), choices=2)
    q = net("rq", Rotary(), net("hq", Heads(4), net("q", Dense(8, 16), x)))
    k = net("rk", Rotary(10.0, "neighbours"), net("hk", Heads(2), net("k", Dense(8, 8), x)))
    k, v = net("kk", RepeatHeads(2), k), net("vv", RepeatHeads(2), net("hv", Heads(2), net("v", Dense(8, 8), x)))
    z = net("scores", AttentionScores(), q, k)
    a = net("both", Add(), net("past", MaskedSoftmax(causal=True), z, m), net("all", MaskedSoftmax(), z, m))
    o = net("merge", MergeHeads(4), net("values", MatrixProduct(), a, v))
    return net.loss(MeanSquaredError(), net("out", Dense(16, 2), o))


class Gain:
    """A weight that is called neither W nor b."""

    reads, gives = "z", "s"

    def __init__(self, size: int) -> None:
        self.weights = {"g": (size,)}

    def forward(self, z, g):
        return z * g

    def dz(self, ds, g):
        return ds * g

    def dg(self, ds, z):
        return (ds * z).sum(axis=0)


class Centring:
    """A running mean, which a forward pass reads and updates."""

    reads, gives = "x", "s"
    apart = {"next_m": ({}, 0)}  # noqa: RUF012

    def __init__(self, size: int) -> None:
        self.weights, self.buffers = {"g": (size,)}, {"m": (size,)}

    def forward(self, x, m, g):
        return (x - m) * g

    def dx(self, ds, g):
        return ds * g

    def dg(self, ds, x, m):
        return ((x - m) * ds).sum(axis=0)

    def next_m(self, m, x):
        return 0.5 * m + 0.5 * (x.sum(axis=0) / len(x))
