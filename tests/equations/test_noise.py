"""The equations of the chapter "What noise does to it", each as it stands on the page."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from equations.quoting import verifies
from si_tutorial import formulas, quadratic

HESSIAN = np.array([[2.0, 0.7], [0.7, 1.0]])
points = st.tuples(*[st.floats(-1.5, 1.5)] * 2).map(np.array)
positive = st.floats(0.1, 3)


# ------------------------------------------------------------------------- steps that are too long


def a_loss(theta):
    """Nothing special, for torch."""
    x, y = theta
    return torch.sin(x) * y + x**2 * torch.exp(y / 3) + y**4 / 5


def loss_and_gradient(theta):
    theta = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    value = a_loss(theta)
    return value.item(), torch.autograd.grad(value, theta)[0].numpy()


def descend(lr, time, theta=(1.2, -0.8)):
    """Σ ω, the drop, and the squared gradients at both ends, for plain descent on `a_loss`."""
    theta, omega = np.array(theta), 0.0
    start, first = loss_and_gradient(theta)
    for _ in range(round(time / lr)):
        g = loss_and_gradient(theta)[1]
        omega += formulas.credit(g, -lr * g).sum()
        theta = theta - lr * g
    end, last = loss_and_gradient(theta)
    return omega, start - end, first @ first - last @ last


@verifies("eq-step-error", r"""
    \begin{aligned}
    &-\sum_t \sum_k g_k(t)\, \delta_k(t) - \big( L(\theta(0)) - L(\theta(T)) \big) \\
    &\qquad = \tfrac12 \sum_t \delta(t)^\top H\, \delta(t) ,
    \end{aligned}
""")
@settings(max_examples=30, deadline=None)
@given(steps=st.lists(points, min_size=1, max_size=6), start=points)
def test_step_error(steps, start):
    theta, left, right = start, 0.0, 0.0
    for delta in steps:
        left -= (quadratic.gradient(theta, HESSIAN, 0.0) * delta).sum()
        right += delta @ HESSIAN @ delta / 2
        theta = theta + delta
    left -= quadratic.loss(start, HESSIAN, 0.0) - quadratic.loss(theta, HESSIAN, 0.0)
    assert left == pytest.approx(right, abs=1e-9)
    assert sum(formulas.step_error(HESSIAN, delta) for delta in steps) == (
        pytest.approx(left, abs=1e-9))


@verifies("eq-euler-excess", r"""
    \begin{aligned}
    &\sum_k \omega_k - \big( L(\theta(0)) - L(\theta(T)) \big) \\
    &\qquad \approx \frac{\eta}{4} \left( \|g(0)\|^2 - \|g(T)\|^2 \right) ,
    \end{aligned}
""")
def test_euler_excess():
    """The deviation from the law is of second order: it falls a hundredfold with a tenth of η."""
    off = []
    for lr in (0.01, 0.001):
        omega, drop, squares = descend(lr, 0.5)
        assert omega - drop == pytest.approx(lr / 4 * squares, rel=5 * lr)
        off.append(omega - drop - lr / 4 * squares)
    assert off[0] / off[1] == pytest.approx(100, rel=0.1)


# ------------------------------------------------------------------------------------------- noise

# noise with three values, mean zero: expectations are finite sums, nothing is sampled
NOISE = np.array([-0.5, 0.1, 0.7])
CHANCE = np.array([0.5, 0.25, 0.25])
NOISE = NOISE - CHANCE @ NOISE
VARIANCE = CHANCE @ NOISE**2
LR, CURVATURE = 0.1, 0.8


def mean_over_noise(value, times):
    """⟨value(n₁, …)⟩ over `times` independent draws of the noise."""
    total = 0.0
    for draws in np.ndindex(*[3] * times):
        total += np.prod(CHANCE[list(draws)]) * value(*NOISE[list(draws)])
    return total


@verifies("eq-sgd-credit", r"-g_k\, \delta_k = \eta\, (\bar g_k + n_k)^2 \ge 0 .")
@settings(deadline=None)
@given(mean=st.floats(-3, 3), noise=st.floats(-3, 3), lr=positive)
def test_sgd_credit(mean, noise, lr):
    weight = torch.tensor([0.0], dtype=torch.float64, requires_grad=True)
    weight.grad = torch.tensor([mean + noise], dtype=torch.float64)
    torch.optim.SGD([weight], lr=lr).step()
    found = formulas.credit(mean + noise, weight.item())
    assert found == pytest.approx(lr * (mean + noise) ** 2) and found >= 0


@verifies("eq-noise-bias", r"""
    \begin{aligned}
    \Big\langle -\sum_t g_k\, \delta_k \Big\rangle
    &= \Big\langle -\sum_t \bar g_k\, \delta_k \Big\rangle \\
    &\quad + \eta\, T\, \sigma_k^2 .
    \end{aligned}
