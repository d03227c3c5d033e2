"""Each mistake in an operation's backward pass is caught, and named because it reproduces the numbers."""

import numpy as np
import pytest

from harness import Indices, check_vjp
from impls.hand import Dense, Gelu, Relu, Sigmoid, Softmax, Tanh
from tests.candidates import numpy_layers as mine

NORM = {"x": ("N", "D"), "w": ("D",), "b": ("D",)}


def causes(forward, backward, **options):
    found = check_vjp(forward, backward, **options)
    assert (found.verdict, found.exit) == ("FAIL", 1)
    assert all(cause.residual < 1 for explanation in found.causes for cause in explanation.causes)
    return {cause.at: (cause.cause, cause.says) for cause in found.causes}


def wrong(part, change):
    """Dense with one of its three gradients changed."""

    def backward(u, x, W, b):
        gradients = {"x": u @ W.T, "W": x.T @ u, "b": u.sum(0)}
        return gradients | {part: change(u, x, W, b)}

    return backward


@pytest.mark.parametrize(
    ("part", "change", "cause", "says"),
    [
        ("x", lambda u, x, W, b: -(u @ W.T), "sign flipped", "the sign is turned"),
        ("x", lambda u, x, W, b: 0.5 * (u @ W.T), "half", "times 1/2"),
        ("W", lambda u, x, W, b: x.T @ u / len(x), "mean for sum", "1/(the size of axis 0 of x)"),
        ("b", lambda u, x, W, b: u.mean(0), "mean for sum", "a mean for a sum"),
        ("W", lambda u, x, W, b: x.T @ u * u.shape[1], "sum for mean", "the size of axis 1 of W"),
        ("W", lambda u, x, W, b: x.T @ u * 0.7, "scaled by a constant", "0.7"),
        ("W", lambda u, x, W, b: u.T @ x, "transposed", "dW is transposed"),
        ("W", lambda u, x, W, b: x.T @ np.ones_like(u), "upstream missing", "all ones"),
        ("W", lambda u, x, W, b: x[:1].T @ u[:1], "only the first row's upstream", "the others count as 0"),
        ("W", lambda u, x, W, b: x.T @ (0 * u + u[0]), "first row's upstream for all", "for every row"),
        ("W", lambda u, x, W, b: x.T @ (0 * u + u.mean(0)), "upstream averaged", "over the rows"),
        ("W", lambda u, x, W, b: x.T @ (0 * u + u.sum(0)), "upstream summed", "over the rows"),
        ("W", lambda u, x, W, b: x.T @ (u * u), "upstream squared", "squared"),
        ("W", lambda u, x, W, b: x.T @ np.abs(u), "upstream without sign", "absolute"),
        ("b", lambda u, x, W, b: u, "broadcast gradient not summed", "not summed"),
        ("b", lambda u, x, W, b: u.sum(1), "summed over the wrong axis", "axis 1"),
        ("b", lambda u, x, W, b: u.sum(0, keepdims=True), "shape", "another shape"),
        ("W", lambda u, x, W, b: 0 * W, "zero", "its path is missing"),
        ("x", lambda u, x, W, b: u @ (W + 1).T, "weight offset", "1 + W is used"),
    ],
)
def test_mistakes_of_a_dense_layer(part, change, cause, says):
    found = causes(mine.dense, wrong(part, change), reference=Dense(4, 3))
    assert set(found) == {f"d{part}"}
    assert found[f"d{part}"][0] == cause
    assert says in found[f"d{part}"][1]


