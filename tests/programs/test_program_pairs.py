"""Two programs in one framework or in two: the same function is told as such, another one from where on."""

import json

import numpy as np
import pytest

from harness import GradientMismatch, UsageError, assert_programs_match, compare_programs
from harness.rendering.github import of_pair
from harness.rendering.pair_screen import render
from tests.helpers.deferred import Deferred

torch, functional, jax, jnp = map(Deferred, ("torch", "torch.nn.functional", "jax", "jax.numpy"))
DRAWN = np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32)


@pytest.fixture
def data():
    return torch.tensor(DRAWN[:, :3]), torch.tensor(DRAWN[:, 3:])


def network(activation="Tanh", **others):
    nn = torch.nn
    return nn.Sequential(nn.Linear(3, 5), getattr(nn, activation)(**others), nn.Linear(5, 2))


def whole(model, data, **options):
    """The usual step on the whole batch."""
    return {"program": lambda x, y: functional.mse_loss(model(x), y, **options), "arguments": data}


def in_halves(model, data, factor=0.5, backward=False):
    """The same in two halves, whose losses are averaged, or whose gradients add up."""

    def step(x, y):
        losses = [factor * functional.mse_loss(model(x[part]), y[part]) for part in (slice(4), slice(4, 8))]
        if not backward:
            return sum(losses)
        for loss in losses:
            loss.backward()
        return None

    return {"program": step, "arguments": data}


def in_jax(data, activation="tanh", **options):
    def loss(p, x, y):
        h = getattr(jnp, activation)(x @ p["W1"] + p["b1"])
        return jnp.mean((h @ p["W2"] + p["b2"] - y) ** 2)

    params = {"W1": jnp.ones((3, 5)), "b1": jnp.zeros(5), "W2": jnp.ones((5, 2)), "b2": jnp.zeros(2)}
    return loss, params, *(jnp.asarray(each.numpy()) for each in data)


RIGHT = {
    "fresh weights": lambda data: whole(network(), data),
    "double": lambda data: whole(network().double(), tuple(each.double() for each in data)),
    "halves": lambda data: in_halves(network(), data),
    "halves that accumulate": lambda data: in_halves(network(), data, backward=True),
    "jax": in_jax,
}


@pytest.mark.parametrize("case", RIGHT)
def test_the_same_function(case, data):
    model = network()
    before = {name: each.clone() for name, each in model.state_dict().items()}
    other = RIGHT[case](data)
    found = compare_programs(whole(model, data), other)
    assert (found.verdict, found.exit, found.difference, found.factor) == ("PASS", 0, None, None), str(found)
    assert [row.verdict for row in found.rows] == ["ok"] * 5
    assert max(row.sees for row in found.rows) < 1e-10
    assert all(torch.equal(before[name], each) and each.grad is None for name, each in model.state_dict().items())


def test_the_other_way_around_it_is_the_same(data):
    found = compare_programs(in_jax(data), whole(network(), data))
    assert (found.verdict, found.sides[0].framework[:3], found.sides[1].framework[:5]) == ("PASS", "jax", "torch")


FACTORS = {
    "half forgotten": (lambda data: in_halves(network(), data, 1.0, backward=True), 2),
    "sum for mean": (lambda data: whole(network(), data, reduction="sum"), 16),
}


@pytest.mark.parametrize("case", FACTORS)
def test_a_constant_factor_is_one_line(case, data):
    other, factor = FACTORS[case]
    found = compare_programs(whole(network(), data), other(data), names=("A", "B"))
    assert found.exit == 1
    assert found.factor == pytest.approx((factor, factor), rel=1e-12)
    assert found.reason.endswith(f"different functions: loss and every gradient of B are {factor} times the other's")
    assert found.difference is None


def test_another_activation_is_located_in_both_frameworks(data):
    found = compare_programs(whole(network(), data), in_jax(data, "sinh"))
    assert [at.name for at in found.difference.at] == ["tanh", "sinh"]
    assert found.reason.startswith("each is right by itself, they are different functions from here on: model.1 (tanh")


