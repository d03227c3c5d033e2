"""Fixtures shared by the tests."""

import atexit
import os
import signal
import sys
from importlib.util import find_spec
from shutil import rmtree
from tempfile import mkdtemp

import pytest

from impls import registry

collect_ignore = [
    "broken/operations", "candidates/right_operations.py", "programs/jax_models.py", "programs/models.py",
    "devices/in_tf32.py", "programs/window_models.py", "programs/mixed_models.py", "promises/silu.py",
    "programs/ports.py",
]  # fmt: skip
"""Operations and programs that import frameworks: they are imported by the tests that ask them, once."""
pytest_plugins = ["pytester", "tests.broken.sessions"]


def pytest_configure():
    """What JAX compiles, which takes most of a short run, is kept for later tests of this process and its children.

    Each process of xdist has a folder of its own: JAX writes there without a lock.
    """
    kept = mkdtemp(prefix="compiled-")
    atexit.register(rmtree, kept, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = kept
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"


@pytest.fixture
def register(monkeypatch):
    """Add implementations to the registry for one test: ``register(name, build)``."""
    added = {}
    load, names = registry.load, registry.names

    monkeypatch.setattr(registry, "load", lambda name: added[name] if name in added else load(name))
    monkeypatch.setattr(registry, "names", lambda: [*names(), *added])
    return added.__setitem__


@pytest.fixture
def uninstall(monkeypatch):
    """Make a framework look as if it were not installed, for one test: ``uninstall("jax")``."""

    def hide(name):
        monkeypatch.setitem(sys.modules, name, None)
        for module in [m for m in sys.modules if m.startswith(f"impls.{name}_")]:
            monkeypatch.delitem(sys.modules, module)

    return hide


@pytest.fixture
def ctrl_c():
    """Ctrl-C as at a terminal: a runner in the background may have been started with it ignored."""
    found = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, found)


@pytest.fixture(params=["torch", "jax"])
def framework(request):
    """Each framework by name; one that is missing skips with its reason, and is an error in CI."""
    if find_spec(request.param) is None and not os.environ.get("CI"):
        pytest.skip(f"{request.param} is not installed")
    return request.param
