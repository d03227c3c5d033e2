"""The usual shims for old code, which make NumPy's own names those of Python, do not break the product."""

import subprocess
import sys

import pytest

CODE = """import numpy as np
np.bool, np.int, np.float, np.object = bool, int, float, object
from harness import check, check_vjp
from impls.hand import Relu, Tanh

def forward(z):
    return np.tanh(z)

def backward(upstream, z):
    return upstream * (1 - np.tanh(z))

right = check_vjp(lambda z: np.maximum(z, 0), lambda u, z: u * (z > 0).astype(np.float), reference=Relu())
print(right.verdict, check_vjp(forward, backward, reference=Tanh()).causes[0].cause, np.bool is bool)
"""


@pytest.mark.parametrize("before", ["", "import harness, impls.hand; "])
def test_shims_of_old_code(before):
    done = subprocess.run([sys.executable, "-c", before + CODE], capture_output=True, text=True, check=False)
    assert done.stdout.split("\n")[0] == "PASS square missing True", done.stderr
