"""What a tolerance lets pass and rejects, on operations and on tensors; and the command."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import harness
from harness.cli.commands import harness as command
from harness.usage import UsageError
from impls.hand import Dense, Tanh
from tests.helpers.command import typed

LIGER = {"atol": 5.0, "rtol": 50.0}


def test_a_pair_without_power_lets_nearly_everything_pass():
    found = harness.check_tolerance(on="matmul(16, 64, 32)", **LIGER)
    assert (found.verdict, found.exit) == ("FAIL", 1)
    output = next(row for row in found.rows if row.tensor == "output")
    assert {"zeros", "the sign", "twice", "half", "operands in bfloat16"} <= set(output.passed)
    assert output.verdict == "lets mistakes pass"
    assert 50 <= output.sizes.larger < 51
    assert not output.rejects
    assert output.sizes_of_entries.larger < 1e-5


def test_a_pair_that_is_too_narrow_rejects_right_programs():
    found = harness.check_tolerance("allclose", on="matmul(8, 1024, 8)")
    output = found.rows[0]
    assert output.rejected == ("the hand code in NumPy", "the same, summed from last to first")
    assert output.short == output.entries
    assert "rejects right runs" in output.verdict
    assert "rejects the hand code in NumPy, which is right" in found.reason


def test_the_safe_pair_is_fine_but_for_its_price():
    first = harness.check_tolerance("allclose", on=Dense(24, 12), inputs="x=16,24; W=24,12; b=12")
    for row in first.rows:
        again = harness.check_tolerance(
            on=Dense(24, 12), inputs="x=16,24; W=24,12; b=12", atol=row.safe.atol, rtol=row.safe.rtol
        )
        same = next(other for other in again.rows if other.tensor == row.tensor)
        assert same.short == 0
        assert not same.rejected
        assert 1 <= row.safe.price <= row.safe.most


def test_a_rule_of_the_whole_is_told_what_it_does_not_see():
    found = harness.check_tolerance("cosine-similarity(least=0.99)", on=Tanh(), inputs="z=40,64")
    passed = {name for row in found.rows for name in row.passed}
    assert "one entry: sign" in passed
    assert "twice" in passed
    assert all(row.sizes.larger is None and row.short is None for row in found.rows)


def test_the_other_order_of_summation_is_another_and_right():
    from harness.tolerances.operations import operation_subjects

    for subject in operation_subjects(Dense(200, 12), inputs="x=90,200; W=200,12; b=12"):
        programs = list(subject.programs.values())
        assert len(programs) == 2
        assert all(map(subject.holds, programs))
        # The upstream's entries are multiples of 2^-12, whose sums are exact in any order.
        assert np.array_equal(*programs) == (subject.name == "db")


def test_a_tensor_alone_is_allowed_its_own_rounding(tmp_path):
    path = tmp_path / "out.npy"
    np.save(path, np.linspace(1, 2, 50, dtype=np.float32).reshape(5, 10))
    found = harness.check_tolerance("assert-allclose", on=str(path))
    (row,) = found.rows
    assert (row.tensor, row.dtype, row.source) == ("out", "float32", "rounding of the result alone")
    assert found.verdict == "PASS"  # 1e-7 is more than 2^-24
    assert harness.check_tolerance(atol=0, rtol=1e-8, on=str(path)).rows[0].short == 50


def test_zeros_have_no_power(tmp_path):
    np.save(tmp_path / "zeros.npy", np.zeros(4))
    found = harness.check_tolerance("allclose", on=str(tmp_path / "zeros.npy"))
    assert (found.verdict, found.exit, [row.verdict for row in found.rows]) == ("NO POWER", 0, ["no power"])
    np.savez(tmp_path / "both.npz", a=np.zeros(4), b=np.arange(4.0))
    found = harness.check_tolerance("allclose", on=str(tmp_path / "both.npz"))
    assert (found.verdict, [row.verdict for row in found.rows]) == ("PASS", ["no power", "ok"])


def test_what_lies_beside_the_expected_tensor_is_judged(tmp_path):
    path, expected = tmp_path / "out.npz", np.linspace(1, 2, 50).reshape(5, 10)
    np.savez(path, expected=expected, actual=(expected * 1.01).astype("float32"), eager=expected * (1 + 1e-6),
             allowed=expected * 1e-5)  # fmt: skip
    (row,) = harness.check_tolerance("eager", on=str(path)).rows
    assert (row.given, row.source, row.dtype) == (False, "given", "float32")
    assert "may reject" in row.verdict
    assert harness.check_tolerance(rtol=0.02, on=str(path)).rows[0].given is True


def test_allowances_are_written_and_read_again(tmp_path):
    path = tmp_path / "allowed.npz"
    first = harness.check_tolerance("allclose", on="softmax", output=str(path))
    with np.load(path) as held:
        assert sorted(held) == ["dz.allowed", "dz.expected", "output.allowed", "output.expected"]
        assert held["dz.allowed"].max() == pytest.approx(first.rows[1].allowed[2])
    again = harness.check_tolerance("allclose", on=str(path), dtype="float32")
    assert [(row.tensor, row.allowed, row.short) for row in again.rows] == [
        (row.tensor, row.allowed, row.short) for row in first.rows
    ]
    with pytest.raises(UsageError, match="because there is such a file already"):
        harness.check_tolerance("allclose", on="softmax", output=str(path))


def test_every_tolerance_of_a_test_file_is_judged(tmp_path):
    path = tmp_path / "test_mine.py"
    path.write_text("torch.testing.assert_close(a, b, atol=5, rtol=50)\nnp.allclose(a, b, rtol=r)\n")
    found = harness.check_tolerance(str(path), on="tanh")
    assert {row.where for row in found.rows} == {(str(path), 1)}
    assert found.verdict == "FAIL"
    assert len(found.unread) == 1


PROGRAM = """
import torch

