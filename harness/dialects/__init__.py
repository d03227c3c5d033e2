"""Dialects: manners of writing one backward pass that are right and not the network's own."""

from harness.dialects.dialect import Dialect
from harness.dialects.factors import factors_of
from harness.dialects.losses import ambiguous
from harness.dialects.recognition import Recognised, recognised, unshown

__all__ = ["Dialect", "Recognised", "ambiguous", "factors_of", "recognised", "unshown"]
