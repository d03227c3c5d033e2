"""Wrong operands of a Dense layer's products: the right rule, fed another tensor.

    dW = x^T dz    with z of x's layer, with the layer's own output a, with x of another layer; da for dz
    dx = dz W^T    with da for dz, the weights of another layer, W itself, W's numbers in another order
    db = sum dz    with da for dz, dz of another layer

Shapes must fit: W for W^T needs as many neurons as inputs. Otherwise the numbers of a transposed matrix, read row by
row in the right shape, are what column-major order gives (C, Fortran and CUDA against NumPy).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.faults.fault import Fault
from harness.faults.formulas import formula_of
from harness.faults.place import Place, RuleTable
from impls.hand import Dense


def operand_faults(place: Place) -> Iterator[Fault]:
    """Wrong operands at dW, dx and db."""
    yield from place.faults_of(_FAULTS)


def _of_weights(place: Place) -> Iterator[Fault]:
    yield from _other_gradient(place)
    yield from _other_input(place)
    yield from _order_of_gradient(place)


def _of_input(place: Place) -> Iterator[Fault]:
    yield from _other_gradient(place)
    yield from _other_weights(place)


def _other_gradient(place: Place) -> Iterator[Fault]:
    dz = place.names["dz"]
    for behind in place.activations_of(place.names["z"]):
        da = behind.names["da"]
        text = f"{da} is used in place of {dz}: the activation's derivative is left out here"
        yield _with(place, "upstream of the activation's output", text, dz, da)
    for other in place.gradients_alike(dz, "z"):
        text = f"{other} is used, which belongs to another layer, in place of {dz}"
        yield _with(place, "gradient of another layer", text, dz, other)


def _other_input(place: Place) -> Iterator[Fault]:
    x, z = place.names["x"], place.names["z"]
    before = place.pre_activation(x)
    if before:
        text = f"the pre-activation {before} is used in place of {x}, the activation that the weights multiply"
        yield _with(place, "pre-activation for activation", text, x, before)
    outputs = {link.output for link in place.activations_of(z)}
    for other in place.readable_for(x):
        cause = "output for input" if other in outputs else "input of another layer"
        whose = "the layer's output" if other in outputs else "which another layer reads"
        yield _with(place, cause, f"{other} is used, {whose}, in place of the layer's input {x}", x, other)


def _other_weights(place: Place) -> Iterator[Fault]:
    W, dz = place.names["W"], place.names["dz"]
    shapes = place.network.weights
    for other, shape in shapes.items():
        if other != W and shape == shapes[W]:
            text = f"{other} is used, which belongs to another layer, in place of {W}"
            yield _with(place, "weights of another layer", text, W, other)
        if other != W and shape == shapes[W][::-1] and shape[0] != shape[1]:
            text = f"{other} is used, which belongs to another layer, in place of the transposed {W}"
            rule = lambda t, other=other: t[dz] @ t[other]  # noqa: E731
            yield place.fault("weights of another layer", text, f"{dz} · {other}", rule)
    M, K = shapes[W]
    if M == K > 1:
        text = f"{W} is not transposed"
        yield place.fault("not transposed", text, f"{dz} · {W}", lambda t: t[dz] @ t[W])
    if M > 1 and K > 1:
        order = np.arange(M * K).reshape(K, M)
        text = f"the numbers of {W} are read row by row in the shape of its transpose: reshaped, not transposed"
        formula = f"{dz} · {W}.reshape({K}, {M})"
        entries = np.unravel_index(order, (M, K))
        yield place.fault("reshaped for transposed", text, formula, lambda t: t[dz] @ t[W][entries])


def _order_of_gradient(place: Place) -> Iterator[Fault]:
    M, K = place.network.weights[place.names["W"]]
    right, x, dz = place.link, place.names["x"], place.names["dz"]
    if M == K > 1:
        text = f"{place.at} is transposed: its entry [i, j] belongs to the weight from neuron j to neuron i"
        yield place.fault("transposed", text, f"{dz}ᵀ · {x}", lambda t: right(t).T)
    elif M > 1 and K > 1:
        order = np.arange(M * K).reshape(M, K).T.reshape(M, K)
        text = (
            f"{place.at} holds the right numbers column by column: it was written in column-major order, or "
            f"transposed and then reshaped"
        )
        formula = f"({dz}ᵀ · {x}).reshape({M}, {K})"
        entries = np.unravel_index(order, (M, K))
        yield place.fault("column-major order", text, formula, lambda t: right(t)[entries])


def _with(place: Place, cause: str, text: str, name: str, other: str) -> Fault:
    """The right rule, reading `other` where it should read `name`."""
    formula = formula_of(place, reading={n: other if own == name else own for n, own in place.names.items()})
    return place.fault(cause, text, formula, lambda t: place.link({**t, name: t[other]}))


_FAULTS: RuleTable = {Dense: {"dW": _of_weights, "db": _other_gradient, "dx": _of_input}}
