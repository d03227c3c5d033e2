"""Arguments of another type: every public function refuses them in one sentence, none with an error of Python's."""

import inspect

import numpy as np
import pytest

import harness
from harness.inputs.datasets import Data
from impls.hand import Dense, Network, Scaled, Sigmoid, SumSquaredError, from_text


class Somebody:
    pass


class Broken:
    """Whatever is asked of it, it raises."""

    def raises(self, *_):
        raise RuntimeError("somebody else's code")

    __repr__ = __iter__ = __index__ = __fspath__ = __float__ = __array__ = __len__ = __bool__ = __eq__ = raises
    __hash__ = None


VALUES = [
    Broken(),
    None,
    5,
    b"x",
    "",
    [],
    Somebody,
    Somebody(),
    np.ones(2),
    True,
    1.5,
    {},
    "never/there",
    lambda *_: {},
]


def backward(weights, x, y):
    return {"dW1": np.zeros((2, 1))}


def step(weights, gradients, state):
    return {name: w - 0.1 * gradients[name] for name, w in weights.items()}, state


NETWORK = from_text("2-1")
SMALL = {"network": "2-1", "data": "random"}
CALLS = {
    "run": SMALL | {"against": ["hand"], "steps": 1},
    "read_run": {"path": "none"},
    "load_data": {"source": "iris"},
    "load_network": {"source": "2-1"},
    "from_toml": {"text": harness.to_toml(NETWORK)},
    "to_toml": {"network": NETWORK},
    "why": SMALL | {"reference": "dW1[1,1]"},
    "explain": SMALL | {"reference": "W1[1,1]", "against": ["hand"]},
    "reference": SMALL,
    "allow": {"reference": harness.reference("2-1")},
    "assert_gradients_match": {"mine": harness.reference("2-1"), "reference": harness.reference("2-1")},
    "gradients_from_update": {"step": step, "lr": 0.1},
    "check": SMALL | {"function": backward},
}
SLOW = {("run", "against", None), ("explain", "against", None), ("check", "function", "never/there")}


@pytest.mark.parametrize(
    ("name", "parameter"),
    [(name, each) for name in CALLS for each in inspect.signature(getattr(harness, name)).parameters],
)
def test_another_type_is_refused_in_one_sentence(name, parameter, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    function, refused = getattr(harness, name), []
    values = [value for value in VALUES if not isinstance(value, str | None) or (name, parameter, value) not in SLOW]
    if name == "check" and parameter not in ("function", "arrays", "layout", "strict"):
        values = [values[0], *values[2:5]]  # the rest is what the others take
    for value in values:
        try:
            function(**CALLS[name] | {parameter: value})
        except (harness.UsageError, harness.GradientMismatch) as error:
            refused.append(str(error))
    assert refused
    if name != "assert_gradients_match":  # which may say how gradients differ
        assert all(said.startswith("Cannot ") and said.isprintable() for said in refused)


OTHERS = {
    "cases": lambda value: harness.check_vjp(np.tanh, step, reference="tanh", cases=value),
    "timeout": lambda value: harness.check_vjp(np.tanh, step, reference="tanh", timeout=-1 if value == 5 else value),
    "names of implementations": lambda value: harness.run("2-1", "random", against=np.array(value)),
    "progress that takes one number": lambda value: harness.run("2-1", "random", ["hand"], progress=lambda _: value),
    "optimizer that cannot be copied": lambda value: harness.check_optimizer((value for _ in "a"), "adam"),
    "what judges": lambda value: harness.run("2-1", "random", ["hand"], judge=value),
    "progress of power": lambda value: harness.power("2-1", "random", ["hand"], progress=value),
    "progress of conventions": lambda value: harness.conventions(["hand"], progress=value),
    "progress of score": lambda value: harness.score(__file__, progress=value),
    "name of an optimizer": lambda value: harness.check_optimizer(step, "gradient-descent", name=value),
}


@pytest.mark.parametrize("what", OTHERS)
def test_of_what_takes_longer_the_argument_alone(what):
    for value in (5, b"x", Somebody):
        with pytest.raises(harness.UsageError, match=r"^Cannot .*, because .*; .*\.$"):
            OTHERS[what](value)


NETWORKS = {
    "a loss's class": lambda: Network([Dense(2, 1)], SumSquaredError),
    "a layer's class": lambda: Network([Dense(2, 1), Sigmoid], SumSquaredError()),
    "no layer": lambda: Network([Dense(2, 1), None], SumSquaredError()),
    "a loss among the layers": lambda: Network([Dense(2, 1), SumSquaredError()], SumSquaredError()),
    "a scaled class": lambda: Scaled(SumSquaredError, 2.0),
    "a scaled number": lambda: Scaled(5, 2.0),
    "a number as text": lambda: from_text(5),
    "a class as text": lambda: from_text("2-1", activation=Sigmoid),
    "a loss as text": lambda: from_text("2-1", loss=SumSquaredError()),
}


@pytest.mark.parametrize("what", NETWORKS)
def test_a_network_of(what):
    with pytest.raises(ValueError, match=r"^Cannot .*, because .*; .*"):
        NETWORKS[what]()


MASKED = np.ma.masked_all((6, 2))
HALF = np.ma.masked_array(np.ones((6, 2)), mask=[[0, 1]] * 6)
DATA = {
    "all of x": (MASKED, np.ones(6)),
    "half of x": (HALF, np.ones(6)),
    "y": (np.ones((6, 2)), np.ma.masked_array(np.ones(6), mask=[1, 0, 0, 0, 0, 0])),
    "an input by name": ({"x": HALF}, np.ones((6, 1))),
    "data": Data("mine", MASKED, np.ones((6, 1))),
}


@pytest.mark.parametrize("what", DATA)
def test_masked_entries_of(what):
    with pytest.raises(harness.UsageError, match="entries are masked, and a gradient has no mask; fill them"):
        harness.run("2-1", DATA[what], ["hand"], steps=1)


def test_masked_entries_of_a_reference_and_a_mask_without_any():
    for given in ({"x": HALF, "y": np.ones((6, 1))}, {"x": np.ones((6, 2)), "y": np.ma.masked_all((6, 1))}):
        with pytest.raises(harness.UsageError, match="entries are masked"):
            harness.reference("2-1", **given)
    whole = np.ma.masked_array(np.ones((6, 2)), mask=False)
    assert harness.run("2-1", (whole, np.ones(6) / 2), ["hand"], steps=1).verdict == "PASS"


@pytest.mark.parametrize(
    "data", [Data("mine", None, None), Data("mine", np.ones((3, 2)), [1, 2, 3])], ids=["nothing", "a list"]
)
def test_data_without_arrays(data):
    with pytest.raises(harness.UsageError, match=r"^Cannot use Data\.[xy]=.*it is no array of real numbers"):
        harness.run("2-1", data, ["hand"], steps=1)
