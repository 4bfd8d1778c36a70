"""The equations of the chapter "The path integral", each as it stands on the page."""

import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp

from equations.quoting import verifies
from si_tutorial import formulas, quadratic

X = sp.symbols("x1:3", real=True)
LOSS = sp.sin(X[0]) * X[1] + X[0] ** 2 * sp.exp(X[1] / 3) + X[1] ** 4 / 5   # nothing special
GRADIENT = [sp.diff(LOSS, x) for x in X]
loss_at = sp.lambdify(X, LOSS)
gradient_at = sp.lambdify(X, GRADIENT)
hessian_at = sp.lambdify(X, sp.hessian(LOSS, X))
points = st.tuples(*[st.floats(-1.5, 1.5)] * 2).map(np.array)
positive = st.floats(0.1, 3)


def a_path(t):
    """A curve from θ(0) to θ(1) and its velocity."""
    return (np.array([np.cos(3 * t) + t, t**2 - np.sin(2 * t)]),
            np.array([-3 * np.sin(3 * t) + 1, 2 * t - 2 * np.cos(2 * t)]))


def account(k, path=a_path):
    """ω_k = −∫ g_k θ̇_k dt, by adaptive integration."""
    def integrand(t):
        theta, velocity = path(t)
        return gradient_at(*theta)[k] * velocity[k]
    return -quad(integrand, 0, 1, epsabs=1e-12)[0]


# ------------------------------------------------------------------------------ the line integral


@verifies("eq-taylor-remainder", r"""
    \begin{aligned}
    L(\theta + \delta) - L(\theta) &= \sum_k g_k \, \delta_k \\
    &\quad + \tfrac12\, \delta^\top H(\theta + s\,\delta)\, \delta
    \end{aligned}
""")
@settings(max_examples=50, deadline=None)
@given(theta=points, direction=st.floats(0, 2 * np.pi))
def test_taylor_remainder(theta, direction):
    """The remainder lies between the least and the largest of its form along the step.

    The steps are short, so that this leaves it only a narrow range and ½ little freedom.
    """
    delta = 1e-3 * np.array([np.cos(direction), np.sin(direction)])
    points = theta + np.linspace(0, 1, 50)[:, None] * delta
    forms = np.array([delta @ np.array(hessian_at(*point)) @ delta / 2 for point in points])
    first = formulas.loss_change(np.array(gradient_at(*theta)), delta)
    remainder = loss_at(*(theta + delta)) - loss_at(*theta) - first
    roundoff = 1e-14
    assert forms.min() - roundoff <= remainder <= forms.max() + roundoff
    assert np.ptp(forms) < 1e-8 and np.abs(delta @ delta) == pytest.approx(1e-6)


@verifies("eq-line-integral", r"""
    \begin{aligned}
    L(\theta(T)) - L(\theta(0))
    &= \int_0^T g(\theta(t)) \cdot \dot\theta(t)\, dt \\
    &= \sum_k \int_0^T g_k(\theta(t))\, \dot\theta_k(t)\, dt .
    \end{aligned}
""")
def test_line_integral():
    difference = loss_at(*a_path(1)[0]) - loss_at(*a_path(0)[0])
    whole = quad(lambda t: np.dot(gradient_at(*a_path(t)[0]), a_path(t)[1]), 0, 1, epsabs=1e-12)[0]
    assert whole == pytest.approx(difference, abs=1e-10)
    assert -account(0) - account(1) == pytest.approx(difference, abs=1e-10)


@verifies("eq-shares-sum", r"\sum_k \omega_k = L(\theta(0)) - L(\theta(T))")
@settings(max_examples=20, deadline=None)
@given(bend=st.floats(-2, 2), shift=st.floats(-2, 2))
def test_accounts_sum_for_every_path_between_the_same_points(bend, shift):
    def path(t):
        theta, velocity = a_path(t)
        bulge = np.array([bend, shift])
        return theta + bulge * t * (1 - t), velocity + bulge * (1 - 2 * t)

    drop = loss_at(*a_path(0)[0]) - loss_at(*a_path(1)[0])
    assert account(0, path) + account(1, path) == pytest.approx(drop, abs=1e-9)
    if abs(bend) > 0.5 and abs(shift) > 0.5:     # the accounts themselves are not the same
        assert abs(account(0, path) - account(0)) > 1e-6


# --------------------------------------------------------------------- from account to importance


@verifies("eq-rescaling", r"""
    \begin{aligned}
    &\frac{\omega_k}{(a\,\Delta_k)^2}\, \left(a\,\tilde\theta_k - a\,\theta_k\right)^2 \\
    &\qquad = \frac{\omega_k}{\Delta_k^2}\, \left(\tilde\theta_k - \theta_k\right)^2 .
    \end{aligned}
""")
@pytest.mark.parametrize("scale", [0.1, 7.0])
def test_rescaling(scale):
    """One run of torch's SGD on each scale: the weight in other units is `scale` times as large."""
    def penalty(unit):
        """The penalty per ω at θ = 0.3 after a task, in units in which the weight is w · unit."""
        weight = torch.tensor([1.5 * unit], dtype=torch.float64, requires_grad=True)
        sgd = torch.optim.SGD([weight], lr=0.05 * unit**2)   # makes the same steps in either
        grads, deltas, start = [], [], weight.item()
        for _ in range(20):
            sgd.zero_grad()
            ((weight / unit) ** 4 / 4 - weight / unit).sum().backward()
            before = weight.detach().clone()
            grads.append(weight.grad.clone())
            sgd.step()
            deltas.append(weight.detach() - before)
        omega = formulas.path_integral(grads, deltas)
        importance = formulas.importance(omega, weight.detach() - start, 0.0)
        there = torch.tensor([0.3 * unit], dtype=torch.float64)
        return omega.item(), formulas.penalty(importance, weight.detach(), there, 1.0).item()

    omega, value = penalty(1.0)
    assert penalty(scale) == pytest.approx((omega, value), rel=1e-9)
    assert omega > 0.1 and value > 0.01


