import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from si_tutorial import formulas

ARRAYS = pytest.mark.parametrize("array", [np.array, torch.tensor], ids=["numpy", "torch"])
numbers = st.floats(-10, 10)
positive = st.floats(0.01, 10)


@ARRAYS
def test_values_worked_out_by_hand(array):
    g, d = array([2.0, -3.0]), array([-0.5, 0.25])
    assert float(formulas.loss_change(g, d)) == -1.75
    assert formulas.credit(g, d).tolist() == [1.0, 0.75]
    assert formulas.path_integral([g, 2 * g], [d, d]).tolist() == [3.0, 2.25]
    assert formulas.importance(array([3.0, 1.0]), array([-1.0, 0.0]), 0.5).tolist() == [2.0, 2.0]
    omega, anchor, theta = array([2.0, 3.0]), array([1.0, 1.0]), array([2.0, -1.0])
    assert float(formulas.penalty(omega, anchor, theta, 0.5)) == 7.0
    assert formulas.penalty_gradient(omega, anchor, theta, 0.5).tolist() == [2.0, -6.0]


def test_elementwise_formulas_take_python_floats():
    assert formulas.credit(2.0, -0.5) == 1.0
    assert formulas.path_integral([2.0, 1.0], [-0.5, 3.0]) == -2.0
    assert formulas.importance(3.0, 2.0, 1.0) == 0.6
    assert formulas.penalty_gradient(2.0, 1.0, 3.0, 0.5) == 4.0


def test_a_path_integral_needs_as_many_gradients_as_updates():
    with pytest.raises(ValueError):
        formulas.path_integral([1.0, 2.0], [1.0])


@given(numbers, numbers)
def test_credits_add_up_to_the_drop_of_the_loss(g, d):
    g, d = np.array([g, 1.0]), np.array([d, g])
    assert formulas.credit(g, d).sum() == -formulas.loss_change(g, d)


@given(numbers, numbers, positive, positive)
def test_penalty_gradient_is_the_derivative_of_the_penalty(theta, anchor, omega, strength):
    theta, anchor, omega = (torch.tensor([v, 1.0], dtype=torch.float64)
                            for v in (theta, anchor, omega))
    theta.requires_grad_()
    derivative, = torch.autograd.grad(formulas.penalty(omega, anchor, theta, strength), theta)
    expected = formulas.penalty_gradient(omega, anchor, theta.detach(), strength)
    torch.testing.assert_close(derivative, expected, rtol=1e-12, atol=1e-12)


@given(positive, numbers.filter(lambda d: abs(d) > 1e-3))
def test_strength_one_restores_a_quadratic_loss_without_a_factor_one_half(h, start):
    """L = ½hθ², descended from `start` to its minimum: ω = ½h·start², so Ω = h/2 at ξ = 0."""
    omega = formulas.importance(h * start**2 / 2, -start, damping=0.0)
    theta = np.array([0.7])
    assert formulas.penalty(omega, 0.0, theta, 1.0) == pytest.approx(h * 0.7**2 / 2)


@given(positive, numbers, positive)
def test_damping_bounds_the_importance(omega, displacement, damping):
    assert 0 < formulas.importance(omega, displacement, damping) <= omega / damping


@pytest.mark.parametrize("settings", [
    {}, {"momentum": 0.5}, {"momentum": 0.9}, {"momentum": 0.9, "dampening": 0.5},
    {"momentum": 0.5, "dampening": 0.9}, {"dampening": 0.5},
    {"momentum": 0.5, "nesterov": True}, {"momentum": 0.9, "nesterov": True}],
    ids=lambda s: ",".join(f"{k}={v}" for k, v in s.items()) or "plain")
@pytest.mark.parametrize(("factor", "converges"), [(0.97, True), (1.03, False)])
def test_sgd_on_a_parabola_converges_just_below_the_limit_and_diverges_above(
        settings, factor, converges):
    limit = formulas.momentum_limit(settings.get("momentum", 0.0),
                                    dampening=settings.get("dampening", 0.0),
                                    nesterov=settings.get("nesterov", False))
    curvature = 4.0
    theta = torch.nn.Parameter(torch.ones((), dtype=torch.float64))
    sgd = torch.optim.SGD([theta], lr=factor * limit / curvature, **settings, foreach=False)
    for _ in range(1000):
        theta.grad = curvature * theta.detach()
        sgd.step()
    assert abs(theta.item()) < 1e-3 if converges else abs(theta.item()) > 1e3


def test_fully_dampened_momentum_has_no_limit():
    assert formulas.momentum_limit(0.9, dampening=1.0) == float("inf")