class Gated:
    """h times a gate that is made of it, through which a gradient passes or not."""

    def __new__(cls, cut):
        class Module(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b = torch.nn.Linear(3, 5), torch.nn.Linear(5, 5)

            def forward(self, x):
                h = torch.tanh(self.a(x))
                return (h * torch.sigmoid(self.b(h.detach() if cut else h))).square().mean()

        return Module()


def test_a_gradient_that_is_cut_is_located_in_the_backward_pass(data):
    found = compare_programs((Gated(False), data[0]), (Gated(True), data[0]))
    assert found.difference.part == "backward"
    assert [at.name for at in found.difference.at] == ["tanh", "tanh"]
    assert "other gradients arrive there, from b (addmm" in found.reason
    wrong = {row.gradient for row in found.rows if row.verdict == "FAULT"}
    assert wrong == {"d(a.weight)", "d(a.bias)"}


def test_a_cut_weight_is_located_where_it_is_read(data):
    loss, params, *batch = in_jax(data)
    cut = lambda p, x, y: loss({**p, "b2": jax.lax.stop_gradient(p["b2"])}, x, y)  # noqa: E731
    found = compare_programs((loss, params, *batch), (cut, params, *batch))
    assert found.difference.part == "backward"
    assert {row.gradient for row in found.rows if row.verdict == "FAULT"} == {"d(arguments[0].b2)"}


def statistics(momentum, data):
    model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.BatchNorm1d(5, momentum=momentum))
    return {"program": model, "arguments": (data[0],), "loss": lambda y: y.square().mean() + y[0].sum()}


def test_momentum_shows_in_what_is_left_behind_only(data):
    found = compare_programs(statistics(0.1, data), statistics(0.25, data))
    assert found.difference.part == "state"
    assert found.difference.at[0].module == "1"
    assert "it moves 2.5 times as far" in found.reason
    assert {row.gradient for row in found.wrong} == {"1.running_mean afterwards", "1.running_var afterwards"}


def test_a_variance_over_n_for_one_over_n_minus_1_is_named(data):
    def biased():
        norm = torch.nn.BatchNorm1d(5)
        linear = torch.nn.Linear(3, 5)

        def program(x):
            h = linear(x)
            y = norm(h)
            norm.running_var = 0.9 + 0.1 * h.detach().var(0, unbiased=False)
            return y.square().mean() + y[0].sum()

        return program, data[0]

    found = compare_programs(statistics(0.1, data), biased())
    assert {row.gradient for row in found.wrong} == {"1.running_var afterwards"}
    assert "a variance over n - 1 in the first program and over n in the second, n = 8" in found.reason


