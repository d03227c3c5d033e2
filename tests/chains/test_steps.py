"""Steps of small chains: views, kinks, draws, NaN, what is changed in place; and what is told of each."""

import json

import pytest

import harness
from tests.chains.mistakes import MISTAKES, with_mistake
from tests.chains.small import SMALL, small
from tests.helpers.deferred import Deferred

torch, functional = Deferred("torch"), Deferred("torch.nn.functional")
ninja = Deferred("docs.examples.character_model")

torch = Deferred("torch")


def squared(p):
    z = p["x"] @ p["w"]
    also = z
    flat = z.view(-1)
    z2 = z + z * z.sum(0, keepdim=True)
    aside = z2.exp()
    count = z.argmax(1)
    loss = (z2**2).sum() + flat[0] + also[0, 1]
    return {"z": z, "also": also, "flat": flat, "z2": z2, "aside": aside, "count": count, "loss": loss}


def of_squared(p, t):
    dz2, z = 2 * t["z2"], t["z"]
    dflat = torch.zeros_like(t["flat"])
    dflat[0] = 1
    dz = dz2 * (1 + z.sum(0, keepdim=True)) + (dz2 * z).sum(0, keepdim=True) + dflat.view(5, 3)
    dz[0, 1] += 1
    return {
        "dz2": dz2, "dflat": dflat, "dz": dz, "dalso": dz, "daside": torch.zeros_like(z), "dw": p["x"].T @ dz,
        "dloss": torch.ones(()).double(),
    }  # fmt: skip


def test_two_names_of_one_tensor_views_and_what_the_loss_does_not_read():
    check = small(squared, of_squared)
    assert check.verdict == "PASS", check
    assert check.unseen == ["x"]


@pytest.mark.parametrize("name", ["z", "also", "flat", "aside", "w", "loss"])
def test_each_of_them_is_judged(name):
    def backward(p, t):
        found = of_squared(p, t)
        return found | {f"d{name}": found[f"d{name}"] + 1e-9}

    assert f"d{name}" in small(squared, backward).wrong


def test_nothing_that_backward_does_in_place_reaches_the_forward_pass():
    def backward(p, t):
        found = of_squared(p, t)
        t["z2"].zero_()
        p["x"].zero_()
        return found

    assert small(squared, backward).verdict == "PASS"


def rectified(p):
    z = p["x"] @ p["w"]
    h = torch.relu(z)
    loss = (h * torch.arange(1.0, 16).view(5, 3).double()).sum()
    return locals()


def of_rectified(at_zero):
    def backward(p, t):
        dh = torch.arange(1.0, 16).view(5, 3).double()
        dz = dh * torch.where(t["z"] == 0, at_zero, (t["z"] > 0).double())
        return {"dh": dh, "dz": dz}

    return backward


@pytest.mark.parametrize(("at_zero", "verdict"), [(0.0, "ok"), (1.0, "convention"), (-1.0, "FAULT"), (2.0, "FAULT")])
def test_at_a_kink_every_subgradient_is_valid_and_nothing_else(at_zero, verdict):
    w = torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).double()
    w[:, 1] = 0
    check = small(rectified, of_rectified(at_zero), w=w)
    assert {row.gradient: row.verdict for row in check.rows} == {"dh": "ok", "dz": verdict}
    assert ("another valid subgradient is taken at kinks in dz" in check.reason) == (verdict == "convention")


def test_a_forward_pass_that_draws_is_checked_as_it_was_and_excuses_nothing():
    def forward(p):
        h = functional.dropout(p["x"], 0.5)
        loss = (h**2).sum()
        return locals()

    def right(p, t):
        dh = 2 * t["h"]
        return {"dh": dh, "dx": torch.where(t["h"] == 0, 0.0, t["h"] / p["x"]) * dh}

    assert small(forward, right).verdict == "PASS"
    assert small(forward, lambda p, t: {"dh": 2 * t["h"], "dx": 2 * t["h"]}).wrong == ["dx"]


def test_no_power_where_zeros_would_pass():
    def forward(p):
        y = 1e6 * p["x"]
        loss = y.sum() - (1e6 - 1) * p["x"].sum()
        return locals()

    def backward(p, t):
        dy = torch.ones_like(t["y"])
        return {"dy": dy, "dx": 1e6 * dy - (1e6 - 1)}

    check = harness.check_chain(forward, backward, inputs={"x": torch.randn(4, 2)})
    assert (check.verdict, check.powerless) == ("NO POWER", ["dx"])


def test_one_nan_is_a_fault_and_the_others_are_judged_all_the_same():
    def backward(p, t):
        found = ninja.backward(p, t)
        found["dh"] = found["dh"].clone()
        found["dh"][0, 0] = float("nan")
        return found

    check = harness.check_chain(ninja.forward, backward, inputs=ninja.parameters(**SMALL))
    assert check.wrong == ["dh"]


def test_another_dtype_and_a_gradient_of_whole_numbers():
    def backward(p, t):
        found = ninja.backward(p, t)
        return {**found, "dh": found["dh"].double(), "dXb": p["Xb"], "dnothing": found["dh"]}

    check = harness.check_chain(ninja.forward, backward, inputs=ninja.parameters(**SMALL))
    assert check.wrong == ["dh"]
    assert "dtype float64 instead of float32" in check.reason
    assert {row.gradient: row.verdict for row in check.rows}["dXb"] == "not comparable"
    assert check.ignored == ["dnothing"]


