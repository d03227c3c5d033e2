"""What is demanded of a program: kept by right ones, and what does not keep it is named with its line."""

from __future__ import annotations

import numpy as np
import pytest

import harness
from harness.programs.demands import DEMANDS
from harness.usage import UsageError
from tests.helpers.command import typed


def model(inner=()):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 8), *inner, torch.nn.Tanh(), torch.nn.Linear(8, 2))


def data():
    import torch

    return torch.randn(9, 6, generator=torch.manual_seed(1))


def demanded(program, *demands, loss=lambda y: y.square().mean(), x=None):
    return harness.check_program(program, data() if x is None else x, loss=loss, demand=demands)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_right_program_keeps_what_it_can(reduction):
    found = demanded(model(), "equal bits", "micro-batches", "layouts", loss=lambda y: getattr(y.square(), reduction)())
    assert found.verdict == "PASS", str(found)
    assert [each.kept for each in found.demands] == [True, True, True]
    assert found.to_dict()["demands"][1] == {"demand": "micro-batches", "kept": True, "told": ""}
    assert "demanded, equal bits: kept" in str(found)


def test_a_program_that_draws_elsewhere_is_named_where_it_does():
    torch = pytest.importorskip("torch")
    source = np.random.default_rng()

    class Noise(torch.autograd.Function):
        @staticmethod
        def forward(_ctx, z):
            return z + 0

        @staticmethod
        def backward(_ctx, dz):
            return dz * (1 + 1e-5 * float(source.uniform(1, 2)))

    class Drawing(torch.nn.Module):
        def forward(self, z):
            return Noise.apply(z)

    found = demanded(model([Drawing()]), "equal bits")
    assert found.demands[0].kept is False
    assert "1, Noise" in found.demands[0].told
    assert "sends back other bits" in found.demands[0].told
    assert found.exit == 1


def test_rows_that_depend_on_each_other_are_told():
    torch = pytest.importorskip("torch")
    found = demanded(model([torch.nn.BatchNorm1d(8)]), "micro-batches", "batch invariance")
    by_halves, alone = found.demands
    assert by_halves.kept is False
    assert "rows depend on each other" in by_halves.told
    assert alone.kept is None
    assert "not tried" in str(alone)
    assert found.reason.startswith("micro-batches: its loss of 9 rows")


@pytest.mark.parametrize(
    "changed",
    [lambda dz: dz / len(dz), lambda dz: dz * (1 + 1e-9 * (len(dz) > 5))],
    ids=["averaged", "by 1e-9"],
)
def test_a_gradient_that_is_averaged_once_too_often_does_not_add_up(changed):
    torch = pytest.importorskip("torch")

    class Averaged(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            return z + 0

        @staticmethod
        def backward(_ctx, dz):
            return changed(dz)

    class Once(torch.nn.Module):
        def forward(self, z):
            return Averaged.apply(z)

    found = demanded(model([Once()]), "micro-batches")
    assert found.demands[0].kept is False
    assert "the gradient of 0." in found.demands[0].told


def test_gradients_that_are_0_but_for_rounding_add_up():
    torch = pytest.importorskip("torch")
    program = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Softmax(-1))
    found = demanded(program, "micro-batches", loss=lambda y: y.sum())
    assert found.demands[0].kept is True, str(found)


def test_where_float32_is_not_finite_nothing_is_told():
    found = demanded(model(), "micro-batches", loss=lambda y: (1e30 * y).square().mean() * 1e10)
    assert found.demands[0].kept is None
    assert "nothing bounds what rounding does to its loss" in found.demands[0].told


def test_what_depends_on_the_size_of_the_batch_is_told_at_its_operation():
    torch = pytest.importorskip("torch")

    class Sized(torch.nn.Module):
        def forward(self, z):
            return z * (1 + 2.0**-20 * (z.shape[0] > 1))

    found = demanded(model([Sized()]), "batch invariance")
    assert found.demands[0].kept is False
    assert "gives row 1 other bits by itself than among 9 rows" in found.demands[0].told


def test_what_reads_memory_as_if_it_were_contiguous_is_told():
    torch = pytest.importorskip("torch")

    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            return x * w

        @staticmethod
        def backward(ctx, dz):
            x, w = ctx.saved_tensors
            flat = torch.as_strided(x, (x.numel(),), (1,))[: x.numel()].reshape(x.shape)
            return dz * w, (dz * flat).sum(0)

    class Weighted(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.ones(6))

        def forward(self, x):
            return Own.apply(x, self.w)

    found = demanded(Weighted(), "layouts")
    assert found.demands[0].kept is False
    assert "where arguments are not contiguous (transposed)" in found.demands[0].told


def test_jax_programs_are_asked_too():
    jax = pytest.importorskip("jax")
    x = jax.numpy.asarray(np.random.default_rng(0).normal(size=(7, 3)), "float32")
    weights = {"w": jax.numpy.ones((3, 2)) / 3}

    def program(weights, x):
        return (jax.numpy.tanh(x @ weights["w"]) ** 2).mean()

    found = harness.check_program(program, weights, x, demand=["equal bits", "micro-batches", "layouts"])
    assert [each.kept for each in found.demands] == [True, True, None], str(found)
    assert found.verdict == "PASS"


@pytest.mark.parametrize("demand", ["equal bits", ["equal bitz"], 3, [3]])
def test_other_demands_are_refused(demand):
    with pytest.raises(UsageError, match=r"equal bits"):
        harness.check_program(model(), data(), loss=lambda y: y.sum(), demand=demand)


def test_the_command_takes_them(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "p.py").write_text(
        "import torch\ndef build():\n    m = torch.nn.Linear(3, 1)\n"
        "    return {'program': m, 'arguments': [torch.ones(4, 3)], 'loss': lambda y: y.square().mean()}\n"
    )
    done = typed("program", "p.py:build", *(word for name in DEMANDS for word in ("--demand", name)), cwd=tmp_path)
    assert "demanded, micro-batches: kept" in done.stdout, done.stdout + done.stderr
    refused = typed("program", "p.py:build", "--demand", "bits", cwd=tmp_path)
    assert refused.returncode == 2
    assert "choose from equal bits, batch invariance, micro-batches, layouts" in refused.stderr
