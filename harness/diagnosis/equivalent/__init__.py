"""Other right forms of the links: the same function, written as textbooks do, with the rounding that this costs."""

from harness.diagnosis.equivalent.catalogue import forms_at

__all__ = ["forms_at"]
