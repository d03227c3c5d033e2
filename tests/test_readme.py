"""What README.md shows is what the code prints."""

import re
import subprocess
import sys
from pathlib import Path

from harness import from_toml
from impls.hand.notation import ACTIVATIONS, LOSSES, OPTIMIZERS

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def outline(text):
    """The text without what depends on versions and machines: numbers, places and digests."""
    text = re.sub(r"digest [0-9a-f]+|(numpy|torch|jax) [\d.+cpu]+|step \d+( w_\d+| b_\d+)?", "", text)
    text = re.sub(r"[-+]?\d[\d.,]*(e[-+]?\d+)?( [%×])?", "#", text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip() and not line.strip().startswith("--")]


def test_the_first_screen_is_a_run():
    shown = README.split("$ harness run\n")[1].split("\nRead a row")[0]
    printed = subprocess.run([sys.executable, "-m", "harness", "run"], capture_output=True, text=True, check=True)
    ours, theirs = outline(shown), outline(printed.stdout)
    assert ours[:3] == theirs[:3]
    assert ours[3].split(";")[0] == theirs[3].split(";")[0]
    assert [line.split()[0] for line in ours] == [line.split()[0] for line in theirs]


def test_every_name_and_the_toml_file_are_what_the_code_takes(tmp_path):
    for table, first in [(ACTIVATIONS, "| activations |"), (LOSSES, "| losses |"), (OPTIMIZERS, "| optimizers |")]:
        line = next(line for line in README.splitlines() if line.startswith(first))
        listed = re.sub(r" \([a-z0-9_, ]+\)|, all with.*", "", line.removeprefix(first).strip(" |"))
        assert listed.split(", ") == list(table)
    network = from_toml(README.split("```toml\n")[1].split("```")[0])
    assert repr(network.layers) == "(Dense(4, 3), LeakyRelu(slope=0.1))"
