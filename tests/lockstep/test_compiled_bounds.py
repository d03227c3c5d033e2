"""A run with compiled formulas has the record of one without; a small one does without them."""

import math
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness.arithmetic import loops
from harness.arithmetic.loops import COMPILER

ROOT = Path(__file__).parents[2]
RUNS = {
    "a chain": {"network": "64-48-10", "data": "digits", "steps": 3},
    "a chain whose bounds overflow": {"network": "30-20-1", "data": "breast-cancer", "raw": True, "steps": 4},
    "convolutions": {"network": "lenet", "data": "digits", "steps": 2, "batch": 16},
    "trained by AdamW": {"network": "64-48-10", "data": "digits", "steps": 2, "optimizer": "adamw(lr=0.01)"},
    "in bfloat16": {"network": "64-48-10", "data": "digits", "steps": 2, "dtype": "bfloat16"},
    "a GPT": {"network": "gpt:layers=1,heads=2,width=16,context=16", "data": f"text:{ROOT / 'README.md'}", "steps": 2},
}


@pytest.mark.parametrize("name", RUNS)
def test_its_record_is_that_of_a_run_without(name, monkeypatch):
    monkeypatch.setattr(loops, "WORTH", 1)
    records, compiled = [], set()
    made = loops.compiled
    monkeypatch.setattr(loops, "compiled", lambda formula: compiled.add(formula.__name__) or made(formula))
    for after in (math.inf, 0):
        monkeypatch.setattr(COMPILER, "after", after)
        monkeypatch.setattr(COMPILER, "_made", {})
        assert not compiled
        record = harness.run(against=["torch"], **RUNS[name]).to_dict()
        records.append({key: value for key, value in record.items() if key != "created"})
    assert {"rounded_bound", "summed_bound", "share_and_conditions", "share_used"} <= compiled
    assert records[0] == records[1]


SMALL = {
    "a run": "run 4-3-1 --steps 20",
    "a check": f"check {ROOT / 'docs/examples/my_nn.py'} 4-3-2-1",
}


@pytest.mark.parametrize("words", SMALL.values(), ids=list(SMALL))
def test_what_is_small_does_without_numba(words):
    code = (
        "import sys, contextlib, harness.cli\n"
        f"sys.argv = ['harness', *{words.split()!r}]\n"
        "with contextlib.suppress(SystemExit):\n    harness.cli.main()\n"
        "print('numba' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout.splitlines()[-1].startswith("False"), done.stdout + done.stderr