@pytest.mark.parametrize(
    ("reference", "forward", "backward", "cause", "says"),
    [
        (Relu(), mine.relu, lambda u, z: u * (u > 0), "mask from the upstream", "the sign of da is asked for"),
        (Relu(), mine.relu, lambda u, z: 1.0 * (z > 0), "upstream missing", "all ones"),
        (Tanh(), np.tanh, lambda u, z: u * (1 - z * z), "derivative at z", "da · (1 − z²), in dz"),
        (Tanh(), np.tanh, lambda u, z: u * (1 - np.tanh(z)), "square missing", "1 − a is written for 1 − a²"),
        (Tanh(), np.tanh, lambda u, z: u.copy(), "derivative missing", "as it came"),
        (Tanh(), np.tanh, lambda u, z: u / np.cosh(z) ** 4, "derivative twice", "twice"),
        (Sigmoid(), lambda z: 1 / (1 + np.exp(-z)), mine.tanh_backward, "derivative of another activation", "tanh"),
        (Softmax(), mine.softmax, lambda u, z: u * mine.softmax(z), "mean term missing", "the sum term"),
        (Softmax(), mine.softmax, lambda u, z: u * mine.softmax(z) * (1 - mine.softmax(z)), "mean term missing",
         "diagonal"),
    ],
)  # fmt: skip
def test_mistakes_of_activations(reference, forward, backward, cause, says):
    found = causes(forward, backward, reference=reference)["dz"]
    assert found[0] == cause
    assert says in found[1]


def test_gelu_variants_are_told_apart():
    special = pytest.importorskip("scipy.special")

    def tanh_form(u, z):
        k = np.sqrt(2 / np.pi)
        t = np.tanh(k * (z + 0.044715 * z**3))
        return u * (0.5 * (1 + t) + 0.5 * z * (1 - t * t) * k * (1 + 3 * 0.044715 * z * z))

    def sigmoid_form(u, z):
        s = special.expit(1.702 * z)
        return u * (s + 1.702 * z * s * (1 - s))

    def gelu(z):
        return z * special.erfc(-z / np.sqrt(2)) / 2

    for form, told in ((tanh_form, "the form by tanh"), (sigmoid_form, "s(1.702 z)")):
        cause, says = causes(gelu, form, reference=Gelu())["dz"]
        assert cause == "another form of the function"
        assert told in says


@pytest.fixture(scope="module")
def layer_norm():
    torch = pytest.importorskip("torch")
    return {
        "reference": lambda x, w, b: torch.nn.functional.layer_norm(x, (x.shape[-1],), w, b),
        "inputs": NORM,
    }


@pytest.mark.parametrize(
    ("switches", "cause", "says"),
    [
        ({"mean": False}, "mean term missing", "the mean term is missing"),
        ({"variance": False}, "mean term missing", "the variance term is missing"),
        ({"mean": False, "variance": False}, "mean term missing", "treated as constants"),
        ({"eps": 1e-6}, "another epsilon", "eps is 1e-06 instead of 1e-05"),
        ({"offset": 1}, "weight offset", "1 + w is used in place of w"),
    ],
)
def test_mistakes_of_a_layer_norm_against_a_function_nobody_can_look_into(layer_norm, switches, cause, says):
    def backward(u, x, w, b):
        return mine.layer_norm_backward(u, x, w, b, **switches)

    found = causes(mine.layer_norm, backward, **layer_norm)
    assert "db" not in found
    assert found["dx"][0] == cause
    assert says in found["dx"][1]
    assert all(says in told for _, told in found.values())


def test_gradients_of_other_inputs_and_unnormalised_ones(layer_norm):
    def swapped(u, x, w, b):
        dx, dw, db = mine.layer_norm_backward(u, x, w, b)
        return dx, db, dw

    def unnormalised(u, x, w, b):
        dx, _, db = mine.layer_norm_backward(u, x, w, b)
        return dx, (u * x).sum(0), db

    found = causes(mine.layer_norm, swapped, **layer_norm)
    assert {name: told[0] for name, told in found.items()} == {
        "dw": "gradient of another input",
        "db": "gradient of another input",
    }
    assert causes(mine.layer_norm, unnormalised, **layer_norm) == {
        "dw": ("wrong operand", "x is used in place of x̂, in dw")
    }


