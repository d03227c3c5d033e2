"""A chain: somebody's forward pass with names, run in the framework that it is written in, and gradients by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from harness.candidates.arrays import numbers_of
from harness.candidates.guarded import Failure, guarded
from harness.candidates.printing import Printed
from harness.candidates.vocabulary import called_loss
from harness.formats import DTYPES, FORMATS, WIDE
from harness.inputs.frameworks import kind_of, loaded_hosts, named_in
from harness.inputs.plain import unmasked
from harness.usage import UsageError, did_you_mean
from impls.abilities import Hosts
from impls.chains import Chain, Chains
from impls.contract import Array, CannotCompareError
from impls.graph import LOSS


class ForwardPass:
    """Somebody's forward pass as it ran, or tensors of one.

    Attributes:
        host: the framework that it is written in.
        chain: what it computed.
        dtype: of every named tensor; the narrower one, where some are kept in float32.
        again: the same with some inputs others, None where tensors were given.
        loss: the name of the loss, which may be one of those that people give it.
    """

    def __init__(
        self, forward: Callable[[Any], Any] | None, inputs: Mapping[str, Any], tensors: Mapping[str, Any] | None,
        loss: str, timeout: float | None = None, *, arrays: str | None = None, beside: Any = None,
    ) -> None:  # fmt: skip
        """See `harness.checking.chain.check_chain`; `beside` names frameworks too, where forward names none."""
        self.loss, self._timeout, self._arrays = loss, timeout, arrays
        for name, leaf in _leaves(inputs):
            unmasked(name, leaf)
        given = [leaf for _, leaf in _leaves(inputs if forward else {loss: (tensors or {}).get(loss)})]
        self.host, self.chain = self._first(forward or (lambda _: dict(tensors or {})), inputs, given, beside)
        self.again = self.chain.again if forward else None
        self.dtype = self._dtype()

    def backward(self, function: Callable[[Any, Any], Any]) -> tuple[Any, Failure | None]:
        """What ``function(inputs, tensors)`` returns, or how it failed; both are copies without a graph."""

        def call() -> Any:
            with self.chain.running():
                return function(dict(self.chain.inputs), dict(self.chain.returned))

        return _told("backward", call, self._timeout)

    def read(self, call: Callable[[], Any]) -> tuple[Any, Failure | None]:
        """What is made of what backward returned, mappings and arrays of somebody's own too, in the same time."""
        return guarded(call, self._timeout, Printed(), reading=True)

    def array(self, value: Any) -> Array | None:
        """A gradient of any framework as a NumPy array; Python's own numbers have the dtype of the chain."""
        try:
            array = numbers_of(self.host.take(value) if self.host.owns(value) else value)
        except Exception:  # an array without numbers, or one that is not stored as NumPy's are
            return None
        return array if array is None or hasattr(value, "dtype") else array.astype(self.dtype)

    def _first(
        self, forward: Callable[[Any], Any], inputs: Mapping[str, Any], given: list[Any], beside: Any
    ) -> tuple[Hosts, Chain]:
        """The first framework in which it runs; what the likeliest one raised is told, if none."""
        likeliest: UsageError | None = None
        tried = set[str]()
        # A function that imports its framework when it is called has loaded it after a round, for another one.
        while fresh := [host for host in self._hosts(forward, given, beside) if host.package not in tried]:
            for host in fresh:
                tried.add(host.package)
                try:
                    return host, self._run(host, forward, inputs)
                except UsageError as error:
                    likeliest = likeliest or error
        if self._arrays is not None and not likeliest:
            raise UsageError(
                f"Cannot check a chain with arrays={self._arrays!r}, because that is no framework with gradients that "
                f"is imported; import torch or jax where forward is, and give its name."
            )
        raise likeliest or UsageError(
            "Cannot check a chain, because neither torch nor jax is imported; write the forward pass in one of them."
        )

    def _hosts(self, forward: Callable[[Any], Any], given: list[Any], beside: Any) -> list[Any]:
        """Frameworks in the dtype of what is given: its own first, then those that forward names, then `beside`."""
        wide = any(str(getattr(leaf, "dtype", "")).endswith("float64") for leaf in given)
        loaded = loaded_hosts("float64" if wide else "float32").values()
        mentioned, too = named_in(forward), named_in(beside) if callable(beside) else ()
        able = [host for host in loaded if isinstance(host, Hosts) and isinstance(host, Chains)]
        return sorted(
            (host for host in able if self._arrays in (None, host.package)),
            key=lambda host: (
                not any(map(host.owns, given)), host.package not in mentioned, host.package not in too,
            ),
        )  # fmt: skip

    def _run(self, host: Any, forward: Callable[[Any], Any], inputs: Mapping[str, Any]) -> Chain:
        def checked(given: Any) -> Mapping[str, Any]:
            returned = forward(given)
            if not isinstance(returned, Mapping):
                raise UsageError(
                    f"Cannot use what forward returns, because it is {kind_of(returned)}; give a dictionary of named "
                    f"tensors: return locals()."
                )
            named = {str(name): value for name, value in returned.items()}
            if self.loss not in named:
                self.loss = loss_among(named, self.loss)
                raise _OtherwiseCalledError
            return named

        def call() -> Chain:
            try:
                return host.chain(checked, inputs, self.loss)
            except _OtherwiseCalledError:
                return host.chain(checked, inputs, self.loss)

        chain, failure = _told("forward", call, self._timeout)
        if failure and isinstance(failure.error, CannotCompareError):
            raise UsageError(f"Cannot check the chain, because {failure.error}.") from failure.error
        if failure:
            what = f"it {'raises ' if failure.error else ''}{failure.message}"
            raise UsageError(f"Cannot run forward, because {what}; correct it first.") from failure.error
        return chain

    def _dtype(self) -> str:
        shape = self.chain.tensors[self.loss].shape
        if self.chain.tensors[self.loss].size != 1:
            raise UsageError(
                f"Cannot use {self.loss!r} of shape {shape} as the loss, because gradients are of one number; sum it, "
                f"or average it."
            )
        dtypes = {str(array.dtype): name for name, array in self.chain.tensors.items()}
        mixed = len(dtypes) == 2 and "float32" in dtypes and not set(dtypes) <= set(WIDE)
        if (len(dtypes) > 1 and not mixed) or not set(dtypes) <= set(DTYPES):
            which = ", ".join(f"{name} is {dtype}" for dtype, name in dtypes.items())
            raise UsageError(
                f"Cannot check the chain, because {which}; compute all of it in one of {', '.join(DTYPES)}, or in one "
                f"of 16 bits and float32."
            )
        return min(dtypes, key=lambda dtype: FORMATS[dtype].digits)


