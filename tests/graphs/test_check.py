"""`harness check` on networks with branches: right functions pass, and the first wrong link is found and named."""

import numpy as np
import pytest

import harness
from harness.arithmetic import profile_of
from harness.checking.templates import write_template
from harness.diagnosis.location import located
from harness.evaluation.point import Point
from impls.hand import Add, Dense, Embedding, GraphBuilder, MeanSquaredError, Relu, Tanh
from tests.graphs.branching import CHOICES, Centring, Gain, batch_of, branching, positions
from tests.helpers.evident import checked

GRAPH = branching()
DATA = batch_of(GRAPH, 7)


def everything(network):
    def backward(weights, x, y):
        activations = network.forward(weights, x)
        loss = network.loss_of({**weights, **activations}, y)
        return {**activations, "loss": loss, **network.backward(weights, x, y, activations)}

    return backward


def only_weights(network):
    def backward(weights, x, y):
        return {name: gradient for name, gradient in everything(network)(weights, x, y).items() if name in wanted}

    wanted = network.gradients
    return backward


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shown", [everything, only_weights])
@pytest.mark.parametrize("network", [GRAPH, positions()], ids=["branching", "positions"])
def test_a_right_function_passes(network, shown, dtype):
    check = harness.check(shown(network), network, batch_of(network, 7), dtype=dtype)
    assert (check.verdict, check.findings, check.ignored) == ("PASS", [], [])
    assert {row.gradient for row in check.judged} >= set(network.gradients)
    assert not any(network.tensors[row.gradient].through for row in check.rows)


def words():
    """Whole numbers alone."""
    net = GraphBuilder()
    e = net("emb", Embedding(CHOICES, 3), net.input("word", (), choices=CHOICES))
    return net.loss(MeanSquaredError(), net("gain", Gain(3), e))


@pytest.mark.parametrize("network", [GRAPH, words()], ids=["branching", "words"])
def test_random_data_fit_a_graph(network):
    assert harness.check(only_weights(network), network).verdict == "PASS"
    last = network.gradients[-1]
    wrong = checked({last: lambda t: -network.link[last](t)}, network=network)
    assert wrong.first_wrong == last
    assert wrong.learning.steps > 100  # fewer where more links are read


def overwritten_rows(t):
    gradient = np.zeros((CHOICES, 3))
    gradient[t["k"]] = t["emb.de"]
    return gradient


MISTAKES = {
    "residual overwritten": ("act1.da", lambda t: t["act1.da:fc2.dx"], "part overwritten"),
    "residual forgotten": ("act1.da", lambda t: t["act1.da:res.dp"], "part overwritten"),
    "residual twice": ("act1.da", lambda t: t["act1.da:fc2.dx"] + 2 * t["act1.da:res.dp"], "part counted twice"),
    "residual averaged": ("act1.da", lambda t: (t["act1.da:fc2.dx"] + t["act1.da:res.dp"]) / 2, "parts averaged"),
    "tied weight, one use": ("fc2.dW", lambda t: t["fc2.dW:fc2.dW"], "part overwritten"),
    "tied weight, the other": ("fc2.dW", lambda t: t["fc2.dW:again.dW"], "part overwritten"),
    "split swapped": ("cat.ds", lambda t: np.concatenate([t["split.dq"], t["split.dp"]], -1), "parts swapped"),
    "own factor": ("emb.de", lambda t: t["u2.ds"] * t["emb.e"], "own factor for the other"),
    "factor missing": ("emb.de", lambda t: +t["u2.ds"], "factor of the product missing"),
    "embedding overwritten": ("emb.dW", overwritten_rows, "repeated index overwritten"),
    "cut from the wrong end": ("u2.ds", lambda t: +t["cat.ds"][..., :3], "parts swapped"),
    "transposed": ("res.ds", lambda t: t["again.dz"] @ t["fc2.W"], "not transposed"),
    "derivative at z": ("again.dz", lambda t: t["act3.da"] * (1 - t["again.z"] ** 2), "derivative at z"),
    "mean": ("h2.db", lambda t: t["h2.dz"].mean(axis=0), "mean for sum"),
}


