"""Names: right programs pass whatever they call their gradients, the same with one mistake are located."""

from collections import namedtuple

import numpy as np
import pytest

import harness
from tests.dialects import programs
from tests.dialects.named import NAMES, Found, check, written


def by_layer(weight, bias, first=1):
    """A container for each layer, called by number from `first` on."""
    return lambda g: {f"layer{n - 1 + first}": {weight: g[f"dW{n}"], bias: g[f"db{n}"]} for n in programs.LAYERS}


def of_kind(g, kind):
    return [g[f"{kind}{n}"] for n in programs.LAYERS]


Gradients = namedtuple("Gradients", NAMES)
SPELLINGS = {
    "W1": lambda g: {name[1:]: a for name, a in g.items()},
    "w1": lambda g: {name[1:].lower(): a for name, a in g.items()},
    "dw1": lambda g: {name.lower(): a for name, a in g.items()},
    "dW_1": lambda g: {f"{name[:2]}_{name[2]}": a for name, a in g.items()},
    "grad_W1": lambda g: {f"grad_{name[1:]}": a for name, a in g.items()},
    "W1_grad": lambda g: {f"{name[1:]}_grad": a for name, a in g.items()},
    "gradW1": lambda g: {f"grad{name[1:]}": a for name, a in g.items()},
    "dL_dW1": lambda g: {f"dL_d{name[1:]}": a for name, a in g.items()},
    "dLdW1": lambda g: {f"dLd{name[1:]}": a for name, a in g.items()},
    "dldw1": lambda g: {f"dl{name.lower()}": a for name, a in g.items()},
    "∂L/∂W1": lambda g: {f"∂L/∂{name[1:]}": a for name, a in g.items()},
    "gW1": lambda g: {f"g{name[1:]}": a for name, a in g.items()},
    "weight1, bias1": lambda g: {f"d{'weights' if name[1] == 'W' else 'bias'}_{name[2]}": a for name, a in g.items()},
    "dW0": lambda g: {f"{name[:2]}{int(name[2]) - 1}": a for name, a in g.items()},
    "grads[W1]": lambda g: {"grads": {name[1:]: a for name, a in g.items()}},
    "layer1[dW]": by_layer("dW", "db"),
    "layer0[weights]": by_layer("weights", "biases", first=0),
    "1[W]": lambda g: {n: {"W": g[f"dW{n}"], "b": g[f"db{n}"]} for n in programs.LAYERS},
    "[W, b]": lambda g: [{"W": g[f"dW{n}"], "b": g[f"db{n}"]} for n in programs.LAYERS],
    "W: list, b: list": lambda g: {"W": of_kind(g, "dW"), "b": of_kind(g, "db")},
    "dW: [None, ...]": lambda g: {"dW": [None, *of_kind(g, "dW")], "db": [None, *of_kind(g, "db")]},
    "lists of lists": lambda g: {kind: [a.tolist() for a in of_kind(g, kind)] for kind in ("dW", "db")},
    "(W, 1)": lambda g: {(name[1], int(name[2])): a for name, a in g.items()},
    "tuple": lambda g: tuple(g.values()),
    "list": lambda g: list(g.values()),
    "(db, dW)": lambda g: (of_kind(g, "db"), of_kind(g, "dW")),
    "[(dW, db), ...]": lambda g: [(g[f"dW{n}"], g[f"db{n}"]) for n in programs.LAYERS],
    "[(dW2, db2), ...]": lambda g: [(g[f"dW{n}"], g[f"db{n}"]) for n in reversed(programs.LAYERS)],
    "objects": lambda g: {"dW": np.array([*of_kind(g, "dW"), None], object)[:-1], "db": of_kind(g, "db")},
    "namedtuple": lambda g: Gradients(**g),
    "(loss, grads)": lambda g: (g.loss, dict(g)),
    "(grads, loss)": lambda g: ({name[1:]: a for name, a in g.items()}, float(g.loss)),
    "(loss, *grads)": lambda g: (g.loss, *g.values()),
    "(loss, (grads))": lambda g: (g.loss, tuple(g.values())),
    "(grads, weights)": lambda g: ({name[1:]: a for name, a in g.items()}, g.weights),
}  # fmt: skip


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_right_program_passes_whatever_it_calls_its_gradients(name):
    found = check(written(SPELLINGS[name]))
    assert found.verdict == "PASS", str(found)
    assert {row.gradient for row in found.judged} >= set(NAMES)
    assert ("loss" in {row.gradient for row in found.judged}) == ("loss" in name)
    notes = [finding for finding in found.findings if "read as" in finding.message]
    assert len(notes) == (name not in ("namedtuple",))
    assert all(f"note  {found.setting.name} returned " in str(found) for _ in notes)
    strict = check(written(SPELLINGS[name]), strict=True)
    assert (strict.verdict, strict.exit) == (("FAIL", 1) if notes else ("PASS", 0))