def test_a_gradient_under_another_name_is_said_in_the_first_line():
    check = small(squared, lambda p, t: {"dz2": 2 * t["z2"], "z_grad": -t["z"], "dzed": t["z"]})
    assert check.verdict == "PASS"
    assert check.reason.endswith("not judged, since no tensor has that name: z_grad, dzed")


class Endless(dict):
    """A mapping whose items never end, or raise."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def items(self):
        while True:
            if self.error:
                raise self.error
            yield "dnothing", None


@pytest.mark.parametrize(
    ("error", "told"), [(None, "did not answer within 1 s"), (LookupError("not now"), "it raises LookupError: not now")]
)
def test_a_mapping_of_ones_own_is_read_within_the_time_limit(error, told):
    inputs = {"x": torch.ones(2, 2), "w": torch.ones(2, 2)}
    check = harness.check_chain(squared_sum, lambda p, t: Endless(error), inputs=inputs, timeout=1)
    assert check.verdict == "FAIL"
    assert check.reason.startswith("what you return cannot be read")
    assert check.reason.endswith(told)


def squared_sum(p):
    z = p["x"] @ p["w"]
    loss = (z * z).sum()
    return {"z": z, "loss": loss}


def test_a_backward_pass_that_raises_fails():
    check = small(squared, lambda p, t: {"dz": t["zz"]})
    assert check.verdict == "FAIL"
    assert "raises KeyError" in check.reason
    assert "raises KeyError" in str(check)


def test_nothing_shown_is_not_compared():
    check = small(squared, lambda p, t: {})
    assert (check.verdict, check.exit) == ("NOT COMPARED", 3)


def test_the_screen_and_the_record_say_the_same():
    mistake = MISTAKES["sign lost"]
    check = harness.check_chain(ninja.forward, with_mistake(mistake), inputs=ninja.parameters(**SMALL))
    record = json.loads(json.dumps(check.to_dict()))
    assert record["first_wrong"] == "dcounts_sum"
    assert record["causes"][0]["cause"] == "sign flipped"
    assert f"FAIL  {record['reason']}" in str(check)
    assert "cause  sign flipped: dcounts_sum is the right one times −1" in str(check)


def test_the_line_is_told():
    check = small(squared, of_squared_wrong)
    assert "test_steps.py:" in check.reason
    with pytest.raises(harness.GradientMismatch, match="dz2 is wrong"):
        harness.assert_chain_matches(squared, of_squared_wrong, inputs={"x": torch.randn(5, 3), "w": torch.randn(3, 3)})


def rectified_in_place(p):
    z = p["x"] @ p["w"]
    h = z.relu_()
    loss = (h**3).sum()
    return locals()


def test_what_is_changed_in_place_is_told_and_not_called_wrong():
    def backward(p, t):
        dh = 3 * t["h"] ** 2
        return {"dh": dh, "dz": dh * (p["x"] @ p["w"] > 0)}

    assert small(rectified_in_place, backward).verdict == "PASS", "it is the same gradient here"
    with pytest.raises(harness.UsageError, match="z and h are one tensor, which forward changes in place"):
        small(rectified_in_place, lambda p, t: {**backward(p, t), "dz": torch.ones(5, 3).double()})


def test_gradients_that_are_no_arrays_of_reals_and_tensors_that_are_empty():
    def forward(p):
        z = p["x"] @ p["w"]
        none = z[:0]
        loss = (z**2).sum() + none.sum()
        return locals()

    def with_dz(change):
        return lambda p, t: {"dz": change(2 * t["z"]), "dnone": torch.ones(0, 3).double()}

    check = small(forward, with_dz(lambda dz: dz))
    assert {row.gradient: row.verdict for row in check.rows} == {"dz": "ok", "dnone": "not comparable"}
    for change in (lambda dz: dz.to_sparse(), lambda dz: dz + 0j, lambda dz: "2 z"):
        wrong = small(forward, with_dz(change))
        assert wrong.wrong == ["dz"]
        assert "instead of an array of real numbers" in wrong.reason


def of_squared_wrong(p, t):
    dz2 = t["z2"]
    return locals()


@pytest.mark.parametrize(
    ("forward", "arguments", "message"),
    [
        (lambda p: p["x"].sum(), {"gradients": {}}, "a dictionary of named"),
        (lambda p: {"los": p["x"].sum()}, {"gradients": {}}, "did you mean los"),
        (lambda p: {"loss": p["x"]}, {"gradients": {}}, "one number"),
        (lambda p: {"loss": p["y"].sum()}, {"gradients": {}}, "KeyError"),
        (lambda p: {"loss": p["x"].sum().to(torch.float8_e5m2)}, {"gradients": {}}, "float8_e5m2"),
        (lambda p: {"loss": p["x"].sum()}, {"gradients": [1]}, "a list of 1"),
        (lambda p: {"loss": p["x"].sum()}, {}, "exactly one"),
        (None, {"tensors": {}, "gradients": {}, "backward": of_squared}, "exactly one"),
        (None, lambda: {"tensors": {"loss": torch.ones(())}, "gradients": {}}, "requires no gradient"),
        (None, {"tensors": {"loss": 3.0}, "gradients": {}}, "no tensor"),
    ],
)
def test_wrong_use_is_told(forward, arguments, message):
    inputs = {"inputs": {"x": torch.ones(2)}} if forward else {}
    arguments = arguments() if callable(arguments) else arguments
    with pytest.raises(harness.UsageError, match=message):
        harness.check_chain(forward, **inputs, **arguments)
