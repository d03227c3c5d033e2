"""--l2 and --l1: on every command that takes a network as layer sizes, and what a file says itself."""

import numpy as np
import pytest
from click.testing import CliRunner

from harness import load_network
from harness.cli.commands import harness as command

WORDS = ["--activation", "tanh", "--loss", "cross-entropy", "--l2", "0.01", "--l1", "0.02"]
FORMULA = (
    "L = mean over samples of -log softmax(O2)[y], plus the sum over all weights but biases of (0.01 w^2 + 0.02 |w|)"
)


def typed(*words):
    return CliRunner().invoke(command, list(map(str, words)))


@pytest.mark.parametrize(
    "words",
    [
        ["run", "4-3-3", "--steps", "1", "--against", "hand"],
        ["power", "4-3-3", "--against", "hand", "--data", "random"],
    ],
    ids=lambda words: words[0],
)
def test_the_loss_has_the_penalty(words):
    done = typed(*words, *WORDS)
    assert done.exit_code in (0, 3), done.output
    assert FORMULA in done.stdout.split("\n")[0]


def test_a_template_tells_the_command_that_checks_it(tmp_path):
    path = tmp_path / "new.npz"
    done = typed("template", "4-3-3", "-o", path, *WORDS)
    assert FORMULA in done.stdout.split("\n")[0]
    assert done.stdout.rstrip().endswith('--l2 "0.01" --l1 "0.02"')
    network, held = (
        load_network("4-3-3", activation="tanh", loss="cross-entropy", l2=0.01, l1=0.02),
        dict(np.load(path)),
    )
    given = {name: held[name] for name in network.weights}
    gradients = network.backward(given, held["x"], held["y"], network.forward(given, held["x"]))
    np.savez(path, **(held | {name: gradients[name] for name in network.gradients}))
    assert typed("check", path, "--model", "4-3-3", *WORDS).exit_code == 0
    assert typed("check", path, "--model", "4-3-3", *WORDS[:-2]).exit_code == 1  # without the l1


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--l2", "0"], "give one above 0"),
        (["--l2", "-1"], "give a finite number from 0 on"),
        (["--l2", "0.1", "--loss", "huber(l2=1)"], "l2 would have two values"),
    ],
)
def test_a_penalty_that_is_none_is_refused(words, why):
    done = typed("run", *words)
    assert done.exit_code == 2
    assert why in done.stderr


def test_a_file_says_its_loss_itself(tmp_path):
    path = tmp_path / "net.toml"
    path.write_text('loss = "huber"\nlayers = ["dense(inputs=4, outputs=3)"]')
    done = typed("run", path, "--l2", "0.1")
    assert done.exit_code == 2
    assert "the file itself says what its layers and its loss are" in done.stderr
