import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from si_tutorial.networks import conv_net, in_bfloat16, mlp

BUILDERS = pytest.mark.parametrize("build", [mlp, conv_net])


def layers_of(module):
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]


def glorot_bound(layer):
    field = layer.weight[0, 0].numel()  # pixels under a kernel
    return math.sqrt(6 / (field * (layer.weight.shape[0] + layer.weight.shape[1])))


def uniform_within(weights, bound):
    """Whether the weights could be draws from the uniform distribution in ±bound."""
    values = weights.detach().flatten().numpy() / bound
    return np.abs(values).max() <= 1 and stats.kstest(values, "uniform", (-1, 2)).pvalue > 1e-3


@BUILDERS
def test_glorot_start_is_uniform_within_its_bounds_with_zero_biases(build):
    for layer in layers_of(build([2, 2]).body):
        assert uniform_within(layer.weight, glorot_bound(layer))
        assert not layer.bias.any()


@BUILDERS
def test_torch_start_is_distributed_like_pytorchs_own_layers(build):
    network = build([2, 2], weights="torch", head_weights="random")
    for layer in layers_of(network):
        fresh = type(layer)(**{key: getattr(layer, key) for key in (
            ("in_features", "out_features") if isinstance(layer, nn.Linear) else
            ("in_channels", "out_channels", "kernel_size"))})
        for mine, theirs in zip(layer.parameters(), fresh.parameters(), strict=True):
            bound = layer.weight[0].numel() ** -0.5
            assert theirs.abs().max() <= bound  # the bound that PyTorch uses indeed
            assert uniform_within(mine, bound)


@BUILDERS
@pytest.mark.parametrize(("heads", "start", "zero"), [
    ([2, 3], None, True), ([2, 3], "random", False), (10, None, False), (10, "zero", True)])
def test_heads_start_at_zero_by_default_only_where_each_task_has_its_own(build, heads, start, zero):
    network = build(heads, head_weights=start)
    assert all(zero != bool(head.weight.any()) for head in network.heads)


@BUILDERS
def test_the_seed_alone_decides_the_weights(build):
    first, again, other = ([p.clone() for p in build(10, seed=seed).parameters()]
                           for seed in (3, 3, 4))
    assert all(map(torch.equal, first, again))
    assert not any(torch.equal(p, q) for p, q in zip(first, other, strict=True) if p.any())


def test_no_two_layers_share_their_random_numbers():
    first, second = layers_of(mlp([2], inputs=64, hidden=(64, 64)).body)
    assert not torch.equal(first.weight, second.weight)


@pytest.mark.parametrize(("build", "x"), [
    (lambda heads: mlp(heads), torch.rand(3, 1, 28, 28)),
    (lambda heads: mlp(heads, inputs=12, hidden=()), torch.rand(3, 12)),
    (lambda heads: conv_net(heads), torch.rand(3, 3, 32, 32)),
    (lambda heads: conv_net(heads, channels=1, side=28), torch.rand(3, 1, 28, 28)),
    (lambda heads: conv_net(heads, channels=1, side=13), torch.rand(3, 1, 13, 13))])
def test_logits_have_one_column_for_each_class_of_the_tasks_head(build, x):
    assert build([2, 5])(x, 0).shape == (3, 2)
    assert build([2, 5])(x, 1).shape == (3, 5)
    assert build(7)(x).shape == (3, 7)


def test_each_task_is_read_out_by_its_own_head_and_one_head_serves_all(conv):
    x = torch.rand(4, 1, 6, 6, dtype=torch.float64)
    network = conv([2, 3])
    features = network.body(x)
    for task in (0, 1):
        assert torch.equal(network(x, task), network.heads[task](features))
    shared = conv(5)
    for task in (None, 0, 9):
        assert torch.equal(shared(x, task), shared.heads[0](shared.body(x)))


def test_another_tasks_head_gets_no_gradient(conv):
    network = conv([2, 2])
    network(torch.rand(4, 1, 6, 6, dtype=torch.float64), 1).sum().backward()
    assert network.heads[0].weight.grad is None
    assert network.heads[1].weight.grad.any()


