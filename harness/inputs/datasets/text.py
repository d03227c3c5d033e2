"""Text as data: ``text:FILE``, its tokens the characters that occur in it, sorted.

A row is a window of as many tokens as the network reads, and its targets are the same one token later: row k holds
tokens k T to k T + T - 1 and the targets k T + 1 to k T + T. Windows follow one another; what is left at the end of the
file, less than a whole window, is not used.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from harness.inputs.datasets.data import Data
from harness.inputs.plain import text_at
from harness.usage import UsageError
from impls.contract import Inputs
from impls.graph import Graph

PREFIX = "text:"
LARGEST = 100_000_000
"""Bytes."""
ROWS_PER_STEP = 16


def is_text(data: Any) -> bool:
    """Whether data is named as text."""
    return isinstance(data, str) and data.startswith(PREFIX)


def offered(data: Any) -> dict[str, int]:
    """What a text says that a network by name leaves open: how many tokens there are. Of other data, nothing."""
    return {"tokens": len(_read(data)[1])} if is_text(data) else {}


def text_data(data: str, network: Graph | None) -> Data:
    """The windows of a text, for a network that reads rows of tokens and gives a class for each position.

    Raises:
        UsageError: the file cannot be read or holds too little, or the network reads something else.
    """
    content, tokens = _read(data)
    only = network.sources[0] if network is not None and len(network.sources) == 1 else None
    if network is None or only is None or not only.choices or len(only.shape) != 1 or not network.loss.labels:
        raise UsageError(
            f"Cannot use {data}, because a text is read by a network whose only input is a row of whole numbers and "
            f"whose loss reads a label for each of them; use it with gpt, or name other data."
        )
    (length,), count = only.shape, len(tokens)
    classes = network.outputs
    if not count <= min(only.choices, classes):
        raise UsageError(
            f"Cannot use {data} with this network, because it has {count} different characters and the network knows "
            f"{min(only.choices, classes)} tokens; make them {count}."
        )
    rows = (len(content) - 1) // length
    if rows < 1:
        raise UsageError(
            f"Cannot use {data} with this network, because it holds {len(content)} characters and a window of "
            f"{length} with the one after it takes {length + 1}; give a longer text, or a shorter context."
        )
    x, y = (content[start : start + rows * length].reshape(rows, length) for start in (0, 1))
    features = f"windows of {length} of {count} characters"
    return Data(data, Inputs({only.name: x}), y, tokens, features, min(ROWS_PER_STEP, rows))


def _read(data: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """The numbers of a text's characters, and the characters in their order."""
    path = data.removeprefix(PREFIX)
    if not path:
        raise UsageError(f"Cannot read {data!r}, because it names no file; write text:FILE.")
    text = text_at(path, LARGEST, "text")
    points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    occurs = np.zeros(sys.maxunicode + 1, bool)
    occurs[points] = True
    found = np.flatnonzero(occurs)
    if len(found) < 2:
        holds = f"one character only, {text[0]!r}" if text else "nothing"
        raise UsageError(f"Cannot use {path} as text, because it holds {holds}; give a text with two or more.")
    return (np.cumsum(occurs) - 1)[points], tuple(map(chr, found))
