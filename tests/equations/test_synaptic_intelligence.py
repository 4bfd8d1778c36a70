"""The equations of the chapter on Synaptic Intelligence."""

import pytest
import torch
from torch.func import grad

from equations.quoting import verifies
from si_tutorial import formulas


def network_loss(theta):
    """A two-layer network's loss as a function of its 3·4 + 4 weights."""
    make = torch.Generator().manual_seed(1)
    x = torch.randn(20, 3, generator=make, dtype=torch.float64)
    y = torch.randn(20, generator=make, dtype=torch.float64)
    return ((torch.tanh(x @ theta[:12].view(3, 4)) @ theta[12:] - y) ** 2).mean()


@pytest.fixture
def theta():
    return torch.randn(16, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


@verifies("eq-first-order-drop", r"""
\begin{aligned}
L(\theta) - L(\theta + \delta) &\approx -\sum_k g_k \, \delta_k , \\
g_k &= \frac{\partial L}{\partial \theta_k} .
\end{aligned}""")
def test_the_drop_of_the_loss_is_the_sum_of_the_shares(theta):
    g = grad(network_loss)(theta)
    direction = torch.randn(16, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    def error(size):
        drop = network_loss(theta) - network_loss(theta + size * direction)
        return float(abs(drop - sum(formulas.credit(g, size * direction))))

    assert error(1e-4) < 1e-2 * abs(1e-4 * g @ direction)
    assert error(1e-5) == pytest.approx(error(1e-4) / 100, rel=0.02)


@verifies("eq-penalty-gradient", r"""
\frac{\partial}{\partial \theta_k} \, c \sum_j \Omega_j^\mu \, (\tilde\theta_j - \theta_j)^2
= 2\, c\, \Omega_k^\mu \, (\theta_k - \tilde\theta_k) .""")
def test_the_pull_is_a_spring(theta):
    importance = torch.rand(16, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    anchor, c = theta.flip(0), 0.7
    by_autograd = grad(lambda t: c * (importance * (anchor - t) ** 2).sum())(theta)
    torch.testing.assert_close(2 * c * importance * (theta - anchor), by_autograd)
    torch.testing.assert_close(formulas.penalty_gradient(importance, anchor, theta, c), by_autograd)
