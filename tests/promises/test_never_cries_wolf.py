"""Correct implementations at random points: none may be called wrong, and a wrong one must be."""

import numpy as np
import pytest

from impls import registry
from impls.contract import Pass
from impls.hand import GradientDescent, Network, Tanh, from_text
from impls.hand.notation import ACTIVATIONS, LAYERS, LOSSES, OPTIMIZERS
from impls.hand_numpy import Hand
from reports.soundness import campaign
from reports.soundness.cases import DATA_SCALES, LOSS_SCALES, PATTERNS, WEIGHT_SCALES, Case, case, graph_case
from reports.soundness.graphs import drawn_graph
from reports.soundness.score import judge_case
from reports.soundness.tally import KNOWN_FAULTS, Alarm, Key, Tally

ENTRIES = 10_000_000
SEED = 1
FRAMEWORKS = ["hand", "torch", "jax"]

OCCURS = {
    "depth": [str(n) for n in range(1, 7)],
    "width": ["1", "256"],
    "batch": ["1", "256"],
    "threads": ["1", "2"],
    "torch threads": ["1", "2"],
    "BLAS threads": ["1", "2"],
    "activation": list(ACTIVATIONS),
    "loss": list(LOSSES),
    "loss scale": [f"{by:g}" for by in LOSS_SCALES],
    "optimizer": list(OPTIMIZERS),
    "pattern": ["normal", *PATTERNS],
    "weights x": [f"{scale:g}" for scale in WEIGHT_SCALES],
    "data x": [f"{scale:g}" for scale in DATA_SCALES],
}


@pytest.fixture(scope="module")
def found():
    """One campaign of the size that CI runs."""
    return campaign.run(ENTRIES, SEED)


def test_ten_million_entries_of_correct_implementations_raise_no_alarm(found, capsys):
    with capsys.disabled():
        print(f"\n{campaign.headline(found)}")
    assert [campaign.told(alarm) for alarm in found.tally.alarms] == []
    assert found.stale == []
    assert found.tally.total().compared >= ENTRIES
    assert found.sound


def test_every_check_judged_every_implementation_in_both_dtypes(found):
    for name in FRAMEWORKS:
        for dtype in ("float32", "float64"):
            for check in ("rounding", "formula", "update"):
                assert found.tally.total(check=check, dtype=dtype, against=name).compared > 100_000, (check, name)
    assert found.tally.total(check="end-to-end").compared > 100_000


@pytest.mark.parametrize("kind", OCCURS)
def test_everything_that_should_occur_does(found, kind):
    expected = {f"{kind} {value}" for value in OCCURS[kind]}
    assert expected - {name.partition("(")[0] for name in found.tally.seen} == set()


def test_graphs_have_every_layer_that_has_a_name_and_can_be_run():
    """The last turns go around the table; what nobody has drawn options for is there as its page shows it."""
    rng, kinds = np.random.default_rng(SEED), {kind: name for name, kind in LAYERS.items()}
    drawn = [drawn_graph(rng, turn) for turn in range(2 * len(LAYERS))]
    assert {kinds[type(node.layer)] for graph in drawn for node in graph.nodes if type(node.layer) in kinds} == {
        *LAYERS
    }


@pytest.mark.filterwarnings("ignore")  # what overflows is meant to
def test_graphs_of_layers_raise_no_alarm():
    """Two of them, at a few points; `python -m reports.soundness --layers` judges as many as are asked for."""
    tally = Tally()
    for kind in ("AttentionScores", "Conv2d"):
        drawn = next(
            drawn
            for number in range(len(LAYERS))
            if kind in repr((drawn := graph_case(SEED, number)).network) and drawn.rows > 1
        )
        tally.add(judge_case(drawn, {name: registry.load(name) for name in FRAMEWORKS}))
    assert [campaign.told(alarm) for alarm in tally.alarms] == []
    for name in FRAMEWORKS:
        for check in ("rounding", "formula"):
            assert tally.total(check=check, against=name).compared > 100_000


@pytest.mark.parametrize("extreme", ["saturation", "underflow", "overflow", "denormal"])
def test_extremes_occur(found, extreme):
    assert found.tally.seen.get(extreme, 0) >= 10


