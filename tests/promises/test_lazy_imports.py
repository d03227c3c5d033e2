"""No framework is imported before it is needed."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOADED = "import sys; print(sorted({m.partition('.')[0] for m in sys.modules} & {'torch', 'jax', 'optax', 'sklearn'}))"

WAYS = {
    "import harness": "import harness",
    "import impls.hand": "import impls.hand",
    "the registry": "import impls.registry; impls.registry.names()",
    "the command": "import harness.cli",
    "a run's code": "import harness.lockstep.training, harness.rendering.tables",
    "an explanation's code": "import harness.explaining.screen; harness.explain",
    "--help": "import harness.cli, contextlib, io\n"
    "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
    "    sys = __import__('sys'); sys.argv = ['harness', '--help']; harness.cli.main()",
    "test collection": "import pytest, contextlib, io\n"
    "with contextlib.redirect_stdout(io.StringIO()):\n"
    f"    pytest.main(['--collect-only', '-q', '-p', 'no:cacheprovider', {str(ROOT / 'tests')!r}])",
}


@pytest.mark.parametrize("way", WAYS)
def test_no_framework_is_loaded_by(way):
    done = subprocess.run(
        [sys.executable, "-c", f"{WAYS[way]}\n{LOADED}"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr


def test_the_hand_implementation_needs_numpy_only():
    code = (
        "import sys; before = set(sys.modules); import numpy; import impls.hand\n"
        "print(sorted(m for m in set(sys.modules) - before if m.partition('.')[0] in "
        "('harness', 'scipy', 'click', 'msgspec', 'tabulate', 'rich') or m in ('impls.contract', 'impls.registry')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
