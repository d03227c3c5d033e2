"""Running a case, and the file that holds what it must print."""

import html
import os
import re
import shutil
from pathlib import Path

from tests.golden.cases import Case
from tests.golden.implementations import registered
from tests.golden.normalising import normalised, skeleton
from tests.helpers.command import as_if_typed, told, typed

HERE = Path(__file__).parent
EXPECTED = HERE / "expected"
FINGERPRINT = EXPECTED / "fingerprint.json"


def expected_file(case: Case) -> Path:
    return EXPECTED / f"{case.id}.txt"


def outcome(case: Case, folder: Path) -> str:
    """What the case prints, run in the empty folder; what must vary is masked."""
    shutil.copytree(HERE / "candidates", folder / "candidates", ignore=shutil.ignore_patterns("__pycache__"))
    before = Path.cwd()
    os.chdir(folder)
    try:
        if case.prepare:
            case.prepare(folder)
        if case.call:
            with as_if_typed(()):
                text = case.call(folder)
        else:
            with registered(*case.against):
                text = "\n".join(told(typed(*words, apart=case.apart)) for words in case.commands)
        text += "".join(f"\n--- {page}\n{told_by_page(folder / page)}" for page in case.pages)
    finally:
        os.chdir(before)
    text = normalised(text, folder)
    return skeleton(text) if case.masked else text


def told_by_page(path: Path) -> str:
    """The text of a page: no scripts, styles and drawings, a line for each block."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"<(script|style|svg|math)\b.*?</\1>", " ", text, flags=re.DOTALL)
    text = re.sub(r"</(p|tr|h\d|li|section|table|pre|div|dt|dd|figcaption|summary|header|footer)>|<br>", "\n", text)
    text = re.sub(r"</t[dh]>", " | ", text)
    lines = html.unescape(re.sub(r"<[^>]*>", "", text)).splitlines()
    return "\n".join(line for line in (re.sub(r"\s+", " ", each).strip() for each in lines) if line) + "\n"
