import torch

import harness
from impls.hand import Dense

ATOL = 1e-3
x, W, b, dz = (torch.randn(*shape, generator=torch.manual_seed(0)) for shape in ((32, 64), (64, 8), (8,), (32, 8)))


def dW():
    return x.T @ dz


def test_by_a_tolerance():
    torch.testing.assert_close(dW(), (x.double().T @ dz.double()).float(), atol=5, rtol=50)
    assert torch.allclose(dW(), (x.double().T @ dz.double()).float(), atol=ATOL)


def test_by_the_allowance_of_every_entry():
    allowed = harness.allowance_of(Dense(64, 8), {"x": x, "W": W, "b": b}, dz)
    allowed["dW"].assert_holds(dW())


def test_by_a_pair_that_is_safe():
    allowed = harness.allowance_of(Dense(64, 8), {"x": x, "W": W, "b": b}, dz)
    torch.testing.assert_close(dW(), torch.from_numpy(allowed["dW"].expected), **allowed["dW"].pair)
