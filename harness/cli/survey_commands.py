"""Commands about what is installed, and what it does."""

from __future__ import annotations

import sys
from typing import Any

import click

from harness.cli.group import device_option, dtype_option


@click.command("implementations", short_help="what is installed, versions, dtypes, conformance")
@click.option("--json", "as_json", is_flag=True)
def implementations_command(as_json: bool) -> None:
    """List every implementation with its version, and try each on a tiny network."""
    from harness.cli.surveys import print_implementations

    sys.exit(print_implementations(as_json))


@click.command("calibrate", short_help="elementary functions of what is installed against the constants table")
@click.option("--against", help="implementations, comma-separated [default: all installed]")
@click.option("--function", help="elementary functions, comma-separated [default: all]")
@click.option("--dtype", help="float32, float64 [default: both]")
@device_option
@click.option("--exhaustive", is_flag=True, help="every float32 number instead of a sample; minutes per function")
@click.option("--seed", type=int, default=0, show_default=True, help="of the sample")
@click.option("--json", "as_json", is_flag=True)
def calibrate_command(**options: Any) -> None:
    """Measure how far exp, tanh, ... of the installed libraries are from the truth on this machine."""
    from harness.cli.surveys import calibrate_and_print

    sys.exit(calibrate_and_print(**options))


@click.command("conventions", short_help="what implementations choose at kinks, at ties and by default")
@click.option("--against", help="implementations besides hand, comma-separated [default: all installed]")
@dtype_option("float64")
@click.option("--format", "style", type=click.Choice(["table", "markdown", "json"]))
@click.option("--json", "as_json", is_flag=True, help="the same as --format json")
def conventions_command(**options: Any) -> None:
    """Measure derivatives at kinks, ties and singular points, and defaults, of what is installed."""
    from harness.cli.surveys import conventions_and_print

    sys.exit(conventions_and_print(**options))


@click.command("doctor", short_help="versions, devices, BLAS, threads, float64 mode, matmul precision")
@device_option
@click.option("--json", "as_json", is_flag=True)
def doctor_command(as_json: bool, device: str) -> None:
    """Print what may change numbers on this machine: devices that are there, settings, and how sums are added up."""
    from harness.cli.surveys import print_doctor

    sys.exit(print_doctor(as_json, device))
