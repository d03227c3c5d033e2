"""Operations as people write them: losses, several outputs, trees of parameters, options, surrogates; right and wrong.

Every manner comes right, which passes, and with a mistake, which does not.
"""

from collections import namedtuple

import numpy as np
import pytest

from harness import Constant, Flags, Indices, OneOf, UsageError, check_vjp
from impls.hand import Identity, LeakyRelu, Sigmoid, SumSquaredError
from tests.helpers.deferred import Deferred
from tests.helpers.operations import right, wrong

torch = Deferred("torch")
XY = {"reference": lambda x, y: ((x - y) ** 2).sum(), "inputs": {"x": ("N", "M"), "y": ("N", "M")}}


@pytest.mark.parametrize(
    "loss",
    [
        lambda x, y: ((x - y) ** 2).sum(),
        lambda x, y: float(((x - y) ** 2).sum()),
        lambda x, y: {"loss": ((x - y) ** 2).sum()},
    ],
    ids=["number of NumPy's", "number of Python's", "dictionary"],
)
def test_a_loss_in_every_manner(loss):
    def backward(u, x, y):
        u = u["loss"] if isinstance(u, dict) else u
        return 2 * u * (x - y), 2 * u * (y - x)

    right(loss, backward, **XY)
    assert wrong(loss, lambda u, x, y: (2 * (x - y), 2 * (y - x)), **XY).causes[0].cause == "upstream missing"
    right(loss, lambda u, x, y: backward(u, x, y)[:1], **{**XY, "inputs": {"x": ("N", "M"), "y": Constant(("N", "M"))}})


def test_a_loss_of_the_hand_code_and_a_single_number_as_input():
    right(
        lambda a, y: float(((a - y) ** 2).sum()), lambda u, a, y: (2 * u * (a - y), None), reference=SumSquaredError()
    )
    scaled = {"reference": lambda x, c: x * c, "inputs": {"x": ("N",), "c": ()}}
    right(lambda x, c: x * c, lambda u, x, c: (u * c, float((u * x).sum())), **scaled)
    assert wrong(lambda x, c: x * c, lambda u, x, c: (u * c, float(u.sum())), **scaled).wrong == ["dc"]


Moments = namedtuple("Moments", "mean square")


@pytest.mark.parametrize(
    "kind", [tuple, list, Moments._make, lambda both: dict(zip(("mean", "square"), both, strict=True))]
)
def test_several_outputs_in_every_container(kind):
    def forward(x):
        return kind([x.mean(1), (x * x).mean(1)])

    def reference(x):
        return {"mean": x.mean(1), "square": (x * x).mean(1)}

    def backward(u, x):
        mean, square = u.values() if isinstance(u, dict) else u
        return (mean[:, None] + 2 * x * square[:, None]) / x.shape[1]

    options = {"reference": reference, "inputs": {"x": ("N", "M")}}
    found = right(forward, backward, **options)
    assert found.outputs == ["output.mean", "output.square"]
    swapped = wrong(forward, lambda u, x: backward(list(u.values() if isinstance(u, dict) else u)[::-1], x), **options)
    assert swapped.wrong == ["dx"]
    other = wrong(lambda x: kind([x.mean(1), (x * x).sum(1)]), backward, **options)
    assert other.wrong == ["output.square"]
    assert other.reason.startswith("the output.square of <lambda> (numpy) is not the reference's in")


def test_a_function_of_several_outputs_that_brings_its_backward():
    class SinCos(torch.autograd.Function):
        sign = -1

        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.sin(), x.cos()

        @staticmethod
        def backward(ctx, of_sin, of_cos):
            (x,) = ctx.saved_tensors
            return of_sin * x.cos() + SinCos.sign * of_cos * x.sin()

    options = {"reference": lambda x: (torch.sin(x), torch.cos(x)), "inputs": {"x": ("N", "M")}}
    right(SinCos, **options)
    SinCos.sign = 1
    wrong(SinCos, **options)
    values = {"reference": lambda x: x.max(1), "inputs": {"x": ("N", "M")}, "leave_out": ["ties", "kinks"]}
    right(lambda x: (x.max(1), x.argmax(1)), lambda u, x: u[0][:, None] * (x == x.max(1, keepdims=True)), **values)
    fewer = wrong(lambda x: x.sin(), lambda u, x: u * x.cos(), **options)
    assert "forward returns 1 arrays of reals instead of 2, output[0], output[1]" in str(fewer)


LAYER = {
    "reference": lambda params, x: torch.tanh(x @ params["W"] + params["b"]),
    "inputs": "params.W=M,K; params.b=K; x=N,M",
}


def layer(params, x):
    return np.tanh(x @ params["W"] + params["b"])


def layer_backward(u, params, x, *, summed=True):
    dz = u * (1 - layer(params, x) ** 2)
    return {"W": x.T @ dz, "b": dz.sum(0) if summed else dz.mean(0)}, dz @ params["W"].T


def test_parameters_in_a_dictionary():
    assert right(layer, layer_backward, **LAYER).gradients == ["params.dW", "params.db", "dx"]
    by_name = right(layer, lambda *a: dict(zip(("params", "x"), layer_backward(*a), strict=True)), **LAYER)
    assert by_name.shapes["params.W"] == (5, 7)
    found = wrong(layer, lambda *a: layer_backward(*a, summed=False), **LAYER)
    assert found.wrong == ["params.db"]
    assert found.causes[0].cause == "mean for sum"
    inputs = {"params": {"W": ("M", "K"), "b": Constant(("K",))}, "x": ("N", "M")}
    right(layer, lambda *a: ({"W": layer_backward(*a)[0]["W"]}, layer_backward(*a)[1]), **{**LAYER, "inputs": inputs})


