"""The right formula of a link as text, in the names of the tensors: ``dz2 = da2 · a2·(1 − a2)``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from harness.faults.place import Place
from impls import hand
from impls.graph import LOSS, Graph, Link
from impls.hand.activations import Activation
from impls.hand.losses.scaled import bare
from impls.hand.notation import name_of


def right_formula(network: Graph, link: Link) -> str:
    """What a link should compute.

    >>> from impls.hand import from_text
    >>> network = from_text("4-3-2-1")
    >>> [right_formula(network, link) for link in network.backward_links[:4]]
    ['da3 = 2·(a3 − y)', 'dz3 = da3 · a3·(1 − a3)', 'dW3 = a2ᵀ · dz3', 'db3 = sum of dz3 over the samples']
    """
    if Place(network, link).of_penalty:  # a part that nobody shows is told with the others
        link = network.link[link.names["dw"]]
    return f"{link.output} = {formula_of(Place(network, link))}"


def formula_of(place: Place, *, reading: Mapping[str, str] | None = None) -> str:
    """The formula of a place's link; `reading` names tensors by the layer's own names, in place of the right ones."""
    if place.at == LOSS or place.layer is place.network.loss:
        a, K = place.network.output, place.network.outputs
        return str(place.layer.formula(a, K)).removeprefix("L = ") if place.forward else loss_text(place.layer, a, K)
    told = place.of_rule(_FORMULAS)
    if told is not None:
        formula = told(place.layer, reading or place.names)
        if place.repeated:
            formula = f"sum over the copies of {place.link.of} of {formula}"
        return f"{formula} / {place.divisor}" if place.divisor else formula
    if place.adds:
        parts = [Place(place.network, place.network.link[part]) for part in place.link.inputs]
        whole = any(part.of_penalty for part in parts)
        return " + ".join(formula_of(part) if whole else part.at for part in parts)
    return f"{type(place.layer).__name__}.{place.link.rule.__name__}({', '.join(place.link.inputs)})"


def _filled(template: str) -> Callable[[Any, Mapping[str, str]], str]:
    return lambda _layer, names: template.format(**names)


_CONVOLUTION: Mapping[str, Callable[[Any, Mapping[str, str]], str]] = {
    "z": lambda layer, names: ("{x} * {W} + {b}" if layer.bias else "{x} * {W}").format(**names),
    "dx": _filled("full({dz}) * flip({W})"),
    "dW": _filled("windows({x})ᵀ · {dz}"),
    "db": _filled("sum of {dz} over the samples and windows"),
}
_FORMULAS: Mapping[type, Mapping[str, Callable[[Any, Mapping[str, str]], str]]] = {
    hand.Dense: {
        "z": lambda layer, names: ("{x} · {W} + {b}" if layer.bias else "{x} · {W}").format(**names),
        "dx": _filled("{dz} · {W}ᵀ"),
        "dW": _filled("{x}ᵀ · {dz}"),
        "db": _filled("sum of {dz} over the samples"),
    },
    hand.Penalty: {"dw": lambda layer, names: layer.text(names["w"])},
    Activation: {
        "a": lambda layer, names: f"{name_of(layer)}({names['z']})",
        "dz": lambda layer, names: vjp_text(layer, da=names["da"], z=names["z"], a=names["a"]),
    },
    hand.Add: {"s": _filled("{p} + {q}"), "dp": _filled("{ds}"), "dq": _filled("{ds}")},
    hand.Multiply: {"s": _filled("{p} · {q}"), "dp": _filled("{ds} · {q}"), "dq": _filled("{ds} · {p}")},
    hand.Concatenate: {
        "s": _filled("[{p}, {q}]"),
        "dp": _filled("the neurons of {ds} that are {p}'s, the first"),
        "dq": _filled("the neurons of {ds} that are {q}'s, the last"),
    },
    hand.Split: {
        "p": lambda layer, names: f"the first {layer.at} neurons of {names['x']}",
        "q": lambda layer, names: f"the neurons of {names['x']} after the first {layer.at}",
        "dx": _filled("[{dp}, {dq}]"),
    },
    hand.Positions: {
        "s": _filled("{x} + {W}, a row for each position"),
        "dx": _filled("{ds}"),
        "dW": _filled("sum of {ds} over the samples"),
    },
    hand.Unembedding: {"z": _filled("{x} · {W}ᵀ"), "dx": _filled("{dz} · {W}"), "dW": _filled("{dz}ᵀ · {x}")},
    hand.SplitHeads: {
        "q": _filled("the first third of {x}, in heads"),
        "k": _filled("the second third of {x}, in heads"),
        "v": _filled("the last third of {x}, in heads"),
        "dx": _filled("[{dq}, {dk}, {dv}], their heads side by side"),
    },
    hand.MergeHeads: {"s": _filled("the heads of {x} side by side"), "dx": _filled("{ds} cut into heads")},
    hand.AttentionScores: {
        "s": _filled("{q} · {k}ᵀ / √D, D the neurons of a head"),
        "dq": _filled("{ds} · {k} / √D, D the neurons of a head"),
        "dk": _filled("{ds}ᵀ · {q} / √D, D the neurons of a head"),
    },
    hand.MatrixProduct: {"s": _filled("{p} · {q}"), "dp": _filled("{ds} · {q}ᵀ"), "dq": _filled("{p}ᵀ · {ds}")},
    hand.LayerNorm: {
        "h": _filled("({x} − m)·r·{g} + {b}, m and 1/r² = v + eps the mean and variance of each row"),
        "dx": _filled("r·(t − mean t − xh·mean(t·xh)), t = {dh}·{g}, xh = ({x} − m)·r, means over each row"),
        "dg": _filled("sum of {dh}·xh over the rows, xh = ({x} − m)·r"),
        "db": _filled("sum of {dh} over the rows"),
    },
    hand.RMSNorm: {
        "h": _filled("{x}·r·{g}, 1/r² = q + eps, q the mean square of each row"),
        "dx": _filled("r·(t − xh·mean(t·xh)), t = {dh}·{g}, xh = {x}·r, means over each row"),
        "dg": _filled("sum of {dh}·xh over the rows, xh = {x}·r"),
    },
    hand.GroupNorm: {
        "h": _filled("({x} − m)·r·{g} + {b}, m and r of each group of channels"),
        "dx": _filled("r·(t − mean t − xh·mean(t·xh)), t = {dh}·{g}, means over each group"),
        "dg": _filled("sum of {dh}·xh over each channel"),
        "db": _filled("sum of {dh} over each channel"),
    },
    hand.Stack: {
        "s": _filled("{p} and {q} along a new axis"),
        "dp": _filled("the first of {ds}"),
        "dq": _filled("the second of {ds}"),
    },
    hand.Slice: {"s": _filled("entries of {x}"), "dx": _filled("{ds} at the entries taken, else 0")},
    hand.Pad: {"s": _filled("{x} in a frame"), "dx": _filled("{ds} without the frame")},
    hand.Gather: {
        "s": _filled("entries {i} of {x}"),
        "dx": _filled("at entry j the sum of {ds} over every place where {i} is j"),
    },
    hand.ScatterAdd: {
        "s": _filled("at entry j the sum of {x} over every place where {i} is j"),
        "dx": _filled("entries {i} of {ds}"),
    },
    hand.Where: {
        "s": _filled("{p} where {c}, else {q}"),
        "dp": _filled("{ds} where {c}"),
        "dq": _filled("{ds} where not {c}"),
    },
    hand.Max: {
        "s": _filled("largest of {x}"),
        "dx": _filled("{ds} at the largest entry of {x}, shared where several are"),
    },
    hand.Variance: {"s": _filled("variance of {x}"), "dx": _filled("2·{ds}·({x} − mean) / n")},
    hand.LogSumExp: {"s": _filled("log sum exp {x}"), "dx": _filled("{ds} · softmax({x})")},
    hand.CumulativeSum: {
        "s": _filled("sums of {x} up to each entry"),
        "dx": _filled("sums of {ds} from each entry on"),
    },
    hand.Embedding: {
        "e": _filled("rows {i} of {W}"),
        "dW": _filled("in row v the sum of {de} over every place where {i} is v"),
    },
    hand.Reshape: {"s": _filled("{x} in another shape"), "dx": _filled("{ds} in the shape of {x}")},
    hand.Flatten: {"s": _filled("{x}, a row for each sample"), "dx": _filled("{ds} in the shape of {x}")},
    hand.Transpose: {"s": _filled("{x} with axes exchanged"), "dx": _filled("{ds} with axes exchanged back")},
    hand.Conv2d: _CONVOLUTION,
    hand.Conv1d: _CONVOLUTION,
    hand.ConvTranspose2d: {
        "z": lambda layer, names: f"full({names['x']}) * flip({names['W']}){' + ' + names['b'] if layer.bias else ''}",
        "dx": _filled("{dz} * {W}"),
        "dW": _filled("windows({dz})ᵀ · {x}"),
        "db": _filled("sum of {dz} over the samples and places"),
    },
    hand.AdaptiveAvgPool2d: {
        "s": _filled("mean of each window of {x}"),
        "dx": _filled("{ds} / entries of its window, at each of them"),
    },
    hand.Einsum: {
        "s": lambda layer, names: f"einsum({layer.subscripts}, {names['p']}, {names['q']})",
        "dp": lambda layer, names: f"einsum({layer.of_s},{layer.of_q}->{layer.of_p}, {names['ds']}, {names['q']})",
        "dq": lambda layer, names: f"einsum({layer.of_p},{layer.of_s}->{layer.of_q}, {names['p']}, {names['ds']})",
    },
    hand.BatchNorm: {
        "h": _filled("({x} − m)·r·{g} + {b}, m and r of each channel"),
        "dx": _filled("r·{g}·({dh} − mean {dh} − xh·mean({dh}·xh))"),
        "dg": _filled("sum of {dh}·xh over each channel"),
        "db": _filled("sum of {dh} over each channel"),
        "next_running_mean": _filled("{running_mean} and the mean of each channel, averaged"),
        "next_running_var": _filled("{running_var} and the variance of each channel, averaged"),
    },
    hand.BatchNormEvaluation: {
        "h": _filled("({x} − {running_mean})·r·{g} + {b}, r of {running_var}"),
        "dx": _filled("{dh}·r·{g}"),
        "dg": _filled("sum of {dh}·({x} − {running_mean})·r over each channel"),
        "db": _filled("sum of {dh} over each channel"),
        "next_running_mean": _filled("{running_mean}"),
        "next_running_var": _filled("{running_var}"),
    },
    hand.Dropout: {
        "s": lambda layer, names: f"{names['x']}·{names['m']}/{1 - layer.rate:g}",
        "dx": lambda layer, names: f"{names['ds']}·{names['m']}/{1 - layer.rate:g}",
    },
    hand.Subtract: {"s": _filled("{p} − {q}"), "dp": _filled("{ds}"), "dq": _filled("−{ds}")},
    hand.Divide: {"s": _filled("{p} / {q}"), "dp": _filled("{ds} / {q}"), "dq": _filled("−{ds}·{p}/{q}²")},
    hand.Pow: {
        "s": _filled("{p}^{q}"),
        "dp": _filled("{ds}·{q}·{p}^({q} − 1)"),
        "dq": _filled("{ds}·{s}·log {p}"),
    },
    hand.Maximum: {
        "s": _filled("max({p}, {q})"),
        "dp": _filled("{ds} where {p} > {q}"),
        "dq": _filled("{ds} where {q} > {p}"),
    },
    hand.Minimum: {
        "s": _filled("min({p}, {q})"),
        "dp": _filled("{ds} where {p} < {q}"),
        "dq": _filled("{ds} where {q} < {p}"),
    },
    hand.Sum: {"s": _filled("sum of {x}"), "dx": _filled("{ds} at every entry of its sum")},
    hand.Mean: {"s": _filled("mean of {x}"), "dx": _filled("{ds} / entries, at every entry of its mean")},
    hand.MaxPool2d: {
        "s": _filled("largest of each window of {x}"),
        "dx": _filled("{ds} at the first largest entry of each window of {x}"),
    },
    hand.AvgPool2d: {
        "s": _filled("mean of each window of {x}"),
        "dx": _filled("{ds} / entries of a window, at each of them"),
    },
    hand.GlobalAvgPool2d: {
        "s": _filled("mean of each image of {x}"),
        "dx": _filled("{ds} / entries of an image, at each of them"),
    },
}


def vjp_text(layer: Any, *, da: str, z: str, a: str) -> str:
    """What an activation's link gives: ``da2 · a2·(1 − a2)``."""
    if not layer.elementwise:
        weighted = a if da == "1" else f"{da}·{a}"
        return f"{a}·({da} − sum of {weighted} over the neurons)"
    text = _with_dots(layer.derivative).format(z=z, a=a, **layer.parameters())
    text = _without_ones(text)
    if text == "1" or da == "1":
        return da if text == "1" else text
    return f"{da} · {text}"


def loss_text(loss: Any, a: str, outputs: int) -> str:
    """dL/da of a loss, for the whole batch."""
    given = bare(loss).parameters()
    entries = "N" if outputs == 1 else f"({outputs}·N)"
    y = "[class is y]" if loss.labels else "y"
    total = "(sum of y over the classes)"
    derivative = _with_dots(loss.derivative)
    filled = derivative.format(a=a, y=y, p=f"softmax({a})", rows="N", entries=entries, total=total, **given)
    if filled.startswith("N·") and filled.endswith("/N"):  # the sum of what the loss is the mean of
        filled = filled.removeprefix("N·").removesuffix("/N")
        filled = filled[1:-1] if re.fullmatch(r"\((?:[^()]|\([^()]*\))*\)", filled) else filled
    return _without_ones(filled)


def _with_dots(derivative: str) -> str:
    """Products written with a dot: ``{a}(1 − {a})`` is ``{a}·(1 − {a})``."""
    return re.sub(r"(\)|\{[az]\})\(", r"\1·(", derivative)


def _without_ones(formula: str) -> str:
    """Without factors 1, which parameters may be."""
    return re.sub(r"\b1·", "", formula)
