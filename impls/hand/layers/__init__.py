"""Layers: what a network is made of besides activations and losses, one idea a file."""

from impls.hand.layers.combining import Add, Concatenate, Multiply, Split
from impls.hand.layers.convolution import Conv2d
from impls.hand.layers.dense import Dense
from impls.hand.layers.embedding import Embedding
from impls.hand.layers.pooling import AvgPool2d, GlobalAvgPool2d, MaxPool2d
from impls.hand.layers.shaping import Flatten, Reshape, Transpose

__all__ = [
    "Add", "AvgPool2d", "Concatenate", "Conv2d", "Dense", "Embedding", "Flatten", "GlobalAvgPool2d", "MaxPool2d",
    "Multiply", "Reshape", "Split", "Transpose",
]  # fmt: skip
