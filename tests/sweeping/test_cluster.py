"""A sweep on a Dask cluster, a scheduler and two workers as real processes: the same records, and no worker is lost."""

import os
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import harness
from harness import UsageError
from tests.helpers.foreign import put_into

TEXT = """
against = "hand"
steps = 2
network = "2-1"
data = "random"

[[matrix]]
seed = { count = 2 }
dtype = ["float32", "float64"]

[[matrix]]
against = "exits"
"""


@contextmanager
def started(*words):
    process = subprocess.Popen([sys.executable, "-m", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    (tmp_path / "site").mkdir()
    put_into(tmp_path / "site", exits="os._exit(7)")
    root = str(Path(__file__).parents[2])
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}:{root}")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.chdir(tmp_path)
    address = f"tcp://127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        host = ("--host", "127.0.0.1", "--no-dashboard")
        of_scheduler = ("distributed.cli.dask_scheduler", *host, "--port", address.rpartition(":")[2], "--no-show")
        stack.enter_context(started(*of_scheduler))
        of_worker = ("distributed.cli.dask_worker", address, *host, "--nthreads", "1", "--no-nanny")
        yield address, [stack.enter_context(started(*of_worker, "--local-directory", "w")) for _ in range(2)]


def test_a_cluster_gives_the_records_of_this_machine_and_a_run_that_ends_its_process_no_worker(cluster):
    address, workers = cluster
    Path("m.toml").write_text(TEXT)
    there = harness.sweep("m.toml", "there", scheduler=address)
    assert (there.exit, len(there.ran)) == (3, 5), there
    assert [each.result.exit for each in there.ran] == [0] * 4 + [3]
    assert "its process ended with status 7" in str(there)
    assert [worker.poll() for worker in workers] == [None, None]
    workers[0].kill()
    harness.sweep("m.toml", "here", jobs=1)
    records = sorted(path.name for path in Path("there").glob("*.jsonl"))
    assert len(records) == 4
    assert sorted(path.name for path in Path("here").glob("*.jsonl")) == records
    for name in records:
        ours, theirs = (harness.read_run(Path(folder) / name) for folder in ("here", "there"))
        assert (ours.steps[:], ours.head.data_digest) == (theirs.steps[:], theirs.head.data_digest)
    first = next(Path("there").glob("*.jsonl"))
    whole = first.read_bytes().split(b"\n")[1:]
    first.unlink()
    assert harness.sweep("m.toml", "there", scheduler=address).exit == 3  # by the worker that is left
    assert first.read_bytes().split(b"\n")[1:] == whole


APART = """
against = "torch"
steps = 3
network = "2-1"
data = "random"
seed = { count = 4 }
"""


def test_what_one_worker_ran_another_judges_with_the_same_record(cluster):
    """A worker that ends when it has run, before it is asked for what it ran, costs nothing but to run that again."""
    from distributed import Client

    from harness.sweeping.matrix import read_matrix
    from harness.sweeping.pools import _JudgedApart, collected_there, judged_there

    address, workers = cluster
    Path("m.toml").write_text(APART)
    harness.sweep("m.toml", "here", jobs=1)
    there = harness.sweep("m.toml", "there", scheduler=address, judge_apart=True)
    assert (there.exit, len(there.ran)) == (0, 4), there
    for record in sorted(Path("here").glob("*.jsonl")):
        ours, theirs = harness.read_run(record), harness.read_run(Path("there") / record.name)
        assert (ours.steps[:], ours.power, ours.verdict) == (theirs.steps[:], theirs.power, theirs.verdict)
    job = read_matrix("m.toml", 10)[0]
    with Client(address, set_as_default=False) as client:
        apart = _JudgedApart(client, str(Path.cwd()))
        record = apart.submit(job).result(timeout=120).record
        ran, told = apart.tasks
        assert set(client.who_has(ran)[ran.key]) - set(client.who_has(told)[told.key]), "it came from another worker"
        lost = client.submit(collected_there, job, str(Path.cwd()), pure=False)
        lost.result(timeout=120)
        (holder,) = client.who_has(lost)[lost.key]
        pid = client.run(os.getpid, workers=[holder])[holder]
        next(worker for worker in workers if worker.pid == pid).kill()
        again = client.submit(judged_there, lost, pure=False).result(timeout=120)
        assert again.record.split(b"\n")[1:] == record.split(b"\n")[1:]


def test_judging_apart_needs_a_cluster(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("m.toml").write_text(APART)
    with pytest.raises(UsageError, match="Cannot use judge_apart without a scheduler, because"):
        harness.sweep("m.toml", judge_apart=True)


def test_what_is_missing_for_a_cluster_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("m.toml").write_text(TEXT.replace('"exits"', '"hand"'))
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"'distributed' is not installed; pip install 'backprop-harness\[dask\]'"):
        harness.sweep("m.toml", scheduler="127.0.0.1:8786")


def test_an_address_at_which_nobody_answers_is_refused_in_time(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("harness.sweeping.pools.TIMEOUT", 1)
    Path("m.toml").write_text(TEXT.replace('"exits"', '"hand"'))
    with pytest.raises(UsageError, match="no scheduler answers there within 1 s"):
        harness.sweep("m.toml", scheduler=f"tcp://127.0.0.1:{free_port()}")
