"""The commands of ``harness``, in the order of its help."""

from __future__ import annotations

from harness.cli import (
    check_commands,
    derivative_commands,
    program_commands,
    run_commands,
    survey_commands,
    tolerance_commands,
)
from harness.cli.group import harness

__all__ = ["harness"]

for _command in (
    run_commands.run_command,
    run_commands.sweep_command,
    check_commands.check_command,
    program_commands.program_command,
    program_commands.compare_programs_command,
    tolerance_commands.tolerance_command,
    derivative_commands.explain_command,
    derivative_commands.why_command,
    check_commands.template_command,
    run_commands.power_command,
    survey_commands.implementations_command,
    survey_commands.calibrate_command,
    survey_commands.conventions_command,
    survey_commands.doctor_command,
):
    harness.add_command(_command)