def test_lists_of_tensors_and_a_dictionary_alone():
    inputs = {"xs": [("N", "M"), ("N", "M")]}
    reference = {"reference": lambda xs: xs[0] * xs[1], "inputs": inputs}
    right(lambda xs: xs[0] * xs[1], lambda u, xs: [u * xs[1], u * xs[0]], **reference)
    assert wrong(lambda xs: xs[0] * xs[1], lambda u, xs: [u * xs[1], u * xs[1]], **reference).wrong == ["dxs[1]"]
    alone = {"reference": lambda p: p["a"] * p["b"], "inputs": {"p": {"a": ("N",), "b": ("N",)}}}
    pair = (lambda p: p["a"] * p["b"], lambda u, p: {"a": u * p["b"], "b": u * p["a"]})
    right(*pair, **alone)
    assert right(*pair, **alone, cases=[{"p": {"a": [1.0, 2.0], "b": [3.0, -1.0]}}]).cases[-1] == "your case 1"


def reduced(x, how, squared):
    x = x * x if squared else x
    return x.mean() if how == "mean" else x.sum()


def reduced_backward(u, x, how, squared):
    return u * (2 * x if squared else np.ones_like(x)) / (x.size if how == "mean" else 1)


@pytest.mark.parametrize(
    "inputs",
    [{"x": ("N", "M"), "how": OneOf("sum", "mean"), "squared": OneOf(True, False)},
     "x=N,M; how in sum, mean; squared in True, False"],
    ids=["objects", "text"],
)  # fmt: skip
def test_an_option_is_tried_at_each_of_its_values(inputs):
    options = {"reference": reduced, "inputs": inputs}
    found = right(reduced, reduced_backward, **options)
    assert {
        "ordinary",
        "ordinary, how='mean'",
        "ordinary, squared=False",
        "ordinary, how='mean', squared=False",
    } <= set(found.cases)

    def ignored(u, x, how, squared):
        return reduced_backward(u, x, "sum", squared)

    found = wrong(reduced, ignored, **options)
    failing = {found.case(row) for row in found.rows if row.verdict == "FAULT"}
    assert failing
    assert all("how='mean'" in name for name in failing)


def test_an_option_of_the_candidate_alone_beside_a_hand_layer():
    def leaky(z, slope):
        return np.where(z > 0, z, slope * z)

    inputs = {"z": ("N", "M"), "slope": OneOf(0.1)}
    right(leaky, lambda u, z, slope: np.where(z > 0, u, slope * u), reference=LeakyRelu(0.1), inputs=inputs)
    wrong(leaky, lambda u, z, slope: np.where(z > 0, u, u), reference=LeakyRelu(0.1), inputs=inputs)


def test_whole_numbers_from_one_on_flags_and_a_constant():
    def picked(x, count, keep, scale):
        return x[:, :1] * count[:, None] * keep * scale

    inputs = {
        "x": ("N", "M"), "count": Indices(("N",), below=5, low=1), "keep": Flags(("N", "M")), "scale": Constant(("M",)),
    }  # fmt: skip
    seen = []

    def backward(u, x, count, keep, scale):
        seen.append((count.min(), count.max(), keep.dtype))
        dx = np.zeros_like(x)
        dx[:, 0] = (u * keep * scale).sum(1) * count
        return dx

    found = right(picked, backward, reference=picked, inputs=inputs)
    assert found.gradients == ["dx"]
    assert min(low for low, _, _ in seen) >= 1
    assert max(high for _, high, _ in seen) == 4
    assert {kind for _, _, kind in seen} == {np.dtype(bool)}


def test_none_is_a_gradient_where_it_is_zero_and_only_there():
    options = {"reference": lambda x, y: x * 2 + 0 * y, "inputs": {"x": ("N",), "y": ("N",)}}
    right(lambda x, y: x * 2, lambda u, x, y: (2 * u, None), **options)
    assert "no gradient of x" in wrong(lambda x, y: x * 2, lambda u, x, y: (None, None), **options).reason


def straight_through():
    class Round(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.round()

        @staticmethod
        def backward(ctx, u):
            return u.clone()

    return Round


def test_a_surrogate_is_the_gradient_that_is_meant():
    inputs = {"z": ("N", "M")}
    right(straight_through(), reference=torch.round, surrogate=Identity(), inputs=inputs)
    assert wrong(straight_through(), reference=torch.round, inputs=inputs).wrong == ["dz"]

    def reversed_(u, z):
        return -0.5 * u

    right(lambda z: z.copy(), reversed_, reference=Identity(), surrogate=lambda z: -0.5 * z, inputs=inputs)
    wrong(lambda z: z.copy(), lambda u, z: u.copy(), reference=Identity(), surrogate=lambda z: -0.5 * z, inputs=inputs)

    def spikes(z):
        return (z > 0).astype(z.dtype)

    def of_sigmoid(u, z):
        s = 1 / (1 + np.exp(-np.clip(z, -700, 700)))
        return u * s * (1 - s)

    found = right(spikes, of_sigmoid, reference=lambda z: (z > 0).to(z.dtype), surrogate=Sigmoid(), inputs=inputs)
    assert found.reference == "torch <lambda> with the derivative of hand Sigmoid()"
    with pytest.raises(UsageError, match="where torch <lambda> gives"):
        check_vjp(spikes, of_sigmoid, reference=lambda z: z.sum(), surrogate=Sigmoid(), inputs=inputs)
