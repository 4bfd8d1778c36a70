"""MAS: what it stores, what it ignores, and the penalty it leaves."""

import pytest
import torch
from torch import nn

from si_tutorial.fisher import output_sensitivity
from si_tutorial.importance import MemoryAwareSynapses


def linear():
    torch.manual_seed(0)
    return nn.Linear(3, 4, bias=False).double(), torch.randn(6, 3).double()


def test_tasks_add_up_and_the_anchor_is_the_latest():
    """On one linear layer each task adds the mean of 2 |Wx|_i |x_j|."""
    net, x = linear()
    mas, expected = MemoryAwareSynapses(net), 0
    for _ in range(2):
        with torch.no_grad():
            net.weight.mul_(1.5)
        outputs = x @ net.weight.detach().T
        expected = expected + 2 * torch.einsum("ni,nj->ij", outputs.abs(), x.abs()) / len(x)
        mas.consolidate([(x[:2], None), (x[2:], None)])
    torch.testing.assert_close(mas.importance["weight"], expected)
    assert torch.equal(mas.anchor["weight"], net.weight)
    assert mas.tasks == 2


def test_the_penalty_has_no_half():
    net, x = linear()
    before = output_sensitivity(net, [(x, None)])["weight"]
    mas = MemoryAwareSynapses(net, strength=0.5).consolidate([(x, None)])
    with torch.no_grad():
        net.weight += 0.1
    by_hand = 0.5 * (before * 0.1**2).sum()
    torch.testing.assert_close(mas.penalty().detach(), by_hand)


def test_no_label_is_looked_at():
    net, x = linear()
    a = MemoryAwareSynapses(net).consolidate([(x, torch.zeros(6, dtype=torch.long))])
    b = MemoryAwareSynapses(net).consolidate([(x, "no labels at all")])
    assert torch.equal(a.importance["weight"], b.importance["weight"])


def test_the_sign_of_a_gradient_cannot_cancel_another():
    """x and −x have outputs of equal norm and gradients that add up; of a bias they cancel."""
    net = nn.Linear(2, 1).double()
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[1.0, 2.0]]))
        net.bias.zero_()
    x = torch.tensor([[1.0, 1.0], [-1.0, -1.0]]).double()
    mas = MemoryAwareSynapses(net).consolidate([(x, None)])
    assert mas.importance["bias"].item() == 6  # the mean of |2·3| and |2·(−3)|, not of 6 and −6


def test_only_the_head_of_the_task_counts():
    net = nn.ModuleList([nn.Linear(3, 2), nn.Linear(3, 2)]).double()
    mas = MemoryAwareSynapses(net).consolidate([(torch.randn(4, 3).double(), None)], forward=net[1])
    assert not mas.importance["0.weight"].any() and mas.importance["1.weight"].all()


def test_outputs_of_any_meaning_are_served():
    """One output, a regression, a multi-label head: MAS asks only how much they depend on θ."""
    torch.manual_seed(0)
    for outputs in (1, 3):
        net = nn.Linear(3, outputs).double()
        mas = MemoryAwareSynapses(net).consolidate([(torch.randn(4, 3).double(), None)])
        assert all(omega.all() for omega in mas.importance.values())


def test_inputs_may_be_several():
    net, x = linear()
    whole = MemoryAwareSynapses(net).consolidate([(x, None)])
    parts = MemoryAwareSynapses(net).consolidate(
        [({"left": x[:, :1], "right": x[:, 1:]}, None)],
        forward=lambda x: net(torch.cat([x["left"], x["right"]], 1)))
    torch.testing.assert_close(parts.importance, whole.importance)


def test_a_network_that_changed_after_the_measure_was_built_is_refused():
    net = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    mas = MemoryAwareSynapses(net)
    net[1] = nn.Linear(2, 2)
    with pytest.raises(RuntimeError, match="added, removed or replaced"):
        mas.consolidate([(torch.randn(4, 3), None)])
    assert mas.tasks == 0 and not mas.importance["0.weight"].any()


def test_a_forward_that_mixes_examples_is_refused():
    net, x = linear()
    with pytest.raises(ValueError, match="mixes the examples"):
        MemoryAwareSynapses(net).consolidate([(x, None)], forward=lambda x: net(x - x.mean(0)))
