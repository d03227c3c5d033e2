"""``python -m reports.soundness``."""

from reports.soundness.command import main

main()