def gated(x, y):
    return torch.sigmoid(x) * y
"""


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize(
    ("layer", "inputs"),
    [("softmax", None), ("gelu", "z=20,30"), ("layer-norm(width=64)", None), ("rms-norm(width=64)", None),
     ("matmul(8, 256, 8)", None), ("cross-entropy", None)],
)  # fmt: skip
def test_below_float32_a_kernel_rounds_once(layer, inputs, dtype):
    found = harness.check_tolerance("assert-close", on=layer, inputs=inputs, dtype=dtype)
    for row in found.rows:
        assert row.programs == ("the hand code in NumPy", "the same, summed from last to first")
        assert row.sizes_of_entries.larger < 8 * {"bfloat16": 2**-8, "float16": 2**-11}[dtype]
        assert all(tried.entries == 0 for tried in row.mistakes if tried.mistake in ("zeros", "the sign", "twice"))
    assert f"{dtype}, computed in float32 and rounded once" in found.on


def test_on_tensor_cores_as_much_more_is_allowed_as_they_cut_off():
    found = {
        cores: harness.check_tolerance("assert-close", on="matmul(8, 64, 8)", tensor_cores=cores).rows[0]
        for cores in (None, "H100", "A100")
    }
    medians = [row.allowed[1] for row in found.values()]
    assert 50 < medians[1] / medians[0] < 2000  # 2^-10 of each factor beside 64 times 2^-24 of the sum
    assert found["H100"].short == 64
    assert medians[1] < medians[2]


def test_somebodys_function_is_judged_by_itself(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(PROGRAM)
    found = harness.check_tolerance("assert-close", on=f"{path}:gated", inputs="x=20,30; y=20,30")
    assert [row.tensor for row in found.rows] == ["output", "dx", "dy"]
    assert {row.source for row in found.rows} == {"measured"}
    assert all(row.programs == ("gated",) for row in found.rows)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, "Cannot judge a tolerance, because none is given; give --atol"),
        ({"atol": -1.0}, "Cannot use atol=-1.0, because a tolerance is a finite number"),
        ({"rtol": np.nan}, "Cannot use rtol=nan, because"),
        ({"atol": np.inf}, "Cannot use atol=inf, because"),
        ({"atol": "1e-3"}, "Cannot use atol='1e-3', because"),
        ({"rule": "nearly"}, "Cannot use the rule 'nearly', because there is none of that name"),
        ({"rule": 3}, "Cannot use rule=3, because it is no text"),
        ({"rule": "allclose", "atol": 1.0}, "Cannot judge 'allclose' with atol or rtol besides"),
        ({"rule": "missing.py"}, "Cannot read missing.py, because there is no such file"),
        ({"on": "tahn"}, "Cannot use the layer 'tahn', because there is none of that name"),
        ({"on": "matmul(3, 4)"}, "Cannot read 'matmul(3, 4)', because a matrix product has three sizes"),
        ({"on": "matmul(0, 4, 4)"}, "Cannot draw matmul(0, 4, 4), because a size is 0"),
        ({"on": "none.npz"}, "Cannot read none.npz, because there is no such file"),
        ({"on": "none.npz", "inputs": "x=N,M"}, "Cannot use inputs with none.npz, because it holds tensors"),
        ({"on": 7}, "Cannot judge a tolerance on '7', because it is neither a file, nor a layer, nor a function"),
        ({"dtype": "float12"}, "Cannot use dtype='float12', because"),
        ({"on": "dense(inputs=3, outputs=2)", "inputs": "q=3"}, "Cannot use inputs q with hand Dense(3, 2), because"),
        ({"output": "x.txt"}, "Cannot write x.txt, because allowances go into an NPZ file"),
        ({"output": "no/such/folder/x.npz"}, "because its folder does not exist"),
        ({"seed": -1}, "Cannot use seed=-1"),
        ({"tensor_cores": "K80"}, "Cannot use the tensor cores of 'K80', because their arithmetic is not known"),
        ({"on": lambda x: x * x, "inputs": "x=5", "tensor_cores": "H100"}, "because it is measured, and not there"),
        ({"on": "missing.py:f"}, "Cannot check missing.py:f, because the file"),
        ({"on": lambda x: x, "inputs": "i=5 below 3"}, "Cannot differentiate by i, because they hold whole numbers"),
        ({"on": "dense(inputs=3, outputs=2)", "inputs": "x=4,3; W=4,2; b=2"}, "Cannot run hand Dense(3, 2) on inputs"),
    ],
)
def test_wrong_input_is_one_message(asked, told):
    rule = {} if {"rule", "atol", "rtol"} & set(asked) or not asked else {"rule": "allclose"}
    with pytest.raises(UsageError) as raised:
        harness.check_tolerance(**{"on": "tanh", **rule, **asked})
    assert told in str(raised.value)


def test_the_command_says_it_and_ends_with_2(capfd):
    result = CliRunner().invoke(command, ["tolerance", "--atol", "-1", "--on", "tanh"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert capfd.readouterr().err.startswith("harness tolerance: Cannot use atol=-1.0, because")


BAD = {
    "shapes": (
        {"expected": np.ones((2, 3)), "actual": np.ones((3, 2))},
        "of expected actual has shape (3, 2) and expected (2, 3)",
    ),
    "nan": ({"expected": np.array([1.0, np.nan])}, "holds what is no finite number"),
    "text": ({"expected": np.array(["a"])}, "save real numbers"),
    "empty": ({"expected": np.ones((0, 3))}, "expected is empty"),
    "beside": ({"actual": np.ones(3)}, "it holds actual without expected"),
    "negative": ({"expected": np.ones(3), "allowed": -np.ones(3)}, "allowed holds what is negative"),
    "pickled": ({"expected": np.array([{}])}, "pickled Python objects"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_file_that_cannot_be_judged_is_told(what, tmp_path):
    arrays, told = BAD[what]
    np.savez(tmp_path / "out.npz", **arrays)
    with pytest.raises(UsageError) as raised:
        harness.check_tolerance("allclose", on=str(tmp_path / "out.npz"))
    assert told in str(raised.value)


def test_the_command_tells_the_same_as_json():
    result = CliRunner().invoke(command, ["tolerance", "assert-close", "--on", "tanh", "--json"])
    told = json.loads(result.stdout)
    assert told["exit"] == result.exit_code == harness.check_tolerance("assert-close", on="tanh").exit
    assert [row["tensor"] for row in told["rows"]] == ["output", "dz"]
    assert (
        CliRunner()
        .invoke(command, ["tolerance", "assert-close", "--on", "tanh", "--quiet"])
        .stdout.startswith(told["verdict"])
    )


def test_an_operation_with_a_backward_pass_of_its_own_is_measured_on_itself(tmp_path):
    (tmp_path / "own.py").write_text(
        "import torch\n\n\nclass Square(torch.autograd.Function):\n"
        "    @staticmethod\n    def forward(ctx, x):\n        ctx.save_for_backward(x)\n        return x * x\n\n"
        "    @staticmethod\n    def backward(ctx, dy):\n        return 2 * ctx.saved_tensors[0] * dy\n"
    )
    said = typed("tolerance", "assert-close", "--on", "own.py:Square", "--inputs", "x=4,5", cwd=tmp_path)
    assert said.returncode in (0, 1), said.stderr
    assert "dx 4×5: allowance measured" in said.stdout