@verifies("eq-half-curvature", r"""
    \begin{aligned}
    \frac{\omega}{\Delta^2} &= \frac{L(\theta(0)) - L(\theta^*)}{\Delta^2} \\
    &= \frac{\tfrac12\, h\, \Delta^2}{\Delta^2} = \frac{h}{2} .
    \end{aligned}
""")
def test_half_curvature():
    h, start, optimum, theta = sp.symbols("h theta0 optimum theta", real=True)
    parabola = h * (theta - optimum) ** 2 / 2
    omega = -sp.integrate(sp.diff(parabola, theta), (theta, start, optimum))
    drop = parabola.subs(theta, start) - parabola.subs(theta, optimum)
    displacement = optimum - start
    assert sp.simplify(omega - drop) == 0
    assert sp.simplify(omega / displacement**2 - h / 2) == 0


@verifies("eq-natural-strength", r"""
    c\,\Omega\,(\tilde\theta - \theta)^2 = \tfrac{h}{2}\,(\theta^* - \theta)^2 = L(\theta) ,
""")
@settings(max_examples=30, deadline=None)
@given(h=positive, start=st.floats(1, 3), theta=st.floats(-3, 3))
def test_natural_strength(h, start, theta):
    """Train to the minimum by small steps, take the package's Ω: its penalty is the old loss."""
    optimum, lr = -0.5, 0.005 / h
    steps = 4000
    path = optimum + (start - optimum) * (1 - lr * h) ** np.arange(steps + 1)
    grads, deltas = h * (path[:-1] - optimum), np.diff(path)
    importance = formulas.importance(formulas.path_integral(grads[:, None], deltas[:, None]),
                                     path[-1:] - start, 0.0)
    penalty = formulas.penalty(importance, path[-1:], np.array([theta]), 1.0)
    loss = quadratic.loss([theta], np.array([[h]]), optimum)
    assert penalty == pytest.approx(loss, rel=0.003, abs=1e-6)
    assert penalty == pytest.approx(h / 2 * (optimum - theta) ** 2, rel=0.003, abs=1e-6)


@verifies("eq-damped-importance", r"""
    \Omega = \frac{\omega}{\Delta^2 + \xi} = \frac{h}{2} \cdot \frac{\Delta^2}{\Delta^2 + \xi}
    ,
""")
@settings(max_examples=50, deadline=None)
@given(h=positive, displacement=st.floats(-3, 3), damping=positive)
def test_damped_importance(h, displacement, damping):
    omega = -quad(lambda x: h * x, -displacement, 0)[0]     # from −Δ to the minimum at zero
    assert formulas.importance(omega, displacement, damping) == pytest.approx(
        h / 2 * displacement**2 / (displacement**2 + damping), abs=1e-9)


@verifies("eq-importance-bound", r"""
    \left| \frac{\omega_k}{\Delta_k^2 + \xi} \right| \le \frac{|\omega_k|}{\xi} .
""")
@settings(deadline=None)
@given(omega=st.floats(-10, 10), displacement=st.floats(-10, 10), damping=st.floats(1e-3, 10))
def test_importance_bound(omega, displacement, damping):
    bound = abs(omega) / damping
    assert abs(formulas.importance(omega, displacement, damping)) <= bound * (1 + 1e-12)
    assert abs(formulas.importance(omega, 0.0, damping)) == pytest.approx(bound)   # and is reached


# --------------------------------------------------------------------------------- many tasks


def second_task(h, importance, strength, distance):
    """ω and Δ of one weight under the penalty, by integrating its gradient flow."""
    pull = 2 * strength * importance

    def flow(t, state):
        task_grad = h * (state[0] - distance)
        velocity = -(task_grad + pull * state[0])
        return [velocity, -task_grad * velocity]

    return solve_ivp(flow, (0, 40 / (h + pull)), [0.0, 0.0], rtol=1e-10, atol=1e-13).y[::-1, -1]


@verifies("eq-held-back", r"\Delta = \frac{h\, D}{h + 2\,c\,\Omega} .")
@settings(max_examples=20, deadline=None)
@given(h=positive, importance=positive, strength=positive, distance=positive)
def test_held_back(h, importance, strength, distance):
    _, displacement = second_task(h, importance, strength, distance)
    page = h * distance / (h + 2 * strength * importance)
    assert displacement == pytest.approx(page, rel=1e-6)
    assert quadratic.second_displacement(np.array([[h]]), [distance], np.array([importance]),
                                         strength)[0] == pytest.approx(page, rel=1e-9)


@verifies("eq-compounding", r"""
    \begin{aligned}
    \frac{\omega}{\Delta^2} &= \frac{2\,(h + 2c\,\Omega) - h}{2} \\
    &= \frac{h}{2} + 2\,c\,\Omega .
    \end{aligned}
""")
@settings(max_examples=20, deadline=None)
@given(h=positive, importance=positive, strength=positive, distance=positive)
def test_compounding(h, importance, strength, distance):
    omega, displacement = second_task(h, importance, strength, distance)
    found = omega / displacement**2
    assert found == pytest.approx((2 * (h + 2 * strength * importance) - h) / 2, rel=1e-6)
    assert found == pytest.approx(h / 2 + 2 * strength * importance, rel=1e-6)
    assert quadratic.compounded_importance(h, importance, strength) == pytest.approx(found,
                                                                                     rel=1e-6)
