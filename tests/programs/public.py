"""Models of public libraries, in small, built from code: what each is by name, with its arguments and its loss."""

from __future__ import annotations

from tests.helpers.deferred import Deferred

torch, transformers, diffusers = map(Deferred, ("torch", "transformers", "diffusers"))
jax, jnp, linen, nnx, equinox = map(Deferred, ("jax", "jax.numpy", "flax.linen", "flax.nnx", "equinox"))

SMALL = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 64,
    "max_position_embeddings": 32,
}  # fmt: skip


def _text(name, **options):
    """A model of the next token, or of tokens left out."""
    config, kind = getattr(transformers, f"{name[0]}Config"), getattr(transformers, name[0] + name[1])
    model, i = kind(config(**options)), torch.randint(0, 64, (2, 8))
    return model, (i,), lambda y: torch.nn.functional.cross_entropy(y.logits.flatten(0, 1), i.flatten())


def _gpt2():
    return _text(("GPT2", "LMHeadModel"), n_embd=16, n_layer=2, n_head=2, vocab_size=64, n_positions=32)


def _bert():
    return _text(("Bert", "ForMaskedLM"), **SMALL)


def _llama():
    return _text(("Llama", "ForCausalLM"), num_key_value_heads=1, **SMALL)


def _mixtral():
    options = {"num_key_value_heads": 1, "num_local_experts": 3, "num_experts_per_tok": 2}
    return _text(("Mixtral", "ForCausalLM"), **options, **SMALL)


def _t5():
    config = transformers.T5Config(
        vocab_size=64, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2, decoder_start_token_id=0,
        feed_forward_proj="gated-gelu",
    )  # fmt: skip
    model, i = transformers.T5ForConditionalGeneration(config), torch.randint(0, 64, (2, 8))
    return (lambda i: model(input_ids=i, labels=i).loss), (i,), None


def _of_logits(y):
    return y.logits.square().mean()


def _vit():
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=8, patch_size=4
    )
    return transformers.ViTForImageClassification(config), (torch.randn(2, 3, 8, 8),), _of_logits


def _resnet():
    config = transformers.ResNetConfig(embedding_size=4, hidden_sizes=[4, 8], depths=[2, 1], layer_type="basic")
    return transformers.ResNetForImageClassification(config), (torch.randn(2, 3, 16, 16),), _of_logits


def _unet():
    model = diffusers.UNet2DModel(
        sample_size=8, in_channels=2, out_channels=2, block_out_channels=(8, 16), layers_per_block=1,
        norm_num_groups=4, attention_head_dim=4, down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    return model, (torch.randn(2, 2, 8, 8), torch.tensor([1, 3])), lambda y: y.sample.square().mean()


def _lstm():
    layer = torch.nn.LSTM(4, 5, 2, batch_first=True, bidirectional=True)
    model = torch.nn.Sequential(layer)
    return model, (torch.randn(2, 4, 4),), lambda y: y[0].square().mean()


TORCH = {
    "GPT-2": _gpt2, "BERT": _bert, "LLaMA": _llama, "Mixtral": _mixtral, "T5": _t5, "ViT": _vit, "ResNet": _resnet,
    "U-Net": _unet, "LSTM": _lstm,
}  # fmt: skip
"""By name: what makes the model, its arguments and its loss."""


def _flax_of(layers, shape):
    """A model of Flax linen that does what a function says with it and its input."""

    class Model(linen.Module):
        @linen.compact
        def __call__(self, x):
            return layers(x)

    x = jax.random.normal(jax.random.key(1), shape)
    model = Model()
    weights = jax.jit(model.init)(jax.random.key(0), x)
    return (lambda w, x: (model.apply(w, x, mutable=["batch_stats"])[0] ** 2).mean()), (weights, x), None


def _linen_transformer():
    def layers(x):
        h = linen.LayerNorm()(x)
        x = x + linen.MultiHeadDotProductAttention(num_heads=2)(h, h)
        return x + linen.Dense(8)(linen.gelu(linen.Dense(16)(linen.LayerNorm()(x))))

    return _flax_of(layers, (2, 6, 8))


def _linen_images():
    def layers(x):
        x = linen.relu(linen.BatchNorm(use_running_average=False)(linen.Conv(4, (3, 3))(x)))
        x = linen.GroupNorm(2)(linen.max_pool(x, (2, 2), (2, 2)))
        return linen.Dense(3)(linen.avg_pool(linen.silu(x), (2, 2), (2, 2)).reshape(len(x), -1))

    return _flax_of(layers, (2, 8, 8, 2))


def _linen_recurrent():
    return _flax_of(lambda x: linen.Dense(2)(linen.RNN(linen.OptimizedLSTMCell(5))(x)), (2, 4, 3))


def _nnx():
    class Block(nnx.Module):
        def __init__(self, rngs):
            self.norm, self.drop = nnx.RMSNorm(8, rngs=rngs), nnx.Dropout(0.1, rngs=rngs)
            self.up, self.down = nnx.Linear(8, 16, rngs=rngs), nnx.Linear(16, 8, rngs=rngs)

        def __call__(self, x):
            return x + self.drop(self.down(nnx.silu(self.up(self.norm(x)))))

    return Block(nnx.Rngs(0)), (jax.random.normal(jax.random.key(1), (2, 6, 8)),), lambda y: (y**2).mean()


def _equinox():
    class Block(equinox.Module):
        attention: equinox.nn.MultiheadAttention
        norm: equinox.nn.LayerNorm
        mlp: equinox.nn.MLP
        cell: equinox.nn.GRUCell

        def __init__(self, key):
            keys = jax.random.split(key, 3)
            self.attention, self.norm = equinox.nn.MultiheadAttention(2, 8, key=keys[0]), equinox.nn.LayerNorm(8)
            self.mlp = equinox.nn.MLP(8, 8, 16, 1, activation=jax.nn.gelu, key=keys[1])
            self.cell = equinox.nn.GRUCell(8, 8, key=keys[2])

        def __call__(self, x):
            h = jax.vmap(self.norm)(x)
            x = jax.vmap(self.mlp)(x + self.attention(h, h, h))
            return jax.lax.scan(lambda h, x: (self.cell(x, h), None), jnp.zeros(8), x)[0]

    x = jax.random.normal(jax.random.key(1), (4, 8))
    return equinox.filter_jit(Block)(jax.random.key(0)), (x,), lambda y: (y**2).mean()


JAX = {
    "Flax transformer": _linen_transformer, "Flax images": _linen_images, "Flax LSTM": _linen_recurrent,
    "Flax nnx": _nnx, "Equinox": _equinox,
}  # fmt: skip
"""Likewise."""
