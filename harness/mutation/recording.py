"""What a function was given and gave while a test ran, bit by bit, to be compared with what its mutant gives.

Every call becomes one digest: of the arguments, of the result, and of the arguments again, because a function may write
into them. A result or an argument whose bits cannot be read (a generator, a random number generator) leaves the
recording without a meaning, and nothing is said of it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from harness.candidates.arrays import as_array

NAMED = (FunctionType, BuiltinFunctionType, MethodType, ModuleType, type, np.ufunc)
"""What is the same where it is the same object."""
PLAIN = (int, float, complex, str, bytes, type(None), type(...))


class UnreadableError(TypeError):
    """A value whose bits cannot be read."""


@dataclass
class Recording:
    """The calls of one function, in order.

    Attributes:
        calls: a digest each.
        readable: whether every value could be read.
    """

    calls: list[bytes] = field(default_factory=list)
    readable: bool = True

    def same(self, other: Recording) -> bool:
        """Whether both were asked the same and gave the same, bit by bit, in at least one call."""
        return self.readable and other.readable and bool(self.calls) and self.calls == other.calls


@contextmanager
def recording(recordings: Sequence[tuple[CodeType, Recording]]) -> Iterator[None]:
    """Record every call of functions with these codes in this thread."""
    codes = {id(code): told for code, told in recordings}  # a mutant's code holds a set, and has no hash
    open_calls: dict[FrameType, tuple[list[Any], bytes]] = {}

    def hook(frame: FrameType, event: str, arg: object) -> None:
        if event not in ("call", "return") or (told := codes.get(id(frame.f_code))) is None or not told.readable:
            return
        try:
            if event == "call":
                given = [frame.f_locals[name] for name in _arguments(frame.f_code) if name in frame.f_locals]
                open_calls[frame] = given, digest(given)
            elif frame in open_calls:
                given, before = open_calls.pop(frame)
                told.calls.append(before + digest(arg) + digest(given))
        except (UnreadableError, RecursionError):
            told.readable = False

    outer = sys.getprofile()
    sys.setprofile(hook)
    try:
        yield
    finally:
        sys.setprofile(outer)


def _arguments(code: CodeType) -> tuple[str, ...]:
    more = bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)  # *args and **kwargs
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + more]


def digest(value: Any) -> bytes:
    """SHA-256 over kind and bits of numbers, arrays, texts, and what is made of them.

    Raises:
        UnreadableError: there is something else in it.
    """
    told = hashlib.sha256()
    for part in _parts(value, ()):
        told.update(len(part).to_bytes(8, "little") + part)
    return told.digest()


def _parts(value: Any, around: tuple[int, ...]) -> Iterator[bytes]:
    """The value's parts; `around` are the containers that hold it."""
    if id(value) in around:
        raise UnreadableError
    yield type(value).__qualname__.encode()
    if isinstance(value, PLAIN):
        yield repr(value).encode(errors="surrogatepass")
    elif isinstance(value, NAMED):
        yield repr(id(value)).encode()
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _parts(key, (*around, id(value)))
            yield from _parts(each, (*around, id(value)))
    elif isinstance(value, list | tuple):
        yield str(len(value)).encode()
        for each in value:
            yield from _parts(each, (*around, id(value)))
    elif (array := as_array(value)) is not None and not array.dtype.hasobject:
        yield str((array.dtype.str, array.shape)).encode()
        yield np.ascontiguousarray(array).tobytes()
    elif getattr(value, "__dict__", None) is not None and type(value).__module__ != "builtins":
        yield from _parts(vars(value), (*around, id(value)))
    else:
        raise UnreadableError
