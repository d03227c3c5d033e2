"""Conversion of charts by vl-convert, in a process of its own: where memory is short it ends its process.

One process serves all pages. It ends when its stdin does, so that it outlives nobody.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from typing import Any

from harness.processes import End
from harness.usage import UsageError

if find_spec("vl_convert") is None:
    raise ModuleNotFoundError("no module vl_convert", name="vl_convert")

PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
import vl_convert
for line in sys.stdin:
    name, *arguments = json.loads(line)
    try:
        told = [getattr(vl_convert, name)(*arguments)]
    except Exception as error:
        told = [None, str(error)]
    print(json.dumps(told), flush=True)
"""


def converted(name: str, *arguments: Any) -> Any:
    """What the function of vl-convert of that name gives, called with what JSON can hold.

    Raises:
        RuntimeError: it raises something.
        UsageError: it ends its process.
    """
    process = _process()
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps([name, *arguments]).encode() + b"\n")
        process.stdin.flush()
        told = process.stdout.readline()
    except BrokenPipeError:
        told = b""
    if not told:
        _process.cache_clear()
        status = process.wait()
        end = End("signal", -status) if status < 0 else End("status", status)
        raise UsageError(
            f"Cannot make a page, because what draws its charts, vl-convert, {end.verb} {end}; it needs several GB of "
            f"address space, so give it more (ulimit -v), or go without the page."
        )
    value, *error = json.loads(told)
    if error:
        raise RuntimeError(error[0])
    return value


@cache
def _process() -> subprocess.Popen[bytes]:
    words = [sys.executable, "-P", "-c", PROGRAM, json.dumps(sys.path)]
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    atexit.register(process.communicate)
    return process
