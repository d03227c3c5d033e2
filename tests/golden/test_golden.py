"""Each case prints what it printed when its file was written; `tests.golden.cases` says what to do where it must not.

The id says how it was compared: `bytes` on the machine and versions of the files, `skeleton` elsewhere.
"""

import json

import pytest

from tests.golden.cases import CASES
from tests.golden.fingerprint import fingerprint
from tests.golden.normalising import skeleton
from tests.golden.outcomes import EXPECTED, FINGERPRINT, expected_file, outcome

MADE, HERE = json.loads(FINGERPRINT.read_text()), fingerprint()
HOW = "bytes" if MADE == HERE else "skeleton"


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{HOW}-{case.id}") for case in CASES])
def test_output(case, tmp_path):
    others = [name for name in case.by if MADE[name] != HERE[name]]
    if others:
        pytest.skip(f"what is printed depends on the version of {', '.join(others)}, and this is another one")
    printed, expected = outcome(case, tmp_path), expected_file(case).read_text(encoding="utf-8")
    if HOW == "skeleton":
        printed, expected = skeleton(printed), skeleton(expected)
    assert printed == expected


def test_every_file_has_its_case_and_every_case_an_id_of_its_own():
    names = [expected_file(case).name for case in CASES]
    assert len(set(names)) == len(names)
    assert sorted(names) == sorted(path.name for path in EXPECTED.glob("*.txt"))


@pytest.mark.parametrize(
    ("one", "other"),
    [("dW1  0.3 %  ok", "dW2  0.3 %  ok"), ("exit 0", "exit 1"), ("dz2  ok", "dz2  FAULT"), ("a line", "a line\nmore")],
)
def test_a_skeleton_keeps_names_words_and_statuses(one, other):
    assert skeleton(one) != skeleton(other)


def test_a_skeleton_has_no_digits_and_no_widths():
    one = "dW1 4×3   torch   0.5 %  2.5e-13  -0.75\n-------  -----"
    assert skeleton(one) == skeleton("dW1 4×3   torch  10.25 %  1e-12  0.8\n-----  ----")
