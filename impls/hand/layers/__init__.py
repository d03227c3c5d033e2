"""Layers: what a network is made of besides activations and losses, one idea a file."""

from impls.hand.layers.attention import AttentionScores, CausalSoftmax, MatrixProduct, MergeHeads, SplitHeads
from impls.hand.layers.combining import Add, Concatenate, Multiply, Split
from impls.hand.layers.dense import Dense
from impls.hand.layers.embedding import Embedding
from impls.hand.layers.layer_norm import LayerNorm
from impls.hand.layers.positions import Positions, Unembedding

__all__ = [
    "Add", "AttentionScores", "CausalSoftmax", "Concatenate", "Dense", "Embedding", "LayerNorm", "MatrixProduct",
    "MergeHeads", "Multiply", "Positions", "Split", "SplitHeads", "Unembedding",
]  # fmt: skip
