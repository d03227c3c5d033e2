"""Chains in 16 bits, with a loss in float32 too: right ones pass, a wrong one is found, other mixtures are refused."""

from __future__ import annotations

import pytest

import harness

SHAPES = {"x": (33, 17), "w": (17, 5)}


def inputs(dtype):
    torch = pytest.importorskip("torch")
    generator = torch.manual_seed(0)
    return {n: (torch.randn(*s, generator=generator) / 4).to(getattr(torch, dtype)) for n, s in SHAPES.items()}


def forward(p):
    import torch

    z = p["x"] @ p["w"]
    h = torch.tanh(z)
    s = h * h
    loss = s.float().mean()
    return {"z": z, "h": h, "s": s, "loss": loss}


def right(p, t):
    ds = 1 / t["s"].numel() + 0 * t["s"]
    dh = 2 * t["h"] * ds
    dz = dh * (1 - t["h"] * t["h"])
    return {"ds": ds, "dh": dh, "dz": dz, "dw": p["x"].T @ dz, "dx": dz @ p["w"].T}


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_right_chain_in_16_bits_passes_with_power(dtype):
    found = harness.check_chain(forward, right, inputs=inputs(dtype))
    assert (found.verdict, found.dtype) == ("PASS", dtype), str(found)
    assert max(row.sees for row in found.rows) < 1


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_wrong_one_is_located_and_named(dtype):
    def wrong(p, t):
        made = right(p, t)
        dz = made["dh"] * (1 - t["h"])
        return made | {"dz": dz, "dw": p["x"].T @ dz, "dx": dz @ p["w"].T}

    found = harness.check_chain(forward, wrong, inputs=inputs(dtype))
    assert (found.verdict, found.wrong) == ("FAIL", ["dz"])
    assert "1 − h is written for 1 − h²" in str(found)


def test_a_gradient_has_the_dtype_of_its_tensor():
    found = harness.check_chain(
        forward, lambda p, t: {n: g.float() for n, g in right(p, t).items()}, inputs=inputs("bfloat16")
    )
    assert any("ds has dtype float32 instead of bfloat16" in finding.message for finding in found.findings)


def test_what_underflows_to_subnormals_in_float16_is_right():
    def small(p):
        made = forward(p)
        return made | {"loss": made["loss"] / 2**9}

    def backward(p, t):
        ds = (1 / t["s"].numel() / 2**9) + 0 * t["s"]
        dh = 2 * t["h"] * ds
        dz = dh * (1 - t["h"] * t["h"])
        return {"ds": ds, "dh": dh, "dz": dz, "dw": p["x"].T @ dz, "dx": dz @ p["w"].T}

    assert harness.check_chain(small, backward, inputs=inputs("float16")).wrong == []


@pytest.mark.parametrize(
    ("dtypes", "told"),
    [(("float64", "bfloat16"), "in one of 16 bits and float32"), (("float64", "float32"), "compute all of it in one")],
)
def test_other_mixtures_are_refused(dtypes, told):
    given = inputs(dtypes[0]) | {"w": inputs(dtypes[1])["w"]}

    def mixed(p):
        z = p["x"] @ p["w"].to(p["x"].dtype)
        return {"z": z, "loss": z.sum()}

    with pytest.raises(harness.UsageError, match=told):
        harness.check_chain(mixed, lambda p, t: {"dz": 0 * t["z"] + 1}, inputs=given)
