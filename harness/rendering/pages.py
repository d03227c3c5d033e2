"""Pages: what makes one is a package of its own, found through the entry-point group ``harness.reporters``.

So ``--report FILE`` works wherever a reporter is installed, and no arrow leads from the harness to it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from harness.usage import UsageError, reason

GROUP, PAGE = "harness.reporters", "html"
Reporter = Callable[[Any], str]


def page_writer(path: str) -> Callable[[Any], None]:
    """What writes the page of a result to `path`, once there is one; what would prevent it is told before.

    Raises:
        UsageError: the path cannot be a page's, or nothing that makes pages is installed.
    """
    file = Path(path)
    if file.suffix.lower() not in (".html", ".htm"):
        raise UsageError(
            f"Cannot write a page to {path!r}, because its name does not end in .html; choose one that does."
        )
    if not file.parent.is_dir():
        raise UsageError(
            f"Cannot write a page to {path!r}, because the folder {file.parent} does not exist; create it or choose "
            f"another."
        )
    reporter = _reporter()

    def write(result: Any) -> None:
        try:
            file.write_text(reporter(result), encoding="utf-8")
        except OSError as error:
            raise UsageError(
                f"Cannot write the page to {path!r}, because {reason(error)}; choose a path that can be written."
            ) from None

    return write


def _reporter() -> Reporter:
    for point in entry_points(group=GROUP):
        if point.name == PAGE:
            try:
                return point.load()
            except ImportError as error:
                raise UsageError(
                    f"Cannot make a page, because {error.name or error} is not installed; pip install "
                    f"'backprop-harness[report]'."
                ) from None
    raise UsageError("Cannot make a page, because nothing that makes pages is installed; pip install backprop-harness.")
