"""Per-example curvature: the diagonal Fisher information, and the sensitivity of the outputs.

Both are means over examples of the size (square, absolute value) of each example's *own* gradient.
The gradient of a batch is of no use for that: its square is the square of a mean, and examples
whose gradients point in opposite directions cancel in it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from si_tutorial.per_example import mean_over_examples

Labels = Literal["expected", "sampled", "true", "argmax"]
Likelihood = Literal["categorical", "bernoulli", "gaussian"]


def fisher_information(network: nn.Module, batches: Iterable, *,
                       forward: Callable[..., Tensor] | None = None,
                       likelihood: Likelihood = "categorical", labels: Labels = "expected",
                       generator: torch.Generator | None = None,
                       parameters: Collection[nn.Parameter] | None = None) -> dict[str, Tensor]:
    """The diagonal of the Fisher information: Fₖ = mean over x of E_y (∂ log p(y|x) / ∂θₖ)².

    Parameters
    ----------
    network : torch.nn.Module
        Used in evaluation mode; its mode and its gradients are left as they were found.
    batches : iterable of (x, y)
        Inputs, a tensor `(batch, …)` or tuples and dicts of such tensors, and labels. The mean is
        over all their examples.
    forward : callable, optional
        Outputs z `(batch, outputs)` of `x`; by default the network itself.
    likelihood : {"categorical", "bernoulli", "gaussian"}
        What the outputs z mean. With C outputs, and beside each the loss that is −log p(y|x), up
        to a constant:

        - "categorical": logits of C ≥ 2 classes, one of which is true. `F.cross_entropy`.
        - "bernoulli": logits of C yes-or-no answers. C times
          `F.binary_cross_entropy_with_logits`, which takes the mean over the answers.
        - "gaussian": means of C numbers with variance 1. C/2 times `F.mse_loss`, which has no ½
          and takes the mean over the numbers.

        A penalty from F therefore fits a loss of 1/C or 2/C of the weight: for `F.mse_loss`
        multiply EWC's λ by 2/C, for the binary cross-entropy by 1/C.
    labels : {"expected", "sampled", "true", "argmax"}
        Which y: "expected" takes the full expectation over the model's own p(y|x), at a cost of
        one backward pass *per output*. The others need one in all: "sampled" draws y from p(y|x),
        an unbiased estimate of the same; "true" takes the labels in `batches`, which gives the
        empirical Fisher, another quantity; "argmax" takes the likeliest y, which for a Gaussian is
        z itself and would give 0, so it is refused there. Only "true" reads the labels: whole
        numbers `(batch,)` from 0 to C−1 if categorical, numbers from 0 to 1 `(batch, C)` if
        Bernoulli, any numbers `(batch, C)` if Gaussian, `(batch,)` where C is 1.
    generator : torch.Generator, optional
        For "sampled".
    parameters : collection of torch.nn.Parameter, optional
        Those whose information is wanted; by default all of the network's.

    Returns
    -------
    dict of str to Tensor
        By parameter name, each of its parameter's shape, in (units of the loss / unit of θ)², in
        float32 or wider. Zero for a parameter that is frozen or has no influence on the outputs.

    Raises
    ------
    ValueError
        If there are no examples, if batches, outputs or labels are not as described above, if
        `forward` is random or mixes the examples of a batch, or if nothing depends on the network.
    RuntimeError
        If reentrant checkpointing hides a part of the network.

    Notes
    -----
    Linear layers, convolutions over lines and pictures, normalisations and embeddings cost a few
    passes of training. Other layers are slower, and recurrent ones, or those that branch on the
    data, are run one example after another.

    Sources: Kirkpatrick et al. 2017, eq. 3; Kunstner, Hennig & Balles 2019 on "true".
    """
    check_choices(likelihood, labels)
    scores = {"categorical": _categorical, "bernoulli": _bernoulli,
              "gaussian": _gaussian}[likelihood]
    return mean_over_examples(network, batches, forward or network,
                              lambda z, y: scores(z, y, labels, generator), torch.square,
                              parameters)


def check_choices(likelihood: str, labels: str) -> None:
    """Refuse an unknown likelihood or choice of labels, and one without information."""
    if likelihood not in get_args(Likelihood):
        raise ValueError(f"likelihood must be one of {get_args(Likelihood)}, got {likelihood!r}")
    if labels not in get_args(Labels):
        raise ValueError(f"labels must be one of {get_args(Labels)}, got {labels!r}")
    if likelihood == "gaussian" and labels == "argmax":
        raise ValueError("the likeliest y of a Gaussian is its mean, whose score is exactly 0, and "
                         "so would be every importance: choose labels='expected' or 'sampled'")


# Each yields ∂ log p(y|z) / ∂z = y − E y, (batch, outputs), for every y that is asked for. For the
# expectation they are scaled and chosen so that their squares add up to it: columns of a root of
# the covariance of y.

def _categorical(z: Tensor, y: Tensor, labels: Labels, generator) -> Iterator[Tensor]:
    p = z.softmax(1)
    classes = p.shape[1]
    if classes == 1:
        raise ValueError("one logit under a softmax is the certain answer, and its Fisher "
                         "information is exactly 0: for a yes-or-no answer choose "
                         "likelihood='bernoulli', for a number likelihood='gaussian'")
    if labels == "expected":
        for c in range(classes):
            yield p[:, c, None].sqrt() * (F.one_hot(torch.tensor(c), classes).to(p) - p)
        return
    if labels == "sampled":
        y = torch.multinomial(p, 1, generator=generator).squeeze(1)
    elif labels == "argmax":
        y = p.argmax(1)
    else:
        y = _class_indices(y, len(p), classes).to(p.device)
    yield F.one_hot(y, classes).to(p) - p


def _bernoulli(z: Tensor, y: Tensor, labels: Labels, generator) -> Iterator[Tensor]:
    p = z.sigmoid()  # (batch, outputs), independent answers
    if labels == "expected":
        yield from _one_at_a_time((p * z.neg().sigmoid()).sqrt())
    elif labels == "sampled":
        yield torch.bernoulli(p, generator=generator) - p
    elif labels == "argmax":
        yield (p >= 0.5).to(p) - p
    else:
        y = _numbers(y, p)
        if not ((y >= 0) & (y <= 1)).all():
            raise ValueError(f"labels of a Bernoulli are probabilities from 0 to 1, got "
                             f"{y.min():g} to {y.max():g}: for other numbers choose "
                             "likelihood='gaussian'")
        yield y - p


def _gaussian(z: Tensor, y: Tensor, labels: Labels, generator) -> Iterator[Tensor]:
    if labels == "expected":
        yield from _one_at_a_time(torch.ones_like(z))
    elif labels == "sampled":
        yield torch.randn(z.shape, dtype=z.dtype, device=z.device, generator=generator)
    else:
        yield _numbers(y, z) - z


def _one_at_a_time(deviation: Tensor) -> Iterator[Tensor]:
    """Independent outputs: one backward pass each, with its standard deviation."""
    for k in range(deviation.shape[1]):
        yield deviation * F.one_hot(torch.tensor(k), deviation.shape[1]).to(deviation)


def _class_indices(y: Tensor, batch: int, classes: int) -> Tensor:
    _check_tensor(y)
    if y.shape != (batch,):
        raise ValueError(f"labels must have shape ({batch},), got {tuple(y.shape)}")
    if y.is_floating_point() or y.is_complex() or y.dtype is torch.bool:
        raise ValueError(f"labels of classes are whole numbers, got {y.dtype}: y.long() if they "
                         "are classes, else choose another likelihood")
    if not ((y >= 0) & (y < classes)).all():
        raise ValueError(f"labels from {y.min()} to {y.max()} are outside the head, which has "
                         f"{classes} outputs, for labels from 0 to {classes - 1}: count each "
                         "task's classes from 0, or let `forward` use the head they belong to")
    return y.long()


def _numbers(y: Tensor, z: Tensor) -> Tensor:
    _check_tensor(y)
    if y.shape == z.shape[:1] and z.shape[1] == 1:
        y = y[:, None]
    if y.shape != z.shape:
        raise ValueError(f"labels must have the outputs' shape {tuple(z.shape)}, got "
                         f"{tuple(y.shape)}")
    return y.to(z)


def _check_tensor(y: Tensor) -> None:
    if not isinstance(y, Tensor):
        raise ValueError(f"labels='true' reads y, which must be a tensor, got "
                         f"{type(y).__name__}: give the labels, or choose labels='expected'")


def output_sensitivity(network: nn.Module, batches: Iterable, *,
                       forward: Callable[..., Tensor] | None = None,
                       parameters: Collection[nn.Parameter] | None = None) -> dict[str, Tensor]:
    """How much the outputs depend on each parameter: the mean over x of |∂ ‖logits(x)‖² / ∂θₖ|.

    The squared Euclidean norm is of the logits that `forward` returns, whatever they mean. No label
    is read. For the arguments, the result and the errors see `fisher_information`. The cost is one
    backward pass.

    Source: Aljundi et al., Memory Aware Synapses, ECCV 2018, eq. 3 with the squared norm.
    """
    return mean_over_examples(network, batches, forward or network,
                              lambda logits, y: iter([2 * logits]), torch.abs, parameters)
