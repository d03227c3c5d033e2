"""Diagnosis: which mistake of the catalogue reproduces the numbers of a wrong link, and what is known if none does."""
