"""Layers: what a network is made of besides activations and losses, one idea a file."""

from impls.hand.layers.combining import Add, Concatenate, Multiply, Split
from impls.hand.layers.dense import Dense
from impls.hand.layers.embedding import Embedding
from impls.hand.layers.layer_norm import LayerNorm

__all__ = ["Add", "Concatenate", "Dense", "Embedding", "LayerNorm", "Multiply", "Split"]