def test_the_papers_networks_have_the_papers_sizes():
    count = sum(p.numel() for p in mlp([2] * 5).parameters())
    assert count == (784 + 1) * 256 + 257 * 256 + 5 * 257 * 2
    shapes = [tuple(layer.weight.shape) for layer in layers_of(conv_net([10] * 6).body)]
    assert shapes == [(32, 3, 3, 3), (32, 32, 3, 3), (64, 32, 3, 3), (64, 64, 3, 3), (512, 2304)]


def test_dropout_is_where_the_paper_has_it_and_off_where_not_asked_for():
    rates = [layer.p for layer in conv_net([2]).modules() if isinstance(layer, nn.Dropout)]
    assert rates == [0.25, 0.25, 0.5]
    assert not any(isinstance(layer, nn.Dropout) for layer in mlp([2]).modules())
    x = torch.rand(2, 784)
    wet = mlp(2, dropout=0.5)
    assert not torch.equal(wet(x), wet(x))
    assert torch.equal(wet.eval()(x), wet(x))


@pytest.mark.parametrize(("call", "message"), [
    (lambda: mlp([2])(torch.rand(3, 783), 0),
     r"inputs of shape \(batch, \*\(784,\)\), got \(3, 783\)"),
    (lambda: conv_net([2])(torch.rand(3, 1, 28, 28), 0), r"got \(3, 1, 28, 28\)"),
    (lambda: conv_net([2])(torch.rand(3, 32, 32, 3), 0), r"got \(3, 32, 32, 3\)"),
    (lambda: mlp([2, 2])(torch.rand(3, 784)), "has 2 heads, one per task"),
    (lambda: mlp([2, 2])(torch.rand(3, 784), 2), "task 2 has no head: .* tasks 0 to 1"),
    (lambda: mlp([2, 2])(torch.rand(3, 784), -1), "task -1 has no head"),
    (lambda: mlp([]), r"at least one head .* got \[\]"),
    (lambda: mlp([2, 0]), r"at least one class, got \[2, 0\]"),
    (lambda: mlp(0), "at least one class, got 0"),
    (lambda: mlp([2], weights="he"), "'glorot' or 'torch', got 'he'"),
    (lambda: mlp([2], head_weights="one"), "'zero' or 'random', got 'one'")])
def test_what_cannot_work_is_refused_with_the_value_in_the_message(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("network", [mlp([2]), conv_net([2], channels=1, side=28)])
def test_an_empty_batch_gives_no_logits(network):
    assert network(torch.rand(0, 1, 28, 28), 0).shape == (0, 2)


# ------------------------------------------------------------------------------- bfloat16

def test_in_bfloat16_only_the_forward_pass_is_rounded():
    """Weights, gradients and logits stay float32; the logits are those of rounded products."""
    plain, rounded = (conv_net([3, 2], seed=1, head_weights="random") for _ in range(2))
    assert in_bfloat16(rounded) is rounded
    x = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for net in (plain, rounded):
        net.eval()(x, 1).square().sum().backward()
    assert rounded(x, 1).dtype == torch.float32
    assert {p.dtype for p in rounded.parameters()} == {torch.float32}
    assert not torch.equal(plain(x, 1), rounded(x, 1))
    assert torch.allclose(plain(x, 1), rounded(x, 1), atol=0.02)
    for one, other in zip(plain.body.parameters(), rounded.body.parameters(), strict=True):
        assert torch.equal(one, other) and other.grad.dtype == torch.float32
        assert (one.grad - other.grad).norm() < 0.2 * one.grad.norm()
    assert rounded.body[0].weight.is_contiguous(memory_format=torch.channels_last)


def test_in_bfloat16_a_step_is_seen_by_the_next_forward_pass():
    """Autocast keeps rounded weights only as long as it lasts, which is one forward pass."""
    net = in_bfloat16(conv_net(2, head_weights="random")).eval()
    x = torch.rand(2, 3, 32, 32)
    before = net(x)
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(2)
    assert not torch.allclose(before, net(x))
