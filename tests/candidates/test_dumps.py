"""Numbers from elsewhere: what is in a file is read as it is, or one message says what is wrong with the file."""

import io
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from harness.candidates.dumps import read_dump
from harness.checking.templates import write_template
from harness.inputs.networks import load_network
from harness.usage import UsageError

NETWORK = load_network("4-3-2", activation="tanh")
LABELLED = load_network("4-3-2", activation="tanh", loss="cross-entropy")


def safetensors():
    return pytest.importorskip("safetensors.numpy", reason="the package safetensors is not installed")


def content(network=NETWORK, rows=5, dtype="float64", **changed):
    """Weights, batch and every tensor of the hand code; `changed` replaces arrays, or leaves them out by None."""
    rng = np.random.default_rng(0)
    weights, x = network.init(0, dtype), rng.normal(size=(rows, network.inputs)).astype(dtype)
    labels = rng.integers(0, network.outputs, rows)
    y = labels if network.loss.labels else rng.normal(size=(rows, network.outputs)).astype(dtype)
    forward = network.forward(weights, x)
    tensors = {**weights, "x": x, "y": y, **forward, "loss": np.asarray(network.loss_of(forward, y))}
    tensors |= network.backward(weights, x, y, forward)
    return {name: array for name, array in {**tensors, **changed}.items() if array is not None}


def saved(folder, arrays, suffix="npz", save=np.savez):
    path = folder / f"dump.{suffix}"
    if suffix == "npz":
        save(path, **arrays)
    else:
        path.write_bytes(safetensors().save(arrays))
    return path