@pytest.mark.parametrize("shown", ["all", "weights"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_first_wrong_link_is_located_and_named(mistake, shown):
    at, line, cause = MISTAKES[mistake]
    check = checked({at: line}, network=GRAPH, data=DATA, only=None if shown == "all" else GRAPH.gradients)
    assert check.wrong == [at]
    (diagnosis,) = check.diagnoses
    assert cause in {found.cause for found in diagnosis.causes}
    hidden = at not in {row.gradient for row in check.rows}
    assert ("which is not returned" in check.reason) == hidden


@pytest.mark.parametrize("only", [None, GRAPH.gradients], ids=["all", "weights"])
def test_a_wrong_part_is_told_as_the_gradient_that_it_is_a_part_of(only):
    part = "act1.da:fc2.dx"
    check = checked({part: lambda t: t["fc2.dz"] @ t["fc2.W"]}, network=GRAPH, data=DATA, only=only)
    assert check.wrong == ["act1.da"]
    (diagnosis,) = check.diagnoses
    assert diagnosis.causes[0].cause == "not transposed"
    assert diagnosis.should == f"{part} = fc2.dz · fc2.Wᵀ"
    if only is None:
        assert next(row.verdict for row in check.rows if row.gradient == "act1.da") == "FAULT"


def test_parts_are_no_tensors_that_can_be_shown():
    def backward(weights, x, y):
        return {**only_weights(GRAPH)(weights, x, y), "act1.da:fc2.dx": np.ones((7, 6))}

    check = harness.check(backward, GRAPH, DATA)
    assert (check.verdict, check.ignored) == ("PASS", ["act1.da:fc2.dx"])


def test_two_mistakes_are_both_found():
    lines = {at: line for at, line, _ in (MISTAKES["mean"], MISTAKES["tied weight, one use"])}
    assert checked(lines, network=GRAPH, data=DATA, only=GRAPH.gradients).wrong == ["h2.db", "fc2.dW"]


def test_entries_are_told_by_axis_and_weights_by_path():
    weight = checked({"fc2.dW": MISTAKES["tied weight, one use"][1]}, network=GRAPH, data=DATA)
    index = weight.diagnoses[0].entry.index
    assert f"worst entry          fc2.dW, fc2.W[{index[0] + 1},{index[1] + 1}]" in str(weight)
    network = positions()
    wrong = checked({"fc.dz": lambda t: 3.7 * t["sm.da"]}, network=network, data=batch_of(network, 7))
    n, t, k = wrong.diagnoses[0].entry.index
    assert f"fc.dz, sample {n}, position {t + 1}, neuron {k + 1}" in str(wrong)


def test_what_is_said_of_names_is_of_names_with_a_path():
    check = checked({"fc1.dz": lambda t: -t["act1.da"]}, network=GRAPH, data=DATA, only=GRAPH.gradients)
    assert str(check).endswith("also return fc1.dz, act1.da, ... by these names")
    below = checked({"act3.da": lambda t: -t["act4.da"]}, network=GRAPH, data=DATA)
    upstream = {line.split()[0]: line.split("your ")[-1].strip() for line in str(below).splitlines() if "your " in line}
    assert upstream["act1.da"] == "res.ds and fc2.dz"
    assert upstream["fc2.dW"] == "again.dz and fc2.dz"


def test_inputs_are_handed_over_by_name_and_changes_are_seen():
    def writes(weights, x, y):
        answer = only_weights(GRAPH)(weights, x, y)
        x["u"][0] = 3.0
        return answer

    def replaces(weights, x, y):
        answer = only_weights(GRAPH)(weights, x, y)
        x["k"] = x["k"] + 1
        return answer

    for backward, name in ((writes, "u"), (replaces, "k")):
        (finding,) = harness.check(backward, GRAPH, DATA).findings
        assert (finding.kind, finding.message) == (
            "changed its input", f"changed {name}, which it was given to read",
        )  # fmt: skip


def test_what_is_kept_from_a_call_before_is_seen_at_another_point():
    kept = {}

    def stale(weights, x, y):
        kept.setdefault("x", {name: array.copy() for name, array in x.items()})
        old = kept["x"] if len(kept["x"]["x"]) == len(y) else x
        return only_weights(GRAPH)(weights, old, y)

    finding, *_ = harness.check(stale, GRAPH, DATA).findings
    assert finding.kind == "other point"


def test_arrays_of_torch_keep_whole_numbers_whole():
    torch = pytest.importorskip("torch")
    seen = {}

    def backward(weights, x, y):
        seen.update({name: array.dtype for name, array in x.items()})
        arrays = {name: array.numpy() for name, array in x.items()}
        return only_weights(GRAPH)({name: w.numpy() for name, w in weights.items()}, arrays, y.numpy())

    assert harness.check(backward, GRAPH, DATA, arrays="torch").verdict == "PASS"
    assert seen == {"x": torch.float64, "u": torch.float64, "k": torch.int64}


def test_new_buffers_need_not_be_returned():
    net = GraphBuilder()
    z = net("fc", Dense(3, 2), net("norm", Centring(3), net.input("x", 3)))
    network = net.loss(MeanSquaredError(), z)
    for shown in (everything, only_weights):
        check = harness.check(shown(network), network, batch_of(network, 6))
        assert (check.verdict, check.ignored) == ("PASS", [])
    wrong = checked({"norm.dg": lambda t: (t["x"] * t["norm.ds"]).mean(axis=0)}, network=network)
    assert wrong.first_wrong == "norm.dg"


def on_a_kink(side):
    """A relu beside another reader of its input, on whole numbers, some of them 0."""
    net = GraphBuilder()
    z = net("fc", Dense(3, 4), net.input("x", 3))
    s = net("sum", Add(), net("relu", Relu(), z), net("tanh", Tanh(), z))
    network = net.loss(MeanSquaredError(), net("out", Dense(4, 2), s))
    rng = np.random.default_rng(0)
    weights = {name: rng.integers(-2, 3, shape).astype(float) for name, shape in network.weights.items()}
    x, y = rng.integers(-2, 3, (12, 3)).astype(float), rng.integers(-2, 3, (12, 2)).astype(float)
    tensors = {"x": x, "y": y, **weights}
    for link in network.links:
        tensors[link.output] = np.asarray(link(tensors))
        if link.output == "fc.dz:relu.dz":
            tensors[link.output] = np.where(tensors["fc.z"] == 0, side * tensors["sum.ds"], tensors[link.output])
    assert np.any(tensors["fc.z"] == 0)
    return network, Point(network, weights, x, y, 1), tensors


@pytest.mark.parametrize(("side", "verdict"), [(0.0, "ok"), (1.0, "convention"), (0.3, "convention"), (1.4, "FAULT")])
def test_a_part_on_a_kink_may_take_either_side(side, verdict):
    network, point, tensors = on_a_kink(side)
    shown = {name: tensors[name] for name in network.link if not network.tensors[name].through}
    found = located(point, shown, profile_of("float64"), "mine")
    assert {row.gradient: row.verdict for row in found.rows}["fc.dz"] == verdict
    assert found.faulty == (["fc.dz"] if verdict == "FAULT" else [])


@pytest.mark.parametrize(("side", "faulty"), [(1.0, []), (0.5, []), (1.4, ["fc.dW", "fc.db"])])
def test_a_part_on_a_kink_that_is_not_shown_has_one_convention(side, faulty):
    network, point, tensors = on_a_kink(side)
    found = located(point, {name: tensors[name] for name in network.gradients}, profile_of("float64"), "mine")
    assert found.faulty == faulty


def test_a_dump_holds_every_input_by_its_name(tmp_path):
    path = tmp_path / "numbers.npz"
    write_template(path, GRAPH, rows=7)
    held = dict(np.load(path))
    assert (held["k"].dtype, held["k"].shape, held["u"].shape) == (np.int64, (7,), (7, 3))
    inputs = {name: held[name] for name in ("x", "u", "k")}
    held |= only_weights(GRAPH)({name: held[name] for name in GRAPH.weights}, inputs, held["y"])
    np.savez(path, **held)
    assert harness.check(path, GRAPH).verdict == "PASS"
    np.savez(path, **held | {"h1.db": -held["h1.db"]})
    assert harness.check(path, GRAPH).first_wrong == "h1.db"


REFUSED = {
    "holds fc9.W, which that network does not have": lambda held: {"fc9.W": held["fc1.W"]},
    "k is float64 and the network reads whole numbers": lambda held: {"k": held["k"].astype(float)},
    "k[0], counted from 0, is 5; give whole numbers from 0 to 4": lambda held: {
        "k": held["k"] + CHOICES - held["k"][0]
    },
    "u has shape (7, 4) instead of (N, 3)": lambda held: {"u": np.ones((7, 4))},
    "lacks u": lambda held: {"u": None},
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_dump_that_cannot_be_checked_is_refused(reason, tmp_path):
    path = tmp_path / "numbers.npz"
    write_template(path, GRAPH, rows=7)
    held = dict(np.load(path))
    held |= {name: np.ones_like(held[name]) for name in GRAPH.gradients}
    changed = held | REFUSED[reason](held)
    np.savez(path, **{name: array for name, array in changed.items() if array is not None})
    with pytest.raises(harness.UsageError) as error:
        harness.check(path, GRAPH)
    assert reason in str(error.value)


def test_a_test_may_assert_the_gradients_of_a_graph():
    weights = GRAPH.init(0)
    x, y = DATA
    right = only_weights(GRAPH)(weights, x, y)
    harness.assert_gradients_match(right, network=GRAPH, weights=weights, x=x, y=y)
    assert right == harness.allow(harness.reference(GRAPH, weights, x, y))
    with pytest.raises(harness.GradientMismatch, match=r"first wrong link: h1\.db"):
        harness.assert_gradients_match(right | {"h1.db": -right["h1.db"]}, network=GRAPH, weights=weights, x=x, y=y)
