"""Records of programs: compared later, without the other framework; damaged or strange ones are refused."""

import json
import subprocess
import sys

import msgspec
import numpy as np
import pytest

from harness import UsageError, compare_programs
from harness.programs.built import as_built
from harness.programs.pairs.trace import MOST_NUMBERS, ranks
from harness.programs.pairs.trace_file import read_trace, write_trace
from harness.programs.pairs.tracing import traced
from tests.helpers.deferred import Deferred

torch = Deferred("torch")


def built(width=5):
    nn = torch.nn
    model = nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.Linear(width, 2))
    return {"program": model, "arguments": (torch.linspace(-1, 1, 24).reshape(8, 3),), "loss": lambda y: y.sin().sum()}


@pytest.fixture
def record(tmp_path):
    """The path of a program's record."""

    def make(name="a.npz", program=None):
        trace, _ = traced(as_built(program or built(), "a program"), "a program", 0)
        write_trace(str(tmp_path / name), trace)
        return tmp_path / name

    return make


def test_a_record_stands_for_its_program(record, tmp_path):
    first = record()
    kept = []
    live = compare_programs(first, built(), keep=kept.append)
    write_trace(str(tmp_path / "b.npz"), kept[0])
    recorded = compare_programs(first, tmp_path / "b.npz")
    turned = compare_programs(built(), first, names=("live", "recorded"))
    assert [each.verdict for each in (live, recorded, turned)] == ["PASS"] * 3
    assert live.rows == recorded.rows
    assert [side.name for side in turned.sides] == ["live", "recorded"]


def test_two_records_of_other_weights_are_refused(record):
    with pytest.raises(
        UsageError, match=r"ran with other weights: 0.weight is not 0.weight; record one with the other's"
    ):
        compare_programs(record(), record("b.npz"))


def test_a_record_is_compared_where_its_framework_is_not_installed(record, tmp_path):
    one, kept = record(), []
    compare_programs(one, built(), keep=kept.append)
    write_trace(str(tmp_path / "b.npz"), kept[0])
    code = (
        "import sys; sys.modules['torch'] = sys.modules['jax'] = None\n"
        "import harness; print(harness.compare_programs('a.npz', 'b.npz').verdict)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "PASS\n"


def rewritten(path, **changes):
    """The record with something else in its head."""
    with np.load(path) as archive:
        members = dict(archive)
    head = json.loads(members["trace"].tobytes()) | changes
    members["trace"] = np.frombuffer(json.dumps(head).encode(), np.uint8)
    np.savez(path, **members)


DAMAGES = {
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:-900]), "it is damaged, or no record"),
    "a changed byte": (lambda path: flipped(path), "it is damaged, or no record"),
    "empty": (lambda path: path.write_bytes(b""), "it is damaged, or no record"),
    "something else": (lambda path: np.savez(path, W1=np.ones(3)), "it is no record of a program"),
    "a newer schema": (lambda path: rewritten(path, schema=2), "its schema is 2 and this version knows schema 1"),
    "another kind": (lambda path: rewritten(path, kind="run"), "it is no record of a program"),
    "places that are none": (
        lambda path: rewritten(path, loss=[0, 10_000]), "it names arrays that it does not hold",
    ),
    "a loss of many numbers": (lambda path: rewritten(path, loss=[0, 0]), "its loss is no single number"),
}  # fmt: skip


def flipped(path):
    data = bytearray(path.read_bytes())
    with np.load(path) as archive:
        inside = archive["0"].tobytes()
    at = data.index(inside)
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_is_refused(record, damage):
    path = record()
    break_, why = DAMAGES[damage]
    break_(path)
    with pytest.raises(UsageError) as told:
        read_trace(path)
    assert why in str(told.value)
    assert str(told.value).startswith("Cannot read ")


def test_a_record_that_is_missing_is_refused(tmp_path):
    with pytest.raises(UsageError, match="there is no such file"):
        compare_programs(tmp_path / "none.npz", tmp_path / "none.npz")


def test_a_record_is_not_written_over(record, tmp_path):
    path = record()
    before = path.read_bytes()
    for name, why in (
        (path.name, "the file exists"),
        ("a.txt", "does not end in .npz"),
        ("no/a.npz", "does not exist"),
    ):
        with pytest.raises(UsageError, match=why):
            write_trace(str(tmp_path / name), read_trace(path))
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [path.name]  # nothing is left aside


def test_a_record_round_trips(record):
    path = record()
    trace = read_trace(path)
    write_trace(str(path.with_name("again.npz")), trace)
    again = read_trace(path.with_name("again.npz"))
    assert msgspec.structs.replace(again, arrays=()) == msgspec.structs.replace(trace, arrays=())
    assert all(np.array_equal(one, other) for one, other in zip(again.arrays, trace.arrays, strict=True))
    assert trace.framework.startswith("torch ")


def test_of_a_large_tensor_evenly_spaced_ranks_are_kept():
    numbers = np.random.default_rng(0).permutation(3 * MOST_NUMBERS + 1)
    kept = ranks(numbers)
    assert kept.size == MOST_NUMBERS
    assert (kept[0], kept[-1]) == (0, 3 * MOST_NUMBERS)
    assert set(np.diff(kept)) <= {3, 4}
    assert np.array_equal(ranks(numbers[:9]), np.sort(numbers[:9]))
