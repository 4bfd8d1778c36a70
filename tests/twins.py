"""The naive twins of per-example curvature: loops over examples, labels and parameters."""

import itertools

import numpy as np
import torch
import torch.nn.functional as F

from si_tutorial.per_example.batches import examples, rows


def log_p(likelihood, z, y):
    """log p(y|z) of one example, up to a constant, by the loss that PyTorch has for it."""
    if likelihood == "categorical":
        return -F.cross_entropy(z, y)
    if likelihood == "bernoulli":
        return -F.binary_cross_entropy_with_logits(z, y) * z.numel()
    return -F.mse_loss(z, y) * z.numel() / 2


def possible(likelihood, z):
    """Every y with its probability; for a Gaussian a quadrature that is exact for squares."""
    z = z.detach()
    if likelihood == "categorical":
        return [(p, torch.tensor(c)) for c, p in enumerate(z.softmax(0))]
    if likelihood == "bernoulli":
        answers = [torch.tensor(y).to(z) for y in itertools.product([0, 1], repeat=len(z))]
        return [((y * z.sigmoid() + (1 - y) * (-z).sigmoid()).prod(), y) for y in answers]
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    weights = weights / weights.sum()
    return [(np.prod([weights[i] for i in chosen]), z + torch.tensor(nodes[list(chosen)]).to(z))
            for chosen in itertools.product(range(3), repeat=len(z))]


def likeliest(likelihood, z):
    return max(possible(likelihood, z), key=lambda pair: float(pair[0]))[1]


def squares(network, scalar):
    """(∂ scalar / ∂θ)² by autograd, in float64, by name."""
    params = {n: p for n, p in network.named_parameters() if p.requires_grad}
    grads = torch.autograd.grad(scalar, list(params.values()), retain_graph=True,
                                allow_unused=True)
    return {n: None if g is None else g.to_dense().double()**2
            for n, g in zip(params, grads, strict=True)}


def outputs_alone(network, x, forward=None):
    """z of each example in a batch of its own, in evaluation mode; modes are put back."""
    modes = {m: m.training for m in network.modules()}
    network.eval()
    with torch.enable_grad():
        found = [(forward or network)(rows(x, n, n + 1))[0] for n in range(examples(x))]
    for module, mode in modes.items():
        module.training = mode
    return found


def naive_fisher(network, x, y=None, labels="expected", forward=None, likelihood="categorical"):
    """F by a loop over examples and, for the expectation, over every y."""
    total = {n: torch.zeros_like(p, dtype=torch.float64) for n, p in network.named_parameters()}
    alone = outputs_alone(network, x, forward)
    for n, z in enumerate(alone):
        z = z.to(torch.promote_types(z.dtype, torch.float32))
        chosen = {"expected": lambda z: possible(likelihood, z),
                  "true": lambda z, n=n: [(1, y[n])],
                  "argmax": lambda z: [(1, likeliest(likelihood, z))]}[labels](z)
        for weight, one_y in chosen:
            for name, square in squares(network, log_p(likelihood, z, one_y)).items():
                if square is not None:
                    total[name] += float(weight) * square / len(alone)
    return total


def naive_sensitivity(network, x, forward=None):
    total = {n: torch.zeros_like(p, dtype=torch.float64) for n, p in network.named_parameters()}
    alone = outputs_alone(network, x, forward)
    for z in alone:
        for name, square in squares(network, z.square().sum()).items():
            if square is not None:
                total[name] += square.sqrt() / len(alone)
    return total


def assert_same(found, expected, tolerance=1e-10):
    """Each parameter's entries agree, relative to its largest."""
    assert found.keys() == expected.keys()
    for name in expected:
        assert found[name].shape == expected[name].shape
        if expected[name].numel():
            scale = expected[name].abs().max().clamp(min=1e-12)
            error = (found[name].double() - expected[name].double()).abs().max()
            assert error <= tolerance * scale, name


def batches(x, y=None, size=4):
    """Pairs (x, y) of `size` examples."""
    return [(rows(x, n, n + size), None if y is None else y[n:n + size])
            for n in range(0, examples(x), size)]
