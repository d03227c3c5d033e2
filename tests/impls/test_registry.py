"""A third package adds a framework without touching this repository."""

import subprocess
import sys
from functools import partial

import pytest

from impls import registry
from tests.helpers.command import typed

PACKAGE = '''
from impls.hand_numpy import Hand

class Mine(Hand):
    """The hand code under another name, with its own version."""
    def __init__(self, network, dtype):
        super().__init__(network, dtype)
        self.version = "mine 9.9"
'''
PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "third-party-implementation"
version = "9.9"
[project.entry-points."harness.implementations"]
mine = "third_party_implementation:Mine"
broken_at_import = "third_party_implementation:Absent"
[tool.setuptools]
py-modules = ["third_party_implementation"]
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A package built and installed by pip into a folder of its own."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    (source / "pyproject.toml").write_text(PROJECT)
    (source / "third_party_implementation.py").write_text(PACKAGE)
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
         "--disable-pip-version-check", "--target", target, source],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return target


@pytest.fixture
def command(installed, monkeypatch):
    monkeypatch.syspath_prepend(installed)
    return partial(typed, cwd=installed)


def test_an_installed_package_takes_part(command):
    done = command("run", "--against", "mine", "--steps", "2")
    assert done.returncode == 0, done.stderr
    assert "mine 9.9" in done.stdout
    assert "PASS  hand and mine agree up to rounding" in done.stdout


def test_it_takes_part_without_being_named_and_a_broken_one_is_only_noted(command):
    done = command("run", "--steps", "1")
    assert done.returncode == 0, done.stderr
    assert "hand, torch, jax and mine agree" in done.stdout
    assert "broken_at_import: could not be imported" in done.stdout


def test_a_broken_one_that_is_named_fails(command):
    done = command("run", "--steps", "1", "--against", "broken_at_import")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_an_unknown_name_lists_what_exists():
    with pytest.raises(registry.UnknownImplementationError, match="choose from hand, torch, jax"):
        registry.load("tensorflow")


def test_a_missing_package_says_how_to_install_it(uninstall):
    uninstall("torch")
    with pytest.raises(registry.NotInstalledError, match=r"pip install 'backprop-harness\[torch\]'"):
        registry.load("torch")
