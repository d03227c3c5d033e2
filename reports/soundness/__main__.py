"""``python -m reports.soundness``."""

from reports.soundness.campaign import main

main()