""")
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_noise_bias(momentum):
    """Every sequence of noise over four steps on a parabola, with its probability."""
    def account(*noise, with_noise):
        theta, buffer, omega = 1.0, 0.0, 0.0
        for n in noise:
            mean = CURVATURE * theta
            buffer = momentum * buffer + mean + n
            omega -= (mean + n * with_noise) * -LR * buffer
            theta -= LR * buffer
        return omega

    online = mean_over_noise(lambda *n: account(*n, with_noise=1), 4)
    true = mean_over_noise(lambda *n: account(*n, with_noise=0), 4)
    assert online == pytest.approx(true + LR * 4 * VARIANCE)
    assert online - true == pytest.approx(formulas.noise_bias(LR, 4, VARIANCE))


# ---------------------------------------------------------------------------------------- remedies


@verifies("eq-trapezoid", r"""
    \begin{aligned}
    &-\tfrac12 \sum_k \big( g_k(\theta) + g_k(\theta + \delta) \big)\, \delta_k \\
    &\qquad = L(\theta) - L(\theta + \delta)
    \quad \text{if } L \text{ is quadratic,}
    \end{aligned}
""")
@settings(max_examples=50, deadline=None)
@given(theta=points, delta=points)
def test_trapezoid(theta, delta):
    tensor = torch.tensor(np.stack([theta, theta + delta]), requires_grad=True)
    losses = 0.5 * torch.einsum("ni,ij,nj->n", tensor, torch.tensor(HESSIAN), tensor)
    before, after = torch.autograd.grad(losses.sum(), tensor)[0].numpy()
    drop = (losses[0] - losses[1]).item()
    assert -0.5 * ((before + after) * delta).sum() == pytest.approx(drop, abs=1e-9)
    assert formulas.trapezoid_credit(before, after, delta).sum() == pytest.approx(drop, abs=1e-9)


def one_step(theta=1.0):
    """Gradients of the parabola before and after a noisy step, and the step, as functions of n."""
    before = CURVATURE * theta

    def delta(n):
        return -LR * (before + n)

    return before, lambda n: CURVATURE * (theta + delta(n)), delta


@verifies("eq-same-batch-bias", r"""
    \begin{aligned}
    &\Big\langle -\tfrac12 \big( \bar g_k(\theta) + n_k \\
    &\qquad\quad + \bar g_k(\theta + \delta) + n_k \big)\, \delta_k \Big\rangle \\
    &\quad = \Big\langle -\tfrac12 \big( \bar g_k(\theta) + \bar g_k(\theta + \delta) \big)\,
    \delta_k \Big\rangle \\
    &\qquad + \eta\,\sigma_k^2 .
    \end{aligned}
""")
def test_same_batch_bias():
    before, after, delta = one_step()
    left = mean_over_noise(
        lambda n: formulas.trapezoid_credit(before + n, after(n) + n, delta(n)), 1)
    true = mean_over_noise(lambda n: -0.5 * (before + after(n)) * delta(n), 1)
    assert left == pytest.approx(true + LR * VARIANCE)


@verifies("eq-next-batch-bias", r"""
    \begin{aligned}
    &\Big\langle -\tfrac12 \big( \bar g_k(\theta) + n_k \\
    &\qquad\quad + \bar g_k(\theta + \delta) + n_k' \big)\, \delta_k \Big\rangle \\
    &\quad = \Big\langle -\tfrac12 \big( \bar g_k(\theta) + \bar g_k(\theta + \delta) \big)\,
    \delta_k \Big\rangle \\
    &\qquad + \tfrac12\,\eta\,\sigma_k^2 .
    \end{aligned}
""")
def test_next_batch_bias():
    before, after, delta = one_step()
    left = mean_over_noise(
        lambda n, fresh: formulas.trapezoid_credit(before + n, after(n) + fresh, delta(n)), 2)
    true = mean_over_noise(lambda n: -0.5 * (before + after(n)) * delta(n), 1)
    assert left == pytest.approx(true + LR * VARIANCE / 2)


@verifies("eq-independent-batch", r"""
    \big\langle -(\bar g_k + n_k'')\, \delta_k \big\rangle = \big\langle -\bar g_k\, \delta_k
    \big\rangle .
""")
def test_independent_batch():
    before, _, delta = one_step()
    left = mean_over_noise(lambda n, other: -(before + other) * delta(n), 2)
    assert left == pytest.approx(mean_over_noise(lambda n: -before * delta(n), 1))


# ------------------------------------------------------------------------------------------- debts


@verifies("eq-heavy-ball", r"""
    \begin{aligned}
    \omega_k &= -\int_0^T g_k\, \dot\theta_k\, dt \\
    &= \tfrac12\, m\, \dot\theta_k(T)^2 + \gamma \int_0^T \dot\theta_k^2\, dt \ge 0 .
    \end{aligned}
""")
@pytest.mark.parametrize("time", [0.7, 3.0])
def test_heavy_ball(time):
    """A ball from rest in the loss above, by integration; some weight runs uphill on the way."""
    mass, friction = 1.3, 0.2

    def flow(t, state):
        g = loss_and_gradient(state[:2])[1]
        velocity = state[2:4]
        return [*velocity, *(-(g + friction * velocity) / mass), *(-g * velocity), *velocity**2]

    run = solve_ivp(flow, (0, time), [1.2, -0.8, 0, 0, 0, 0, 0, 0], rtol=1e-9, atol=1e-11)
    velocity, omega, squares = run.y[2:4, -1], run.y[4:6, -1], run.y[6:, -1]
    np.testing.assert_allclose(omega, mass * velocity**2 / 2 + friction * squares, atol=1e-7)
    assert (omega >= 0).all() and (time < 1 or (np.diff(run.y[4:6]) < -1e-6).any())
