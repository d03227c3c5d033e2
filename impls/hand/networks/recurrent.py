"""Recurrent networks for the tokens of a text, unrolled: every step is nodes of its own, and all share their weights.

    rnn     h = tanh(x W + b + h' U)
    lstm    i, f, o = sigmoid(x W + b + h' U) and g = tanh(x W + b + h' U), each with weights of its own
            c = f c' + i g                                    h = o tanh(c)
    gru     r, u = sigmoid(x W + b + h' U)                    n = tanh(x W + b + r (h' U))          h = n + u (h' - n)

h' and c' are those of the step before, 0 at first: the first step has no part in dU, and neither f nor r. Gradients
through time: dW and dU are sums over the steps, as any weight's that several nodes share.

Shapes: i (N, T) whole numbers below `tokens`; x, h and c (N, width); logits (N, T, tokens). The weights of a gate are
those of the first step that has it (t0.i.x.W, t1.f.h.W). torch has the gates of a step side by side in one matrix, and
one more bias, on h' U.

Sources: Elman, "Finding structure in time" (1990); Hochreiter and Schmidhuber, "Long short-term memory" (1997), with
the forget gate of Gers, Schmidhuber and Cummins (2000); Cho et al., "Learning phrase representations using RNN
encoder-decoder" (2014), equations (5) to (8), with r after the product, as torch has it.
"""

from __future__ import annotations

from collections.abc import Callable

from impls.graph import Graph, GraphBuilder
from impls.hand.activations import Sigmoid, Tanh
from impls.hand.layers import Add, Concatenate, Dense, Embedding, Flatten, Multiply, Reshape, Split, Subtract
from impls.hand.losses import SoftmaxCrossEntropy


def rnn_char(width: int = 16, context: int = 8, tokens: int = 65) -> Graph:
    """A plain recurrent network; `tokens` as many as the text has different characters."""
    return _unrolled(_rnn, width, context, tokens)


def lstm_char(width: int = 16, context: int = 8, tokens: int = 65) -> Graph:
    """A long short-term memory."""
    return _unrolled(_lstm, width, context, tokens)


def gru_char(width: int = 16, context: int = 8, tokens: int = 65) -> Graph:
    """Gated recurrent units."""
    return _unrolled(_gru, width, context, tokens)


class _Step:
    """One step of an unrolled network: what it reads, and matrices that all steps share."""

    def __init__(self, net: GraphBuilder, number: int, width: int, owners: dict[str, str], x: str, h: str) -> None:
        self.net, self.at, self.width, self.owners, self.x, self.h = net, f"t{number}", width, owners, x, h

    def __call__(self, name: str, layer: object, *reads: str) -> str:
        """A node of this step."""
        return str(self.net(f"{self.at}.{name}", layer, *reads))

    def product(self, name: str, read: str, bias: bool) -> str:
        """By the matrix of that name, which belongs to the first step that has it."""
        owner = self.owners.setdefault(name, f"{self.at}.{name}")
        shared = {} if owner == f"{self.at}.{name}" else {"W": f"{owner}.W"} | ({"b": f"{owner}.b"} if bias else {})
        return str(self.net(f"{self.at}.{name}", Dense(self.width, self.width, bias=bias), read, **shared))

    def gate(self, name: str, activation: object, through: str = "") -> str:
        """activation(x W + b + h' U), h' U multiplied by what it goes through."""
        z = self.product(f"{name}.x", self.x, bias=True)
        if self.h:
            past = self.product(f"{name}.h", self.h, bias=False)
            z = self(f"{name}.sum", Add(), z, self(f"{name}.reset", Multiply(), through, past) if through else past)
        return self(name, activation, z)


def _unrolled(cell: Callable[[_Step, str], tuple[str, str]], width: int, context: int, tokens: int) -> Graph:
    net, owners, h, c, outputs = GraphBuilder(), dict[str, str](), "", "", ""
    rest = net("flat", Flatten(), net("emb", Embedding(tokens, width), net.input("i", (context,), choices=tokens)))
    for n in range(context):
        x, rest = net(f"t{n}.cut", Split(width), rest) if n < context - 1 else (rest, "")
        h, c = cell(_Step(net, n, width, owners, x, h), c)
        outputs = net(f"t{n}.outputs", Concatenate(), outputs, h) if n else h
    states = net("states", Reshape([context, width]), outputs)
    return net.loss(SoftmaxCrossEntropy(), net("logits", Dense(width, tokens), states))


def _rnn(step: _Step, c: str) -> tuple[str, str]:
    return step.gate("h", Tanh()), c


def _lstm(step: _Step, c: str) -> tuple[str, str]:
    new = step("new", Multiply(), step.gate("i", Sigmoid()), step.gate("g", Tanh()))
    c = step("c", Add(), step("kept", Multiply(), step.gate("f", Sigmoid()), c), new) if c else new
    return step("h", Multiply(), step.gate("o", Sigmoid()), step("squashed", Tanh(), c)), c


def _gru(step: _Step, c: str) -> tuple[str, str]:
    n = step.gate("n", Tanh(), step.gate("r", Sigmoid()) if step.h else "")
    u = step.gate("u", Sigmoid())
    if not step.h:
        return step("h", Subtract(), n, step("left", Multiply(), u, n)), c
    return step("h", Add(), n, step("moved", Multiply(), u, step("difference", Subtract(), step.h, n))), c
