"""The command ``harness`` as a group: its own commands, and those of other packages."""

from __future__ import annotations

from importlib.metadata import entry_points, version

import click

COMMANDS_GROUP = "harness.commands"


class Commands(click.Group):
    """Own commands, and those that packages register in the entry-point group ``harness.commands``."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        """Own commands in order, then others by name."""
        own = list(self.commands)
        return own + sorted({point.name for point in entry_points(group=COMMANDS_GROUP)} - set(own))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, imported now if another package has it."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        for point in entry_points(group=COMMANDS_GROUP):
            if point.name == cmd_name:
                return point.load()
        return None


EXAMPLES = """
\b
Examples:
  harness run                                  4-3-2-1 on iris against all installed frameworks
  harness run 64-128-64-10 --data digits --activation relu --loss cross-entropy --batch 128
  harness run --exact                          against the true gradient, in ball arithmetic
  harness run --free-run                       each follows its own updates
  harness run net.toml                         the layers and the loss that a file lists
  harness run --optimizer adam --dtype float64 --output run.jsonl
  harness explain "w_21^(1)" --sample 0        one derivative, path by path
  harness check my_nn.py:backward              somebody's backward pass: the first wrong link, and its cause
  harness why "dW1[3,2]"                       where an allowance comes from
  harness template 4-3-2-1 -o dump.npz         a file to fill with gradients from elsewhere
  harness report run.jsonl -o report.html      a recorded run as one page
  harness power                                which planted faults would this comparison miss?
  harness power --of tests/test_mine.py::test_gradient --target mypackage.module:backward
  harness implementations                      what is installed
  harness conventions                          what is chosen at kinks, at ties and by default
  harness calibrate                            elementary functions against the constants table
  harness doctor                               versions, threads, precision settings
"""


@click.group(cls=Commands, help=f"{EXAMPLES}\nDo hand-written and automatic gradients agree up to rounding?")
@click.version_option(version("backprop-harness"), prog_name="backprop-harness")
def harness() -> None:
    """Group of all commands; its help is given above."""
