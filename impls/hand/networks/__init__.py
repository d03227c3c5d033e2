"""Networks that have a name, each as a few lines of the builder that read like the paper's figure."""

from impls.hand.networks.gpt import gpt

__all__ = ["gpt"]
