"""Records: what is damaged is noticed, left out and told; the rest is read."""

import json
import os
import re
from zlib import crc32

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

import harness
from harness.comparison.judge import Finding
from harness.results.record_file import line_of
from harness.results.run import Run
from impls.hand import Tanh
from impls.hand_numpy import Hand
from reports.command import report
from reports.page.rendering import page
from tests.helpers.hostile_run import HOSTILE, hostile


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The lines of a run of five steps."""
    path = tmp_path_factory.mktemp("record") / "run.jsonl"
    harness.run("2-1", "random", against=["hand"], steps=5, output=path)
    return path.read_bytes().splitlines(keepends=True)


@pytest.fixture
def read(tmp_path):
    def of(lines):
        path = tmp_path / "damaged.jsonl"
        path.write_bytes(b"".join(lines))
        return harness.read_run(path)

    return of


def changed(line, digit=0):
    """The line with its last digits but so many changed, which leaves JSON of the same types."""
    places = [m.start() for m in re.finditer(rb"(?<=[.\d])[1-8](?=\d)", line)]
    at = places[-1 - digit]
    return line[:at] + bytes([line[at] + 1]) + line[at + 1 :]


def without_sums(lines):
    return [re.sub(rb'"crc32":"[0-9a-f]{8}",', b"", line) for line in lines]


def test_every_line_has_the_checksum_of_what_else_it_holds(recorded):
    for line in recorded:
        found = re.search(rb'"crc32":"([0-9a-f]{8})",', line)
        assert int(found[1], 16) == crc32(line.replace(found[0], b"").rstrip(b"\n"))
        assert json.loads(line)["kind"] in ("run", "step", "end")


@pytest.mark.parametrize("digit", range(3))
@pytest.mark.parametrize("place", range(1, 6))
def test_a_changed_digit_in_a_step_loses_that_step_alone(place, digit, recorded, read):
    lines = [changed(line, digit) if i == place else line for i, line in enumerate(recorded)]
    json.loads(lines[place])  # nothing but the checksum can tell
    run = read(lines)
    assert (run.verdict, run.how, len(run.steps), run.lost.steps) == ("PASS", "finished", 5, (place,))
    told = f"(the record lacks step {place}: line {place + 1} is damaged: its checksum is another)"
    assert run.reason.endswith(told)
    assert "4 of 5 steps" in run.reason
    assert run.weights_at(place) is None
    others = [step for step in range(1, 6) if step != place]
    assert all(run.steps[step - 1].step == step and run.weights_at(step) for step in others)
    assert run.to_dict()["lost"] in told
    assert told[1:-1].replace("the record", "The record") in page(run)


@pytest.mark.parametrize("by", [b"hello", b"[" * 100_000, b'{"kind":"step\xff"}', b"{}", b"", b"\x00" * 99], ids=repr)
def test_a_line_that_is_no_line_of_a_record_is_left_out(by, recorded, read):
    run = read([*recorded[:3], by + b"\n", *recorded[4:]])
    assert (run.verdict, run.how, run.lost.steps, [n for n, _ in run.lost.lines]) == ("PASS", "finished", (3,), [4])


def test_what_happened_to_several_lines_is_told_once(recorded, read):
    run = read([recorded[0], *map(changed, recorded[1:4]), *recorded[4:]])
    assert str(run.lost) == "steps 1, 2 and 3: line 2 is damaged: its checksum is another, and so are 2 more"
    run = read([*recorded[:5], changed(recorded[5]), recorded[6][:-9] + b"\n"])
    assert (run.how, len(run.steps)) == ("cut off", 4)
    assert str(run.lost).startswith("its end: line 6 is damaged: its checksum is another, and so is 1 more")
    run = read([recorded[0], changed(recorded[1]), *recorded[2:6], recorded[6][:-9] + b"\n"])
    assert str(run.lost).startswith("step 1 and its end: line 2 is damaged")


@pytest.mark.parametrize("said", ["finished", "PASS"])
def test_an_end_that_no_run_comes_to_is_damage(said, recorded, read):
    run = read([*recorded[:6], *without_sums([recorded[6].replace(said.encode(), b"NaN")])])
    assert str(run.lost).startswith("its end: line 7 is not part of a run record (Invalid enum value 'NaN'")
    assert (run.verdict, run.how) == ("PASS", "cut off")


def test_lines_that_were_taken_out_are_missed(recorded, read):
    run = read([*recorded[:2], *recorded[4:]])
    assert (run.lost.steps, run.lost.lines, run.steps[2].checked) == ((2, 3), (), "none")
    assert run.reason.endswith("(the record lacks steps 2 and 3)")
    assert [step is None for step in run.losses["hand"]] == [False, True, True, False, False]


@pytest.mark.parametrize("digit", range(3))
def test_without_a_whole_head_nothing_is_read(digit, recorded, read):
    with pytest.raises(harness.UsageError, match="line 1 is damaged: its checksum is another"):
        read([changed(recorded[0], digit), *recorded[1:]])


def test_a_head_without_its_checksum_hides_nothing(recorded, read):
    lines = [*without_sums(recorded[:1]), *recorded[1:]]
    for damaged in (lines, [lines[0], changed(lines[1]), *lines[2:]]):
        with pytest.raises(harness.UsageError, match="line 1 is damaged: it has no checksum, and other lines have one"):
            read(damaged)


@pytest.mark.parametrize("place", range(1, 6))
def test_a_line_without_its_checksum_is_left_out(place, recorded, read):
    run = read([*recorded[:place], *without_sums(recorded[place : place + 1]), *recorded[place + 1 :]])
    assert run.lost.steps == (place,)
    assert str(run.lost).endswith(f"line {place + 1} is damaged: it has no checksum, and other lines have one")


@pytest.mark.parametrize("place", range(1, 8))
def test_a_line_that_was_put_between_others_is_told_by_its_number(place, recorded, read):
    run = read([*recorded[:place], b"hello\n", *recorded[place:]])
    assert (run.verdict, run.how, run.lost.steps) == ("PASS", "finished", ())
    assert str(run.lost).startswith(f"no step: line {place + 1} is not part of a run record (JSON is malformed")
    cut = read([*recorded[: min(place, 6)], b"hello\n", *recorded[place:6]])  # without the end
    assert str(cut.lost).startswith("its end: " if place > 5 else "no step: ")


@pytest.mark.parametrize("schema", [b"2", b"9", b"11", b"-1", b"1e9", b'"1"'])
def test_a_changed_number_of_the_schema_is_damage_and_no_newer_version(schema, recorded, read):
    head = recorded[0].replace(b'"schema":1', b'"schema":' + schema)
    with pytest.raises(harness.UsageError, match="line 1 is damaged: its checksum is another"):
        read([head, *recorded[1:]])
    if schema in (b"2", b"9", b"11"):
        with pytest.raises(harness.UsageError, match="install a newer backprop-harness"):
            read([*without_sums([head]), *recorded[1:]])


@pytest.mark.parametrize("place", range(7))
def test_lines_in_disorder_are_no_record_and_the_first_is_named(place, recorded, read):
    twice = [*recorded[: place + 1], *recorded[place:]]
    with pytest.raises(harness.UsageError, match=f"an end in this order, from line {place + 2} on"):
        read(twice)


def test_a_run_that_failed_does_not_pass_because_the_line_that_showed_it_is_damaged(tmp_path, register):
    class Slips(Hand):
        calls = 0

        def differentiate(self, weights, x, y, *, tap=True):
            result = super().differentiate(weights, x, y, tap=tap)
            type(self).calls += 1
            if self.calls > 4:  # of the second step
                result.gradients["dW1"][0] *= 3
            return result

    register("slips", Slips)
    path = tmp_path / "run.jsonl"
    assert harness.run("2-1", "random", against=["slips"], steps=2, output=path).verdict == "FAIL"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[1], changed(lines[2]), lines[3]]))
    run = harness.read_run(path)
    assert (run.verdict, run.exit, run.faults) == ("FAIL", 1, [])
    assert run.reason.startswith("as the run ended; what is left says PASS: ")


def test_an_older_record_is_read_and_says_that_it_has_no_checksums(recorded, read, tmp_path):
    run = read(without_sums(recorded))
    assert (run.verdict, run.lost, len(run.steps)) == ("PASS", None, 5)
    assert "record  it holds no checksums, as an older version wrote it" in str(run)
    assert "The record holds no checksums" in page(run)
    assert "checksums" not in str(read(recorded))
    told = CliRunner().invoke(report, [str(tmp_path / "damaged.jsonl"), "-o", str(tmp_path / "page.html")]).stdout
    assert "checksums" not in told
    (tmp_path / "old.jsonl").write_bytes(b"".join(without_sums(recorded)))
    told = CliRunner().invoke(report, [str(tmp_path / "old.jsonl"), "-o", str(tmp_path / "page.html")]).stdout
    assert "note  the record holds no checksums" in told
    run = read([*without_sums(recorded[:3]), b"hello\n", *without_sums(recorded[4:])])
    assert (run.verdict, run.lost.steps) == ("PASS", (3,))


@pytest.mark.parametrize("steps", [10**15, 200_000], ids=str)
def test_a_number_of_steps_that_cannot_be_takes_no_memory(steps, recorded, read):
    lines = without_sums(recorded)
    lines[0] = lines[0].replace(b'"steps":5', b'"steps":%d' % 10**16)
    other = json.loads(lines[3]) | {"step": steps}
    other["rows"] = [[*row[:3], steps, *row[4:]] for row in other["rows"]]
    run = read([*lines[:3], json.dumps(other).encode() + b"\n", *lines[4:]])
    assert (run.lost.steps, len(run.steps)) == ((3,), 5)


def test_an_implementation_without_rows_agrees_with_nobody(recorded, read):
    head = msgspec.json.decode(recorded[0], type=harness.results.record.Head)
    more = msgspec.structs.replace(head, implementations=head.implementations | {"torch": "torch 2"})
    run = read([line_of(more) + b"\n", *recorded[1:]])
    assert (run.verdict, run.exit) == ("NOT COMPARED", 3)
    assert run.reason == "dW1, db1 of torch could not be judged at any step"


def test_a_record_that_is_removed_or_replaced_while_the_run_goes_on_is_not_kept(tmp_path):
    for other in (None, "somebody else's"):
        path = tmp_path / "run.jsonl"

        def interfere(step, _, path=path, other=other):
            if step == 2:
                path.unlink()
                if other:
                    path.write_text(other)

        run = harness.run("2-1", "random", against=["hand"], steps=3, output=path, progress=interfere)
        assert (run.verdict, run.exit, run.recorded) == ("PASS", 2, None)
        assert "the file was removed or replaced while it went on" in run.unrecorded
        assert "record  " not in str(run)
        assert (path.read_text() if path.exists() else None) == other


def test_no_text_of_a_record_can_steer_a_terminal(tmp_path):
    made = hostile(harness.run("2-1", "random", against=["hand"], steps=1))
    lines = [made.head, *made.steps, made.end()]
    (tmp_path / "run.jsonl").write_bytes(b"".join(line_of(line) + b"\n" for line in lines))
    run = harness.read_run(tmp_path / "run.jsonl")
    for text in (str(run), run.reason, run.outcome.reason, run.to_dict()["reason"]):
        assert all(c == "\n" or c.isprintable() for c in text)
    assert r"\x1b[31m\u202e" in run.reason


def test_no_text_of_an_operation_can_steer_a_terminal():
    def forward(z):
        return np.tanh(z)

    forward.__name__ = HOSTILE
    for factor in (1, 3):
        found = harness.check_vjp(forward, lambda da, z, k=factor: k * da / np.cosh(z) ** 2, reference=Tanh())
        for text in (str(found), found.reason):
            assert all(c == "\n" or c.isprintable() for c in text), text


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are a matter of POSIX")
def test_a_pipe_is_no_record(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(harness.UsageError, match="it is no ordinary file"):
        harness.read_run(tmp_path / "pipe")


def test_a_finding_of_a_lost_step_is_no_longer_there_and_the_others_are(recorded, read):
    run = read(recorded)
    step = msgspec.structs.replace(run.steps[1], findings=[Finding("hand", 2, "network", "says this", fails=False)])
    lines = [recorded[0], recorded[1], line_of(step) + b"\n", *recorded[3:]]
    assert [f.message for f in read(lines).findings] == ["says this"]
    assert read([*lines[:2], changed(lines[2]), *lines[3:]]).findings == []
    assert isinstance(run, Run)
