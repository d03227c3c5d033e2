"""What README.md lists is what the code takes; what it shows is in test_docs.py."""

import re
from pathlib import Path

from harness import from_toml
from harness.faults.catalogue import CAUSES
from impls.hand.notation import ACTIVATIONS, LOSSES, OPTIMIZERS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_name_and_the_toml_file_are_what_the_code_takes():
    for table, first in [(ACTIVATIONS, "| activations |"), (LOSSES, "| losses |"), (OPTIMIZERS, "| optimizers |")]:
        line = next(line for line in README.splitlines() if line.startswith(first))
        listed = re.sub(r" \([a-z0-9_, ]+\)|, all with.*", "", line.removeprefix(first).strip(" |"))
        assert listed.split(", ") == list(table)
    network = from_toml(README.split("```toml\n")[1].split("```")[0])
    assert repr(network.layers) == "(Dense(4, 3), LeakyRelu(slope=0.1))"


def test_the_changes_count_the_causes_that_there_are():
    assert f"its catalogue of {len(CAUSES)} reproduces" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
