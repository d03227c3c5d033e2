"""Rooms: no circle of files, whatever is imported when. That rooms import downwards only is import-linter's to see."""

import ast
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
