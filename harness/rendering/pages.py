"""Pages: what makes one is a package of its own, found through the entry-point group ``harness.reporters``.

So ``--report FILE`` works wherever a reporter is installed, and no arrow leads from the harness to it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from harness.usage import UsageError, reason

GROUP, PAGE = "harness.reporters", "html"
Reporter = Callable[[Any], str]


def page_writer(path: str | None, record: str | None = None) -> Callable[[Any], None]:
    """What writes the page of a result to `path`, once there is one; what would prevent it is told before.

    A page is written beside its place and then renamed, so that one that was there stays until the new one is whole.
    Where none is asked for, nothing is written.

    Args:
        record: a file that is not to be overwritten.

    Raises:
        UsageError: the path cannot be a page's, or nothing that makes pages is installed.
    """
    if path is None:
        return lambda _: None
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
    if record is not None and file.resolve() == Path(record).resolve():
        raise UsageError(
            f"Cannot write a page to {path!r}, because that is the record it is made from; choose another file."
        )
    reporter, place = _reporter(), file.resolve()  # a link's target may lie on another file system

    def write(result: Any) -> None:
        text = reporter(result)
        try:
            if file.exists() and not file.is_file():  # a device or a pipe is written to, not replaced
                file.write_text(text, encoding="utf-8")
                return
            with NamedTemporaryFile("w", encoding="utf-8", dir=place.parent, prefix=".page.", delete=False) as new:
                aside = Path(new.name)
                try:
                    new.write(text)
                    new.flush()
                    aside.chmod(file.stat().st_mode & 0o777 if file.exists() else 0o666 & ~_umask())
                    aside.replace(place)
                except BaseException:
                    aside.unlink(missing_ok=True)
                    raise
        except OSError as error:
            raise UsageError(
                f"Cannot write the page to {path!r}, because {reason(error)}; choose a path that can be written."
            ) from None

    return write


def _umask() -> int:
    """The modes that a new file does not get; it can only be read by setting it."""
    os.umask(found := os.umask(0))
    return found


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
