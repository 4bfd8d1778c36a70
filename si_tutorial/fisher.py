"""Per-example curvature: the diagonal Fisher information, and the sensitivity of the outputs.

Both are means over examples of the size (square, absolute value) of each example's *own* gradient.
The gradient of a batch is of no use for that: its square is the square of a mean, and examples
whose gradients point in opposite directions cancel in it.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from si_tutorial.per_example import mean_over_examples

Labels = Literal["expected", "sampled", "true", "argmax"]


def fisher_information(network: nn.Module, batches: Iterable, *,
                       forward: Callable[[Tensor], Tensor] | None = None,
                       labels: Labels = "expected", generator: torch.Generator | None = None
                       ) -> dict[str, Tensor]:
    """The diagonal of the Fisher information: Fₖ = mean over x of E_y (∂ log p(y|x) / ∂θₖ)².

    Parameters
    ----------
    network : torch.nn.Module
        Used in evaluation mode; its mode and its gradients are left as they were found.
    batches : iterable of (x, y)
        Inputs `(batch, …)` and labels `(batch,)`. The mean is over all their examples.
    forward : callable, optional
        Logits `(batch, classes)` of `x`; by default the network itself.
    labels : {"expected", "sampled", "true", "argmax"}
        Which y: "expected" takes the full expectation over the model's own p(y|x), at a cost of
        one backward pass *per class*. The others need one in all: "sampled" draws y from p(y|x),
        an unbiased estimate of the same; "true" takes the labels in `batches`, which gives the
        empirical Fisher, another quantity; "argmax" takes the likeliest class. Only "true" reads
        the labels.
    generator : torch.Generator, optional
        For "sampled".

    Returns
    -------
    dict of str to Tensor
        By parameter name, each of its parameter's shape, in (units of the loss / unit of θ)².
        Zero for a parameter that is frozen or has no influence on the logits.

    Raises
    ------
    ValueError
        If there are no examples, if logits or labels have another shape, or if a BatchNorm
        without running statistics mixes the examples.
    RuntimeError
        If a layer can be run on one example at a time only; the message says what to do.

    Sources: Kirkpatrick et al. 2017, eq. 3; Kunstner, Hennig & Balles 2019 on "true".
    """
    if labels not in get_args(Labels):
        raise ValueError(f"labels must be one of {get_args(Labels)}, got {labels!r}")

    def scores(logits: Tensor, y: Tensor) -> Iterator[Tensor]:
        """∂ log p(y|x) / ∂ logits = e_y − p, for each y that is asked for; (batch, classes)."""
        p = logits.softmax(1)
        if labels == "expected":  # weighted by √p(y|x), so that the squares add up to the mean
            for c in range(p.shape[1]):
                yield p[:, c, None].sqrt() * (F.one_hot(torch.tensor(c), p.shape[1]).to(p) - p)
            return
        if labels == "sampled":
            y = torch.multinomial(p, 1, generator=generator).squeeze(1)
        elif labels == "argmax":
            y = p.argmax(1)
        elif y.shape != p.shape[:1]:
            raise ValueError(f"labels must have shape ({len(p)},), got {tuple(y.shape)}")
        yield F.one_hot(y, p.shape[1]).to(p) - p

    return mean_over_examples(network, batches, forward or network, scores, torch.square)


def output_sensitivity(network: nn.Module, batches: Iterable, *,
                       forward: Callable[[Tensor], Tensor] | None = None) -> dict[str, Tensor]:
    """How much the outputs depend on each parameter: the mean over x of |∂ ‖logits(x)‖² / ∂θₖ|.

    The squared Euclidean norm is of the logits that `forward` returns. No label is read. For the
    arguments, the result and the errors see `fisher_information`. The cost is one backward pass.

    Source: Aljundi et al., Memory Aware Synapses, ECCV 2018, eq. 3 with the squared norm.
    """
    return mean_over_examples(network, batches, forward or network,
                      lambda logits, y: iter([2 * logits]), torch.abs)
