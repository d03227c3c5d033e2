"""Layers: what a network is made of besides activations and losses, one idea a file."""

from impls.hand.layers.attention import AttentionScores, CausalSoftmax, MatrixProduct, MergeHeads, SplitHeads
from impls.hand.layers.batch_norm import BatchNorm, BatchNormEvaluation
from impls.hand.layers.broadcasting import Divide, Maximum, Minimum, Subtract
from impls.hand.layers.combining import Add, Concatenate, Multiply, Split
from impls.hand.layers.convolution import Conv2d
from impls.hand.layers.dense import Dense
from impls.hand.layers.dropout import Dropout
from impls.hand.layers.embedding import Embedding
from impls.hand.layers.functions import Abs, Clip, Erf, Exp, Log, Log1p, Rsqrt, Sqrt
from impls.hand.layers.heads import Heads, RepeatHeads
from impls.hand.layers.layer_norm import LayerNorm
from impls.hand.layers.masking import MaskedSoftmax
from impls.hand.layers.pooling import AvgPool2d, GlobalAvgPool2d, MaxPool2d
from impls.hand.layers.positions import Positions, Unembedding
from impls.hand.layers.reductions import Mean, Sum
from impls.hand.layers.rotary import Rotary
from impls.hand.layers.shaping import Flatten, Reshape, Transpose

__all__ = [
    "Abs",
    "Add",
    "AttentionScores",
    "AvgPool2d",
    "BatchNorm",
    "BatchNormEvaluation",
    "CausalSoftmax",
    "Clip",
    "Concatenate",
    "Conv2d",
    "Dense",
    "Divide",
    "Dropout",
    "Embedding",
    "Erf",
    "Exp",
    "Flatten",
    "GlobalAvgPool2d",
    "Heads",
    "LayerNorm",
    "Log",
    "Log1p",
    "MaskedSoftmax",
    "MatrixProduct",
    "MaxPool2d",
    "Maximum",
    "Mean",
    "MergeHeads",
    "Minimum",
    "Multiply",
    "Positions",
    "RepeatHeads",
    "Reshape",
    "Rotary",
    "Rsqrt",
    "Split",
    "SplitHeads",
    "Sqrt",
    "Subtract",
    "Sum",
    "Transpose",
    "Unembedding",
]  # fmt: skip
