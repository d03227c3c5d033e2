"""``harness report``, ``--report``, what notebooks show, and networks read back from records."""

# ruff: noqa: E402 - what the imports need is asked for first

import pytest

from tests.broken import faults
from tests.helpers import browsing

browsing.required("jinja2", "latex2mathml")

import harness
from harness.cli.commands import harness as command
from harness.rendering import pages
from harness.results.numbers import place
from harness.results.rebuilding import network_of
from impls.hand_numpy import Hand
from reports.command import report


def typed(group, *words, capsys):
    with pytest.raises(SystemExit) as ended:
        group.main([str(word) for word in words], standalone_mode=False)
    return ended.value.code, *capsys.readouterr()


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "run.jsonl"
    harness.run(steps=2, against=["hand"], output=path)
    return path


def test_a_record_becomes_a_page(record, tmp_path, capsys):
    code, out, _ = typed(report, record, "-o", tmp_path / "page.html", capsys=capsys)
    assert code == 0
    assert out.startswith("PASS  hand agrees")
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("error", [MemoryError("Unable to allocate 9 GiB"), RuntimeError("no such mark")], ids=repr)
def test_a_page_that_cannot_be_made_does_not_change_the_verdict(error, tmp_path, monkeypatch, capsys):
    def fails(result):
        raise error

    monkeypatch.setattr(pages, "_reporter", lambda: fails)
    words = "run", "--steps", 1, "--against", "hand", "--quiet", "--report", tmp_path / "page.html"
    code, out, err = typed(command, *words, capsys=capsys)
    assert (code, out.startswith("PASS  hand agrees"), err.count("\n")) == (2, True, 1)
    assert f"because that raises {type(error).__name__}: {error}; the verdict stands" in err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "there is no such file"),
        (b"", "holds no whole line"),
        (b"nonsense\n", "not part of a run record"),
        (b'{"kind":"run","schema":99}\n', "its schema is 99"),
    ],
)
def test_what_is_no_record_is_refused_and_nothing_is_written(content, told, tmp_path, capsys):
    path = tmp_path / "run.jsonl"
    if content is not None:
        path.write_bytes(content)
    code, _, error = typed(report, path, "-o", tmp_path / "page.html", capsys=capsys)
    assert code == 2
    assert told in error
    assert not (tmp_path / "page.html").exists()


def test_a_page_never_replaces_a_record(record, capsys):
    before = record.read_bytes()
    code, _, error = typed(report, record, "-o", record, capsys=capsys)
    assert code == 2
    assert "does not end in .html" in error
    assert record.read_bytes() == before


def test_a_run_and_a_check_write_their_page(tmp_path, capsys):
    words = ("--steps", 2, "--against", "hand", "--lr", "0.1", "--quiet", "--report", tmp_path / "run.html")
    code, _, _ = typed(command, "run", *words, capsys=capsys)
    assert code == 0
    text = (tmp_path / "run.html").read_text(encoding="utf-8")
    assert "<code>harness run --against hand --steps 2 --lr 0.1</code>" in text
    source = tmp_path / "mine.py"
    source.write_text("def backward(weights, x, y):\n    return {'dW1': 0 * weights['W1']}\n")
    words = (f"{source}:backward", "--quiet", "--report", tmp_path / "check.html")
    code, _, _ = typed(command, "check", *words, capsys=capsys)
    assert code == 1
    assert "dW1" in (tmp_path / "check.html").read_text(encoding="utf-8")


def test_a_page_that_cannot_be_written_is_told_before_the_run(tmp_path, capsys):
    code, out, error = typed(command, "run", "--report", tmp_path / "none" / "page.html", capsys=capsys)
    assert (code, out) == (2, "")
    assert "does not exist" in error


def test_a_notebook_shows_results_as_tables():
    run = harness.run(steps=2, against=["hand"])
    assert run._repr_html_().count("<tr>") == 1 + len(run.head.gradients)
    told = harness.explain("W1[2,1]", against=["hand"], sample=0)
    shown = told._repr_html_()
    assert shown.count("<tr>") == 4
    assert f"{told.total:+.6e}" in shown
    wrong = harness.check(lambda weights, x, y: {"dW1": weights["W1"]})
    assert wrong._repr_html_().startswith("<div><p><strong>FAIL</strong>")


def test_a_notebook_shows_where_the_failing_check_failed(register):
    register("broken", faults.LOCATED["derivative at z"][0])
    run = harness.run(steps=2, against=["broken"])
    failed = run.find("formula", "dW1", "broken")
    assert failed.verdict != "ok"
    assert f"<td>{place(failed, run.network)}</td><td>{failed.verdict}</td>" in run._repr_html_()


def test_a_notebook_shows_a_hostile_name_as_text(register):
    register("<b>x\x1b", Hand)
    shown = harness.run(steps=1, against=["<b>x\x1b"])._repr_html_()
    assert "<td>&lt;b&gt;x\\x1b</td>" in shown
    assert "<b>" not in shown


@pytest.mark.parametrize(
    "text",
    ["4-3-2-1", "3-2-1"],
)
def test_a_network_is_read_back_from_its_text(text):
    network = harness.load_network(text, activation="leaky-relu(slope=0.2)", loss="huber(delta=0.5)")
    assert repr(network_of(repr(network))) == repr(network)


@pytest.mark.parametrize("text", ["", "1", "Network(", "Network([open('x')], 1)", "from_text('4-3-2-1')", "[" * 5000])
def test_what_is_no_network_is_refused(text):
    with pytest.raises(harness.UsageError, match="Cannot rebuild the network"):
        network_of(text)