def test_every_alarm_is_counted_though_not_every_one_is_printed():
    alarms = [
        Alarm(SEED, n, Key("rounding", f"dz {n % 2}", "float16", "jax"), "point", "Network", "") for n in range(29)
    ]
    told = campaign.as_text(campaign.Campaign(SEED, 1, Tally(alarms=alarms), cases=29, seconds=1.0))
    assert told.count("ALARM") == campaign.MOST_ALARMS
    assert (
        "9 more alarms; all of them:\n  15 x rounding, dz 0, float16, jax\n  14 x rounding, dz 1, float16, jax" in told
    )
    assert told.endswith("29 alarms")


class Off(Tanh):
    """One entry of the gradient is off by a relative 1e-5."""

    def dz(self, da, a):
        dz = super().dz(da, a)
        dz.flat[np.abs(dz).argmax()] *= 1 + 1e-5
        return dz


def planted(network, dtype):
    """The hand code with one wrong link."""
    first, _, *others = network.layers
    return Hand(Network([first, Off(), *others], network.loss), dtype)


def test_a_relative_error_of_1e_5_in_one_entry_of_one_link_raises_the_alarm():
    tanh = Case(SEED, 0, from_text("4-3-2", activation="tanh"), 16, GradientDescent())
    alarms = judge_case(tanh, {"hand": Hand, "planted": planted}).alarms
    assert {alarm.what.against for alarm in alarms} == {"planted"}
    assert {(alarm.what.check, alarm.what.dtype) for alarm in alarms} >= {
        ("rounding", "float32"), ("rounding", "float64"), ("formula", "float64"),
    }  # fmt: skip
    # The links that read the wrong gradient are right, given what they read.
    assert {alarm.what.rule for alarm in alarms} == {"dz of Tanh"}
    assert not campaign.Campaign(SEED, 0, Tally(alarms=alarms)).sound


def test_an_implementation_that_raises_is_an_alarm():
    class Raises(Hand):
        def differentiate(self, weights, x, y, *, tap=True):
            raise RuntimeError("out of cheese")

    alarms = judge_case(case(0, 0), {"hand": Hand, "raises": Raises}).alarms
    assert {(alarm.what.against, alarm.what.check) for alarm in alarms} == {("raises", "contract")}


def test_a_known_fault_that_is_never_met_is_stale():
    stale = campaign.Campaign(SEED, 0)
    assert stale.stale == [fault.name for fault in KNOWN_FAULTS]
    assert not stale.sound


def test_a_known_fault_hides_no_other_fault_of_its_link():
    network = from_text("4-3-2", activation="hard-sigmoid")
    torch = registry.load("torch")

    def worse(network, dtype):
        made = torch(network, dtype)
        differentiate = made.differentiate

        def changed(weights, x, y, *, tap=True):
            result = differentiate(weights, x, y, tap=tap)
            gradients = {name: np.array(g) for name, g in result.gradients.items()}
            gradients["dz2"] *= 1 + 1e-6
            return Pass(result.loss, gradients, result.activations)

        made.differentiate = changed
        return made

    tally = judge_case(Case(SEED, 0, network, 16, GradientDescent()), {"hand": Hand, "torch": torch})
    assert tally.alarms == []
    assert tally.known
    tally = judge_case(Case(SEED, 0, network, 16, GradientDescent()), {"hand": Hand, "torch": worse})
    assert ("dz of HardSigmoid", "float64") in {(alarm.what.rule, alarm.what.dtype) for alarm in tally.alarms}


def test_a_case_is_the_same_case_again():
    first, again = case(3, 14), case(3, 14)
    assert repr(first.network) == repr(again.network)
    for one, other in zip(first.points(), again.points(), strict=True):
        assert one.described == other.described
        for name in one.weights:
            assert np.array_equal(one.weights[name], other.weights[name])
        assert np.array_equal(one.x, other.x)
        assert np.array_equal(one.y, other.y)


def test_one_case_can_be_judged_again_by_its_number(capfd):
    assert campaign.again(SEED, 1) == 0
    assert f"case 1 of seed {SEED}, 2 threads" in capfd.readouterr().out
