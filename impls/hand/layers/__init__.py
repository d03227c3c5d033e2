"""Layers: what a network is made of besides activations and losses, one idea a file."""

from impls.hand.layers.attention import AttentionScores, CausalSoftmax, MatrixProduct, MergeHeads, SplitHeads
from impls.hand.layers.batch_norm import BatchNorm, BatchNormEvaluation
from impls.hand.layers.combining import Add, Concatenate, Multiply, Split
from impls.hand.layers.convolution import Conv2d
from impls.hand.layers.dense import Dense
from impls.hand.layers.dropout import Dropout
from impls.hand.layers.embedding import Embedding
from impls.hand.layers.layer_norm import LayerNorm
from impls.hand.layers.pooling import AvgPool2d, GlobalAvgPool2d, MaxPool2d
from impls.hand.layers.positions import Positions, Unembedding
from impls.hand.layers.shaping import Flatten, Reshape, Transpose

__all__ = [
    "Add", "AttentionScores", "AvgPool2d", "BatchNorm", "BatchNormEvaluation", "CausalSoftmax", "Concatenate",
    "Conv2d", "Dense", "Dropout", "Embedding", "Flatten", "GlobalAvgPool2d", "LayerNorm", "MatrixProduct", "MaxPool2d",
    "MergeHeads", "Multiply", "Positions", "Reshape", "Split", "SplitHeads", "Transpose", "Unembedding",
]  # fmt: skip
