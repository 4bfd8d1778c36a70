"""Plain L2: one importance for all, and the penalty pulls to the latest weights."""

import pytest
import torch
from torch import nn

from si_tutorial.importance import UniformImportance


def test_every_parameter_matters_alike_after_the_first_task():
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    l2 = UniformImportance(net, strength=0.3)
    assert not any(omega.any() for omega in l2.importance.values())
    for _ in range(2):
        l2.consolidate()
        assert all((omega == 1).all() for omega in l2.importance.values())


def test_the_penalty_is_the_squared_distance():
    net = nn.Linear(3, 2).double()
    l2 = UniformImportance(net, strength=0.3).consolidate(batches=None, forward=net)
    with torch.no_grad():
        net.weight += 2.0
    torch.testing.assert_close(l2.penalty().item(), 0.3 * 6 * 2.0**2)


def test_sgd_on_no_loss_returns_to_the_anchor_as_worked_out_by_hand():
    """θ ← θ − lr · 2c (θ − θ̃): the distance shrinks by 1 − 2·c·lr in each step."""
    net = nn.Linear(1, 1, bias=False).double()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    l2 = UniformImportance(net, strength=2.0).attach(optimizer).consolidate()
    with torch.no_grad():
        net.weight += 1.0
    for step in range(1, 4):
        net.weight.grad = torch.zeros_like(net.weight)
        optimizer.step()
        distance = (net.weight - l2.anchor["weight"]).item()
        assert distance == pytest.approx((1 - 2 * 2.0 * 0.1) ** step)


def test_nan_weights_are_refused():
    net = nn.Linear(3, 2)
    l2 = UniformImportance(net)
    with torch.no_grad():
        net.bias[0] = float("inf")
    with pytest.raises(FloatingPointError, match="'bias'"):
        l2.consolidate()
    assert l2.tasks == 0
