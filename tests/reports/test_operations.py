"""The figures of operations: they count what they say they count."""

import pytest

from reports import operations


def test_figures_of_a_few(monkeypatch):
    pytest.importorskip("torch")
    pytest.importorskip("jax")
    from tests.broken import operations as broken
    from tests.candidates import right_operations

    wrong = {each.name: each for each in _listed(broken)}
    monkeypatch.setattr(broken, "OPERATIONS", [wrong["leaky_without_slope"], wrong["glu_gate_linear"]])
    right = {name: right_operations.RIGHT[name] for name in ("dense", "tanh")}
    monkeypatch.setattr(right_operations, "RIGHT", right)
    figures = {figure: value for figure, value, *_ in operations.lines(quick=False)}
    assert figures["right operations that pass"] == "2 of 2"
    assert figures["wrong operations caught"] == "2 of 2"
    assert figures["wrong gradients named"] == "2 of 2"
    assert figures["of these, named otherwise than the slip is"] == "0 of 2"
    right["dense"] = (right["dense"][0], lambda *_: None, *right["dense"][2:])
    assert [each.found.verdict for each in operations.right_ones(quick=False)] == ["FAIL", "PASS"]


def _listed(broken):
    for manner in operations.MANNERS:
        __import__(f"tests.broken.operations.{manner}")
    return list(broken.OPERATIONS)
