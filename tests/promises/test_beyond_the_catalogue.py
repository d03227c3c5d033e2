"""Beyond the catalogue: slips in networks from scratch are named, and none of them at a link where it is not."""

import ast
from functools import cache

import numpy as np
import pytest

import harness
from harness.arithmetic import profile_of
from harness.diagnosis.location import located
from harness.faults.edited_formulas import NAMESPACE, Edit, spelled
from harness.faults.edits import CAUSE, run_of
from harness.faults.place import Place
from harness.faults.spellings import BY_ENTRY, SPELLINGS, entry_spellings_of, spellings_of
from impls.graph import evaluate
from tests.helpers.diagnosing import point_of
from tests.helpers.evident import checked, right
from tests.helpers.slips import point_for, shown_by, slips_of
from tests.users.from_scratch import PROGRAMS

EVERY = 24
"""A sample for every run of the tests; ``python -m reports.slips`` takes all."""
GRADIENTS = ("dW1", "db1", "dW2", "db2", "dW3", "db3")


@cache
def outside():
    """Slips that no mistake of the catalogue explains."""
    return [slip for program in PROGRAMS for slip in slips_of(program, EVERY) if not slip.in_catalogue]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_the_programs_are_right_before_a_slip_is_planted(program):
    point = point_for(program)
    shown = shown_by(program, point)
    assert set(shown) >= set(point.network.gradients)
    assert not located(point, shown, profile_of("float64"), program.__name__).faulty


def test_nine_in_ten_slips_that_nobody_listed_are_named():
    slips = outside()
    assert len(slips) > 30
    named = [slip for slip in slips if slip.named]
    assert len(named) >= 0.85 * len(slips), [str(slip) for slip in slips if not slip.named]


def test_none_is_named_at_a_link_where_it_is_not():
    assert [str(slip) for slip in outside() if slip.named and not slip.right] == []


def cause_of(lines, **options):
    """What the first diagnosis says of a pass in which some lines are other ones."""
    causes = checked(lines, **options).diagnoses[0].causes
    assert causes
    assert causes[0].cause == CAUSE
    return causes[0]


SINGLE = {
    "da2 * a2 / (1 - a2)": ("dz2", lambda t: t["da2"] * t["a2"] / (1 - t["a2"])),
    "da2 + a2 * (1 - a2)": ("dz2", lambda t: t["da2"] + t["a2"] * (1 - t["a2"])),
    "da1 * z1 * (1 - a1)": ("dz1", lambda t: t["da1"] * t["z1"] * (1 - t["a1"])),
    "2 * (a3 - 2 * y)": ("da3", lambda t: 2 * (t["a3"] - 2 * t["y"])),
    "1 / (1 - np.exp(-z1))": ("a1", lambda t: 1 / (1 - np.exp(-t["z1"]))),
    "da2 * a2 / (1 + a2)": ("dz2", lambda t: t["da2"] * t["a2"] / (1 + t["a2"])),
    "2 * (a3 - y) + 0.5": ("da3", lambda t: 2 * (t["a3"] - t["y"] + 0.25)),
    "a1.T @ float32(dz2)": ("dW2", lambda t: t["a1"].T @ t["dz2"].astype(np.float32).astype(float)),
    "sample_before(dz2) @ W2.T": ("da1", lambda t: np.roll(t["dz2"], 1, axis=0) @ t["W2"].T),
}


@pytest.mark.parametrize("only", [None, GRADIENTS], ids=["all", "weights"])
@pytest.mark.parametrize("formula", SINGLE)
def test_an_edit_is_told_as_a_formula_at_its_link(formula, only):
    at, line = SINGLE[formula]
    if only and at == "a1":
        only = (*only, "a1", "z1")
    cause = cause_of({at: line}, only=only)
    assert (cause.at, cause.formula) == (at, formula)
    assert cause.residual < 1e-12


def in_a_part(t, rows, wrong):
    value = right("4-3-2-1", "dz2")(t)
    value[rows] = wrong[rows]
    return value


