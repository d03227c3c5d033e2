"""Data by name, from files and drawn: what is read is what was written, and it fits the network."""

import numpy as np
import pytest

import harness
from harness.inputs.datasets import from_arrays, load_data
from impls.hand import SumSquaredError, from_text

NAMED = {
    "iris": (150, 4, 3),
    "digits": (1797, 64, 10),
    "diabetes": (442, 10, None),
    "wine": (178, 13, 3),
    "breast_cancer": (569, 30, 2),
}


@pytest.mark.parametrize("name", NAMED)
def test_a_named_set_has_its_rows_features_and_classes(name):
    rows, features, classes = NAMED[name]
    data = load_data(name)
    assert data.x.shape == (rows, features)
    assert (None if data.classes is None else len(data.classes)) == classes
    assert np.allclose(data.x.mean(axis=0), 0, atol=1e-9)
    assert data.describe() == f"{name} N={rows}, standardised"


def test_regression_targets_stay_as_they_are_and_raw_values_are_as_measured():
    standardised, raw = load_data("diabetes"), load_data("diabetes", raw=True)
    assert np.array_equal(standardised.y, raw.y)
    assert (raw.y.min(), raw.y.max()) == (25, 346)
    assert set(raw.x[:, 1]) == {1, 2}
    assert raw.describe() == "diabetes N=442, raw values"


def test_a_hyphen_is_as_good_as_an_underscore():
    assert load_data("breast-cancer").name == "breast_cancer"


def test_a_constant_column_becomes_0():
    data = harness.inputs.datasets.standardise(from_arrays([[1.0, 2.0], [1.0, 4.0]], [0.5, 1.5]))
    assert data.x.tolist() == [[0, -1], [0, 1]]


WRITTEN_ALIKE = {
    "plain": b"a,b,c\n1,2,3\n4,5,6\n",
    "no header": b"1,2,3\n4,5,6\n",
    "no last line end": b"a,b,c\n1,2,3\n4,5,6",
    "byte-order mark": b"\xef\xbb\xbfa,b,c\n1,2,3\n4,5,6\n",
    "CRLF": b"a,b,c\r\n1,2,3\r\n4,5,6\r\n",
    "CR": b"a,b,c\r1,2,3\r4,5,6\r",
    "quotes": b'"a","b, or not","c"\n"1","2","3"\n4,"5",6\n',
    "a line end in a name": b'"a\nb",c,d\n1,2,3\n4,5,6\n',
    "blanks": b" a , b, c\n\n 1, 2,\t3\n   \n4 ,5 , 6\n\n",
    "one name twice": b"a,a,c\n1,2,3\n4,5,6\n",
    "exponents": b"a,b,c\n1e0,+2,3.\n4,.5e1,60e-1\n",
}


@pytest.mark.parametrize("way", WRITTEN_ALIKE)
def test_a_csv_reads_the_same_with(way, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes(WRITTEN_ALIKE[way])
    data = load_data(path, raw=True)
    assert data.x.tolist() == [[1, 2], [4, 5]]
    assert data.y.tolist() == [[3], [6]]


CHOSEN = [
    ("a", [[2, 3], [5, 6]], [[1], [4]]),
    ("b", [[1, 3], [4, 6]], [[2], [5]]),
    (None, [[1, 2], [4, 5]], [[3], [6]]),
]


@pytest.mark.parametrize(("target", "x", "y"), CHOSEN)
def test_the_target_column_is_chosen_by_name_and_the_others_keep_their_order(target, x, y, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes(WRITTEN_ALIKE["blanks"])
    data = load_data(path, raw=True, target=target)
    assert (data.x.tolist(), data.y.tolist()) == (x, y)


def test_classes_are_numbered_as_they_appear_wherever_their_column_is(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("kind,a\nred,1\nblue,2\nred,3\n")
    data = load_data(path, target="kind")
    assert (data.classes, data.y.tolist()) == (("red", "blue"), [0, 1, 0])
    assert data.targets(from_text("1-2")).tolist() == [[1, 0], [0, 1], [1, 0]]
    assert data.targets(from_text("1-1")).tolist() == [[0], [1], [0]]
    assert data.targets(from_text("1-2", loss="cross-entropy")).tolist() == [0, 1, 0]
    assert data.meaning(from_text("1-1")) == "target 1 for blue"


GIVEN = {
    "labels": ([0, 2, 1], 3),
    "real numbers": ([0.5, 2, 1], None),
    "a column": ([[0], [2], [1]], None),
    "a negative number": ([-1, 0, 1], None),
    "truth values": ([True, False, True], None),
    "numbers that no network has outputs for": ([0, 10**6, 2**62], None),
}


@pytest.mark.parametrize("kind", GIVEN)
def test_arrays_and_npz_hold_as_targets(kind, tmp_path):
    (y, classes), x = GIVEN[kind], np.arange(6).reshape(3, 2)
    np.savez(tmp_path / "mine.npz", x=x, y=y)
    for data in load_data(tmp_path / "mine.npz", raw=True), from_arrays(x, y):
        assert (None if data.classes is None else len(data.classes)) == classes
        assert data.x.tolist() == x.tolist()
        assert data.y.ravel().tolist() == np.ravel(y).tolist()


class UnitTargets(SumSquaredError):
    """Stands for a loss that reads targets from 0 to 1."""

    unit_targets = True


@pytest.mark.parametrize("outputs", [1, 2, 5])
def test_random_data_fits_the_network_and_its_loss(outputs):
    real = from_text(f"3-{outputs}")
    labels = from_text(f"3-{outputs}", loss="cross-entropy")
    unit = type(real)(real.layers, UnitTargets())
    drawn = {network: load_data("random", network=network) for network in (real, labels, unit)}
    for network, data in drawn.items():
        network.check_batch(data.x, data.targets(network))
        assert data.x.shape == (128, 3)
        assert data.describe() == "random N=128, standard normal"
    assert len(set(drawn[real].targets(real).ravel())) == 128 * outputs
    assert set(drawn[labels].targets(labels)) == set(range(outputs))
    assert set(drawn[unit].targets(unit).ravel()) == {0, 1}


def test_random_data_follows_the_seed_and_not_the_weights():
    network = from_text("4-3-1")
    one, same, other = (load_data("random", network=network, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.x, same.x)
    assert np.array_equal(one.y, same.y)
    assert not np.any(one.x == other.x)
    assert not np.any(one.x[:3] == np.random.default_rng(1).normal(size=(128, 4))[:3])


def test_a_run_draws_random_data_by_its_seed():
    runs = [harness.run("5-4-3", "random", ["hand"], steps=1, seed=seed) for seed in (0, 0, 1)]
    losses = [run.losses["hand"] for run in runs]
    assert losses[0] == losses[1] != losses[2]
    assert "random N=128, standard normal" in runs[0].head.data


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_out_of_range_is_no_other_class(label):
    data = harness.Data("mine", np.ones((4, 2)), np.array([0, 1, 2, label]), ("a", "b", "c"))
    with pytest.raises(harness.UsageError, match=r"^Cannot read the targets of mine"):
        harness.run("2-3", data, ["hand"], steps=1)


@pytest.mark.parametrize("sizes", ["3-4-2", "4-4-2"])
def test_data_that_do_not_fit_a_model_are_refused_with_what_does(sizes):
    with pytest.raises(
        harness.UsageError, match=r"^Cannot use \d .* with iris, because .* or name random as the data, which fits any"
    ):
        harness.explain("W1[1,1]", sizes)
