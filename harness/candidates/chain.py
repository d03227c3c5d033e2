"""A chain: somebody's forward pass with names, run in the framework that it is written in, and gradients by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from harness.candidates.arrays import numbers_of
from harness.candidates.guarded import Failure, guarded
from harness.candidates.printing import Printed
from harness.formats import DTYPES
from harness.inputs.frameworks import kind_of, loaded_hosts, named_in
from harness.usage import UsageError, did_you_mean
from impls.abilities import Chain, Chains, Hosts
from impls.contract import Array, CannotCompareError


class ForwardPass:
    """Somebody's forward pass as it ran, or tensors of one.

    Attributes:
        host: the framework that it is written in.
        chain: what it computed.
        dtype: of every named tensor.
        again: the same with some inputs others, None where tensors were given.
    """

    def __init__(
        self, forward: Callable[[Any], Any] | None, inputs: Mapping[str, Any], tensors: Mapping[str, Any] | None,
        loss: str, timeout: float | None = None,
    ) -> None:  # fmt: skip
        self._loss, self._timeout = loss, timeout
        given = list(_leaves(inputs) if forward else _leaves([(tensors or {}).get(loss)]))
        self.host, self.chain = self._first(forward or (lambda _: dict(tensors or {})), inputs, given)
        self.again = self.chain.again if forward else None
        self.dtype = self._dtype()

    def backward(self, function: Callable[[Any, Any], Any]) -> tuple[Any, Failure | None]:
        """What ``function(inputs, tensors)`` returns, or how it failed; both are copies without a graph."""

        def call() -> Any:
            with self.host.running():
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

    def _first(self, forward: Callable[[Any], Any], inputs: Mapping[str, Any], given: list[Any]) -> tuple[Hosts, Chain]:
        """The first framework in which it runs; what the likeliest one raised is told, if none."""
        likeliest: UsageError | None = None
        tried = set[str]()
        # A function that imports its framework when it is called has loaded it after a round, for another one.
        while fresh := [host for host in _hosts(forward, given) if host.package not in tried]:
            for host in fresh:
                tried.add(host.package)
                try:
                    return host, self._run(host, forward, inputs)
                except UsageError as error:
                    likeliest = likeliest or error
        raise likeliest or UsageError(
            "Cannot check a chain, because neither torch nor jax is imported; write the forward pass in one of them."
        )

    def _run(self, host: Any, forward: Callable[[Any], Any], inputs: Mapping[str, Any]) -> Chain:
        def checked(given: Any) -> Mapping[str, Any]:
            returned = forward(given)
            if not isinstance(returned, Mapping):
                raise UsageError(
                    f"Cannot use what forward returns, because it is {kind_of(returned)}; give a dictionary of named "
                    f"tensors: return locals()."
                )
            if self._loss not in returned:
                raise UsageError(
                    f"Cannot find the loss {self._loss!r} among {', '.join(map(str, returned))}"
                    f"{did_you_mean(self._loss, map(str, returned))}; name it: loss=..."
                )
            return {str(name): value for name, value in returned.items()}

        def call() -> Chain:
            with host.running():
                return host.chain(checked, inputs, self._loss)

        chain, failure = _told("forward", call, self._timeout)
        if failure and isinstance(failure.error, CannotCompareError):
            raise UsageError(f"Cannot check the chain, because {failure.error}.") from failure.error
        if failure:
            what = f"it {'raises ' if failure.error else ''}{failure.message}"
            raise UsageError(f"Cannot run forward, because {what}; correct it first.") from failure.error
        return chain

    def _dtype(self) -> str:
        shape = self.chain.tensors[self._loss].shape
        if self.chain.tensors[self._loss].size != 1:
            raise UsageError(
                f"Cannot use {self._loss!r} of shape {shape} as the loss, because gradients are of one number; sum it, "
                f"or average it."
            )
        dtypes = {str(array.dtype): name for name, array in self.chain.tensors.items()}
        if len(dtypes) > 1 or not set(dtypes) <= set(DTYPES):
            which = ", ".join(f"{name} is {dtype}" for dtype, name in dtypes.items())
            raise UsageError(
                f"Cannot check the chain, because {which}; compute all of it in one of {' and '.join(DTYPES)}."
            )
        return next(iter(dtypes))


def _told(name: str, call: Callable[[], Any], timeout: float | None) -> tuple[Any, Failure | None]:
    printed = Printed()
    answer = guarded(call, timeout, printed)
    printed.tell(name)
    return answer


def _hosts(forward: Callable[[Any], Any], given: list[Any]) -> list[Any]:
    """Frameworks in the dtype of what is given: the one that it belongs to first, then the one that forward names."""
    wide = any(str(getattr(leaf, "dtype", "")).endswith("float64") for leaf in given)
    loaded = loaded_hosts("float64" if wide else "float32").values()
    mentioned = named_in(forward)
    return sorted(
        (host for host in loaded if isinstance(host, Hosts) and isinstance(host, Chains)),
        key=lambda host: (not any(map(host.owns, given)), host.package not in mentioned),
    )


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping | list | tuple):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _leaves(each)
    else:
        yield value
