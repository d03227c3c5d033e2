"""Networks that have a name, each as a few lines of the builder that read like the paper's figure."""

from impls.hand.networks.gpt import gpt
from impls.hand.networks.lenet import lenet
from impls.hand.networks.llama import llama_tiny
from impls.hand.networks.recurrent import gru_char, lstm_char, rnn_char
from impls.hand.networks.resnet import resnet_tiny

__all__ = ["gpt", "gru_char", "lenet", "llama_tiny", "lstm_char", "resnet_tiny", "rnn_char"]
