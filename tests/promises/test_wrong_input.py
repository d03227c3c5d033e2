"""Wrong input: one message that says what cannot be done, why, and what to do instead; exit status 2."""

import os
import re
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import harness
from harness.candidates.deadline import deadline
from harness.cli.commands import harness as command
from impls.hand import Adam


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such pipes")
@pytest.mark.parametrize("name", ["pipe.csv", "pipe.npz", "pipe.toml", "pipe.jsonl"])
def test_a_pipe_that_nobody_writes_to_is_not_waited_for(name, tmp_path):
    os.mkfifo(tmp_path / name)
    read = {"csv": harness.load_data, "npz": harness.load_data, "toml": harness.load_network, "jsonl": harness.read_run}
    with (
        deadline(20),
        pytest.raises(harness.UsageError, match=r"^Cannot read .*, because it is no ordinary file; give"),
    ):
        read[name.partition(".")[2]](str(tmp_path / name))


def typed(*words):
    return CliRunner().invoke(command, ["run", "--against", "hand", "--steps", "1", *map(str, words)])


def refused(done, said):
    """One line on stderr, nothing on stdout, status 2."""
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    assert said in done.stderr
    assert done.stderr.startswith("harness run: Cannot ")
    assert ", because " in done.stderr
    assert "; " in done.stderr
    assert done.stderr.endswith(".\n")
    assert done.stderr.count("\n") == 1


WORDS = {
    "model": (["4-3-"], "write for example 4-3-2-1"),
    "empty model": ([""], "layer sizes with hyphens"),
    "layer of none": (["4-0-1"], "a layer of 0 neurons"),
    "layer too large": (["4-99999999999-1"], "1 to 1000000 neurons"),
    "activation": (["--activation", "sigmiod"], "did you mean sigmoid?"),
    "output activation": (["--output-activation", "tahn"], "did you mean tanh?"),
    "loss": (["--loss", "cross-entropie"], "did you mean cross-entropy?"),
    "dtype": (["--dtype", "flaot32"], "did you mean float32?"),
    "dtype without bounds": (["--dtype", "float8_e5m2"], "nobody computes in it"),
    "optimizer": (["--optimizer", "adma"], "did you mean adam?"),
    "learning rate": (["--lr", "nan"], "lr=nan"),
    "implementation": (["--against", "trch"], "did you mean torch?"),
    "no implementation": (["--against", " , "], "--against names none"),
    "data set": (["--data", "Irsi"], "did you mean iris?"),
    "data set with a hyphen": (["--data", "breast-cancr"], "did you mean breast_cancer?"),
    "another kind of file": (["--data", "mine.xlsx"], "text:FILE, or a path that ends in .csv or .npz"),
    "no such file": (["--data", "nowhere.csv"], "there is no such file"),
    "features": (["5-3-1"], "iris, because it has 4 features; begin the model with 4"),
    "outputs": (["4-3-2"], "it has 3 classes; make the last layer 3 wide"),
    "real outputs": (["10-2", "--data", "diabetes"], "it has 1 target column; make the last layer 1 wide"),
    "labels": (["4-2", "--loss", "cross-entropy"], "it has 3 classes; make the last layer 3 wide"),
    "real labels": (["10-2", "--loss", "cross-entropy", "--data", "diabetes"], "sample 1 is 151; cross-entropy needs"),
    "target of no csv": (["--target", "species"], "only a CSV file with a header"),
    "negative steps": (["--steps", "-1"], "steps=-1"),
    "endless steps": (["--steps", 10**22], "below 2^63"),
    "endless seed": (["--seed", 10**22], "below 2^63"),
    "negative seed": (["--seed", "-1"], "seed=-1"),
    "batch": (["--batch", "0"], "from 1 on"),
    "check-every": (["--check-every", "0"], "from 1 on"),
    "both lengths": (["--epochs", "1"], "steps and epochs together"),
}


