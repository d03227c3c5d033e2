"""Rooms: no circle of files, whatever is imported when, and no framework is imported before it is needed.

That rooms import downwards only is import-linter's to see.
"""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import networkx
import pytest

ROOT = Path(__file__).parents[2]
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("harness", "impls", "reports")
    for path in (ROOT / package).rglob("*.py")
}


def imported(text: str) -> Iterator[str]:
    """The modules of the project that a file imports: at its top, inside functions, and for types alone."""
    for node in ast.walk(ast.parse(text)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom):
            within = [f"{node.module}.{name}" for name in names]
            names = [name if name in MODULES else str(node.module) for name in within]
        yield from (name for name in names if name in MODULES)


def circles(texts: dict[str, str]) -> list[set[str]]:
    graph = networkx.DiGraph((name, other) for name, text in texts.items() for other in imported(text))
    return [found for found in networkx.strongly_connected_components(graph) if len(found) > 1]


def test_no_files_import_each_other_in_a_circle():
    texts = {name: path.read_text(encoding="utf-8") for name, path in MODULES.items()}
    del texts["harness"]  # its names are imported when they are first used
    assert len(texts) > 100
    assert circles(texts) == []


@pytest.mark.parametrize("line", ["from harness import usage", "if TYPE_CHECKING:\n    import harness.usage"])
def test_a_circle_is_found_however_it_is_imported(line):
    texts = {"harness.environment": line, "harness.usage": "def f():\n    from harness.environment import environment"}
    assert circles(texts) == [{"harness.environment", "harness.usage"}]


LATE = {"torch", "jax", "optax", "sklearn", "numba"}
LOADED = f"import sys; print(sorted({{m.partition('.')[0] for m in sys.modules}} & {LATE}))"

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


def test_every_folder_of_python_files_is_packaged():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    files = [path for room in ("harness", "impls", "reports") for path in ROOT.glob(f"{room}/**/*.py")]
    assert set(listed) == {".".join(path.parent.relative_to(ROOT).parts) for path in files}
