"""The emulator gives, bit by bit, what the hardware gave."""

from pathlib import Path

import numpy as np
import pytest

from harness.arithmetic.tensor_cores import TENSOR_CORES
from tests.tensor_cores.emulator import instruction

FILES = sorted((Path(__file__).parent / "hardware").glob("*.npz"))
FORMATS = {"fp16": "float16", "bf16": "bfloat16", "tf32": "tf32", "E4M3": "float8_e4m3fn", "E5M2": "float8_e5m2"}
FP8 = ("float8_e4m3fn", "float8_e5m2")
FUSED_LAST = [("B200", operands) for operands in FP8]


def outputs(path):
    """Operands, the accumulator and the result, as float64; the architecture and the format of the operands."""
    architecture, _, name = path.stem.partition("-")
    with np.load(path) as held:
        a, b, c, d = (held[each].view(np.float32).astype(float) for each in ("a", "b", "c_fp32", "d_fp32"))
    return a, b, c * (architecture != "H100" or FORMATS[name] not in FP8), d, architecture, FORMATS[name]


def emulated(a, b, c, architecture, operands, block):
    """One dot product, of as many instructions as its products take."""
    total = float(c)
    for begin in range(0, len(a), block.products):
        part = slice(begin, begin + block.products)
        fused = (architecture, operands) not in FUSED_LAST
        total = instruction(block, a[part].tolist(), b[part].tolist(), total, operands, fused=fused)
    return total


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_the_emulator_gives_the_bits_of_the_hardware_and_with_other_constants_does_not(path):
    a, b, c, d, architecture, operands = outputs(path)
    block = TENSOR_CORES[architecture][operands]

    def bits(block):
        return [emulated(*row, architecture, operands, block) for row in zip(a, b, c, strict=True)]

    assert bits(block) == d.tolist()
    less = 12 if (architecture, operands) in FUSED_LAST else 1  # what is aligned without c rarely spans as many bits
    assert bits(block._replace(aligned=block.aligned - less)) != d.tolist()
    assert bits(block._replace(kept=block.kept - less)) != d.tolist()