def refused(path, *said, network=NETWORK):
    with pytest.raises(UsageError, match=r"^Cannot .*because .*; .*\.$") as told:
        read_dump(path, network)
    for part in said:
        assert part in str(told.value)
    assert len(str(told.value)) < 1000


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
@pytest.mark.parametrize("network", [NETWORK, LABELLED], ids=["real", "labels"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_was_written_is_read_bit_for_bit(suffix, network, dtype, tmp_path):
    held = content(network, dtype=dtype, mW1=np.ones(3))
    dump = read_dump(saved(tmp_path, held, suffix), network)
    assert (dump.dtype, dump.ignored) == (dtype, ["mW1"])
    assert list(dump.shown) == [link.output for link in network.links]
    for name, array in {**dump.weights, "x": dump.x, "y": dump.y, **dump.shown}.items():
        assert array.dtype == held[name].dtype
        assert np.array_equal(array, held[name]), name


def test_other_orders_of_bytes_and_of_entries_and_compression(tmp_path):
    held = content()
    turned = {name: array.astype(">f8", order="F") for name, array in held.items()}
    dump = read_dump(saved(tmp_path, turned, save=np.savez_compressed), NETWORK)
    assert dump.dtype == "float64"
    for name, array in {**dump.weights, **dump.shown}.items():
        assert array.flags.c_contiguous
        assert array.dtype.isnative
        assert np.array_equal(array, held[name])


def test_a_single_gradient_is_enough_and_integers_of_any_size_are_labels(tmp_path):
    held = content(LABELLED)
    few = {name: held[name] for name in (*LABELLED.weights, "x", "db1")} | {"y": held["y"].astype(np.uint8)}
    dump = read_dump(saved(tmp_path, few), LABELLED)
    assert (list(dump.shown), dump.y.dtype, dump.ignored) == (["db1"], np.int64, [])


D = content()
NAN = np.full((4, 3), np.nan)
WRONG = {
    "no weights": ({"W1": None, "b2": None}, "it lacks W1 and b2 and holds "),
    "no batch": ({"x": None, "y": None}, "it lacks x and y"),
    "no gradient": ({name: None for name in D if name.startswith("d")}, "no gradient; give at least one of dW1, db1"),
    "another network's weight": ({"W3": np.ones((2, 2))}, "as 4-3-2 tanh, because it holds W3, which that network"),
    "another network's gradient": ({"db7": np.ones(2)}, "it holds db7, which that network does not have"),
    "a transposed gradient": ({"dW1": D["dW1"].T}, "dW1 has shape (3, 4) instead of (4, 3); that is transposed (torch"),
    "transposed weights": ({"W1": D["W1"].T, "dW1": D["dW1"].T}, "W1 has shape (3, 4) instead of (4, 3) and dW1 has"),
    "a bias as a row": ({"db1": np.ones((1, 3))}, "db1 has shape (1, 3) instead of (3,); write W of shape"),
    "another batch": ({"dz1": np.ones((4, 3))}, "dz1 has shape (4, 3) instead of (5, 3)"),
    "inputs": ({"x": np.ones((5, 3))}, "x has shape (5, 3) instead of (N, 4)"),
    "one sample": ({"x": np.ones(4)}, "x has shape (4,) instead of (N, 4)"),
    "no rows": ({"x": np.ones((0, 4))}, "x has shape (0, 4) instead of (N, 4)"),
    "targets": ({"y": np.ones(5)}, "y has shape (5,) instead of (5, 2)"),
    "loss of one entry": ({"loss": np.ones(1)}, "loss has shape (1,) instead of ()"),
    "mixed dtypes": ({"dW1": D["dW1"].astype("f4")}, "dW1 is float32 and W1, b1"),
    "halves": ({"dW1": D["dW1"].astype("f2")}, "dW1 is float16", "write everything in the one dtype"),
    "integers": ({"W2": np.ones((3, 2), int)}, "W2 is int64"),
    "complex numbers": ({"da1": D["da1"] + 0j}, "da1 is complex128"),
    "text": ({"db1": np.array(["a", "b", "c"])}, "db1 is str"),
    "objects": ({"dW1": np.array([[{}]], dtype=object)}, "dW1 holds pickled Python objects, and reading those can run"),
    "fields": ({"db1": np.zeros(3, [("a", "f8")])}, "db1 is void"),
    "NaN weights": ({"W1": NAN}, "W1[0,0], counted from 0, is nan"),
    "infinite inputs": ({"x": np.where(D["x"] == D["x"][3, 2], np.inf, D["x"])}, "x[3,2], counted from 0, is inf"),
    "NaN targets": ({"y": D["y"] * np.nan}, "y[0,0], counted from 0, is nan"),
    "what is not filled": ({"dW1": NAN, "db2": np.full(2, np.nan)}, "not filled (every entry is NaN): db2 and dW1;"),
    "a huge name": ({"W1": None, "W1" + "x" * 10_000: np.ones(1)}, "it lacks W1"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_dump_with(what, tmp_path):
    changed, *said = WRONG[what]
    refused(saved(tmp_path, content(**changed)), *said)


LABELS = {
    "floats": (np.zeros(5), "y is float64 and its loss reads class labels; write them as whole numbers"),
    "too large": (np.array([0, 1, 2, 0, 1]), "y[2], counted from 0, is 2; give labels from 0 to 1"),
    "negative": (np.array([0, 1, 0, 0, -1]), "y[4], counted from 0, is -1"),
    "beyond int64": (np.array([0, 1, 0, 0, 2**64 - 1], np.uint64), "y[4], counted from 0, is 18446744073709551615"),
    "true and false": (np.zeros(5, bool), "y is bool"),
    "one-hot": (np.zeros((5, 2), int), "y has shape (5, 2) instead of (5,)"),
}


@pytest.mark.parametrize("what", LABELS)
def test_labels_that_are(what, tmp_path):
    y, said = LABELS[what]
    refused(saved(tmp_path, content(LABELLED, y=y)), said, network=LABELLED)


def test_gradients_that_are_not_finite_are_for_the_check_to_judge(tmp_path):
    spoilt = D["dW1"].copy()
    spoilt[0, 0], spoilt[1, 1] = np.nan, np.inf
    assert np.array_equal(read_dump(saved(tmp_path, D | {"dW1": spoilt}), NETWORK).shown["dW1"], spoilt, equal_nan=True)


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_damaged_files(suffix, tmp_path):
    if suffix == "safetensors":
        safetensors()
    path = tmp_path / f"dump.{suffix}"
    refused(path, "there is no such file")
    path.write_bytes(b"")
    refused(path, "it is empty; harness template")
    whole = saved(tmp_path, D, suffix).read_bytes()
    for kept in (3, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:kept])
        refused(path, "damaged, or no file of that kind")
    for noise in (b"1,2,3\n" * 99, b"\xff" * 99, b"\x80\x04K\x01." * 20):
        path.write_bytes(noise)
        refused(path, "damaged, or no file of that kind")
    path.unlink()
    path.mkdir()
    refused(path, "it is a directory")


def test_names_of_files(tmp_path):
    for name in ("dump.npy", "dump.pt", "dump", "dump.npz.gz", ".npz"):
        refused(tmp_path / name, "ends neither in .npz nor in .safetensors")
    refused(f"{tmp_path}/a\0.npz", "null byte")
    refused(f"{tmp_path}/\x1b[31m.npz", "\\x1b[31m.npz")
    if Path("/dev/zero").exists():
        (tmp_path / "endless.npz").symlink_to("/dev/zero")
        refused(tmp_path / "endless.npz", "it is no ordinary file")


def archive(path, members):
    """An NPZ file of given bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, held in members:
            zipped.writestr(f"{name}.npy", held)
    return path


def npy(array, shape=None):
    """An NPY file, whose header may say another shape than the array's."""
    held = io.BytesIO()
    np.save(held, array)
    text = held.getvalue()
    return text if shape is None else text.replace(str(array.shape).encode(), str(shape).encode(), 1)


def test_archives_that_lie_or_swell(tmp_path):
    rest = [(name, npy(array)) for name, array in D.items() if name != "dW1"]
    path = tmp_path / "dump.npz"
    refused(archive(path, [*rest, ("dW1", npy(D["dW1"])[:-9])]), "damaged")
    refused(archive(path, [*rest, ("dW1", npy(D["dW1"], (4, 3_000_000_000)))]), "dW1 has shape (4, 3000000000) instead")
    refused(archive(path, [*rest, ("dW1", b"\x93NUMPY\x01\x00" + b"\xff\xff" + b"{" * 65535)]), "damaged")
    refused(archive(path, [*rest, ("dW1", b"no array")]), "damaged")
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive(path, [*rest, ("x", npy(D["x"])), ("dW1", npy(D["dW1"]))])
    refused(path, "it holds x 2 times")
    giant = [(name, npy(array)) for name, array in D.items() if name in NETWORK.weights or name == "dW1"]
    rows = 10**12
    refused(archive(path, [*giant, ("x", npy(D["x"], (rows, 4))), ("y", npy(D["y"], (rows, 2)))]), "give fewer rows")
    # What is not needed is not even opened, however large.
    archive(path, [*rest, ("dW1", npy(D["dW1"])), ("bomb", npy(np.zeros(10**7))), ("junk", b"no array")])
    assert read_dump(path, NETWORK).ignored == ["bomb", "junk"]


def test_a_flipped_bit_is_noticed(tmp_path):
    path = saved(tmp_path, D)
    held = bytearray(path.read_bytes())
    at = held.find(D["dW1"].tobytes())
    held[at + 5] ^= 1
    path.write_bytes(held)
    refused(path, "damaged")


def test_a_safetensors_file_that_lies_or_holds_what_is_not_read(tmp_path):
    library = safetensors()
    path = tmp_path / "dump.safetensors"
    whole = library.save(D)
    path.write_bytes(struct.pack("<Q", 2**60) + whole[8:])
    refused(path, "damaged")
    path.write_bytes(whole.replace(b'"dW1":{"dtype":"F64"', b'"dW1":{"dtype":"I64"'))
    refused(path, "dW1 is int64")
    import ml_dtypes

    path.write_bytes(whole.replace(b'"shape":[4,3]', b'"shape":[3,4]'))
    refused(path, "W1 has shape (3, 4) instead of (4, 3) and dW1 has", "transposed")
    path.write_bytes(library.save(D | {"dW1": D["dW1"].astype(ml_dtypes.bfloat16)}))
    refused(path, "dW1 is bfloat16")


def test_without_the_package_the_message_says_how_to_install_it(tmp_path, monkeypatch):
    (tmp_path / "dump.safetensors").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    refused(tmp_path / "dump.safetensors", "pip install 'backprop-harness[dumps]' or use .npz")
    with pytest.raises(UsageError, match="pip install"):
        write_template(tmp_path / "new.safetensors", NETWORK)