def test_lower_precision_inside_is_named(layer_norm):
    def backward(*arrays):
        narrow = mine.layer_norm_backward(*[array.astype(np.float32) for array in arrays])
        return tuple(gradient.astype(np.float64) for gradient in narrow)

    found = causes(mine.layer_norm, backward, **layer_norm)
    assert {told[0] for told in found.values()} == {"computed in float32"}


def test_repeated_indices_that_overwrite():
    torch = pytest.importorskip("torch")
    found = causes(mine.embedding, mine.embedding_overwriting, inputs={"W": ("V", "D"), "ids": Indices(("N",), "V")},
                   reference=lambda W, ids: torch.nn.functional.embedding(ids, W))  # fmt: skip
    assert found["dW"][0] == "repeated index overwritten"
    assert "only the last upstream" in found["dW"][1]


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize(
    ("forward", "backward", "reference"),
    [
        (np.tanh, lambda u, z: mine.tanh_backward(u, z) * (1 + 1e-9 * (z == z.flat[0])), Tanh()),
        (sigmoid, lambda u, z: u * (sigmoid(z) * (1 - sigmoid(z)) + 1e-12), Sigmoid()),
        (mine.softmax, lambda u, z: mine.softmax_backward(u, z) * (mine.softmax(z) > 1e-7), Softmax()),
    ],
)  # fmt: skip
def test_a_small_error_is_not_for_that_float32(forward, backward, reference):
    (found,) = check_vjp(forward, backward, reference=reference).causes
    assert found.causes == ()
    assert "off by at most" in found.known


def test_float32_inside_is_named_where_numbers_were_widened():
    def backward(u, z):
        return mine.tanh_backward(u.astype(np.float32), z.astype(np.float32)).astype(np.float64)

    assert causes(np.tanh, backward, reference=Tanh())["dz"][0] == "computed in float32"


def test_a_cause_explains_cases_that_are_right_too():
    torch = pytest.importorskip("torch")

    def backward(u, x):
        return u[:, None] * x.prod(1, keepdims=True) / np.where(x == 0, 1, x)

    found = check_vjp(lambda x: x.prod(1), backward, reference=lambda x: torch.prod(x, 1), inputs={"x": ("N", "M")})
    # In the one case that is wrong it is the last row that is, and what divides by 0; other cases refute the former.
    assert [[cause.says for cause in each.causes] for each in found.causes] == [["dx is 0, where x = 0"]]
    assert found.causes[0].runner_up is None or found.causes[0].runner_up.residual > 0.01


def test_a_name_that_holds_for_some_sizes_only_says_so():
    doubled = causes(np.tanh, lambda u, z: mine.tanh_backward(u, z) * (2 - len(z) % 2), reference=Tanh())
    assert doubled["dz"][0] == "doubled"
    assert doubled["dz"][1] == (
        "dz is the right one times 2; so where z is 10×6 or z is 16×16 or z is 128×5, "
        "not where z is 5×7 or z is 11×3 or z is 257×5 or 6 more"
    )
    fifth = causes(np.tanh, lambda u, z: mine.tanh_backward(u, z) / 5, reference=Tanh())
    assert fifth["dz"] == ("scaled by a constant", "dz is the right one times 0.2")
    by_rows = causes(np.tanh, lambda u, z: mine.tanh_backward(u, z) / len(z), reference=Tanh())
    assert by_rows["dz"][1] == "dz is the right one times 1/(the size of axis 0 of z): a mean for a sum"


def test_a_constant_factor_does_not_explain_what_is_not_linear():
    found = check_vjp(np.tanh, lambda u, z: 1.5 * mine.tanh_backward(np.clip(u, -5, 5), z), reference=Tanh())
    assert ("linear in the upstream", "dz") in {(found.contract(f), f.tensor) for f in found.findings}
    assert [cause.causes for cause in found.causes] == [()]
    squared = check_vjp(np.tanh, lambda u, z: mine.tanh_backward(u * u, z), reference=Tanh())
    assert [cause.cause for cause in squared.causes] == ["upstream squared"]