PARTS = {
    "samples 32 to 63 (counted from 0)": lambda t: in_a_part(t, slice(32, 64), t["da2"] * t["a2"] / (1 - t["a2"])),
    "sample 5 (counted from 0), neuron 2": lambda t: in_a_part(t, ([5], [1]), t["da2"] + t["a2"] * (1 - t["a2"])),
    "entries where z2 < 0": lambda t: in_a_part(t, t["z2"] < 0, t["da2"] * t["z2"] * (1 - t["a2"])),
}


@pytest.mark.parametrize("says", PARTS)
def test_an_edit_of_a_part_says_which(says):
    assert f"at {says} only" in cause_of({"dz2": PARTS[says]}).formula


def test_rows_that_hold_those_of_others_are_told():
    def stale(t):
        value = right("4-3-2-1", "dz2")(t)
        value[7] = value[6]
        return value

    cause = cause_of({"dz2": stale})
    assert "sample 7 (counted from 0) of dz2 hold what belongs to sample 6" in cause.says


def test_any_neuron_of_a_wide_layer_is_found():
    network = harness.load_network("6-70-5", activation="tanh", output_activation="identity")

    def one_neuron(t):
        wrong = t["da1"] * (1 - t["z1"] * t["a1"])
        return np.where(np.arange(70) == 41, wrong, right(network, "dz1")(t))

    for only in (None, ("dW1", "db1", "dW2", "db2")):
        cause = cause_of({"dz1": one_neuron}, network=network, data="random", only=only, batch=20)
        assert cause.at == "dz1"
        assert "at neuron 42 only" in cause.formula


def test_a_helper_that_every_layer_calls_is_one_mistake():
    lines = {f"a{k}": lambda t, k=k: 1 / (1 + 2 * np.exp(-t[f"z{k}"])) for k in (1, 2, 3)}
    check = checked(lines, only=GRADIENTS)
    (diagnosis,) = check.diagnoses
    assert diagnosis.causes
    assert diagnosis.links == ("a1", "a2", "a3")


@pytest.mark.parametrize("only", [None, GRADIENTS], ids=["all", "weights"])
@pytest.mark.parametrize("at", ["dz2", "dW2", "da1"])
def test_what_is_no_edit_is_not_named(at, only):
    check = checked({at: lambda t: np.cos(3.3 * right("4-3-2-1", at)(t) + 0.4)}, only=only)
    assert check.verdict == "FAIL"
    assert all(not diagnosis.causes for diagnosis in check.diagnoses)


LAYERS = [
    ("4-5-4-2", {"activation": name, "output_activation": "identity", "loss": "mean-squared-error"})
    for name in ("sigmoid", "tanh", "relu", "leaky-relu", "elu", "softplus", "silu", "gelu", "hard-sigmoid", "softmax")
] + [
    ("4-5-3", {"loss": "cross-entropy"}),
    ("4-5-3", {"loss": "one-hot-cross-entropy"}),
    ("4-5-3", {"loss": "binary-cross-entropy"}),
    ("4-5-3", {"loss": "binary-cross-entropy-on-logits"}),
    ("4-5-3", {"loss": "cross-entropy(epsilon=0.01)"}),
    ("4-5-3", {"loss": "binary-cross-entropy(clip=0.1)"}),
    ("4-3-2", {}),
]


@pytest.mark.parametrize(
    ("sizes", "options"), LAYERS, ids=lambda each: each if isinstance(each, str) else "-".join(each.values())
)
def test_every_spelling_is_the_rule(sizes, options):
    network = harness.load_network(sizes, **options)
    point = point_of(network, rows=6)
    tensors = evaluate(network.links, {**point.given, **point.weights})
    for link in network.links:
        place = Place(network, link)
        for text in (*spellings_of(place), *entry_spellings_of(place)):
            tree, made = spelled(text), {}
            exec(compile(ast.Module([tree], []), "<spelling>", "exec"), dict(NAMESPACE), made)
            edit = Edit("none", text, text, made["rule"], tuple(argument.arg for argument in tree.args.args))
            value = run_of(place, edit, None, tensors)
            assert np.allclose(value, tensors[link.output], rtol=1e-12, atol=1e-14), (link.output, text)


def test_what_is_spelled_is_a_rule():
    for kind, rules in [*SPELLINGS.items(), *BY_ENTRY.items()]:
        for local in rules:
            assert hasattr(kind, local) or local in ("z", "a", "s", "loss")
