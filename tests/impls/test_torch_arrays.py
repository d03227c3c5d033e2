"""Arrays of what a pass in torch computed: in torch's memory where they are alone, so that one may be written to."""

import numpy as np
import pytest

from impls import registry
from impls.hand import Dense, Flatten, GraphBuilder, Identity, MeanSquaredError


def test_what_lies_alone_is_shared_and_what_does_not_is_copied():
    import torch

    from impls.torch_autograd.arrays import arrays_of

    given = torch.arange(6.0)
    alone, twice = torch.arange(6.0), torch.arange(6.0)
    seen, part, turned = twice.view(2, 3), torch.arange(8.0)[:6], torch.arange(6.0).view(2, 3).T
    found = arrays_of(
        {"alone": alone, "twice": twice, "seen": seen, "part": part, "turned": turned, "given": given}, [given]
    )
    assert np.shares_memory(found["alone"], alone.numpy())
    for name, tensor in {"twice": twice, "seen": seen, "part": part, "turned": turned}.items():
        assert not np.shares_memory(found[name], tensor.numpy()), name
        np.testing.assert_array_equal(found[name], tensor.numpy())
    assert np.shares_memory(found["given"], given.numpy())  # the same tensor, named twice


@pytest.mark.parametrize("tap", [True, False])
def test_writing_to_one_result_changes_no_other_and_nothing_that_was_given(tap):
    net = GraphBuilder()
    same = net("same", Identity(), net.input("x", (2, 3), gradient=True))  # torch gives the very tensor
    network = net.loss(MeanSquaredError(), net("fc", Dense(6, 2), net("flat", Flatten(), same)))
    x, y = np.ones((4, 2, 3), "float32"), np.zeros((4, 2), "float32")
    weights = network.init(0, "float32")
    before = {name: array.copy() for name, array in (*weights.items(), ("x", x), ("y", y))}
    result = registry.load("torch")(network, "float32").differentiate(weights, x, y, tap=tap)
    arrays = {**result.gradients, **result.activations}
    for name, array in arrays.items():
        others = {other: each.copy() for other, each in arrays.items() if other != name}
        array[...] = np.nan
        for other, each in others.items():
            np.testing.assert_array_equal(arrays[other], each)
        array[...] = 0.0
    for name, array in (*weights.items(), ("x", x), ("y", y)):
        np.testing.assert_array_equal(array, before[name])
    assert len(arrays) > 2
