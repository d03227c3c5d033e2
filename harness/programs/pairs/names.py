"""What frameworks call weights: by which two names may mean the same, and how alike two of them are.

The names are those of others (torch, Flax, Equinox, somebody's own dictionaries), so here they are taken apart.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher

KINDS = {
    "weight": ("weight", "kernel", "scale", "embedding", "w", "gamma", "g"),
    "bias": ("bias", "b", "beta"),
    "running mean": ("running_mean", "mean"),
    "running variance": ("running_var", "var", "variance"),
}
"""Last words of names that mean the same."""
HOLDERS = ("value", "raw_value", "orig_mod")
"""Words that only say how a library holds an array."""
_KIND = {word: kind for kind, words in KINDS.items() for word in words}
_WORDS = re.compile(r"[A-Za-z]+(?:_[A-Za-z]+)*|\d+")
_SHORT = {"ln": "layernorm", "bn": "batchnorm", "fc": "dense", "linear": "dense", "lin": "dense", "emb": "embedding"}


def words(name: str) -> list[str]:
    """The parts of a name, without what only holds them."""
    told = re.sub(r"^(arguments\[\d+\]|program)", "", name)
    return [word for word in _WORDS.findall(told) if word not in (*HOLDERS, "params", "batch_stats")]


def last(name: str) -> str:
    """Its last word, which says what it is in its layer."""
    return next((word.lower() for word in reversed(words(name)) if not word.isdigit()), "")


def kind(name: str) -> str | None:
    """What it is in its layer, where that is known."""
    return _KIND.get(last(name))


def likeness(one: str, other: str) -> float:
    """How much of the shorter of two names is in the longer one, from 0 to 1."""
    parts = plain(one), plain(other)
    matching = SequenceMatcher(None, *parts, autojunk=False).get_matching_blocks()
    return sum(block.size for block in matching) / max(min(map(len, parts)), 1)


def owner(name: str) -> tuple[str, ...]:
    """The layer that it belongs to."""
    return tuple(words(name)[:-1])


def plain(name: str) -> list[str]:
    """A name in the words that are the same in all frameworks, letters and numbers apart."""
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", ".".join(words(name)))
    return [_KIND.get(part.lower(), _SHORT.get(part.lower(), part.lower())) for part in parts]


def in_order(name: str) -> list[tuple[int, str]]:
    """A key by which 2 comes before 10."""
    return [(int(word), "") if word.isdigit() else (-1, word) for word in words(name)]
