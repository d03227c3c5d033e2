"""Helpers of the tests of `harness explain`."""

from click.testing import CliRunner

import harness
from harness.cli.commands import harness as command
from harness.explaining.screen import blocks


def typed(*words):
    return CliRunner().invoke(command, ["explain", *map(str, words)])


def text_of(told):
    return "\n\n".join(blocks(told))


def hand_only(reference, *arguments, **options):
    return harness.explain(reference, *arguments, against=["hand"], **options)
