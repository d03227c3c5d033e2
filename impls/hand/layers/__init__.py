"""Layers: what a network is made of besides activations and losses, one idea a file."""

from impls.hand.layers.adaptive_pooling import AdaptiveAvgPool2d
from impls.hand.layers.attention import AttentionScores, CausalSoftmax, MergeHeads, SplitHeads
from impls.hand.layers.batch_norm import BatchNorm, BatchNormEvaluation
from impls.hand.layers.broadcasting import Add, Divide, Maximum, Minimum, Multiply, Pow, Subtract, Where
from impls.hand.layers.combining import Concatenate, Split, Stack
from impls.hand.layers.convolution import Conv2d
from impls.hand.layers.dense import Dense
from impls.hand.layers.dropout import Dropout
from impls.hand.layers.einsum import Einsum
from impls.hand.layers.embedding import Embedding
from impls.hand.layers.functions import Abs, Clip, Cos, Erf, Exp, Log, Log1p, Power, Rsqrt, Sin, Sqrt
from impls.hand.layers.group_norm import GroupNorm
from impls.hand.layers.heads import Heads, RepeatHeads
from impls.hand.layers.indexing import Gather, Pad, ScatterAdd, Slice
from impls.hand.layers.layer_norm import LayerNorm
from impls.hand.layers.masking import MaskedSoftmax
from impls.hand.layers.matrix_product import MatrixProduct
from impls.hand.layers.other_convolutions import Conv1d, ConvTranspose2d
from impls.hand.layers.pooling import AvgPool2d, GlobalAvgPool2d, MaxPool2d
from impls.hand.layers.positions import Positions, Unembedding
from impls.hand.layers.reductions import CumulativeSum, LogSumExp, Max, Mean, Sum, Variance
from impls.hand.layers.rms_norm import RMSNorm
from impls.hand.layers.rotary import Rotary
from impls.hand.layers.shaping import Flatten, Reshape, Transpose

__all__ = [
    "Abs",
    "AdaptiveAvgPool2d",
    "Add",
    "AttentionScores",
    "AvgPool2d",
    "BatchNorm",
    "BatchNormEvaluation",
    "CausalSoftmax",
    "Clip",
    "Concatenate",
    "Conv1d",
    "Conv2d",
    "ConvTranspose2d",
    "Cos",
    "CumulativeSum",
    "Dense",
    "Divide",
    "Dropout",
    "Einsum",
    "Embedding",
    "Erf",
    "Exp",
    "Flatten",
    "Gather",
    "GlobalAvgPool2d",
    "GroupNorm",
    "Heads",
    "LayerNorm",
    "Log",
    "Log1p",
    "LogSumExp",
    "MaskedSoftmax",
    "MatrixProduct",
    "Max",
    "MaxPool2d",
    "Maximum",
    "Mean",
    "MergeHeads",
    "Minimum",
    "Multiply",
    "Pad",
    "Positions",
    "Pow",
    "Power",
    "RMSNorm",
    "RepeatHeads",
    "Reshape",
    "Rotary",
    "Rsqrt",
    "ScatterAdd",
    "Sin",
    "Slice",
    "Split",
    "SplitHeads",
    "Sqrt",
    "Stack",
    "Subtract",
    "Sum",
    "Transpose",
    "Unembedding",
    "Variance",
    "Where",
]  # fmt: skip
