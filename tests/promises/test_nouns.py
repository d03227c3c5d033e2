"""Nouns: no code asks for a layer's class, or takes a name apart, outside of the places that are there for it.

A layer states what others need of it; faults, forms and texts register by class, ``TABLE[type(layer)]``, which is no
question. Names are made in `impls.graph.node`, and by a tensor's record everybody knows what it is.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from pkgutil import walk_packages

import pytest

import impls.hand.activations
import impls.hand.layers
import impls.hand.losses

ROOT = Path(__file__).parents[2]
FILES = [path for package in ("harness", "reports") for path in sorted((ROOT / package).rglob("*.py"))]
LAYERS = {"Activation", "Loss"} | {
    name
    for room in (impls.hand.activations, impls.hand.layers, impls.hand.losses)
    for found in walk_packages(room.__path__, f"{room.__name__}.")
    for name, kind in vars(import_module(found.name)).items()
    if inspect.isclass(kind) and hasattr(kind, "reads")
}
ASKS = {
    "harness/faults/place.py": "whether a layer is an activation, for everybody",
    "reports/soundness/graphs.py": "a mask is drawn by its rate",
}
DOTTED = {
    "harness/candidates/harmless.py": "modules of Python",
    "harness/candidates/sources.py": "names of Python",
    "harness/candidates/steps.py": "names of Python",
    "harness/edits/inverse.py": "calls in somebody's code",
    "harness/inputs/frameworks.py": "modules of Python, and dtypes",
    "harness/inputs/recompiled.py": "names of Python",
    "harness/lockstep/shared_memory.py": "modules of Python",
    "harness/mutation/targets.py": "names of Python",
    "harness/tolerances/allowance.py": "names of dtypes",
    "harness/tolerances/files.py": "names in a file of somebody's",
    "reports/layers.py": "modules of Python",
    "harness/checking/chain.py": "what somebody calls a gradient",
}
"""Files that may, each with its reason."""
DECIDE = {
    "harness/results/verdicts.py": "differences of two rows, not entries",
    "harness/diagnosis/hypotheses.py": "which errors are larger than a bound",
    "harness/programs/pairs/alignment.py": "a first look at a few of the numbers",
    "reports/benchmark/detection.py": "what other tools decide by",
}
"""Those that compare a distance with a bound, which else is for `harness.arithmetic.enclosure` to do."""


def names_in(node: ast.AST) -> set[str]:
    """Every name in an expression, but for those of Python's own syntax."""
    match node:
        case ast.Attribute(value=ast.Name(id="ast")):
            return set()
        case ast.Attribute(attr=name) | ast.Name(id=name):
            own = {name}
        case _:
            own = set()
    return own.union(*map(names_in, ast.iter_child_nodes(node)))


def asked(tree: ast.AST) -> Iterator[int]:
    """Lines that ask whether something is of a layer's class."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, kinds]) if names_in(kinds) & LAYERS:
                yield node.lineno
            case ast.Compare(comparators=[kinds]) if names_in(kinds) & LAYERS and "type" in names_in(node.left):
                yield node.lineno


def taken_apart(tree: ast.AST) -> Iterator[int]:
    """Lines that put the letter of a gradient before a name, look for it, or cut at dots."""
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr(values=[*parts]):
                pairs = [(str(one.value), other) for one, other in pairwise(parts) if isinstance(one, ast.Constant)]
                if any(re.search(r"(^|[^\w/∂'])d$", text) for text, _ in pairs):
                    yield node.lineno
            case ast.BinOp(left=ast.Constant(value="d"), op=ast.Add()):
                yield node.lineno
            case ast.Call(func=ast.Attribute(attr="startswith" | "removeprefix"), args=[ast.Constant(value="d")]):
                yield node.lineno
            case ast.Call(
                func=ast.Attribute(attr="split" | "rsplit" | "partition" | "rpartition"),
                args=[ast.Constant(value="."), *_],
            ):
                yield node.lineno


def decided(tree: ast.AST) -> Iterator[int]:
    """Lines that compare |a - b| with a bound, or with what is allowed."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(map(is_distance, sides)) and set().union(*map(names_in, sides)) & {"bound", "bounds", "allowed"}:
                yield node.lineno


def is_distance(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="abs") | ast.Attribute(attr="abs"), args=[ast.BinOp(op=ast.Sub())]):
            return True
    return False


@pytest.mark.parametrize(
    ("looked_for", "may"),
    [(asked, ASKS), (taken_apart, DOTTED), (decided, DECIDE)],
    ids=["classes", "names", "inside its bound"],
)
def test_only_these_files(looked_for, may):
    found = {}
    for path in FILES:
        if lines := list(looked_for(ast.parse(path.read_text(encoding="utf-8")))):
            found[path.relative_to(ROOT).as_posix()] = lines
    assert {file: lines for file, lines in found.items() if file not in may} == {}
    assert set(may) <= set(found), "a file that does not any more has no place in the list"


@pytest.mark.parametrize(
    "line",
    [
        "isinstance(link.layer, Dense)", "isinstance(loss, hand.Huber | Scaled)", "type(layer) is Softmax",
        "type(layer) in (Relu, Gelu)", "issubclass(kind, Activation)",
    ],
)  # fmt: skip
def test_a_question_for_a_class_is_found(line):
    assert list(asked(ast.parse(line))) == [1]
    assert list(asked(ast.parse("TABLE[type(layer)], type(layer) in TABLE, isinstance(x, int)"))) == []


@pytest.mark.parametrize(
    "line", ["np.abs(a - b) <= right.bound", "not abs(x - y) <= 2 * allowed", "bound < abs(a - b)"]
)
def test_a_bound_that_is_decided_by_is_found(line):
    assert list(decided(ast.parse(line))) == [1]
    assert list(decided(ast.parse("right.holds(a), abs(a) <= bound, abs(a - b) <= off"))) == []


@pytest.mark.parametrize(
    "line", ['f"d{name}"', '"d" + name', 'name.startswith("d")', 'name.removeprefix("d")', 'name.partition(".")[0]']
)
def test_a_name_that_is_taken_apart_is_found(line):
    assert list(taken_apart(ast.parse(line))) == [1]
    assert list(taken_apart(ast.parse('f"dL/d{name}", "a" + name, name.split(",")'))) == []
