"""The pages of docs/layers are what `reports.layers` makes of the code, their numbers included."""

import json

import pytest

from reports.layers import FOLDER, contents, file_of, kinds_by_module, page
from tests.golden.fingerprint import fingerprint
from tests.golden.normalising import ROOT, skeleton
from tests.golden.outcomes import FINGERPRINT

FOUND = kinds_by_module()
PAGES = ROOT / FOLDER
SAME = json.loads(FINGERPRINT.read_text()) == fingerprint()
REMAKE = "is not what the code says: python -m reports.layers"


@pytest.mark.parametrize("module", FOUND, ids=file_of)
def test_a_page_shows_the_formulas_the_code_and_the_check_of_its_layers(module):
    made, kept = page(module, FOUND[module]), (PAGES / file_of(module)).read_text(encoding="utf-8")
    if not SAME:  # other kernels round otherwise
        made, kept = skeleton(made), skeleton(kept)
    assert made == kept, f"{file_of(module)} {REMAKE}"
    assert made.count(" ok\n") >= 2 * len(FOUND[module])
    assert "FAULT" not in made


def test_every_page_is_listed():
    assert (PAGES / "README.md").read_text(encoding="utf-8") == contents(FOUND), f"README.md {REMAKE}"
    assert {path.name for path in PAGES.glob("*.md")} == {"README.md", *map(file_of, FOUND)}
