"""Diagnosis: which mistake of the catalogue reproduces the numbers of a wrong link, and what is known if none does."""

from harness.diagnosis.diagnosis import Diagnosis, Entry
from harness.diagnosis.search import diagnose
from harness.faults.cause import Cause

__all__ = ["Cause", "Diagnosis", "Entry", "diagnose"]