class Scaled:
    def __new__(cls, factor):
        class Module(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.linear = torch.nn.Linear(3, 5)

            def forward(self, x):
                return (self.linear(x) * factor).square().mean()

        return Module()


def test_a_constant_that_float32_rounds_is_no_other_function(data):
    found = compare_programs((Scaled(torch.tensor(0.1)), data[0]), (Scaled(0.1), data[0]))
    assert found.verdict == "PASS"
    assert 0 < found.constant < 2**-24
    assert "no more than a constant that is rounded to float32" in found.reason
    other = compare_programs((Scaled(0.1), data[0]), (Scaled(0.1000001), data[0]))  # ten times that
    assert other.exit == 1


def test_a_program_that_is_wrong_by_itself_is_told_so(data):
    class Slip(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 3

        @staticmethod
        def backward(ctx, g):
            return g * 2

    model = network()
    program = {"program": lambda x, y: functional.mse_loss(Slip.apply(model(x)) / 3, y), "arguments": data}
    found = compare_programs(whole(network(), data), program, names=("A", "B"))
    assert found.exit == 1
    assert found.reason.startswith("B is wrong by itself: first wrong operation: Slip, ")


def test_a_loss_that_is_no_number_in_one_of_them(data):
    found = compare_programs((Scaled(float("nan")), data[0]), (Scaled(1.0), data[0]), names=("A", "B"))
    assert (found.exit, found.reason) == (1, "they are different functions: the loss of A alone is nan")
    both = compare_programs((Scaled(float("nan")), data[0]), (Scaled(float("nan")), data[0]))
    assert (both.exit, both.verdict) == (0, "NO POWER")


def dropping(rate, data):
    model = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Dropout(rate))
    return {"program": model, "arguments": data[:1], "loss": lambda y: y.square().mean()}


def rounded(model, data):
    return {"program": lambda x, y: functional.mse_loss(model(x).bfloat16().float(), y), "arguments": data}


def under_autocast(model, data):
    def program(x, y):
        with torch.autocast("cpu"):
            return functional.mse_loss(model(x).float(), y)

    return {"program": program, "arguments": data}


@pytest.mark.parametrize("in_low_precision", [rounded, under_autocast])
def test_low_precision_leaves_the_function_what_it_is(in_low_precision, data):
    found = compare_programs(whole(network(), data), in_low_precision(network(), data))
    assert found.exit == 0, str(found)
    assert found.difference is None
    other = compare_programs(whole(network(), data), in_low_precision(network("ReLU"), data))
    assert [at.name for at in other.difference.at] == ["tanh", "relu"]


REFUSED = {
    "other numbers": (
        lambda data: whole(network(), (data[0] + 1, data[1])), "has other numbers, 1.0e+00 apart: argument 1 8×3",
    ),
    "another shape": (lambda data: whole(network(), (data[0][:4], data[1][:4])), "has another shape: argument 1 8×3"),
    "a program that raises": (lambda data: (lambda x, y: 1 / 0, *data), "it raises ZeroDivisionError"),
    "no program": (lambda data: 3, "it is a int, and no program with its arguments"),
    "no weight in common": (
        lambda data: {"program": (m := torch.nn.Linear(3, 7)), "arguments": (), "loss": lambda y: y.sum()}
        and (lambda x, y: m(x).sum() + y.sum(), *data),
        "no weight of one has the shape of one of the other",
    ),
    "compiled by torch.jit": (
        lambda data: {"program": torch.jit.script(network()), "arguments": data[:1], "loss": lambda y: y.sum()},
        "torch.jit has compiled it",
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_compared(case, data):
    other, why = REFUSED[case]
    with pytest.raises(UsageError) as told:
        compare_programs(whole(network(), data), other(data), names=("A", "B"))
    assert why in str(told.value)
    assert str(told.value).startswith("Cannot ")


def test_random_numbers_are_refused_where_they_make_the_difference(data):
    assert compare_programs(dropping(0.5, data), dropping(0.5, data)).verdict == "PASS"  # from one seed
    with pytest.raises(UsageError, match=r"because A draws random numbers \(bernoulli_"):
        compare_programs(dropping(0.5, data), dropping(0.25, data), names=("A", "B"))


def test_what_is_shown(data):
    found = compare_programs(whole(network(), data), in_jax(data, "sinh"), names=("a.py", "b.py"))
    for style in ("table", "markdown"):
        assert "different functions" in render(found, style, verbose=True)
    told = json.loads(json.dumps(found.to_dict()))
    assert [side["name"] for side in told["programs"]] == ["a.py", "b.py"]
    assert [at["name"] for at in told["difference"]["at"]] == ["tanh", "sinh"]
    assert {pair["target"]: pair["arrangement"] for pair in told["weights"]}["arguments[0].W1"] == ".T"
    annotations = list(of_pair(found))
    assert [(a.level, a.file) for a in annotations[:2]] == [("error", __file__)] * 2
    with pytest.raises(GradientMismatch) as mismatch:
        assert_programs_match(whole(network(), data), in_jax(data, "sinh"))
    assert len(str(mismatch.value).split("\n")[0]) <= 80
    assert_programs_match(whole(network(), data), in_jax(data))


def test_casts_inside_of_a_jax_program_leave_the_function_what_it_is(data):
    _, params, *batch = in_jax(data)

    def cast(p, x, y):
        h = jax.nn.relu(x.astype(jnp.float32) @ p["W1"].astype(jnp.float32) + p["b1"].astype(jnp.float32))
        return jnp.mean((h.astype(jnp.bfloat16).astype(jnp.float32) @ p["W2"] + p["b2"] - y) ** 2)

    found = compare_programs(whole(network("ReLU"), data), (cast, params, *batch), names=("A", "B"))
    assert found.exit == 0, str(found)
    assert found.difference is None
    assert any("B: relu (" in note and "its forward pass is differentiated" in note for note in found.notes)
    other = compare_programs(whole(network("Tanh"), data), (cast, params, *batch))
    assert [at.name for at in other.difference.at] == ["tanh", "relu"]


@pytest.mark.parametrize("approximate", [True, False])
def test_what_a_compiled_program_widens_was_not_rounded_before(approximate):
    """XLA leaves out the rounding to bfloat16 just before a conversion to float32, as at a loss."""
    import jax
    import jax.numpy as jnp

    rng = np.random.default_rng(0)
    shapes = {"a": (6, 8), "b": (8, 3), "x": (5, 6)}
    W = {name: jnp.asarray(rng.standard_normal(shape), jnp.bfloat16) for name, shape in shapes.items()}
    x = W.pop("x")

    def program(approximate):
        def loss(W, x):
            return jnp.sum((jax.nn.gelu(x @ W["a"], approximate=approximate) @ W["b"]).astype(jnp.float32) ** 2)

        return loss

    found = compare_programs((program(True), W, x), (program(approximate), W, x))
    assert found.verdict == ("PASS" if approximate else "FAIL"), str(found)
    assert "wrong by itself" not in str(found)
