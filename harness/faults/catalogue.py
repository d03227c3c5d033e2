"""The catalogue: every mistake that can be made at a link, or in an operation's backward pass, family by family."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from harness.arithmetic import Bounded
from harness.evaluation.references.expected import gradient_of
from harness.faults.activation_derivatives import derivative_faults
from harness.faults.attention import attention_faults
from harness.faults.batch_norm import batch_norm_faults
from harness.faults.branches import accumulation_faults, combining_faults, lookup_faults
from harness.faults.broadcasting import broadcasting_faults
from harness.faults.convolution import convolution_faults
from harness.faults.fault import Fault
from harness.faults.forward import forward_faults
from harness.faults.fused import fused_faults
from harness.faults.guards import clamp_faults
from harness.faults.indexing import indexing_faults
from harness.faults.layer_norm import layer_norm_faults
from harness.faults.losses import loss_faults
from harness.faults.operands import operand_faults
from harness.faults.operations.edited import edited, edited_twice
from harness.faults.operations.normalising import normalisations
from harness.faults.operations.operation_fault import OperationFault, OperationFaults
from harness.faults.operations.options import other_functions
from harness.faults.operations.regions import in_regions
from harness.faults.operations.scaled import recognisable
from harness.faults.operations.situation import Situation
from harness.faults.operations.substituted import elsewhere, lower_precision
from harness.faults.operations.upstreams import changed_upstream
from harness.faults.other_norms import other_norm_faults
from harness.faults.paths import omission_faults, path_faults
from harness.faults.penalties import penalty_faults
from harness.faults.place import Place
from harness.faults.pooling import pooling_faults
from harness.faults.precision import precision_faults
from harness.faults.products import product_faults
from harness.faults.reductions import reduction_faults
from harness.faults.sequence import sequence_faults
from harness.faults.sums import factor_faults, step_faults, sum_faults
from harness.faults.variants import variant_faults
from impls.graph import Graph, Link

FAMILIES = (
    loss_faults, fused_faults, factor_faults, derivative_faults, variant_faults, operand_faults, sum_faults,
    omission_faults, path_faults, step_faults, clamp_faults, forward_faults, accumulation_faults, combining_faults,
    lookup_faults, broadcasting_faults, product_faults, layer_norm_faults, attention_faults, sequence_faults,
    convolution_faults, pooling_faults, batch_norm_faults, other_norm_faults, indexing_faults, reduction_faults,
    precision_faults,
)  # fmt: skip
CAUSES = (
    "sign flipped", "half", "doubled", "times N", "divided by N", "times K", "divided by K", "sum for mean",
    "mean for sum", "loss of another kind", "error squared", "error's sign only", "target missing",
    "logarithm not differentiated",
    "fused gradient before its activation", "fused gradient with another loss", "gradient by the probability",
    "derivative after a fused gradient", "softmax missing", "softmax over the samples", "label off by one",
    "zero", "scaled by a constant",
    "derivative missing", "upstream missing", "derivative twice", "derivative at z", "derivative at a",
    "function applied twice", "function in place of its derivative", "derivative of another activation",
    "derivative at another layer", "upstream of another layer",
    "factor of the derivative missing", "sign within the derivative", "square missing", "square too much",
    "mask inverted", "mask from the upstream", "mask from the upstream too", "mask missing", "another slope",
    "parameter left out", "another form of the function", "term of the derivative missing", "coupling missing",
    "coupling over the samples",
    "pre-activation for activation", "output for input", "input of another layer",
    "upstream of the activation's output", "gradient of another layer", "weights of another layer", "transposed",
    "column-major order", "not transposed", "reshaped for transposed",
    "mean over the neurons", "sum over everything", "sums before the product", "means before the product",
    "summed over the samples", "averaged over the samples", "first sample counted twice", "last sample counted twice",
    "dropped neuron", "dropped position", "dropped sample",
    "dropped path", "only one path", "path of another weight", "only one sample", "samples out of step",
    "first row's upstream for all", "last row's upstream for all",
    "weights after the update", "learning rate multiplied in", "weight decay added", "clipped by value",
    "clipped by norm",
    "epsilon in the denominator", "epsilon inside the logarithm", "output clipped", "another clamp",
    "penalty missing", "penalty added", "penalty not differentiated", "sign of the weight missing", "penalty on a bias",
    "bias missing", "bias subtracted", "bias added twice", "weights of another layer forward", "not transposed forward",
    "activation missing", "activation applied twice", "another activation", "loss scaled", "another loss",
    "one copy only", "summed along another axis",
    "part overwritten", "part left out", "part counted twice", "parts averaged",
    "branch left out", "another operation", "own factor for the other", "factor of the product missing",
    "parts swapped", "cut one neuron beside", "gradient of one part only",
    "kernel flipped", "kernel not flipped", "kernels of another group", "padding forgotten", "stride ignored",
    "dilation ignored", "mean over the windows", "whole upstream for every entry", "overlapping windows overwritten",
    "repeated index overwritten", "mean over a repeated index", "index off by one",
    "variance over one less", "epsilon outside the root", "another epsilon", "normalised over the samples",
    "mean not subtracted", "not divided by the deviation", "gain left out", "mean term missing",
    "normalised over the channels", "running statistics in training", "statistics of the batch in evaluation",
    "mask left out", "scale left out", "rate for what is kept", "momentum turned round", "biased for unbiased",
    "variance term missing", "statistics held constant", "gain outside the means", "input for the normalised",
    "scale missing", "divided by D for its root", "multiplied by the scale", "mask one off", "mask turned round",
    "softmax over the queries", "heads mixed up", "positions out of step", "summed over the positions",
    "turned the other way", "pairs mixed up", "ignored rows counted",
    "mean subtracted", "channels of another group", "padding turned round", "shared evenly by all",
    "summed from the wrong end", "own entry left out", "exponent not lowered", "exponent left out",
    "computed in float32", "accumulated in float32", "rounded to float16", "rounded to bfloat16",
)  # fmt: skip
"""The names of all causes."""


def faults_at(network: Graph, link: Link) -> list[Fault]:
    """Every mistake of the catalogue that can be made at a link of a network.

    Several of one cause differ in what they take instead: another layer, another activation, another neuron.
    """
    place = Place(network, link)
    families = (penalty_faults,) if place.of_penalty else FAMILIES
    return [fault for family in families for fault in family(place)]


def catalogued(at: Situation, name: str) -> Iterator[OperationFault]:
    """Every mistake at the link of an operation whose reference is a hand layer or has a twin.

    One that needs more of a network than the layer's own tensors explains nothing here.
    """
    dx = gradient_of(name)
    if at.hand is None:
        return
    reference, names, point = at.hand
    own, inputs = names[name], point.given
    if inputs[own].ndim < 2 and own in reference.reads:
        return
    tensors = reference.tensors(inputs, point.upstream, point.dtype)

    def predicted(fault: Fault) -> Bounded:
        return reference.sent_back(fault.rule(tensors), tensors)

    for fault in faults_at(reference.graph(inputs), reference.links(inputs)[own]):
        yield OperationFault(fault.cause, f"{fault.says}: {fault.formula}, in {dx}", partial(predicted, fault))


OF_OPERATIONS: tuple[tuple[OperationFaults, ...], ...] = (
    (recognisable, changed_upstream, normalisations, catalogued, elsewhere, lower_precision),
    (in_regions, edited, edited_twice, other_functions),
)
"""Of an operation that is no layer's, mistakes by the gradients that its reference gives; each row is asked only if the
one before explains nothing.
"""
