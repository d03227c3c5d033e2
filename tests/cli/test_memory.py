"""A command's process does not look through what it has imported again and again."""

import subprocess
import sys

HELD = """
import gc
from harness.memory import pass_over_imported
pass_over_imported()
import email.message, wave  # noqa
gc.collect()
imported, held = gc.get_freeze_count(), []
held.append(held)  # a cycle, made after the imports
number = id(held)
del held
found = gc.collect()
print(imported > 1000, gc.get_freeze_count() == imported, found > 0)
"""


def test_what_was_imported_is_passed_over_and_cycles_made_later_are_collected():
    done = subprocess.run([sys.executable, "-c", HELD], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "True", "True"]
