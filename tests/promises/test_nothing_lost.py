"""What goes wrong during a run loses nothing, is said once, and ends with the right exit status."""

import errno
import json
import signal
import subprocess
import sys
import time
from io import FileIO

import pytest
from click.testing import CliRunner

import harness
from harness.cli import main
from harness.cli.commands import harness as command
from harness.interrupts import held_back
from harness.lockstep import training as lockstep
from harness.results import record_file
from harness.results.record_file import Writer
from impls import registry
from tests.helpers.full_disk import Flaky, typed_with_little_room


def typed(*words):
    return CliRunner().invoke(command, ["run", *map(str, words)])


# -- an output that cannot be written is said before anything else is done

OUTPUTS = {
    "empty": ("", "the path is empty"),
    "a directory": (".", "it is a directory; name a file in it"),
    "a directory by its slash": ("folder/", "it is a directory; name a file in it"),
    "in no folder": ("nowhere/run.jsonl", "the folder nowhere does not exist; create it or choose another"),
    "in a file": ("precious/run.jsonl", "a part of its path is a file, not a directory"),
    "a file that exists": ("precious", "the file exists and would be lost; remove it or choose another name"),
    "the same by another way": ("./folder/..//precious", "the file exists and would be lost"),
    "a device": ("/dev/null", "the file exists and would be lost"),
    "too long": ("a" * 300, "file name too long"),
}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_an_output_is_refused_before_data_is_read_or_frameworks_are_imported_if_it_is(kind, tmp_path, monkeypatch):
    def reached(*_, **__):
        raise AssertionError("too late")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lockstep, "as_data", reached)
    monkeypatch.setattr(registry, "load", reached)
    (tmp_path / "folder").mkdir()
    (tmp_path / "precious").write_text("precious")
    output, said = OUTPUTS[kind]
    done = typed("--output", output, "--data", "missing.csv")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("harness run: Cannot write the run to ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "precious").read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "precious"]


def test_relative_paths_and_doubled_slashes_are_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    assert typed("--against", "hand", "--steps", "1", "--output", "./runs/..//runs//a.jsonl").exit_code == 0
    assert len(harness.read_run("runs/a.jsonl").steps) == 1


def test_a_run_that_cannot_begin_leaves_no_file_behind(tmp_path):
    path = tmp_path / "run.jsonl"
    for options in {"data": "missing.csv"}, {"network": "5-1"}:
        with pytest.raises(harness.UsageError):
            harness.run(**options, output=path)
        assert not path.exists()


def test_of_two_processes_that_write_one_file_one_wins(tmp_path):
    words = [sys.executable, "-m", "harness", "run", "--against", "hand", "--steps", "5", "--quiet", "--output", "one"]
    options = {"cwd": tmp_path, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(words, **options) for _ in range(2)]
    told = [process.communicate()[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2]
    assert sorted("the file exists and would be lost" in text for text in told) == [False, True]
    assert len(harness.read_run(tmp_path / "one").steps) == 5


# -- a full disk


def test_a_full_disk_costs_the_record_and_not_the_run(tmp_path):
    path = tmp_path / "run.jsonl"
    done = typed_with_little_room("run", "--against", "hand", "--steps", "12", "--output", path)
    assert done.returncode == 2
    assert "PASS  hand agrees with its float64 centre up to rounding: 6 gradients x 12 steps" in done.stdout
    kept = harness.read_run(path)
    assert 0 < len(kept.steps) < 12
    assert (kept.how, kept.verdict) == ("cut off", "PASS")
    assert done.stderr == (
        f"harness run: Cannot keep the whole run in {path}, because file too large; the file holds the first "
        f"{len(kept.steps)} of 12 steps and can be read; make room and run again.\n"
    )


def test_json_tells_of_a_record_that_could_not_be_kept(tmp_path):
    words = "run", "--against", "hand", "--steps", "12", "--json", "--output", tmp_path / "run.jsonl"
    done = typed_with_little_room(*words)
    told = json.loads(done.stdout)
    assert (told["exit"], told["verdict"], done.returncode) == (2, "PASS", 2)
    assert f"harness run: {told['unrecorded']}\n" == done.stderr


def test_a_log_of_the_tests_may_be_longer_than_what_a_full_disk_takes(tmp_path):
    log = tmp_path / "test.log"
    log.write_text("." * 30_000)
    tests = [test_a_full_disk_costs_the_record_and_not_the_run, test_json_tells_of_a_record_that_could_not_be_kept]
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *(f"{__file__}::{t.__name__}" for t in tests)]
    with log.open("a") as into:
        assert subprocess.run(words, stdout=into).returncode == 0
    assert "2 passed" in log.read_text()


@pytest.mark.parametrize("full", [{1}, {3}, {2, 3, 4}, {6}, {7}], ids=str)
def test_what_could_not_be_written_is_written_when_there_is_room_again(full, tmp_path, monkeypatch):
    monkeypatch.setattr(Flaky, "full", full)
    monkeypatch.setattr(Flaky, "calls", 0)
    monkeypatch.setattr(record_file, "FileIO", Flaky)
    run = harness.run(against=["hand"], steps=5, output=tmp_path / "run.jsonl")
    read = harness.read_run(tmp_path / "run.jsonl")
    ended = 7 not in full  # the seventh line is the end, after which nothing is tried again
    assert (run.unrecorded is None, run.exit, read.how) == ((True, 0, "finished") if ended else (False, 2, "cut off"))
    assert read.to_dict()["rows"] == run.to_dict()["rows"]
    assert len(read.steps) == 5


def test_a_disk_that_is_full_from_the_start_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(Flaky, "full", range(100))
    monkeypatch.setattr(record_file, "FileIO", Flaky)
    run = harness.run(against=["hand"], steps=3, output=tmp_path / "run.jsonl")
    assert (run.verdict, run.exit, len(run.steps)) == ("PASS", 2, 3)
    assert "no space left on device; the file is removed" in run.unrecorded
    assert not (tmp_path / "run.jsonl").exists()


# -- a run that is killed, and one that is interrupted


def test_a_record_is_readable_up_to_its_last_whole_step_wherever_it_is_cut(tmp_path):
    path = tmp_path / "run.jsonl"
    harness.run("2-1", "random", against=["hand"], steps=3, output=path)
    text = path.read_bytes()
    ends = [place + 1 for place, byte in enumerate(text) if byte == ord("\n")]
    for cut in sorted({c + move for c in ends for move in (-1, 0, 1, 40)}):
        path.write_bytes(text[:cut])
        whole = sum(end <= cut for end in ends)
        if whole:
            read = harness.read_run(path)
            assert (len(read.steps), read.how) == (min(whole - 1, 3), "finished" if whole == 5 else "cut off")
        else:
            with pytest.raises(harness.UsageError, match="holds no whole line"):
                harness.read_run(path)


RECORDS = {
    "steps out of order": lambda lines: [lines[0], lines[2], lines[1]],
    "a step twice": lambda lines: [*lines[:3], lines[2]],
    "two runs": lambda lines: [*lines, *lines],
    "nested too deep": lambda lines: [lines[0], b"[" * 100_000 + b"\n"],
    "bytes that are no text": lambda lines: [lines[0], b'{"kind":"step\xff"}\n'],
}


@pytest.mark.parametrize("kind", RECORDS)
def test_a_record_is_refused_with(kind, tmp_path):
    path = tmp_path / "run.jsonl"
    harness.run("2-1", "random", against=["hand"], steps=2, output=path)
    path.write_bytes(b"".join(RECORDS[kind](path.read_bytes().splitlines(keepends=True))))
    with pytest.raises(harness.UsageError, match=r"^Cannot read .*, because .*; give a file that"):
        harness.read_run(path)


def test_ctrl_c_in_the_middle_exits_with_130_and_keeps_every_finished_step(tmp_path, ctrl_c):
    path = tmp_path / "run.jsonl"
    words = [sys.executable, "-m", "harness", "run", "--against", "hand", "--steps", "1000000", "--output", path]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if path.exists() and path.read_bytes().count(b"\n") > 3:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    read = harness.read_run(path)
    assert (process.returncode, err) == (130, "harness run: 1,000,000 steps take hours\n")
    assert (read.how, read.exit) == ("interrupted", 130)
    assert f"(interrupted after step {len(read.steps)})" in out
    assert path.read_bytes().count(b"\n") == len(read.steps) + 2 >= 5


def test_ctrl_c_while_a_line_is_written_keeps_the_record_whole(tmp_path, monkeypatch):
    class Pressed(FileIO):
        calls = 0

        def write(self, data):
            type(self).calls += 1
            if self.calls == 4:
                super().write(data[:10])
                raise KeyboardInterrupt
            return super().write(data)

    monkeypatch.setattr(record_file, "FileIO", Pressed)
    run = harness.run(against=["hand"], steps=9, output=tmp_path / "run.jsonl")
    read = harness.read_run(tmp_path / "run.jsonl")
    assert (run.exit, len(run.steps)) == (130, 3)
    assert (read.how, len(read.steps)) == ("interrupted", 3)


def as_a_process(monkeypatch, *words):
    """Exit status of the command, run here."""
    monkeypatch.setattr(sys, "argv", ["harness", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError("no room for 9 GiB"), 2, "memory is short (no room for 9 GiB)"),
        (OSError(errno.EIO, "Input/output error"), 2, "because input/output error"),
    ],
    ids=["Ctrl-C", "memory", "disk"],
)
def test_what_ends_a_run_before_it_begins(raised, status, said, monkeypatch, capfd, tmp_path):
    def ends(*_, **__):
        raise raised

    monkeypatch.setattr(lockstep, "as_data", ends)
    assert as_a_process(monkeypatch, "run", "--output", str(tmp_path / "run.jsonl")) == status
    out, err = capfd.readouterr()
    assert out == ""
    assert said in err
    assert "Traceback" not in err
    assert not (tmp_path / "run.jsonl").exists()


def test_ctrl_c_waits_while_frameworks_are_imported(ctrl_c):
    done = []

    def imports():
        with held_back():
            signal.raise_signal(signal.SIGINT)
            done.append("imported")

    with pytest.raises(KeyboardInterrupt):
        imports()
    assert done == ["imported"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_writer_keeps_its_place_when_the_working_directory_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Writer("run.jsonl"):
        monkeypatch.chdir("/")
    assert not (tmp_path / "run.jsonl").exists()