@pytest.mark.parametrize("name", SPELLINGS)
def test_the_same_with_a_mistake_is_located(name):
    found = check(written(SPELLINGS[name], slope=programs.slope_of_z))
    assert (found.verdict, found.first_wrong) == ("FAIL", "dz1"), str(found)


@pytest.mark.parametrize("name", SPELLINGS)
def test_gradients_of_one_layer_under_anothers_name_fail(name):
    def backward(weights, x, y):
        everything = programs.in_rows(weights, x, y)
        everything["dW1"], everything["dW2"] = everything["dW2"], everything["dW1"]
        found = Found((each, everything[each]) for each in NAMES)
        found.loss, found.weights = everything["loss"], weights
        return SPELLINGS[name](found)

    found = check(backward, "4-4-4")
    assert found.verdict == "FAIL", str(found)
    if name != "[(dW2, db2), ...]":  # which is read in the order of the weights where the shapes allow both
        assert found.wrong[0] == "dW2"
        assert check(written(SPELLINGS[name]), "4-4-4").verdict == "PASS"


def test_the_note_says_how_they_were_read():
    found = check(written(SPELLINGS["(db, dW)"]))
    assert [finding.message for finding in found.findings] == [
        "returned [1][0], [0][0], [1][1] and 1 more: read as dW1, db1, dW2 and 1 more"
    ]


def test_the_right_name_wins_and_a_difference_is_said():
    def backward(weights, x, y):
        return programs.in_rows(weights, x, y) | {"grad_W1": np.ones((4, 3)), "dw2": np.ones((3, 2)), "dB1": 0}

    found = check(backward)
    assert found.verdict == "PASS", str(found)
    said = [finding.message for finding in found.findings]
    assert said == [
        "returned dW1 and grad_W1, which differ: dW1 is read",
        "returned dW2 and dw2, which differ: dW2 is read",
    ]
    assert found.ignored == ["grad_W1", "dw2", "dB1"]


def test_two_names_for_one_gradient_that_differ_are_refused():
    found = check(written(lambda g: {**g, "dW1": None, "dw1": g["dW1"], "W1_grad": -g["dW1"]}))
    assert (found.verdict, found.exit) == ("FAIL", 1)
    assert "returned dw1 and W1_grad, which differ though either may be dW1; return dW1" in found.reason
    same = check(written(lambda g: {**g, "dW1": None, "dw1": g["dW1"], "W1_grad": g["dW1"].copy()}))
    assert same.verdict == "PASS"


class Layer:
    """What a program may keep its weights in."""

    def __init__(self, W):
        self.W = W


def test_weights_are_never_taken_for_gradients():
    """What `return locals()` holds besides."""

    def hands_on(weights, x, y):
        found = programs.in_rows(weights, x, y)
        more = {
            "W": [weights["W1"], weights["W2"]], "w1": weights["W1"].T, "layers": [Layer(weights["W1"])], "a": 3,
            "params": {"W1": weights["W1"]}, "velocity": {"dW1": x}, "vW1": x, "dW1_numerical": x, "W1_new": x, "z": 1,
            "new_weights": {"W1": weights["W1"] - found["dW1"]}, "self": object(), "i": 2, "delta1": x, "cache": (x, y),
        }  # fmt: skip
        return found | more

    assert check(hands_on).verdict == "PASS"

    def without_gradients(weights, x, y):
        W1, b1, W2, b2 = weights.values()
        w = [W1, W2]
        return locals()

    found = check(without_gradients)
    assert (found.verdict, found.judged) == ("FAIL", [])
    assert "none of which is a gradient of this network; expected dW1 (4, 3), db1 (3,), dW2 (3, 2), db2" in found.reason

    def updated(weights, x, y):
        """Returned under the names of the weights, and wrong: they are new weights."""
        g = programs.in_rows(weights, x, y)
        return {name: w - 0.1 * g[f"d{name}"] for name, w in weights.items()}

    assert check(updated).verdict == "FAIL"

    def half(weights, x, y):
        return {"dW2": programs.in_rows(weights, x, y)["dW2"], "W1": x.T @ x, "b1": weights["b1"], "b2": weights["b2"]}

    found = check(half)
    assert (found.verdict, [row.gradient for row in found.judged]) == ("NOT COMPARED", ["dW2"])


def test_activations_are_read_where_their_shape_fits():
    def backward(weights, x, y):
        found = programs.in_rows(weights, x, y)
        capital = {"A0": x, "Z1": found["z1"], "A1": found["a1"], "dZ_1": found["dz1"], "dA1": found["da1"]}
        return {name: found[name] for name in NAMES} | capital | {"A2": np.ones(3), "Z2": "large"}

    found = check(backward)
    assert found.verdict == "PASS", str(found)
    assert {row.gradient for row in found.judged} == {*NAMES, "z1", "a1", "dz1", "da1"}
    assert found.ignored == ["A0", "A2", "Z2"]


