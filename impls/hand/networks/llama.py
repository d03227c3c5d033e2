"""A Llama for the tokens of a text: what comes next, at every position.

    x = wte[i]                                               no positions here: queries and keys are turned by theirs
    x = x + proj(attention(norm1(x)))                        causal; every `heads / groups` heads of queries share keys
    x = x + down(silu(gate(norm2(x))) up(norm2(x)))          SwiGLU, each position by itself
    logits = head(norm(x))                                   a matrix of its own

Shapes: i (N, T) whole numbers below `tokens`; x (N, T, width); logits (N, T, tokens). No biases; RMSNorm before each
part and not behind it; 8/3 as wide within the SwiGLU, so that its three matrices have as many entries as two of a GPT.

Sources: Touvron et al., "LLaMA: open and efficient foundation language models" (2023), section 2.2; Shazeer, "GLU
variants improve transformer" (2020), equation (6); grouped queries as in Llama 2.
"""

from __future__ import annotations

from impls.graph import Graph, GraphBuilder
from impls.hand.activations import Silu
from impls.hand.layers import (
    Add,
    AttentionScores,
    CausalSoftmax,
    Dense,
    Embedding,
    Heads,
    MatrixProduct,
    MergeHeads,
    Multiply,
    RepeatHeads,
    RMSNorm,
    Rotary,
)
from impls.hand.losses import SoftmaxCrossEntropy


def llama_tiny(
    layers: int = 2, heads: int = 4, groups: int = 2, width: int = 32, context: int = 32, tokens: int = 65
) -> Graph:
    """The network; `groups` heads of keys and values, `tokens` as many as the text has different characters."""
    if width % (2 * heads) or heads % groups:
        raise ValueError(
            f"Cannot build llama-tiny with width={width}, heads={heads} and groups={groups}, because every head takes "
            f"pairs of neurons and every group as many heads; make the width a multiple of {2 * heads}, and heads one "
            f"of groups."
        )
    net, inner = GraphBuilder(), 8 * width // 3

    def product(name: str, inputs: int, outputs: int, x: str) -> str:
        return str(net(name, Dense(inputs, outputs, bias=False), x))

    x = net("wte", Embedding(tokens, width), net.input("i", (context,), choices=tokens))
    for n in range(layers):
        h, attn, narrow = f"h{n}", f"h{n}.attn", width // heads * groups
        a = net(f"{h}.norm1", RMSNorm(width), x)
        q = net(f"{attn}.heads_q", Heads(heads), product(f"{attn}.q", width, width, a))
        k = net(f"{attn}.heads_k", Heads(groups), product(f"{attn}.k", width, narrow, a))
        v = net(f"{attn}.heads_v", Heads(groups), product(f"{attn}.v", width, narrow, a))
        q, k = net(f"{attn}.turned_q", Rotary(), q), net(f"{attn}.turned_k", Rotary(), k)
        k, v = (net(f"{attn}.all_{s}", RepeatHeads(heads // groups), each) for s, each in (("k", k), ("v", v)))
        a = net(f"{attn}.softmax", CausalSoftmax(), net(f"{attn}.scores", AttentionScores(), q, k))
        o = net(f"{attn}.merged", MergeHeads(heads), net(f"{attn}.values", MatrixProduct(), a, v))
        x = net(f"{h}.res1", Add(), x, product(f"{attn}.proj", width, width, o))
        m = net(f"{h}.norm2", RMSNorm(width), x)
        gate = net(f"{h}.mlp.silu", Silu(), product(f"{h}.mlp.gate", width, inner, m))
        m = net(f"{h}.mlp.glu", Multiply(), gate, product(f"{h}.mlp.up", width, inner, m))
        x = net(f"{h}.res2", Add(), x, product(f"{h}.mlp.down", inner, width, m))
    return net.loss(SoftmaxCrossEntropy(), product("logits", width, tokens, net("norm", RMSNorm(width), x)))