@pytest.mark.parametrize("what", WORDS)
def test_a_wrong(what):
    words, said = WORDS[what]
    refused(typed(*words), said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "2-1", "--data", "random", "--report", ""], "Cannot write a page to '', because"),
        (["run", "2-1", "--data", "random", "--output", ""], "because the path is empty"),
        (["run", "2-1", "--data", "text:"], "Cannot read 'text:', because it names no file"),
        (["check", "nowhere.py:f", "--report", ""], "Cannot write a page to '', because"),
        (["check", "mine.py:f", "--optimizer", ""], "Cannot use the optimizer '', because"),
        (["check", "mine.py:f", "--arrays", ""], "Cannot give arrays of '', because there is no framework of that"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else None,
)
def test_an_option_that_is_given_empty_is_not_left_out(words, said, capfd, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("def f(weights, x, y):\n    return {}\n")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 2
    assert said in done.stderr + capfd.readouterr().err  # of the process apart


FILES = {
    "empty": (b"", "it holds no rows"),
    "blank": (b"\n\n \n", "it holds no rows"),
    "a header only": (b"a,b,c\n", "it holds a header and no rows"),
    "ragged": (b"a,b,c\n1,2,3\n1,2\n", "row 3 has 2 columns and the header has 3"),
    "ragged without header": (b"1,2,3\n\n1,2,3,4\n", "row 3 has 4 columns and the first row has 3"),
    "one column": (b"1\n2\n", "it has one column"),
    "text": (b"a,b,c\n1,x,3\n", "row 2, column 2 (b) holds 'x', which is not a number"),
    "text without header": (b"1,2,3\n1,x,3\n", "row 2, column 2 holds 'x', which is not a number"),
    "a number in the header": (b"a,2019,c\n1,2,3\n", "if that row is the header, no name in it may be a number"),
    "a missing feature": (b"a,b,c\n1,,3\n", "row 2, column 2 (b) is empty"),
    "a missing target": (b"a,b,c\n1,2,x\n1,2,\n", "row 3, column 3 (c) is empty"),
    "nothing but missing targets": (b"a,b,c\n1,2,\n1,2,\n", "row 2, column 3 (c) is empty"),
    "NaN": (b"a,b,c\n1,nan,3\n", "row 2, column 2 (b) holds 'nan', which is not a finite number"),
    "NaN as target": (b"a,b,c\n1,2,3\n1,2,nan\n", "row 3, column 3 (c) holds 'nan', which is not a finite number"),
    "NaN among classes": (b"a,b,c\n1,2,x\n1,2,y\n1,2,nan\n", "row 4, column 3 (c) holds 'nan', which stands among"),
    "a class among numbers": (b"a,b,c\n1,2,3\n1,2,4\n1,2,x\n", "row 4, column 3 (c) holds 'x', which stands among"),
    "1e400": (b"a,b,c\n1,1e400,3\n", "holds '1e400', which is not a finite number in float64"),
    "a huge whole number": (b"a,b,c\n1," + b"9" * 5000 + b",3\n", "9'... (5000 characters), which is not a finite"),
    "python's underscores": (b"a,b,c\n1,1_000,3\n", "holds '1_000', which is not a number"),
    "a cell over the limit": (b"1," + b"x" * 200_000 + b",3\n", "field larger than field limit"),
    "an unclosed quote": (b'a,b,c\n1,"2,3\n4,5,6\n', "row 2 is no row of a CSV file"),
    "semicolons": (b"a;b;c\n1;2;3\n", "separated by semicolons"),
    "semicolons and decimal commas": (b"a;b;c\n1,5;2,5;3\n", "separated by semicolons"),
    "semicolons and no header": (b"1,5;2,5;3\n2,5;3,5;4\n", "separated by semicolons"),
    "tabs": (b"a\tb\tc\n1\t2\t3\n", "separated by tabs"),
    "Latin-1": ("a,b,c\n1,2,käse\n".encode("latin-1"), "it is not text in UTF-8"),
    "UTF-16": ("a,b,c\n1,2,3\n".encode("utf-16"), "it is not text in UTF-8"),
    "binary": (bytes(range(256)) * 9, "it is not text in UTF-8"),
    "NUL": (b"a,b,c\n1,\x002,3\n", "row 2, column 2 (b) holds '\\x002', which is not a number"),
    "values too large": (b"1e308,2,1\n-1e308,3,2\n", "overflows"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_csv_with(kind, tmp_path):
    content, said = FILES[kind]
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    done = typed("2-1", "--data", path)
    refused(done, said)
    assert str(path) in done.stderr


TARGETS = {
    "an unknown name": (b"a,b,Kind\n1,2,3\n", "kidn", "did you mean Kind?); choose one of 'a', 'b', 'Kind'"),
    "a name of two columns": (b"a,b,a\n1,2,3\n", "a", "columns 1 and 3 are both called so"),
    "no header": (b"1,2,3\n4,5,6\n", "c", "the file has no header"),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_a_target_column_of(kind, tmp_path):
    content, target, said = TARGETS[kind]
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    refused(typed("2-1", "--data", path, "--target", target), said)


ARCHIVES = {
    "pickled objects": ({"x": np.array([[{}]], dtype=object), "y": np.ones(1)}, "pickled Python objects"),
    "other names": ({"a": np.ones((2, 2)), "y": np.ones(2)}, "because it holds a, y;"),
    "nothing": ({}, "because it holds nothing;"),
    "text": ({"x": np.array([["a"]]), "y": np.ones(1)}, "give real numbers"),
    "complex numbers": ({"x": np.ones((1, 1), complex), "y": np.ones(1)}, "give real numbers"),
    "shapes that do not fit": ({"x": np.ones((3, 2)), "y": np.ones(2)}, "x has shape (3, 2) and y has shape (2,)"),
    "one dimension": ({"x": np.ones(3), "y": np.ones(3)}, "give x of shape (N, M)"),
    "no rows": ({"x": np.ones((0, 2)), "y": np.ones(0)}, "it holds no rows"),
    "NaN": ({"x": np.array([[1, 2], [3, np.nan]]), "y": np.ones(2)}, "x[1,1] is nan"),
    "infinity": ({"x": np.ones((2, 2)), "y": np.array([1, -np.inf])}, "y[1,0] is -inf"),
    "labels out of range": ({"x": np.ones((2, 2)), "y": np.array([0, 7])}, "it has 8 classes"),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_an_npz_with(kind, tmp_path):
    arrays, said = ARCHIVES[kind]
    np.savez(tmp_path / "mine.npz", **arrays)
    refused(typed("2-2", "--loss", "cross-entropy", "--data", tmp_path / "mine.npz"), said)


def test_an_npz_that_would_fill_the_memory_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "small.npz"
    np.savez_compressed(path, x=np.zeros((200_000, 200)), y=np.zeros(200_000))
    assert path.stat().st_size < 2**19
    unpacked = []
    monkeypatch.setattr(np, "load", lambda *given, **_: unpacked.append(given))
    refused(typed("200-1", "--data", path), "x and y take 0.3 MiB in it and 307 MiB in memory; if that is meant, write")
    assert unpacked == []


def test_an_npz_that_is_as_large_as_it_looks_is_read(tmp_path, monkeypatch):
    from harness.inputs.datasets import arrays

    monkeypatch.setattr(arrays, "MOST_UNPACKED", 2**10)
    np.savez(tmp_path / "whole.npz", x=np.zeros((600, 2)), y=np.ones(600))
    np.savez_compressed(tmp_path / "packed.npz", x=np.random.default_rng(0).normal(size=(600, 2)), y=np.ones(600))
    for name in ("whole", "packed"):
        assert len(harness.load_data(tmp_path / f"{name}.npz").y) == 600


LABELS = {"too large": ("7", "sample 2 is 7"), "negative": ("-1", "sample 2 is -1"), "half": ("0.5", "sample 2 is 0.5")}


@pytest.mark.parametrize("kind", LABELS)
def test_a_class_label_that_is(kind, tmp_path):
    label, said = LABELS[kind]
    (tmp_path / "mine.csv").write_text(f"1,2,0\n2,3,{label}\n")
    refused(typed("2-3", "--loss", "cross-entropy", "--data", tmp_path / "mine.csv"), f"{said}; cross-entropy needs")


@pytest.mark.parametrize("suffix", ["csv", "npz"])
def test_a_directory_and_what_is_no_archive(suffix, tmp_path):
    (tmp_path / f"folder.{suffix}").mkdir()
    refused(typed("--data", tmp_path / f"folder.{suffix}"), "it is a directory")
    (tmp_path / "text.npz").write_text("1,2,3\n")
    refused(typed("--data", tmp_path / "text.npz"), "it is no NPZ file")
    np.savez(tmp_path / "whole.npz", x=np.ones((2, 2)), y=np.ones(2))
    (tmp_path / "half.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:200])
    refused(typed("--data", tmp_path / "half.npz"), "it is no NPZ file")


def test_what_comes_with_scikit_learn_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    refused(typed("--data", "wine"), "pip install 'backprop-harness[data]'")


CALLS = {
    "a network": ({"network": 3}, "network=3"),
    "an optimizer": ({"optimizer": 0.1}, "optimizer=0.1"),
    "an optimizer's class": ({"optimizer": Adam}, "write Adam()"),
    "data": ({"data": [1, 2]}, "data=[1, 2]"),
    "three arrays": ({"data": (1, 2, 3)}, "data of type tuple"),
    "ragged arrays": ({"data": ([[1, 2], [3]], [1, 2])}, "give x and y as arrays"),
    "masked rows in a list": ({"data": ([np.ma.masked_array([1.0, 2.0], mask=[0, 1])], [1])}, "1 of its 2 entries"),
    "a masked entry in a list": ({"data": ([[1.0, np.ma.masked]], [1])}, "masked"),
    "masked targets in a list": ({"data": ([[1.0, 2.0]], [np.ma.masked_array([1.0], mask=[1])])}, "Cannot use y"),
    "raw arrays": ({"data": (np.ones((2, 4)), np.ones(2)), "raw": True}, "give them to load_data"),
    "half a step": ({"steps": 1.5}, "steps=1.5"),
    "a true step": ({"steps": True}, "steps=True"),
    "a path with NUL": ({"data": "a\0.csv"}, "null byte"),
    "an output with NUL": ({"output": "a\0"}, "null byte"),
}


@pytest.mark.parametrize("what", CALLS)
def test_a_call_with_no(what):
    options, said = CALLS[what]
    with pytest.raises(harness.UsageError, match=r"^Cannot .*, because .*; .*\.$") as told:
        harness.run(**options)
    assert said in str(told.value)


def test_whole_numbers_of_any_kind_and_paths_are_taken(tmp_path):
    (tmp_path / "mine.csv").write_text("1,2,3,4,5\n2,3,4,5,6\n")
    counts = {"steps": np.int64(2), "batch": np.uint8(1), "seed": np.int32(3)}
    run = harness.run(data=tmp_path / "mine.csv", against=["hand"], **counts)
    assert (len(run.steps), run.head.batch, run.head.seed) == (2, 1, 3)


def test_random_data_without_a_network_is_refused():
    with pytest.raises(harness.UsageError, match="it must fit a network"):
        harness.load_data("random")


@pytest.mark.parametrize(
    "words",
    [
        ["--lr", "1e39"], ["--optimizer", "adam(weight_decay=1e300)"], ["--activation", "leaky-relu(slope=-1e39)"],
        ["--loss", "huber(delta=1e39)"],
    ],
    ids=str,
)  # fmt: skip
def test_a_parameter_that_overflows_in_the_working_dtype(words):
    done = typed(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert re.fullmatch(r"harness run: Cannot use .* in float32, because it overflows there; give .*\n", done.stderr)


@pytest.mark.parametrize("name", ["free_run", "exact", "full"])
@pytest.mark.parametrize("value", [1, "no", None, [True]])
def test_a_flag_is_true_or_false(name, value):
    with pytest.raises(harness.UsageError, match=f"^Cannot use {name}=.*because .*True or False"):
        harness.run(steps=1, **{name: value})


@pytest.mark.parametrize(("value", "rows"), [(0.1, 1000), (0.1, 3), (1 / 3, 442), (123.456, 569)])
def test_a_constant_column_becomes_0(value, rows):
    from harness.inputs.datasets import from_arrays
    from harness.inputs.datasets.data import standardise

    x = standardise(from_arrays(np.c_[np.full(rows, value), np.arange(rows)], np.ones(rows))).x
    assert set(x[:, 0]) == {0.0}
