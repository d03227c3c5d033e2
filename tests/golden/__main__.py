"""Write expected outputs anew, because they are meant to change: ``python -m tests.golden [ID ...]``, all if none."""

import json
import sys
import tempfile
import time
from pathlib import Path

from tests.golden.cases import CASES
from tests.golden.fingerprint import fingerprint
from tests.golden.outcomes import EXPECTED, FINGERPRINT, expected_file, outcome


def main(asked: list[str]) -> int:
    """Write the files of the cases that are named, and say which of them changed."""
    unknown = set(asked) - {case.id for case in CASES}
    if unknown:
        print(f"Cannot write {', '.join(sorted(unknown))}, because there is no such case; see tests/golden/cases.py.")
        return 2
    here = fingerprint()
    if asked and FINGERPRINT.exists() and json.loads(FINGERPRINT.read_text()) != here:
        print("Cannot write single files, because the others were made on another machine; name none, for all.")
        return 2
    FINGERPRINT.write_text(json.dumps(here, indent=1) + "\n")
    for case in CASES:
        if asked and case.id not in asked:
            continue
        begin = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            text = outcome(case, Path(folder))
        file = expected_file(case)
        how = "same" if file.exists() and file.read_text() == text else "written"
        file.write_text(text)
        print(f"{how:8}{time.perf_counter() - begin:6.1f} s  {case.id}")
    if not asked:
        for file in set(EXPECTED.glob("*.txt")) - {expected_file(case) for case in CASES}:
            file.unlink()
            print(f"removed  {file.stem}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
