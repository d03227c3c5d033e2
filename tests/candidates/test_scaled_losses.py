"""Mixed precision as people train: a scaled loss and micro-batches, right and wrong, by the update that they make."""

from __future__ import annotations

import pytest

import harness
from harness.usage import UsageError

RATE, SCALE, OVERFLOWING = 0.1, 1024.0, 2.0**127


def step_with(slip):
    torch = pytest.importorskip("torch")

    def loss_of(p, x, y):
        for depth in (1, 2, 3):
            x = torch.sigmoid(x @ p[f"W{depth}"] + p[f"b{depth}"])
        return ((x - y) ** 2).sum()

    def step(weights, x, y):
        p = {name: w.clone().requires_grad_() for name, w in weights.items()}
        scale = OVERFLOWING if slip in ("skipped", "not skipped") else SCALE
        optimizer, scaler = torch.optim.SGD(p.values(), lr=RATE), torch.amp.GradScaler("cpu", init_scale=scale)
        half = len(x) // 2 if slip in ("micro-batches", "halved") else len(x)
        for part in (slice(0, half), slice(half, len(x))):
            if part.start < part.stop:
                scaler.scale(loss_of(p, x[part], y[part]) * (0.5 if slip == "halved" else 1.0)).backward()
        if slip == "unscaled twice":
            scaler.unscale_(optimizer)
            for w in p.values():
                w.grad /= SCALE
        if slip == "not skipped":
            for w in p.values():
                w.grad /= scale
        without = slip in ("unscaling forgotten", "unscaled twice", "not skipped")
        optimizer.step() if without else scaler.step(optimizer)
        return {name: w.detach() for name, w in p.items()}

    return harness.gradients_from_update(step, lr=RATE)


@pytest.mark.parametrize("how", [None, "micro-batches"])
def test_a_right_step_is_right(how):
    found = harness.check(step_with(how), dtype="float32", arrays="torch")
    assert found.verdict == "PASS", str(found)


@pytest.mark.parametrize(
    ("slip", "factor"), [("unscaling forgotten", SCALE), ("unscaled twice", 1 / SCALE), ("halved", 0.5)]
)
def test_a_wrong_factor_is_located_and_named(slip, factor):
    found = harness.check(step_with(slip), dtype="float32", arrays="torch")
    assert found.verdict == "FAIL"
    assert f"{found.factor:.2g}" == f"{factor:.2g}"
    assert "every gradient is" in str(found)


def test_a_step_that_overflows_is_skipped_and_wrong_where_it_is_not():
    with pytest.raises(
        UsageError, match=r"leaves every weight as it was; .*a loss scale that overflows skips the step"
    ):
        harness.check(step_with("skipped"), dtype="float32", arrays="torch")
    found = harness.check(step_with("not skipped"), dtype="float32", arrays="torch")
    assert found.verdict == "FAIL"
    assert "nan where" in str(found) or "inf where" in str(found), str(found)


@pytest.mark.parametrize("unscaled", [True, False])
def test_a_loss_that_jax_scales_is_right_once_it_is_unscaled(unscaled):
    jax = pytest.importorskip("jax")
    import jax.numpy as jnp

    def step(weights, x, y):
        def scaled(weights):
            h = x
            for depth in (1, 2, 3):
                h = jax.nn.sigmoid(h @ weights[f"W{depth}"] + weights[f"b{depth}"])
            return SCALE * ((h - y) ** 2).sum()

        gradients = jax.tree.map(lambda g: g / SCALE if unscaled else g, jax.grad(scaled)(weights))
        finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(g)) for g in gradients.values()]))
        return {name: jnp.where(finite, w - RATE * gradients[name], w) for name, w in weights.items()}

    found = harness.check(harness.gradients_from_update(step, lr=RATE), dtype="float32", arrays="jax")
    assert found.verdict == ("PASS" if unscaled else "FAIL"), str(found)
    assert unscaled or f"{found.factor:.4g}" == "1024"


def test_weights_rounded_before_their_update_are_wrong():
    torch = pytest.importorskip("torch")
    from impls.hand.optimizers import GradientDescent

    def right(weights, gradients, state):
        return {name: weights[name] - RATE * gradients[name] for name in weights}, state

    def rounded(weights, gradients, state):
        kept = {name: torch.from_numpy(w).bfloat16().float().numpy() for name, w in weights.items()}
        return right({name: w.astype(weights[name].dtype) for name, w in kept.items()}, gradients, state)

    assert harness.check_optimizer(right, GradientDescent(RATE), dtype="float32").verdict == "PASS"
    assert harness.check_optimizer(rounded, GradientDescent(RATE), dtype="float32").verdict == "FAIL"


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2", "tf32"])
def test_formats_of_operands_are_no_dtypes_and_what_to_do_is_told(dtype):
    with pytest.raises(UsageError, match=r"because nobody computes in it, .*harness\.allowance_of"):
        harness.check(lambda _w, _x, _y: {}, dtype=dtype)