def _told(name: str, call: Callable[[], Any], timeout: float | None) -> tuple[Any, Failure | None]:
    printed = Printed()
    answer = guarded(call, timeout, printed)
    printed.tell(name)
    return answer


class _OtherwiseCalledError(Exception):
    """The loss has another name, which is known now."""


def loss_among(named: Mapping[str, Any], loss: str) -> str:
    """The one of these that people call a loss, where none has the usual name.

    Raises:
        UsageError: there is none, or several; or another name was asked for.
    """
    called = [name for name, value in named.items() if called_loss(name) and math.prod(_shape(value)) == 1]
    if loss == LOSS and len(called) == 1:
        return called[0]
    raise UsageError(
        f"Cannot find the loss {loss!r} among {', '.join(named)}{did_you_mean(loss, named)}; call it {LOSS}, or give "
        f"its name: loss={(called or ['...'])[0]!r} of harness.check_chain, or in the dictionary that TARGET returns."
    )


def _shape(value: Any) -> tuple[int, ...]:
    """Of a number that is no array, one that no loss has."""
    return tuple(getattr(value, "shape", (0,)))


def _leaves(value: Any, name: str = "inputs") -> Iterator[tuple[str, Any]]:
    """What is in dictionaries and lists, each by the name of what it is in."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _leaves(each, str(key))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _leaves(each, name)
    else:
        yield name, value
