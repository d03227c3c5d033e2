"""Gradients: from what somebody's backward returns to the gradient of each tensor, by name.

A tuple in the order of the arguments, or of those that have a gradient; a dictionary by their names (``x`` or ``dx``);
or the only one. What belongs to a dictionary or a list of tensors lies in such a one. None stands for no gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.evaluation.references.expected import gradient_of
from harness.inputs.frameworks import kind_of
from harness.inputs.signature import Signature
from harness.inputs.trees import Leaf, matched


class UnreadableError(Exception):
    """What was returned cannot be read as gradients; as text, why, in words that follow ``backward``."""


def gradients_of(returned: Any, signature: Signature) -> tuple[dict[str, Any], list[str]]:
    """What was returned for each tensor, by the name of its gradient; and names in it that mean nothing here.

    Raises:
        UnreadableError: it is no gradients of these arguments.
    """
    every, having = list(signature.arguments), signature.differentiated
    unknown: list[str] = []
    if isinstance(returned, Mapping) and not _is_the_only(returned, signature):
        meant = {**{gradient_of(name): name for name in every}, **{name: name for name in every}}
        unknown = [str(key) for key in returned if str(key) not in meant]
        by_name = {meant[str(key)]: value for key, value in returned.items() if str(key) in meant}
    elif len(having) == 1 and not (isinstance(returned, list | tuple) and len(returned) in (1, len(every))):
        by_name = {having[0]: returned}
    elif not isinstance(returned, list | tuple):
        raise UnreadableError(f"returns {kind_of(returned)} for {len(every)} inputs instead of a tuple or a dictionary")
    elif len(returned) == len(every):
        by_name = dict(zip(every, returned, strict=True))
    elif len(returned) == len(having):
        by_name = dict(zip(having, returned, strict=True))
    else:
        raise UnreadableError(
            f"returns {len(returned)} gradients for {len(every)} inputs; in their order ({', '.join(every)}), None for "
            f"an input without one"
        )
    found: dict[str, Any] = {}
    for name, value in by_name.items():
        template = signature.arguments[name]
        pairs = [(template.name, value)] if isinstance(template, Leaf) else matched(template, value)
        found |= {gradient_of(leaf): gradient for leaf, gradient in pairs if leaf in signature.tensors}
    return found, unknown


def _is_the_only(returned: Mapping[str, Any], signature: Signature) -> bool:
    """Whether a dictionary is the gradient of the only argument, which is a dictionary itself."""
    trees = [signature.arguments[name] for name in signature.differentiated]
    return len(trees) == 1 and isinstance(trees[0], Mapping) and set(returned) <= set(trees[0])
