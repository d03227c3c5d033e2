"""``python -m reports``: run a gallery of comparisons and write reports/gallery/, an index, a page and a table each."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reports.exhibits import EXHIBITS, made


def main() -> int:
    """Make the gallery; 0 if every exhibit was made."""
    parser = argparse.ArgumentParser(prog="python -m reports", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("reports/gallery"), help="the folder [reports/gallery]")
    parser.add_argument(
        "exhibits", nargs="*", metavar="EXHIBIT", help="some of them [all]: " + ", ".join(e.name for e in EXHIBITS)
    )
    options = parser.parse_args()
    chosen = tuple(exhibit for exhibit in EXHIBITS if not options.exhibits or exhibit.name in options.exhibits)
    unknown = set(options.exhibits) - {exhibit.name for exhibit in EXHIBITS}
    if unknown:
        parser.error(
            f"Cannot make {', '.join(sorted(unknown))}, because there is no such exhibit; choose from those above."
        )
    left_out = 0
    for shown in made(options.output, chosen):
        left_out += not shown.size
        print(
            f"{shown.exhibit.name:10} {shown.verdict}  {shown.size / 1e6:.2f} MB, {sum(shown.seconds):.1f} s",
            flush=True,
        )
    print(options.output / "index.html")
    return int(left_out > 0)


if __name__ == "__main__":
    sys.exit(main())
