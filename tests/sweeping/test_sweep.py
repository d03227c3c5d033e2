"""A sweep keeps every finished run, goes on where it ended, and tells what became of each."""

import json
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

import harness
from harness import UsageError
from harness.cli.commands import harness as command
from harness.sweeping import job
from harness.sweeping import sweep as sweeping
from harness.sweeping.folder import Folder
from harness.sweeping.job import performed
from harness.sweeping.matrix import read_matrix
from harness.sweeping.pools import Pool
from impls.contract import Pass
from impls.hand_numpy import Hand
from tests.helpers.foreign import put_into

HAND = 'against = "hand"\nsteps = 2\nnetwork = "2-1"\ndata = "random"\n'
SEEDS = f"{HAND}seed = [0, 1, 2]\n"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def in_this_process(monkeypatch):
    """No processes: jobs run here, one after the other, in the order of the matrix."""

    @contextmanager
    def pool(jobs, folder):
        with ThreadPoolExecutor(1) as executor:
            yield Pool(lambda job: executor.submit(performed, job), "here")

    monkeypatch.setattr(sweeping, "on_this_machine", pool)


def typed(text, *words):
    Path("m.toml").write_text(text)
    return CliRunner().invoke(command, ["sweep", "m.toml", *map(str, words)])


def records(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.jsonl"))}


@pytest.mark.usefixtures("in_this_process")
class TestHere:
    def test_every_run_has_a_record_as_run_writes_it_and_the_summary_tells_all(self, here):
        done = typed(SEEDS)
        assert done.exit_code == 0, done.output
        assert "PASS  3 runs agree up to rounding; worst used of a weight gradient: " in done.stdout
        assert "harness sweep: 3 runs; " in done.stderr
        summary = json.loads((here / "m" / "summary.json").read_text())
        assert [run["settings"]["seed"] for run in summary["runs"]] == [0, 1, 2]
        assert (here / "m" / "summary.txt").read_text() == done.stdout
        for run in summary["runs"]:
            kept = harness.read_run(here / "m" / f"{run['name']}.jsonl")
            assert (kept.verdict, kept.exit, kept.reason) == (run["verdict"], run["exit"], run["reason"])
            assert (kept.how, kept.head.command, kept.head.seed) == (
                "finished",
                run["command"],
                run["settings"]["seed"],
            )
        by_itself = harness.run("2-1", "random", ["hand"], steps=2, seed=1)
        assert by_itself.weights_digest == harness.read_run(next((here / "m").glob("*seed-1-*.jsonl"))).weights_digest

    def test_the_same_command_runs_nothing_twice_and_says_the_same(self, here):
        first = typed(SEEDS)
        before = {path: path.stat().st_mtime_ns for path in (here / "m").glob("*.jsonl")}
        again = typed(SEEDS)
        assert (again.exit_code, again.stdout) == (0, first.stdout)
        assert {path: path.stat().st_mtime_ns for path in (here / "m").glob("*.jsonl")} == before

    def test_a_record_that_is_gone_damaged_or_cut_off_is_made_again(self, here):
        typed(SEEDS)
        whole = records(here / "m")
        one, two, three = (here / "m" / name for name in whole)
        one.unlink()
        two.write_bytes(whole[two.name].replace(b'"step":2', b'"step":3'))
        three.write_bytes(whole[three.name][:-40])
        (here / "m" / f".{one.name}.part").write_bytes(b"half")
        assert typed(SEEDS).exit_code == 0
        now = records(here / "m")
        assert [text.split(b"\n")[1:] for text in now.values()] == [text.split(b"\n")[1:] for text in whole.values()]
        assert not list((here / "m").glob(".*.part"))

    def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(self, here):
        def stop(done, of):
            if done == 2:
                raise KeyboardInterrupt

        (here / "m.toml").write_text(SEEDS)
        result = harness.sweep("m.toml", progress=stop)
        assert (result.exit, len(result.ran), len(records(here / "m"))) == (130, 2, 2)
        assert result.reason.endswith("(interrupted after 2 of 3 runs; the same command goes on)")
        seen = []
        assert harness.sweep("m.toml", progress=lambda done, of: seen.append((done, of))).exit == 0
        assert seen == [(2, 3), (3, 3)]

    def test_one_run_that_fails_raises_or_is_refused_is_a_row_and_the_others_go_on(self, register):
        register("flips", Flips)
        done = typed(f'{HAND}seed = [0, 1]\n[[matrix]]\n[[matrix]]\nagainst = "flips"\n', "--json")
        told = json.loads(done.stdout)
        assert (done.exit_code, told["exit"], told["verdict"]) == (1, 1, "FAIL")
        assert [run["exit"] for run in told["runs"]] == [0, 0, 1, 1]
        assert told["reason"].startswith("2 of 4 runs; first `harness run 2-1 --against flips")

    def test_what_the_harness_itself_raises_is_a_result(self, monkeypatch):
        real = job.run_asked

        def run_asked(options, against, **more):
            if options["seed"] == 1:
                raise ZeroDivisionError("of\nits own")
            if options["seed"] == 2:
                raise UsageError("Cannot do that.")
            return real(options, against, **more)

        monkeypatch.setattr("harness.sweeping.job.run_asked", run_asked)
        done = typed(f"{HAND}seed = [0, 1]")
        assert (done.exit_code, "raised ZeroDivisionError: of its own" in done.stdout) == (3, True)
        assert "NOT COMPARED  1 of 2 runs; first `harness run 2-1 --against hand" in done.stdout
        done = typed(f"{HAND}seed = [0, 1, 2]", "--output", "other")
        assert (done.exit_code, "Cannot do that." in done.stdout) == (2, True)

    def test_what_compared_nothing_ends_with_its_status(self):
        assert typed(HAND.replace("steps = 2", "steps = 0")).exit_code == 5
        assert typed(HAND.replace("steps = 2", "steps = [0, 1]"), "--output", "other").exit_code == 3

    def test_a_folder_of_another_matrix_is_left_alone(self, here):
        typed(SEEDS)
        before = records(here / "m")
        for text in (f"{HAND}seed = [0, 1]", f"{HAND}seed = [0, 1, 2, 3]", SEEDS.replace("steps = 2", "steps = 3")):
            done = typed(text)
            assert (done.exit_code, done.stdout) == (2, "")
            assert done.stderr.startswith(
                "harness sweep: Cannot sweep into m, because it holds a sweep of another matrix: "
            )
        assert records(here / "m") == before

    def test_of_two_sweeps_in_one_folder_the_second_is_refused(self, here):
        typed(SEEDS)
        with Folder("m", read_matrix("m.toml", 10)):
            done = typed(SEEDS)
        assert (done.exit_code, done.stdout) == (2, "")
        assert "another process is at work in it; wait for that" in done.stderr
        assert typed(SEEDS).exit_code == 0

    @pytest.mark.parametrize(
        ("ends", "kept", "said"),
        [
            ("summary.json", 3, "Cannot write the summary to m, because no space left on device; "),
            (".jsonl", 0, "make room, and the same command runs it again."),
        ],
    )
    def test_what_cannot_be_kept_is_said_and_costs_the_status(self, ends, kept, said, here, monkeypatch):
        write = Folder.write

        def full(self, name, content):
            if name.endswith(ends):
                raise OSError(28, "No space left on device")
            write(self, name, content)

        monkeypatch.setattr(Folder, "write", full)
        done = typed(SEEDS)
        assert (done.exit_code, len(records(here / "m"))) == (2, kept)
        assert "PASS  3 runs" in done.stdout
        assert said in done.stderr

    def test_a_page_tells_every_run_that_did_not_pass(self, here, register):
        register("flips", Flips)
        done = typed(HAND.replace('"hand"', '["hand", "flips"]') + "seed = [0, 1]", "--report", "page.html")
        assert done.exit_code == 1, done.output
        page = (here / "page.html").read_text(encoding="utf-8")
        assert page.count("harness run 2-1 --against flips --data random --steps 2 --seed 1") >= 1
        assert "2 of 4 runs; first" in page
        assert "<th" in page

    def test_styles(self):
        assert "|   runs |" in typed(SEEDS, "--format", "markdown").stdout
        assert typed(SEEDS, "--quiet").output.startswith("PASS  3 runs agree up to rounding")
        assert typed(SEEDS, "--quiet").output.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--jobs", "0"], "Cannot use jobs=0"),
        (["--up-to", "2"], "describes 3 runs, more than 2; say --up-to 3"),
        (["--output", "m.toml"], "Cannot sweep into m.toml, because it is a file"),
        (["--output", "m.toml/x"], "Cannot sweep into m.toml/x, because a part of its path is a file"),
        (["--output", "mine"], "it holds precious, and is no folder of a sweep"),
        (["--scheduler", "nonsense"], "Cannot sweep on 'nonsense', because that is no address of a scheduler"),
        (["--scheduler", "127.0.0.1:1", "--jobs", "2"], "Cannot use jobs with a scheduler"),
        (["--report", "page.txt"], "its name does not end in .html"),
    ],
    ids=str,
)
def test_wrong_use_is_told_in_one_line_and_loses_nothing(words, said, here):
    (here / "mine").mkdir()
    (here / "mine" / "precious").write_text("precious")
    done = typed(SEEDS, *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("harness sweep: Cannot ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert (here / "mine" / "precious").read_text() == "precious"


# -- real processes


class Flips(Hand):
    """Wrong: dW1 has the other sign."""

    def differentiate(self, weights, x, y, *, tap=True):
        result = super().differentiate(weights, x, y, tap=tap)
        return Pass(result.loss, {**result.gradients, "dW1": -result.gradients["dW1"]}, result.activations)


BODIES = {
    "exits": "if self.dtype == 'float32': sys.stderr.write('out of luck\\n'); sys.stderr.flush(); os._exit(7)",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "waits": "Path('there').mkdir(exist_ok=True); (Path('there') / str(os.getpid())).touch()\ntime.sleep(60)",
}


@pytest.fixture
def foreign(here, monkeypatch):
    (here / "site").mkdir()
    put_into(here / "site", **BODIES)
    monkeypatch.syspath_prepend(here / "site")
    monkeypatch.setenv("PYTHONPATH", str(here / "site"))


@pytest.mark.usefixtures("foreign")
def test_a_run_that_ends_its_process_is_a_result_and_the_others_go_on(here):
    done = typed(
        f'{HAND}dtype = "float32"\n[[matrix]]\nseed = [0, 1]\n[[matrix]]\nagainst = ["exits", "killed"]', "--jobs", 2
    )
    assert done.exit_code == 3, done.output
    assert "its process ended with status 7: out of luck" in done.stdout
    assert "its process ended by SIGKILL" in done.stdout
    assert len(records(here / "m")) == 2


@pytest.mark.usefixtures("foreign")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_killed_sweep_keeps_finished_runs_and_leaves_no_process(number, here):
    text = f'{HAND}[[matrix]]\nseed = [0, 1]\n[[matrix]]\nagainst = "waits"\n'
    (here / "m.toml").write_text(text)
    words = [sys.executable, "-m", "harness", "sweep", "m.toml", "--jobs", "2"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        end = time.monotonic() + 60
        while not ((here / "there").exists() and any((here / "there").iterdir()) and len(records(here / "m")) == 2):
            assert time.monotonic() < end, "too late"
            time.sleep(0.05)
        process.send_signal(number)
        out, _ = process.communicate()
    kept = records(here / "m")
    if number == signal.SIGTERM:
        assert process.returncode == 130
        assert "(interrupted after 2 of 3 runs; the same command goes on)" in out
    worker = Path("/proc") / next((here / "there").iterdir()).name
    end = time.monotonic() + 10
    while worker.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not worker.exists()
    put_into(here / "site", **BODIES | {"waits": "pass"})
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, "3 runs, 2 of them finished before; " in done.stderr) == (0, True), done.stderr
    assert {name: text for name, text in records(here / "m").items() if name in kept} == kept


def test_what_was_run_in_narrow_formats_travels_too():
    """How an implementation computes link by link is told with it, wherever that implementation is."""
    settings = {"network": "4-3-2-1", "against": "torch", "data": "random", "dtype": "bfloat16", "steps": 2}
    asked = job.Job(settings, {}, {})
    apart, here = job.judged_apart(job.collected(asked)), job.performed(asked)
    assert apart.result == here.result
    assert apart.record.split(b"\n")[1:] == here.record.split(b"\n")[1:]  # all but when it was made
    assert here.result.verdict == "PASS"
