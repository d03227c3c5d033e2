"""`harness explain` and `harness why` on networks that branch: what they say, and what they refuse."""

import json
import math

import numpy as np
import pytest

import harness
from harness.cli.explaining import PRODUCTS
from harness.evaluation.point import Point
from harness.explaining.allowance import allowance_of
from harness.explaining.references import parse
from impls.hand import Add, Dense, Graph, Input, Network, Relu, SumSquaredError, Tanh, node
from tests.graphs.branching import batch_of, branching, positions
from tests.helpers.explaining import hand_only, text_of, typed

TOML = """
loss = "sum-squared-error"
output = "res.s"
inputs = { x = 4 }
nodes = [
    { name = "fc1", reads = "x", kind = "dense", inputs = 4, outputs = 1 },
    { name = "act1", reads = "fc1.z", kind = "tanh" },
    { name = "res", reads = ["fc1.z", "act1.a"], kind = "add" },
]
"""
ENTRIES = ["fc1.W[2,1]", "fc2.W[1,2]", "again.b[3]", "emb.W[3,1]", "h2.W[7,3]", "u[2]", "x[4]", "act1[2]", "split.q[1]"]


def residual():
    nodes = [
        node("fc1", Dense(4, 2), "x"), node("act1", Tanh(), "fc1.z"), node("fc2", Dense(2, 2), "act1.a"),
        node("res", Add(), "act1.a", "fc2.z"), node("head", Dense(2, 1), "res.s"),
    ]  # fmt: skip
    return Graph([Input("x", 4)], nodes, SumSquaredError(), "head.z")


@pytest.mark.parametrize("sample", [None, 2])
@pytest.mark.parametrize("entry", ENTRIES)
def test_every_way_agrees_and_text_and_json_hold_the_same(entry, sample):
    network = branching()
    told = harness.explain(
        entry, network, batch_of(network, 5), sample=sample, nudge=0.01, optimizer="adam", step=2, against=["torch"]
    )
    found = json.loads(json.dumps(told.to_dict(), allow_nan=False))
    assert told.exit == 0
    assert [way["outside"] for way in found["ways"][:3]] == [False] * 3
    assert "torch autograd" in [way["way"] for way in found["ways"]]
    for path in told.paths:
        assert math.prod(path.factors) == path.product
        assert (path.route[0], path.route[-1]) == (told.short, "L")
        assert len(path.factors) == len(path.route) - 1
    listed = math.fsum(path.product for path in told.paths)
    assert abs(listed + told.others.sum - told.total) <= 2 * told.count * 2.0**-53 * told.magnitude
    assert all(factor.formula for factor in told.factors)
    shown = text_of(told)
    assert max(map(len, shown.split("\n"))) <= 80
    assert max(map(len, shown.translate(PRODUCTS).split("\n"))) <= 80
    assert shown.translate(PRODUCTS).isascii()
    assert ("the update by" in shown) == (entry not in ("u[2]", "x[4]", "act1[2]", "split.q[1]"))


def test_branches_are_drawn_and_written_each_for_itself():
    told = hand_only("fc1.W[2,1]", residual(), sample=0)
    shown = text_of(told)
    assert shown.startswith("fc1.W[2,1] = ")
    assert "from input x[2] to neuron act1[1]" in shown
    assert (
        "   x[2] ──w──▶ act1[1] ─┬─▶ fc2[1] ──▶ res[1] ─┬─▶ head[1] ───▶ L\n"
        "                        └─▶ fc2[2] ──▶ res[2] ─┘\n"
        "   x[2] ──w──▶ act1[1] ───▶ res[1] ───▶ head[1] ───▶ L\n"
    ) in shown
    assert "3 paths from w to L" in shown
    assert "The paths take 2 branches" in shown
    assert told.formula["paths"][0] == "∂L/∂head[1]·∂head[1]/∂res[1]·∂res[1]/∂fc2[1]·∂fc2[1]/∂act1[1]·∂act1[1]/∂w"
    assert "      + ∂L/∂head[1]·∂head[1]/∂res[1]·∂res[1]/∂act1[1]·∂act1[1]/∂w\n" in shown
    assert [path.route for path in told.paths] == [
        ["w", "act1[1]", "fc2[1]", "res[1]", "head[1]", "L"],
        ["w", "act1[1]", "fc2[2]", "res[2]", "head[1]", "L"],
        ["w", "act1[1]", "res[1]", "head[1]", "L"],
    ]
    formulas = {factor.name: factor.formula for factor in told.factors}
    assert formulas["∂res[1]/∂act1[1]"] == "1"
    assert formulas["∂fc2[2]/∂act1[1]"] == "fc2.W[1,2]"
    assert formulas["∂act1[1]/∂w"] == "(1 − act1[1]²)·x[2]"


def test_a_shared_weight_says_where_it_is_used():
    network = branching()
    told = hand_only("fc2.W[1,2]", network, batch_of(network, 5))
    assert told.leads == "from neuron act1[1] to neuron act2[2], and from neuron res[1] to neuron act3[2]"
    assert "fc2.W[1,2] is used by fc2 and again: its paths start at each of them, and their sums add up." in told.notes
    assert {path.route[1] for path in told.paths} <= {"act2[2]", "act3[2]"}


