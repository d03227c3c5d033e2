"""Wrong usage: what cannot be done, why, and what to do instead."""

from __future__ import annotations


class UsageError(ValueError):
    """The caller asked for something impossible; nothing was run and nothing was lost."""
