"""Number types on which the hand code runs unchanged, and the classes of programs they describe."""

from harness.arithmetic import rules
from harness.arithmetic.bounded import Bounded, Context
from harness.arithmetic.profile import Profile, profile_of

__all__ = ["Bounded", "Context", "Profile", "profile_of", "rules"]
