"""One derivative explained: what is said, and that text and JSON agree."""

import json
import math
import re

import pytest
from click.testing import CliRunner

import harness
from harness.cli.commands import harness as command
from harness.cli.explaining import PRODUCTS
from impls.hand import from_text
from tests.helpers.explaining import hand_only, text_of

CASES = {
    "one sample": ("w_21^(1)", {"sample": 0}),
    "a batch": ("w_21^(1)", {"nudge": 0.01}),
    "one path": ("w_11^(2)", {"sample": 7, "nudge": -0.5}),
    "a bias": ("b_2^(1)", {"step": 30, "optimizer": "adam"}),
    "an input": ("x3", {"nudge": 0.25}),
    "an output": ("O21", {"sample": 149, "nudge": 1e-3}),
    "the last output": ("O31", {}),
    "many paths": ("w_21^(1)", {"network": from_text("4-20-30-1", activation="tanh"), "sample": 3, "nudge": 0.1}),
    "a wide batch": ("w_2,11^(1)", {"network": from_text("4-20-30-3", activation="relu", loss="cross-entropy")}),
    "deep": ("w_21^(1)", {"network": "4-3-3-3-3-3-3-3-3-1", "sample": 2}),
    "softmax": ("w_21^(2)", {"network": from_text("4-3-2-3", output_activation="softmax"), "sample": 7}),
    "softmax inside": ("w_21^(1)", {"network": from_text("4-3-3-3", activation="softmax", loss="cross-entropy")}),
    "a constant": ("w_21^(1)", {"network": from_text("4-3-3-1", activation="softmax"), "nudge": 0.1}),
    "one-hot": ("b1[1]", {"network": from_text("4-3", activation="silu", loss="one-hot-cross-entropy"), "sample": 1}),
    "mini-batches": ("W1[1,1]", {"batch": 8, "step": 25, "optimizer": "momentum", "seed": 3}),
}  # fmt: skip


@pytest.fixture(scope="module", params=CASES)
def told(request):
    reference, options = CASES[request.param]
    return hand_only(reference, **options)


def test_json_holds_what_is_promised(told):
    found = json.loads(json.dumps(told.to_dict(), allow_nan=False))
    assert {"weight", "value", "paths", "total", "cancellation", "ways"} <= set(found)
    for path in found["paths"]:
        assert {"route", "factors", "product"} <= set(path)
        assert len(path["factors"]) == len(path["route"]) - 1 == len(found["columns"])
        assert math.prod(path["factors"]) == path["product"]
        assert path["route"][0] == found["short"]
        assert path["route"][-1] == "L"
    assert found["exit"] == 0


def test_listed_and_others_are_all_paths(told):
    listed = math.fsum(path.product for path in told.paths)
    assert len(told.paths) + told.others.count == told.count == told.routes_count * told.batch
    # Each sum is a float64 sum of `count` terms at most, of which the magnitudes are known.
    assert abs(listed + told.others.sum - told.total) <= 2 * told.count * 2.0**-53 * told.magnitude
    for rows, rest in ((told.routes, told.other_routes), (told.dominant, told.other_samples)):
        if rows:
            total = math.fsum(row.sum for row in rows) + rest.sum
            assert abs(total - told.total) <= 2 * told.count * 2.0**-53 * told.magnitude
    assert told.cancellation == (max(1.0, told.magnitude / abs(told.total)) if told.total else None)


