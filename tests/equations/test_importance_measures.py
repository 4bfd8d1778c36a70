"""The equations of the chapter on the family of importance measures."""

import pytest
import torch
from torch.func import jacrev

from equations.quoting import verifies
from si_tutorial.importance import SynapticIntelligence


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@verifies("eq-sensitivity-linear", r"""
\frac{\partial\, \lVert W x \rVert^2}{\partial W_{ij}} = 2\, (W x)_i\, x_j .""")
def test_the_slope_of_the_squared_length_of_a_linear_layer():
    weight, x = random(4, 3), random(3, seed=1)
    slope = jacrev(lambda w: (w @ x).square().sum())(weight)
    torch.testing.assert_close(2 * torch.outer(weight @ x, x), slope)


@pytest.mark.parametrize("gradient", ["task", "total"])
def test_the_package_books_what_its_switch_says(gradient):
    """One SGD step by hand: ω = lr (g + p) p' with p the penalty's part where it is counted."""
    net = torch.nn.Linear(1, 1, bias=False).double()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    si = SynapticIntelligence(net, strength=0.5, gradient=gradient).attach(optimizer)
    state = si.state_dict()
    state["importance"]["weight"].fill_(2.0)
    state["anchor"]["weight"].copy_(net.weight.detach() - 3.0)
    si.load_state_dict(state)
    (4.0 * net.weight).sum().backward()
    optimizer.step()                      # g = 4, pull = 2 · 0.5 · 2 · 3 = 6, δ = −0.1 · 10 = −1
    expected = {"task": 4.0, "total": 10.0}[gradient]
    assert si.path_integral["weight"].item() == pytest.approx(expected)
