"""No false alarm: every hand layer by its own rules, and operations of the kind that people really bring."""

from inspect import signature

import numpy as np
import pytest

from harness import check_vjp
from impls.hand import Dense, Elu, Identity, LeakyRelu, Scaled, SumSquaredError
from impls.hand.notation import ACTIVATIONS, LOSSES
from tests.candidates import numpy_layers as mine

LAYERS = [
    *[activation() for activation in ACTIVATIONS.values()],
    *[loss() for loss in LOSSES.values()],
    Dense(4, 3), Dense(3, 5, bias=False), LeakyRelu(-0.2), Elu(2.0), Scaled(SumSquaredError(), 4.0),
]  # fmt: skip
BOTH = pytest.mark.parametrize("dtype", ["float64", "float32"])


def pair_of(layer):
    """The layer's rules as somebody's forward and backward."""
    names = [layer.reads, *layer.weights] if hasattr(layer, "weights") else [layer.reads, "y"]
    gives = getattr(layer, "gives", "L")

    def forward(*inputs):
        return np.array(layer.forward(*inputs))

    def backward(upstream, *inputs):
        tensors = {**dict(zip(names, inputs, strict=True)), gives: forward(*inputs), f"d{gives}": upstream}
        rules = {name: getattr(layer, f"d{name}") for name in names if hasattr(layer, f"d{name}")}
        found = {name: rule(*[tensors[read] for read in signature(rule).parameters]) for name, rule in rules.items()}
        return {name: upstream * gradient if gives == "L" else gradient for name, gradient in found.items()}

    return forward, backward


@BOTH
@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_a_hand_layer_agrees_with_itself_and_its_negative_does_not(layer, dtype):
    forward, backward = pair_of(layer)
    found = check_vjp(forward, backward, reference=layer, dtype=dtype, seed=int(dtype == "float32"))
    assert (found.verdict, found.findings) == ("PASS", []), str(found)
    assert max(row.used for row in found.rows if row.used is not None and row.verdict == "ok") <= 1

    def negative(*arrays):
        return {name: -gradient for name, gradient in backward(*arrays).items()}

    wrong = check_vjp(forward, negative, reference=layer, dtype=dtype)
    assert wrong.verdict == "FAIL"
    assert {cause.cause for cause in wrong.causes} == {"sign flipped"}
    assert all("the sign is turned" in cause.says for cause in wrong.causes)


def attention(q, k, v, mask):
    scores = q @ k.T / np.sqrt(q.shape[1]).astype(q.dtype)
    return mine.softmax(np.where(mask, scores, -np.inf)) @ v


def attention_backward(u, q, k, v, mask):
    scale = np.sqrt(q.shape[1]).astype(q.dtype)
    p = mine.softmax(np.where(mask, q @ k.T / scale, -np.inf))
    dp = u @ v.T
    ds = p * (dp - (dp * p).sum(-1, keepdims=True)) / scale
    return ds @ k, ds.T @ q, p.T @ u, None


@BOTH
def test_masked_attention(dtype):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    inputs = {"q": ("N", "D"), "k": ("T", "D"), "v": ("T", "K"), "mask": rng.uniform(size=(5, 3)) < 0.6}
    inputs["mask"][:, 0] = True
    inputs |= {"q": (5, "D"), "k": (3, "D"), "v": (3, "K")}

    def reference(q, k, v, mask):
        return torch.nn.functional.scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=mask[None])[0]

    found = check_vjp(attention, attention_backward, reference=reference, inputs=inputs, dtype=dtype)
    assert (found.verdict, found.findings) == ("PASS", []), str(found)

    def without_mask_in_backward(u, q, k, v, mask):
        return attention_backward(u, q, k, v, mask | True)

    wrong = check_vjp(attention, without_mask_in_backward, reference=reference, inputs=inputs, dtype=dtype)
    assert {row.gradient for row in wrong.rows if row.verdict == "FAULT"} == {"dq", "dk", "dv"}


@BOTH
def test_a_power_of_two_may_underflow_on_the_way(dtype):
    least = np.finfo(dtype).smallest_normal

    def linear(backward):
        found = check_vjp(lambda z: z + 0, backward, reference=Identity(), dtype=dtype)
        return all(finding.kind != "not linear" for finding in found.findings)

    assert linear(lambda u, z: 0.3 * u * least)  # what is lost is below what the dtype holds
    assert not linear(lambda u, z: np.where(np.abs(u) > 5, u, 0.3 * u))
