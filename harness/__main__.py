"""``python -m harness`` is the command ``harness``, in a process that is its own from beginning to end."""

from harness.cli import main
from harness.memory import pass_over_imported


def command() -> None:
    """Run the command line."""
    pass_over_imported()
    main()


if __name__ == "__main__":
    command()