def test_activations_in_a_row_are_steps_of_their_own():
    network = Network([Dense(4, 3), Tanh(), Relu(), Dense(3, 1)], SumSquaredError())
    told = hand_only("w_21^(1)", network, sample=0)
    assert told.exit == 0
    assert [path.route for path in told.paths] == [["w", "a11", "O11", "O21", "L"]]
    assert {factor.name: factor.formula for factor in told.factors}["∂O11/∂a11"] == "[a11 > 0]"


def test_more_branches_than_are_drawn_are_counted():
    nodes, read = [node("in", Dense(4, 1), "x")], "in.z"
    for depth in range(12):
        nodes += [node(f"fc{depth}", Dense(1, 1), read), node(f"res{depth}", Add(), read, f"fc{depth}.z")]
        read = f"res{depth}.s"
    told = hand_only("in.W[1,1]", Graph([Input("x", 4)], nodes, SumSquaredError(), read), sample=0)
    assert told.routes_count == 2**12
    assert told.ways[0].way == "paths, added layer by layer"
    shown = text_of(told)
    assert "··· over 996 more branches ···" in shown
    assert "(over 996 more branches)" in shown
    assert max(map(len, shown.split("\n"))) <= 80


def test_every_entry_is_found_by_the_name_that_is_shown():
    network = branching()
    for name, shape in network.weights.items():
        for index in np.ndindex(shape):
            place = f"{name}[{','.join(str(i + 1) for i in index)}]"
            found = parse(place, network)
            assert (found.tensor, found.index, found.name, found.symbol) == (name, index, place, place)
    assert parse("fc1.dW[2,1]", network) == parse("∂L/∂fc1.W[2,1]", network) == parse("fc1.W[2,1]", network)
    assert parse("act1[2]", network) == parse("act1.a[2]", network)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("fc1.w[1,1]", r"there is no such tensor \(did you mean fc1\.W\?\); write fc1\.W\[2,1\]"),
        ("fc1.W[5,1]", r"count from 1, fc1\.W\[1,1\] to fc1\.W\[4,6\]"), ("fc1.W", "count from 1"),
        ("k[1]", "k holds whole numbers"), ("", "no such tensor"), ("w_21^(1)", "no such tensor"),
        ("split[1]", "no such tensor"),
    ],
)  # fmt: skip
def test_what_does_not_exist_is_answered_with_what_does(entry, said):
    network = branching()
    with pytest.raises(harness.UsageError, match=rf"^Cannot .*because .*{said}"):
        hand_only(entry, network, batch_of(network, 5))


def test_positions_have_no_paths_and_the_answer_says_where_they_stop():
    network = positions()
    with pytest.raises(harness.UsageError, match=r"^Cannot follow paths through fc\.z of shape \(N, 5, 4\), because"):
        hand_only("fc.W[1,1]", network, batch_of(network, 5))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("tensor", "index"),
    [
        ("fc1.dW", (2, 1)),
        ("fc2.dW", (0, 0)),
        ("act1.da", (4, 0)),
        ("emb.dW", (1, 2)),
        ("split.q", (1, 3)),
        ("loss", ()),
    ],
)
def test_the_terms_of_an_allowance_add_up_on_branches(tensor, index, dtype):
    network = branching()
    x, y = batch_of(network, 5)
    point = Point(network, network.init(0, dtype), x.astype(dtype), y.astype(dtype), 1)
    answer = allowance_of(point, tensor, index)
    assert answer.allowed == float(np.asarray(point.centre(dtype).tensors[tensor].bound)[index])
    assert sum(term.amount for term in answer.terms) == pytest.approx(answer.allowed, rel=1e-12)
    assert all(term.amount >= 0 for term in answer.terms)
    assert answer.alone <= answer.allowed


def test_why_shows_sums_and_names_the_parts_among_their_terms():
    network = branching()
    data = batch_of(network, 5)
    answer = harness.why("act1.da[5,1]", network, data)
    assert (answer.tensor, answer.index) == ("act1.da", (4, 0))
    assert [term.link for term in answer.terms][:2] == ["act1.da", "act1.da:fc2.dx"]
    assert answer.terms[0].formula == "(n - 1) u sum of the parts, n of them *"
    with pytest.raises(harness.UsageError, match=r"^Cannot look for 'act1\.da:fc2\.dx\[1,1\]'"):
        harness.why("act1.da:fc2.dx[1,1]", network, data)
    with pytest.raises(harness.UsageError, match=r"there is no tensor fc1\.dw \(did you mean fc1\.dW\?\)"):
        harness.why("fc1.dw[1,1]", network, data)


def test_the_commands_take_a_graph_from_a_file(tmp_path):
    (tmp_path / "net.toml").write_text(TOML)
    told = typed("fc1.W[2,1]", tmp_path / "net.toml", "--sample", 0, "--against", "hand", "--json")
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["weight"] == "fc1.W[2,1]"
    assert typed("fc1.W[9,1]", tmp_path / "net.toml").exit_code == 2