def test_what_no_hypothesis_gives_is_unknown_with_what_is_known():
    def backward(u, x, W, b):
        dW = x.T @ u
        dW[1] = 1.1 * dW[1]
        dW[1] = np.arctan(dW[1])
        return u @ W.T, dW, u.sum(0)

    found = check_vjp(mine.dense, backward, reference=Dense(4, 3))
    (cause,) = found.causes
    assert cause.cause == "unknown"
    assert "3 of 12 entries are wrong, only at 1 of axis 0, off by at most" in cause.says
    assert cause.runner_up is not None
    assert 0.01 < cause.runner_up.residual <= 0.5
    assert "cause  unknown: dW" in str(found)


def factors(dx, where, factor):
    return np.where(where(np.arange(len(dx))), factor, 1)[:, None]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda dx, x: dx * factors(dx, lambda n: n == len(dx) - 1, 0), "is 0, at the last place of axis 0"),
        (lambda dx, x: dx * np.where(np.arange(dx.shape[1]) == 2, 1.25, 1), "times 1.25, at place 2 (counted from 0)"),
        (lambda dx, x: dx * factors(dx, lambda n: n % 2 == 1, -1), "other sign, at odd places"),
        (lambda dx, x: dx * factors(dx, lambda n: n >= len(dx) // 4 * 4, 2), "beyond the last whole block of 4"),
        (lambda dx, x: dx * np.where(x > 0, 0.5, 1), "times 1/2, where x > 0"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_region_says_which(change, says):
    torch = pytest.importorskip("torch")

    def backward(u, x):
        return change(np.exp(x) * u, x)

    found = causes(np.exp, backward, reference=torch.exp, inputs={"x": ("N", "M")})
    assert says in found["dx"][1]


def test_a_right_gradient_beside_a_wrong_one_is_given_no_cause():
    found = check_vjp(mine.dense, wrong("W", lambda u, x, W, b: 2 * (x.T @ u)), reference=Dense(4, 3))
    assert {row.verdict for row in found.rows if row.gradient != "dW"} == {"ok"}
    assert [cause.at for cause in found.causes] == ["dW"]
    assert found.causes[0].reproduced == 11


def test_an_option_that_is_ignored_is_named():
    pytest.importorskip("torch")
    from harness import OneOf

    def reduced(x, how, power):
        return (x**power).sum() if how == "sum" else (x**power).mean()

    def backward(u, x, how, power, *, reads=("how", "power")):
        power = power if "power" in reads else 2
        dx = u * power * x ** (power - 1)
        return dx / x.size if how == "mean" and "how" in reads else dx

    options = {"reference": reduced, "inputs": {"x": ("N", "M"), "how": OneOf("sum", "mean"), "power": OneOf(3, 2, 4)}}
    assert check_vjp(reduced, backward, **options).verdict == "PASS"
    for reads, says in ((("power",), "how is ignored: the derivative is that of how='sum' always, in dx"),
                        (("how",), "power is ignored: the derivative is that of power=2 always, in dx")):  # fmt: skip
        found = causes(reduced, lambda *given, reads=reads: backward(*given, reads=reads), **options)
        assert found == {"dx": ("option ignored", says)}


def test_a_mean_that_torch_would_sum_by_itself_is_put_right_by_a_sum():
    torch = pytest.importorskip("torch")

    class Shifted(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, b):
            return x + b

        @staticmethod
        def backward(ctx, u):
            return u.clone(), u.mean(0)

    found = check_vjp(Shifted, reference=lambda x, b: x + b, inputs={"x": ("N", "M"), "b": ("M",)})
    (explanation,) = found.causes
    assert explanation.cause == "mean for sum"
    assert "with `return (u.clone(), u.sum(0))` in place of `return (u.clone(), u.mean(0))`" in explanation.repair.says
