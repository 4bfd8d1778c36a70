"""The equations of the chapter on catastrophic forgetting."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.func import grad, hessian

from equations.quoting import verifies
from si_tutorial import metrics


@pytest.fixture(params=range(3))
def accuracy(request):
    return np.random.default_rng(request.param).random((5, 5))  # R, (T, T)


@verifies("eq-average-accuracy", r"\mathrm{ACC} = \frac{1}{T} \sum_{j=1}^{T} R_{Tj} .")
def test_average_accuracy_is_the_mean_of_the_last_row(accuracy):
    T = len(accuracy)
    assert metrics.average_accuracy(accuracy) == pytest.approx(
        1 / T * sum(accuracy[T - 1, j] for j in range(T)))


@verifies("eq-backward-transfer", r"""
\mathrm{BWT} = \frac{1}{T-1} \sum_{j=1}^{T-1} \left( R_{Tj} - R_{jj} \right) .""")
def test_backward_transfer_compares_the_end_with_the_moment_of_learning(accuracy):
    T = len(accuracy)
    assert metrics.backward_transfer(accuracy) == pytest.approx(
        1 / (T - 1) * sum(accuracy[T - 1, j] - accuracy[j, j] for j in range(T - 1)))


@verifies("eq-forgetting", r"""
\mathrm{F} = \frac{1}{T-1} \sum_{j=1}^{T-1} \left( \max_{i<T} R_{ij} - R_{Tj} \right) .""")
def test_forgetting_compares_the_end_with_the_best_before(accuracy):
    T = len(accuracy)
    assert metrics.forgetting(accuracy) == pytest.approx(1 / (T - 1) * sum(
        max(accuracy[i, j] for i in range(T - 1)) - accuracy[T - 1, j] for j in range(T - 1)))


def two_losses():
    """Two smooth, non-quadratic losses of seven weights."""
    make = torch.Generator().manual_seed(0)
    A, B = (torch.randn(12, 7, generator=make, dtype=torch.float64) for _ in range(2))
    return (lambda theta: F.softplus(A @ theta).sum() + F.softplus(-A @ theta).sum(),
            lambda theta: F.softplus(B @ theta).sum() + F.softplus(1 - B @ theta).sum(),
            torch.randn(7, generator=make, dtype=torch.float64) / 3)


@verifies("eq-interference", r"""
L^A(\theta - \eta\, g^B) - L^A(\theta) \approx -\eta\; g^A \cdot g^B .""")
def test_a_step_on_one_task_changes_the_other_by_the_product_of_the_gradients():
    first, second, theta = two_losses()
    g1, g2 = grad(first)(theta), grad(second)(theta)

    def error(eta):
        return float(abs(first(theta - eta * g2) - first(theta) - (-eta * g1 @ g2)))

    assert error(1e-4) < 1e-2 * abs(1e-4 * g1 @ g2)
    assert error(1e-5) == pytest.approx(error(1e-4) / 100, rel=0.02)  # what is left is quadratic


@verifies("eq-damage", r"""
L^A(\theta^A + \Delta) - L^A(\theta^A) \approx \tfrac{1}{2}\, \Delta^\top H \Delta ,""")
def test_near_a_minimum_a_displacement_costs_half_its_square_in_the_hessian():
    _, loss, theta = two_losses()
    for _ in range(50):  # Newton's method to the minimum
        theta = theta - torch.linalg.solve(hessian(loss)(theta), grad(loss)(theta))
    assert grad(loss)(theta).abs().max() < 1e-10
    H, direction = hessian(loss)(theta), torch.ones(7, dtype=torch.float64)

    def error(size):
        delta = size * direction
        return float(abs(loss(theta + delta) - loss(theta) - 0.5 * delta @ H @ delta))

    assert error(1e-3) < 2e-2 * (0.5e-6 * direction @ H @ direction)
    assert error(1e-4) == pytest.approx(error(1e-3) / 1000, rel=0.1)  # what is left is cubic
