"""A figure of the benchmark is of what its name says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from reports.growth import OfSteps, of_layers, of_steps
from reports.pairs import COMMANDS, Checkout, Taken, main, pairs, row

FAT_PARENT = """
import subprocess, sys
import numpy as np
held = np.ones(2**27)  # 1 GB
subprocess.run([sys.executable, "-c", sys.argv[1]], check=True)
"""
CERTIFY = """
from reports.benchmark.sees import certify
certify("4-3-2-1", "sigmoid", "sum-squared-error", 150)
"""


def test_peak_memory_is_of_the_process_itself_and_not_of_its_parent():
    words = [sys.executable, "-c", FAT_PARENT, CERTIFY]
    seconds, gigabytes = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    assert float(seconds) > 0
    assert 0.01 < float(gigabytes) < 0.5


def test_growth_is_of_the_run_alone():
    found = of_layers(2, ["hand"])
    assert found.layers == 2
    assert 0 < found.planting < found.first
    assert found.second < found.first
    assert 0.01 < found.gigabytes < 2
    steps = of_steps(30, ["hand"])
    assert 10 < steps.early <= steps.late < 2000
    assert 0 < steps.seconds < 10
    assert OfSteps(1000, 500.0, 590.0, 0.1).kilobytes_a_step == 100


STAND_IN = """
import sys, time
from pathlib import Path
while time.process_time() < {seconds}:
    pass
if "run" in sys.argv:
    Path(sys.argv[-1]).open("x").close()
if "report" in sys.argv:
    Path(sys.argv[2]).read_bytes()
sys.exit("check" in sys.argv)
"""


def checkout(folder, name, seconds):
    (folder / name / "harness").mkdir(parents=True)
    (folder / name / "harness" / "__main__.py").write_text(STAND_IN.format(seconds=seconds))
    return Checkout(folder / name, folder / f"{name} files")


def test_pairs_tell_the_slower_checkout_and_the_exit_status_that_is_another(tmp_path):
    slow, quick = checkout(tmp_path, "slow", 0.5), checkout(tmp_path, "quick", 0.0)
    for words, status in COMMANDS.items():
        found = pairs(slow, quick, words, status, 1)
        assert len(found) == 1
        assert all(old.processor >= 0.5 > new.processor > 0 for old, new in found)
        assert all(old.wall >= 0.5 for old, _ in found)
    with pytest.raises(RuntimeError, match=r"ended with 1 in .*quick"):
        quick.take("check docs/examples/my_nn.py", 0, 0)


def test_a_ratio_is_taken_within_a_pair():
    found = [
        (Taken(1.0, 10.0), Taken(2.0, 5.0)),
        (Taken(4.0, 30.0), Taken(4.0, 30.0)),
        (Taken(1.0, 3.0), Taken(3.0, 3.0)),
    ]
    told = row("run --steps 60 --quiet --output {fresh}", found)
    assert told == ["harness run --steps 60 --quiet", "1.00 → 3.00 s", "2.000 (1.00 to 3.00)",
                    "10.00 → 5.00 s", "1.000 (0.50 to 1.00)"]  # fmt: skip


def test_pairs_of_what_is_no_checkout_are_refused(tmp_path, capsys):
    for words in ([str(tmp_path)], [str(Path(__file__).parents[2]), "--pairs", "0"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert ended.value.code == 2
        assert re.search(r"Cannot .*, because .*; ", " ".join(capsys.readouterr().err.split()))
