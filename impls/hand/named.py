"""Networks by name, each with options: ``gpt`` or ``gpt:layers=2,heads=2,width=32``.

A name stands for a function in a file of `impls.hand.networks`; its parameters are the options, each with a usual
value, and what it gives is the network. What an option is made of, its annotation says: a whole number, a number, a
choice of two, or text.

What the data says (how many tokens a text has) is `offered`: it serves where the function takes an option of that name
and the text does not give it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from inspect import Parameter, signature
from typing import Any

from impls.graph import Graph
from impls.hand import networks

NETWORKS: Mapping[str, Callable[..., Graph]] = {
    "gpt": networks.gpt, "llama-tiny": networks.llama_tiny,
    "lenet": networks.lenet, "resnet-tiny": networks.resnet_tiny,
    "rnn-char": networks.rnn_char, "lstm-char": networks.lstm_char, "gru-char": networks.gru_char,
}  # fmt: skip
"""Every network that has a name."""


def is_named(text: str) -> bool:
    """Whether a text is a network's name, or looks like one: letters first, with options behind a colon."""
    return bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*(:.*)?", text, flags=re.DOTALL))


def named(text: str, **offered: Any) -> Graph:
    """The network of that name, with the options that the text gives.

    Args:
        text: a name, and behind a colon options with commas between them.
        offered: options that the data gives, for the network to take or leave.

    Raises:
        ValueError: there is no network of that name, it has no such option, or a value cannot be used.
    """
    name, colon, rest = text.partition(":")
    if name not in NETWORKS:
        near = get_close_matches(name.replace("_", "-"), NETWORKS, n=1)
        meant = f" (did you mean {usage(near[0])}?)" if near else ""
        raise ValueError(
            f"Cannot build the network {name[:80]!r}, because there is none of that name{meant}; choose one of "
            f"{', '.join(map(usage, NETWORKS))}, or write its layer sizes, for example 4-3-2-1."
        )
    takes = signature(NETWORKS[name], eval_str=True).parameters
    given: dict[str, Any] = {option: value for option, value in offered.items() if option in takes}
    said: set[str] = set()
    for each in rest.split(",") if colon else ():
        option, equals, value = (part.strip() for part in each.partition("="))
        if option not in takes or not equals or option in said:
            why = f"{option} stands there twice" if option in said else f"{each[:80]!r} is no option of it"
            raise ValueError(
                f"Cannot build the network {text[:80]!r}, because {why}; write {usage(name)}, each option once or not "
                f"at all."
            )
        said.add(option)
        given[option] = _value(text, takes[option], value)
    return NETWORKS[name](**given)


def usage(name: str) -> str:
    """A network's name with its options and their usual values: ``gpt:layers=2,heads=2``."""
    options = [f"{option}={_written(p.default)}" for option, p in signature(NETWORKS[name]).parameters.items()]
    return f"{name}:{','.join(options)}" if options else name


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(text: str, parameter: Parameter, value: str) -> Any:
    """The value of an option, of the kind that its annotation says."""
    kind = parameter.annotation
    try:
        if kind is bool:
            return {"true": True, "false": False}[value.lower()]
        if kind is int and not re.fullmatch(r"[1-9][0-9]{0,5}", value, flags=re.ASCII):
            raise ValueError
        return kind(value)
    except (KeyError, ValueError):
        told = {int: "a whole number from 1 to 999999", float: "a number", bool: "true or false"}[kind]
        raise ValueError(
            f"Cannot build the network {text[:80]!r}, because {parameter.name}={value[:40]!r} is not {told}; write for "
            f"example {parameter.name}={_written(parameter.default)}."
        ) from None
