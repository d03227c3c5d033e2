"""A GPT-2 for the tokens of a text: what comes next, at every position.

    x = wte[i] + wpe                                    a row for the token, a row for the position
    x = x + proj(attention(ln1(x)))                     in every block: causal, all heads side by side
    x = x + out(gelu(fc(ln2(x))))                       and each position by itself, four times as wide in between
    logits = ln(x) wte^T                                the embedding once more

Shapes: i (N, T) whole numbers below `tokens`; x (N, T, width); logits (N, T, tokens). Biases everywhere but at the end,
normalisation before each part and not behind it, gelu in its tanh form.

Source: Radford et al., "Language models are unsupervised multitask learners" (2019), section 2.3.
"""

from __future__ import annotations

from impls.graph import Graph, GraphBuilder
from impls.hand.activations import GeluTanh
from impls.hand.layers import (
    Add,
    AttentionScores,
    CausalSoftmax,
    Dense,
    Embedding,
    LayerNorm,
    MatrixProduct,
    MergeHeads,
    Positions,
    SplitHeads,
    Unembedding,
)
from impls.hand.losses import SoftmaxCrossEntropy


def gpt(layers: int = 2, heads: int = 2, width: int = 32, context: int = 32, tokens: int = 65) -> Graph:
    """The network; `tokens` as many as the text has different characters."""
    if width % heads:
        raise ValueError(
            f"Cannot build gpt with width={width} and heads={heads}, because every head takes an equal share of the "
            f"width; make the width a multiple of {heads}."
        )
    net = GraphBuilder()
    x = net("wte", Embedding(tokens, width), net.input("i", (context,), choices=tokens))
    x = net("wpe", Positions(context, width), x)
    for n in range(layers):
        h, attn = f"h{n}", f"h{n}.attn"
        qkv = net(f"{attn}.qkv", Dense(width, 3 * width), net(f"{h}.ln1", LayerNorm(width), x))
        q, k, v = net(f"{attn}.heads", SplitHeads(heads), qkv)
        a = net(f"{attn}.softmax", CausalSoftmax(), net(f"{attn}.scores", AttentionScores(), q, k))
        o = net(f"{attn}.merged", MergeHeads(heads), net(f"{attn}.values", MatrixProduct(), a, v))
        x = net(f"{h}.res1", Add(), x, net(f"{attn}.proj", Dense(width, width), o))
        z = net(f"{h}.mlp.fc", Dense(width, 4 * width), net(f"{h}.ln2", LayerNorm(width), x))
        z = net(f"{h}.mlp.proj", Dense(4 * width, width), net(f"{h}.mlp.gelu", GeluTanh(), z))
        x = net(f"{h}.res2", Add(), x, z)
    logits = net("logits", Unembedding(tokens, width), net("ln", LayerNorm(width), x), W="wte.W")
    return net.loss(SoftmaxCrossEntropy(), logits)