def test_where_a1_is_x_activations_are_counted_one_less():
    def backward(weights, x, y, **options):
        found = programs.in_rows(weights, x, y, **options)
        counted = {"a1": x, "z2": found["z1"], "a2": found["a1"], "z3": found["z2"], "a3": found["a2"]}
        return {name: found[name] for name in NAMES} | counted | {"dz2": found["dz1"], "dz3": found["dz2"]}

    for model in (programs.MODEL, "4-4-4"):
        found = check(backward, model)
        assert found.verdict == "PASS", str(found)
        assert {row.gradient for row in found.judged} == {*NAMES, "z1", "a1", "z2", "a2", "dz1", "dz2"}
        wrong = check(lambda weights, x, y: backward(weights, x, y, slope=programs.slope_of_z), model)
        assert wrong.first_wrong == "dz1"


def test_layers_counted_from_0_leave_open_what_activations_are():
    def backward(weights, x, y):
        found = programs.in_rows(weights, x, y)
        return SPELLINGS["dW0"]({name: found[name] for name in NAMES}) | {"a0": x, "a1": found["a1"], "z0": found["z1"]}

    found = check(backward)
    assert found.verdict == "PASS", str(found)
    assert {row.gradient for row in found.judged} == {*NAMES, "z1"}


def test_what_cannot_be_read_is_shown_beside_what_was_expected():
    found = check(written(lambda g: {f"q{name}": a for name, a in g.items()}))
    assert (found.verdict, found.exit) == ("FAIL", 1)
    assert found.reason.endswith(
        "returned only qdW1 (4, 3), qdb1 (3,), qdW2 (3, 2), qdb2 (2,), none of which is a gradient of this network; "
        "expected dW1 (4, 3), db1 (3,), dW2 (3, 2), db2 (2,)"
    )
    found = check(written(lambda g: {"dW1": g["dW1"], "upper": g["dW2"]}))
    assert (found.verdict, found.exit) == ("NOT COMPARED", 3)
    assert "returned upper (3, 2) too; expected db1 (3,), dW2 (3, 2), db2 (2,)" in str(found)
    found = check(written(lambda g: tuple(g.values())[:3]))
    assert "returned only [0] (4, 3), [1] (3,), [2] (3, 2), none of which" in found.reason


def test_a_gradient_of_another_shape_is_told_by_both_names():
    found = check(written(lambda g: {name[1:]: np.ones((16, 3)) if name == "db1" else a for name, a in g.items()}))
    assert "returned b1, read as db1, of shape (16, 3) instead of (3,)" in found.reason
    found = check(written(lambda g: (g["dW1"], np.ones((16, 3)), g["dW2"], g["db2"])))
    assert "returned [1], read as db1, of shape (16, 3) instead of (3,)" in found.reason


def test_names_in_a_graph():
    from impls.hand import Dense, GraphBuilder, SumSquaredError, Tanh

    net = GraphBuilder()
    network = net.loss(
        SumSquaredError(), net("head", Dense(3, 2), net("act", Tanh(), net("fc1", Dense(4, 3), net.input("x", 4))))
    )

    def backward(weights, x, y):
        t = {**weights, "x": x, "y": y}
        for link in network.links:
            t[link.output] = link(t)
        return t

    for spell in (
        lambda g: {"fc1": {"dW": g["fc1.dW"], "db": g["fc1.db"]}, "head": {"grad_W": g["head.dW"], "db": g["head.db"]}},
        lambda g: {"grads": {name.replace(".d", "."): g[name] for name in network.gradients}},
        lambda g: {name.replace(".d", "."): g[name] for name in network.gradients},
        lambda g: {f"{name.replace('.d', '_')}_grad": g[name] for name in network.gradients},
        lambda g: {f"{node}.{name}": g[f"{node}.d{local}"] for node in ("fc1", "head")
                   for name, local in (("weight", "W"), ("bias", "b"))},
        lambda g: tuple(g[name] for name in network.gradients),
        lambda g: [{"dW": g["fc1.dW"], "db": g["fc1.db"]}, {"dW": g["head.dW"], "db": g["head.db"]}],
    ):  # fmt: skip
        found = check(lambda weights, x, y, spell=spell: spell(backward(weights, x, y)), network)
        assert found.verdict == "PASS", str(found)
        found = check(lambda weights, x, y, spell=spell: spell(backward(weights, x, -y)), network)
        assert found.verdict == "FAIL", str(found)


def test_a_network_of_one_layer_needs_no_numbers():
    def backward(weights, x, y):
        dz = 2 * (x @ weights["W1"] + weights["b1"] - y)
        return {"dW": x.T @ dz, "db": dz.sum(axis=0)}

    network = harness.load_network("4-2", activation="identity")
    assert check(backward, network).verdict == "PASS"
    assert check(lambda *given: tuple(backward(*given).values()), network).verdict == "PASS"
    assert check(lambda *given: {"dW": -backward(*given)["dW"], "db": backward(*given)["db"]}, network).wrong == ["dW1"]
