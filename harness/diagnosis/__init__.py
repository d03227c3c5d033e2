"""Diagnosis: which mistake of the catalogue reproduces the numbers of a wrong link, and what is known if none does."""

from harness.diagnosis.diagnosing import diagnose
from harness.diagnosis.diagnosis import Cause, Diagnosis, Entry

__all__ = ["Cause", "Diagnosis", "Entry", "diagnose"]
