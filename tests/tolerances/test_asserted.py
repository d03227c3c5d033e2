"""Tolerances in somebody's test file, read and not run."""

import pytest

from harness.tolerances.asserted import asserted_in
from harness.tolerances.rules import AssertClose, Pair
from harness.usage import UsageError

TEXT = """
import numpy as np, torch
raise SystemExit("this file must not be run")
RTOL = 2**-8
TWICE = 1e-3
TWICE = 1e-4

def test_all(tol):
    np.allclose(a, b)
    np.testing.assert_allclose(a, b, 1e-3, 1e-4)
    torch.testing.assert_close(a, b)
    torch.testing.assert_close(a, b, atol=5, rtol=50)
    torch.allclose(a, b, rtol=RTOL, atol=3 * 1e-3)
    torch.testing.assert_close(a, b, **tol)
    torch.testing.assert_close(a, b, atol=TWICE, rtol=0)
    torch.testing.assert_close(a, b, atol=1e-3)
    np.allclose(a, b, atol=-1e-8)
    np.allclose(a, b, atol=tol[0])
    other.is_near(a, b, atol=1)
"""


def test_what_is_written_is_read_and_the_rest_is_said(tmp_path):
    path = tmp_path / "test_mine.py"
    path.write_text(TEXT)
    found = asserted_in(str(path))
    assert [(rule, line) for rule, (_, line) in found.rules] == [
        (Pair(1e-8, 1e-5), 9), (Pair(1e-4, 1e-3), 10), (AssertClose(), 11), (AssertClose(5.0, 50.0), 12),
        (Pair(3e-3, 2**-8), 13),
    ]  # fmt: skip
    assert [text.removeprefix(f"{path}:").partition(" ")[0] for text in found.unread] == ["14", "15", "16", "17", "18"]
    assert "unpacked" in found.unread[0]
    assert "atol=TWICE is no number that is written in the file" in found.unread[1]
    assert "takes both or neither" in found.unread[2]
    assert "not negative" in found.unread[3]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\n", "because it calls none of allclose"),
        ("def f(:\n", "because line 1 is no Python"),
        ("\0", "no Python"),
    ],
)
def test_a_file_without_any_is_told(text, told, tmp_path):
    path = tmp_path / "test_mine.py"
    path.write_text(text)
    with pytest.raises(UsageError, match=told):
        asserted_in(str(path))
