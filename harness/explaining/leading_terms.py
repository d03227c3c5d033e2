"""The leading term of a link's own rounding, as text; the rules in harness/arithmetic/rules have them in full."""

from __future__ import annotations

from collections.abc import Mapping

from harness.faults.place import Place, of_class
from impls.graph import Accumulation, Graph, Link
from impls.hand import layers
from impls.hand.parts import Activation, Loss

NONE = "none"
_CONVOLUTION = {
    "z": "n u conv(|x|, |W|) + u |z|, n entries of a window *",
    "dx": "n u conv(|dz|, |W|), n weights on an entry *",
    "dW": "n u |x| |dz|, n windows *",
    "db": "(n - 1) u sum |dz|, n windows *",
}
FORMULAS: Mapping[type, Mapping[str, str]] = {
    layers.Dense: {
        "z": "n u |x| |W| + u |z|, n inputs *",
        "dx": "n u |dz| |W|, n outputs *",
        "dW": "n u |x| |dz|, n rows *",
        "db": "(n - 1) u sum |dz|, n rows *",
    },
    Activation: {"a": "c u |a|, c of the functions in it", "dz": "c u |da f'|, c of the formulas of f'"},
    Loss: {"loss": "n u sum of the terms, n of them *", "da": "a few u |da|"},
    layers.Add: {"s": "u |s|", "dp": NONE, "dq": NONE},
    layers.Multiply: {"s": "u |s|", "dp": "u |dp|", "dq": "u |dq|"},
    layers.Concatenate: {"s": NONE, "dp": NONE, "dq": NONE},
    layers.Split: {"p": NONE, "q": NONE, "dx": NONE},
    layers.Positions: {"s": "u |s|", "dx": NONE, "dW": "(n - 1) u sum |ds|, n samples *"},
    layers.Unembedding: {
        "z": "n u |x| |W|, n inputs *",
        "dx": "n u |dz| |W|, n entries *",
        "dW": "n u |x| |dz|, n rows *",
    },
    layers.SplitHeads: {"q": NONE, "k": NONE, "v": NONE, "dx": NONE},
    layers.MergeHeads: {"s": NONE, "dx": NONE},
    layers.Heads: {"s": NONE, "dx": NONE},
    layers.RepeatHeads: {"s": NONE, "dx": "(n - 1) u sum |ds|, n copies *"},
    layers.Rotary: {"s": "3 u (|x cos| + |x~ sin|)", "dx": "3 u (|ds cos| + |ds~ sin|)"},
    layers.MaskedSoftmax: {"a": "c u |a|, c of the functions in it", "dz": "c u |da f'|, c of the formulas of f'"},
    layers.AttentionScores: {
        "s": "(n + 4) u |q| |k| / √n, n neurons of a head *",
        "dq": "(n + 4) u |ds| |k| / √D, n keys *",
        "dk": "(n + 4) u |ds| |q| / √D, n queries *",
    },
    layers.MatrixProduct: {"s": "n u |p| |q| *", "dp": "n u |ds| |q| *", "dq": "n u |p| |ds| *"},
    layers.LayerNorm: {
        "h": "n u |x − m| r |g|, n neurons; n² u |m| r on top far from 0",
        "dx": "n u r mean |t|, n neurons; more far from 0",
        "dg": "n u |dh| |xh|, n rows *",
        "db": "(n - 1) u sum |dh|, n rows *",
    },
    layers.RMSNorm: {
        "h": "c u |h|, c of the root; n u of the mean square, n neurons",
        "dx": "n u r mean |t|, n neurons",
        "dg": "n u |dh| |xh|, n rows *",
    },
    layers.GroupNorm: {
        "h": "n u |x − m| r |g|, n entries of a group; n² u |m| r on top far from 0",
        "dx": "n u r mean |t|, n entries of a group; more far from 0",
        "dg": "n u |dh| |xh|, n entries of a channel *; n u |dh| (|x| + |m|) r on top",
        "db": "(n - 1) u sum |dh|, n entries of a channel *",
    },
    layers.Stack: {"s": NONE, "dp": NONE, "dq": NONE},
    layers.Slice: {"s": NONE, "dx": NONE},
    layers.Pad: {"s": NONE, "dx": NONE},
    layers.Gather: {"s": NONE, "dx": "(n - 1) u sum |ds|, n times that an entry is taken *"},
    layers.ScatterAdd: {"s": "(n - 1) u sum |x|, n entries of a place *", "dx": NONE},
    layers.Where: {"s": NONE, "dp": NONE, "dq": NONE},
    layers.Max: {"s": NONE, "dx": "c u |dx|"},
    layers.Variance: {
        "s": "n u |s|, n entries; n² u² m² on top far from 0",
        "dx": "c u |dx|; n u |ds| |m| / n far from 0",
    },
    layers.LogSumExp: {"s": "u |s|, and c u of the logarithm's argument", "dx": "c u |dx|; u |s| |dx| far from 0"},
    layers.CumulativeSum: {"s": "(k - 1) u sum |x|, k entries *", "dx": "(k - 1) u sum |ds|, k entries *"},
    layers.Embedding: {"e": NONE, "dW": "(n - 1) u sum |de|, n rows *"},
    layers.Reshape: {"s": NONE, "dx": NONE},
    layers.Flatten: {"s": NONE, "dx": NONE},
    layers.Transpose: {"s": NONE, "dx": NONE},
    layers.Conv2d: _CONVOLUTION,
    layers.Conv1d: _CONVOLUTION,
    layers.ConvTranspose2d: {
        "z": "n u conv(|x|, |W|) + u |z|, n weights on an entry *",
        "dx": "n u conv(|dz|, |W|), n entries of a window *",
        "dW": "n u |x| |dz|, n entries of x *",
        "db": "(n - 1) u sum |dz|, n entries of z *",
    },
    layers.AdaptiveAvgPool2d: {
        "s": "n u mean |x|, n entries of a window *",
        "dx": "n u sum |ds| / entries, n windows *",
    },
    layers.Einsum: {"s": "n u |p| |q| *", "dp": "n u |ds| |q| *", "dq": "n u |p| |ds| *"},
    layers.BatchNorm: {
        "h": "n u |x − m| r |g|, n entries of a channel; n² u |m| r on top far from 0",
        "dx": "n u r mean |dh g|, n entries of a channel; more far from 0",
        "dg": "n u |dh| |xh|, n entries of a channel *",
        "db": "(n - 1) u sum |dh|, n entries of a channel *",
    },
    layers.BatchNormEvaluation: {
        "h": "c u |xh g| + 2 u (|x| + |m|) r |g|",
        "dx": "c u |dx|",
        "dg": "n u |dh| |xh|, n entries of a channel *",
        "db": "(n - 1) u sum |dh|, n entries of a channel *",
    },
    layers.Dropout: {"s": "2 u |s|", "dx": "2 u |dx|"},
    layers.Subtract: {"s": "u |s|", "dp": NONE, "dq": NONE},
    layers.Divide: {"s": "c u |s|", "dp": "c u |dp|", "dq": "c u |dq|"},
    layers.Pow: {"s": "c u |s|, c of exp", "dp": "c u |dp|", "dq": "c u |dq|"},
    layers.Maximum: {"s": NONE, "dp": NONE, "dq": NONE},
    layers.Minimum: {"s": NONE, "dp": NONE, "dq": NONE},
    layers.Sum: {"s": "(n - 1) u sum |x|, n entries *", "dx": NONE},
    layers.Mean: {"s": "n u mean |x|, n entries *", "dx": "c u |dx|"},
    layers.MaxPool2d: {"s": NONE, "dx": "(n - 1) u sum |ds|, n windows that overlap *"},
    layers.AvgPool2d: {
        "s": "n u mean |x|, n entries of a window *",
        "dx": "n u sum |ds| / entries, n windows that overlap *",
    },
    layers.GlobalAvgPool2d: {"s": "n u mean |x|, n entries of an image *", "dx": "2 u |dx|"},
}
"""By what the layer calls what the link gives."""


def formula_of(network: Graph, link: Link) -> str:
    """The leading term of a link's own rounding."""
    if Place(network, link).repeated and not link.layer.multiplied:
        return "(n - 1) u sum of the copies, n of them *"
    if isinstance(link.layer, Accumulation):
        return "(n - 1) u sum of the parts, n of them *"
    return (of_class(FORMULAS, link.layer) or {}).get(link.local, "a few u of the result")
