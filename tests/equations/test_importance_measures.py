"""The equations of the chapter on the family of importance measures."""

import pytest
import torch
from torch.func import grad, jacrev

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


@verifies("eq-task-and-total", r"""
\omega_k^{\mathrm{task}} - \omega_k^{\mathrm{total}}
= c\, \Omega_k \Bigl( \Delta_k^2 - \sum_t \delta_k(t)^2 \Bigr) .""")
def test_what_the_total_gradient_books_besides():
    """For any path at all: here a random walk, which no optimizer would take."""
    start, importance, c = random(5), random(5, seed=1).abs(), 0.7

    def loss(theta):
        return torch.cos(theta).sum() * theta.square().sum()

    def total_loss(theta):
        return loss(theta) + c * (importance * (start - theta) ** 2).sum()

    theta, task, total, squares = start, 0, 0, 0
    for t in range(20):
        delta = 0.1 * random(5, seed=10 + t)
        task = task - grad(loss)(theta) * delta
        total = total - grad(total_loss)(theta) * delta
        squares = squares + delta**2
        theta = theta + delta
    law = c * importance * ((theta - start) ** 2 - squares)
    torch.testing.assert_close(task - total, law)
    assert law.abs().min() > 1e-4


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
