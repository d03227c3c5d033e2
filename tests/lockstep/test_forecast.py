"""What would take long is said before it starts, and how far it has come; what does not is not talked about."""

import os

import pytest
from click.testing import CliRunner

import harness
from harness.cli.commands import harness as command
from harness.environment import memory
from harness.inputs.networks import load_network
from harness.inputs.schedule import Schedule
from harness.lockstep import forecast as forecasts
from harness.lockstep import training
from harness.lockstep.forecast import Watch, forecast
from impls.hand import from_text

SHORT, DEEP = from_text("4-3-2-1"), from_text("-".join(["6"] * 401))
WIDE = from_text("64-512-512-10", activation="tanh", loss="cross-entropy")


def told(network, rows, steps, *, exact=False, every=0):
    return forecast(network, rows, Schedule(True, every, steps, 0), exact=exact)


def test_what_is_done_soon_is_not_talked_about():
    assert told(SHORT, 150, 200) == told(SHORT, 150, 200, exact=True) == told(SHORT, 150, 0, exact=True) == []
    assert told(WIDE, 64, 5) == []


@pytest.mark.parametrize(
    ("network", "rows", "options", "said"),
    [
        (SHORT, 150, {"steps": 5000}, "5,000 steps take about 6 minutes"),
        (SHORT, 150, {"steps": 2**62}, "steps take hours"),
        (DEEP, 20, {"steps": 1}, f"the first step of {len(DEEP.links):,} links and "),
        (WIDE, 1797, {"steps": 5, "exact": True}, "the true gradient is found at 4 of 5 steps, which takes about 39 s"),
        (WIDE, 1797, {"steps": 9, "exact": True, "every": 4}, "the true gradient is found at 4 of 9 steps"),
    ],
)
def test_what_takes_long(network, rows, options, said):
    assert said in "\n".join(told(network, rows, **options))


@pytest.mark.parametrize(
    ("model", "rows", "said"),
    [
        ("100000-100000-1", 1, "takes 223.5 GiB of memory, and there are 8.0 GiB"),
        ("gpt:width=8192", 16, "of memory, and there are 8.0 GiB"),
        ("gpt:context=9999", 16, "of memory, and there are 8.0 GiB"),
        ("4-3-2-1", 10**9, "of memory, and there are 8.0 GiB"),
        ("gpt:layers=100", 16, None),
        ("1000-1000-1", 1000, None),
    ],
)
def test_what_finds_no_room(model, rows, said, monkeypatch):
    monkeypatch.setattr(forecasts, "memory", lambda: 2**33)
    lines = told(load_network(model), rows, 1)
    assert [line for line in lines if "memory" in line] == [
        line
        for line in lines
        if line.startswith("a pass with bounds in float64 takes ") and said and line.endswith(said)
    ]
    assert any("memory" in line for line in lines) == (said is not None)
    monkeypatch.setattr(forecasts, "memory", lambda: None)
    assert not any("memory" in line for line in told(load_network(model), rows, 1))


def test_the_memory_that_is_there_is_that_of_the_machine_or_less():
    assert 2**27 < memory() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("model", ["gpt:layers=999999", "gpt:layers=99999,heads=1", "-".join(["2"] * 25_002)], ids=len)
def test_a_network_that_takes_minutes_to_connect_is_refused_at_once(model):
    with pytest.raises(harness.UsageError, match=r"more than 50,000 nodes, because .*; give fewer layers"):
        load_network(model)


def test_it_is_said_before_anything_else(monkeypatch):
    events = []
    monkeypatch.setattr(forecasts, "LINK", 100.0)
    monkeypatch.setattr(training, "admit", lambda *_, **__: events.append("admitted"))
    with pytest.raises(AttributeError):  # nobody was admitted
        harness.run("2-1", "random", ["hand"], steps=1, announce=events.append)
    assert events[0].startswith("the first step of ")
    assert events[-1] == "admitted"


def test_the_command_says_it_on_stderr(monkeypatch):
    words = ["run", "2-1", "--data", "random", "--against", "hand", "--steps", "1", "--exact"]
    assert CliRunner().invoke(command, words).stderr == ""
    monkeypatch.setattr(forecasts, "LINK", 100.0)
    monkeypatch.setattr(forecasts, "BALLS", 1.0)
    monkeypatch.setattr(forecasts, "LONG", 0.0)
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 0
    first, *_ = lines = done.stderr.splitlines()
    assert first.startswith("harness run: the first step of 7 links")
    assert any("the true gradient is found at 1 of 1 steps" in line for line in lines)
    assert "harness run: the true gradient at step 1: 7 of 7 links after 0 s" in lines


def test_how_far_it_has_come_is_said_every_ten_seconds(monkeypatch):
    now, said = [0.0], []
    monkeypatch.setattr(forecasts.time, "monotonic", lambda: now[0])
    watch = Watch("the truth", said.append)
    for link in range(1, 9):
        watch(link, 8)
        now[0] += 4
    assert said == ["the truth: 4 of 8 links after 12 s", "the truth: 7 of 8 links after 24 s"]


@pytest.mark.parametrize("words", [["run", "--steps", "1"], ["check", "nowhere.py:f"], ["conventions"]], ids=str)
def test_two_forms_of_one_result(words):
    for style in ("table", "markdown"):
        done = CliRunner().invoke(command, [*words, "--json", "--format", style])
        assert (done.exit_code, done.stdout) == (2, "")
        assert f"Cannot print with --json and --format {style} together, because" in done.stderr
        assert done.stderr.count("\n") == 1
    both = CliRunner().invoke(command, ["run", "--against", "hand", "--steps", "0", "--json", "--format", "json"])
    assert (both.exit_code, both.stdout[0]) == (5, "{")
