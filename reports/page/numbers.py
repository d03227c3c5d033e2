"""Numbers of a page: as text, and as compact arrays that its script reads.

Arrays travel as base64 of little-endian bytes: the working dtype where the number is shown, float32 where only a
colour is.
"""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray


def packed(array: NDArray[Any]) -> str:
    """The bytes of an array, little-endian, row by row, in base64."""
    return base64.b64encode(np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()).decode()


def shrunk(text: str | bytes) -> str:
    """Text, compressed, in base64; the same bytes for the same text."""
    data = text.encode() if isinstance(text, str) else text
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def script_json(value: Any) -> str:
    """JSON that can stand inside a script element: nothing ends the element, opens a comment or turns the text."""
    text = msgspec.json.encode(value).decode()
    text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1]


def spaced(steps: int, most: int, kept: Any) -> list[int]:
    """At most about `most` of the steps 1 ... `steps`: those that are `kept`, and others evenly between."""
    if steps <= most:
        return list(range(1, steps + 1))
    even = np.unique(np.linspace(1, steps, most).round().astype(int)).tolist()
    return sorted({*even, *(step for step in range(1, steps + 1) if kept(step))})
