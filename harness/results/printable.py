"""A result that shows itself. What draws it lies in a room above, and imports go downwards only: it is named here."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import ClassVar

from harness.usage import visible


class Printable:
    """A result as text, and as what a notebook shows.

    A subclass says by whom: ``class Run(Printable, text="harness.rendering.tables:render")``.
    """

    _text: ClassVar[str]
    _notebook: ClassVar[str | None]

    def __init_subclass__(cls, *, text: str, notebook: str | None = None) -> None:
        """The functions that take the result and return text, and HTML if a notebook shows more than the text."""
        cls._text, cls._notebook = text, notebook

    def __str__(self) -> str:
        # What others named something, in a record too, is shown by its escapes: it cannot steer a terminal.
        return "\n".join(map(visible, resolve_name(self._text)(self).split("\n")))

    def _repr_html_(self) -> str | None:
        return resolve_name(self._notebook)(self) if self._notebook else None