def numbers_in(value):
    """Every number of a JSON value, those inside its strings too."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for part in value for number in numbers_in(part)]
    if isinstance(value, str):
        return [float(word.replace(",", "")) for word in re.findall(NUMBER, value)]
    return [float(value)] if isinstance(value, int | float) and not isinstance(value, bool) else []


NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+-]\d+)?"


def is_rounding(word, numbers):
    """Is the printed number one of the numbers, rounded to the digits printed?"""
    mantissa, exponent, _ = word.replace(",", "").partition("e")
    decimals = len(mantissa.partition(".")[2])
    style = f".{decimals}e" if exponent else f".{decimals}f"
    return any(float(f"{abs(n):{style}}") == float(word.replace(",", "")) or f"{abs(n):.4g}" == word for n in numbers)


def test_every_number_printed_is_one_of_the_json_rounded(told):
    numbers = numbers_in(told.to_dict())
    numbers += [100 * (row.share or 0) for row in told.dominant] + [told.samples - 1]
    numbers += range(1, len(told.paths) + 1)  # the paths are numbered
    if told.nudge:
        numbers.append(sum(told.nudge.along_paths))
    shown = text_of(told).partition("\nnext ")[0]
    words = re.findall(rf"(?<![\w.^\[(]){NUMBER}(?![\w\]])", shown)
    assert len(words) > 10
    assert [word for word in words if not is_rounding(word, numbers)] == []


def test_the_text_is_at_most_80_columns_wide_and_has_its_parts(told):
    shown = text_of(told)
    assert max(map(len, shown.split("\n"))) <= 80
    for part in (
        f"∂L/∂{told.short} = ", f"from {told.short} to L", "product", "where each factor comes from",
        "same derivative, four ways", "i = source, j = destination", "next  ",
    ):  # fmt: skip
        assert part in shown
    assert ("the update by" in shown) == (told.kind in ("weight", "bias"))


def test_everything_has_an_ascii_stand_in(told):
    plain = text_of(told).translate(PRODUCTS)
    assert plain.isascii()
    assert max(map(len, plain.split("\n"))) <= 80


def test_in_ascii_nothing_is_lost():
    done = CliRunner(charset="ascii").invoke(command, ["explain", "w_21^(1)", "--against", "hand", "--nudge", "0.01"])
    assert done.exit_code == 0
    assert done.stdout.isascii()
    assert "?" not in done.stdout
    assert "x2 --w--> O11 -+-> O21 -+-> O31 ---> L" in done.stdout
    assert "dL/dw = sum_samples dL/dO31 * ( dO31/dO21*dO21/dO11 + dO31/dO22*dO22/dO11 )" in done.stdout
    assert "4-3-2-1 sigmoid | L = sum over samples" in done.stdout


def test_the_running_example_is_explained_as_it_is_taught():
    shown = text_of(harness.explain("w_21^(1)", sample=0))
    assert shown.startswith("w_21^(1) = W1[2,1] = -0.895217    from input x2 to neuron O11")
    assert "x2 ──w──▶ O11 ─┬─▶ O21 ─┬─▶ O31 ───▶ L        2 paths from w to L\n" in shown
    assert "∂L/∂w = ∂L/∂O31 · ( ∂O31/∂O21·∂O21/∂O11 + ∂O31/∂O22·∂O22/∂O11 ) · ∂O11/∂w\n" in shown
    assert "      = ∂L/∂O31·∂O31/∂O21·∂O21/∂O11·∂O11/∂w\n" in shown
    assert "      + ∂L/∂O31·∂O31/∂O22·∂O22/∂O11·∂O11/∂w\n" in shown
    assert re.search(r"path +∂O11/∂w +∂O2k/∂O11 +∂O31/∂O2k +∂L/∂O31 +product\n", shown)
    assert "  1 w▸O11▸O21▸O31▸L  +0.098455  -0.160452  +0.103920  +1.039031  -1.705744e-03\n" in shown
    assert "∂O31/∂O21 = O31(1 − O31)·w_11^(3) = 0.249619 · 0.416315    = +0.103920\n" in shown
    ways = shown.partition("same derivative, six ways")[2]
    names = ["paths, added", "matrix backward", "torch autograd", "jax grad", "central difference, h=", "128-bit ball"]
    assert [line.strip().startswith(name) for line, name in zip(ways.splitlines()[1:], names, strict=False)] == [
        True
    ] * 6


def test_the_slip_of_a_second_term_is_answered():
    told = hand_only("w_11^(2)")
    assert told.routes_count == 1
    assert told.notes == ["w_11^(2) feeds O21 only: a term through O22 belongs to w_12^(2), not to it."]
    assert hand_only("w_11^(3)").notes == []  # there is no other neuron
