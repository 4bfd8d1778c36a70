"""The equations of the chapter "Credit along the path", each as it stands on the page."""

import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import dblquad, quad, solve_ivp
from scipy.optimize import brentq

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


def share(k, path=a_path):
    """ω_k = −∫ g_k θ̇_k dt, by adaptive integration."""
    def integrand(t):
        theta, velocity = path(t)
        return gradient_at(*theta)[k] * velocity[k]
    return -quad(integrand, 0, 1, epsabs=1e-12)[0]


# ------------------------------------------------------------------------------ the line integral


@verifies("eq-taylor-remainder", r"""
    L(\theta + \delta) - L(\theta) = \sum_k g_k \, \delta_k + \tfrac12\, \delta^\top H(\theta
    + s\,\delta)\, \delta
    \qquad \text{for some } 0 \le s \le 1 ,
""")
@settings(max_examples=50, deadline=None)
@given(theta=points, delta=points)
def test_taylor_remainder(theta, delta):
    first = formulas.loss_change(np.array(gradient_at(*theta)), delta)
    left = loss_at(*(theta + delta)) - loss_at(*theta)

    def missing(s):
        return first + delta @ hessian_at(*(theta + s * delta)) @ delta / 2 - left

    grid = [missing(s) for s in np.linspace(0, 1, 200)]
    assert min(grid) <= 1e-9 and max(grid) >= -1e-9     # so some s in between makes it zero
    if grid[0] * grid[-1] < 0:
        assert 0 <= brentq(missing, 0, 1) <= 1


@verifies("eq-line-integral", r"""
    L(\theta(T)) - L(\theta(0)) = \int_0^T g(\theta(t)) \cdot \dot\theta(t)\, dt
    = \sum_k \int_0^T g_k(\theta(t))\, \dot\theta_k(t)\, dt .
""")
def test_line_integral():
    difference = loss_at(*a_path(1)[0]) - loss_at(*a_path(0)[0])
    whole = quad(lambda t: np.dot(gradient_at(*a_path(t)[0]), a_path(t)[1]), 0, 1, epsabs=1e-12)[0]
    assert whole == pytest.approx(difference, abs=1e-10)
    assert -share(0) - share(1) == pytest.approx(difference, abs=1e-10)


@verifies("eq-shares-sum", r"\sum_k \omega_k = L(\theta(0)) - L(\theta(T))")
@settings(max_examples=20, deadline=None)
@given(bend=st.floats(-2, 2), shift=st.floats(-2, 2))
def test_shares_sum_for_every_path_between_the_same_points(bend, shift):
    def path(t):
        theta, velocity = a_path(t)
        bulge = np.array([bend, shift])
        return theta + bulge * t * (1 - t), velocity + bulge * (1 - 2 * t)

    drop = loss_at(*a_path(0)[0]) - loss_at(*a_path(1)[0])
    assert share(0, path) + share(1, path) == pytest.approx(drop, abs=1e-9)
    if abs(bend) > 0.5 and abs(shift) > 0.5:     # the shares themselves are not the same
        assert abs(share(0, path) - share(0)) > 1e-6


@verifies("eq-green", r"""
    \oint g_1 \, d\theta_1 = - \iint_A \frac{\partial^2 L}{\partial \theta_1 \, \partial
    \theta_2} \, d\theta_1 \, d\theta_2 .
""")
def test_green_around_an_ellipse():
    center, a, b = (0.3, -0.2), 0.8, 0.5

    def integrand(t):     # counter-clockwise
        x, y = center[0] + a * np.cos(t), center[1] + b * np.sin(t)
        return gradient_at(x, y)[0] * -a * np.sin(t)

    mixed = sp.lambdify(X, sp.diff(LOSS, *X))
    region = dblquad(lambda y, x: mixed(center[0] + x, center[1] + y), -a, a,
                     lambda x: -b * np.sqrt(1 - (x / a) ** 2),
                     lambda x: b * np.sqrt(1 - (x / a) ** 2))[0]
    assert quad(integrand, 0, 2 * np.pi)[0] == pytest.approx(-region, abs=1e-7)


# ------------------------------------------------------------------------- from share to importance


@verifies("eq-rescaling", r"""
    \frac{\omega_k}{(a\,\Delta_k)^2}\, \left(a\,\tilde\theta_k - a\,\theta_k\right)^2
    = \frac{\omega_k}{\Delta_k^2}\, \left(\tilde\theta_k - \theta_k\right)^2 .
""")
def test_rescaling():
    omega, a, drift, anchor, theta = sp.symbols("omega a Delta anchor theta", positive=True)
    left = omega / (a * drift) ** 2 * (a * anchor - a * theta) ** 2
    assert sp.simplify(left - omega / drift**2 * (anchor - theta) ** 2) == 0
    # and ω does not change with the scale: g/a times aδ
    g, delta = sp.symbols("g delta")
    assert sp.simplify(formulas.credit(g / a, a * delta) - formulas.credit(g, delta)) == 0


@verifies("eq-half-curvature", r"""
    \frac{\omega}{\Delta^2} = \frac{L(\theta(0)) - L(\theta^*)}{\Delta^2}
    = \frac{\tfrac12\, h\, \Delta^2}{\Delta^2} = \frac{h}{2} .
""")
def test_half_curvature():
    h, start, optimum, theta = sp.symbols("h theta0 optimum theta", real=True)
    parabola = h * (theta - optimum) ** 2 / 2
    omega = -sp.integrate(sp.diff(parabola, theta), (theta, start, optimum))
    drop = parabola.subs(theta, start) - parabola.subs(theta, optimum)
    drift = optimum - start
    assert sp.simplify(omega - drop) == 0
    assert sp.simplify(omega / drift**2 - h / 2) == 0


@verifies("eq-natural-strength", r"""
    c\,\Omega\,(\tilde\theta - \theta)^2 = \tfrac{h}{2}\,(\theta^* - \theta)^2 = L(\theta) ,
""")
def test_natural_strength():
    h, theta, optimum = sp.symbols("h theta optimum", real=True)
    penalty = 1 * (h / 2) * (optimum - theta) ** 2
    assert sp.simplify(penalty - h / 2 * (optimum - theta) ** 2) == 0
    assert sp.simplify(penalty - h * (theta - optimum) ** 2 / 2) == 0
    assert formulas.penalty(np.array([1.5]), np.array([2.0]), np.array([0.5]), 1.0) == (
        pytest.approx(3.0 * (0.5 - 2.0) ** 2 / 2))       # h = 3: the package's penalty is the loss


@verifies("eq-damped-importance", r"""
    \Omega = \frac{\omega}{\Delta^2 + \xi} = \frac{h}{2} \cdot \frac{\Delta^2}{\Delta^2 + \xi}
    ,
""")
@settings(max_examples=50, deadline=None)
@given(h=positive, drift=st.floats(-3, 3), damping=positive)
def test_damped_importance(h, drift, damping):
    omega = -quad(lambda x: h * x, -drift, 0)[0]     # from −Δ to the minimum at zero
    assert formulas.importance(omega, drift, damping) == pytest.approx(
        h / 2 * drift**2 / (drift**2 + damping), abs=1e-9)


@verifies("eq-importance-bound", r"""
    \left| \frac{\omega_k}{\Delta_k^2 + \xi} \right| \le \frac{|\omega_k|}{\xi} .
""")
@settings(deadline=None)
@given(omega=st.floats(-10, 10), drift=st.floats(-10, 10), damping=st.floats(1e-3, 10))
def test_importance_bound(omega, drift, damping):
    bound = abs(omega) / damping
    assert abs(formulas.importance(omega, drift, damping)) <= bound * (1 + 1e-12)


# --------------------------------------------------------------------------------- many tasks


@verifies("eq-surrogate-gap", r"""
    \omega_k^{\text{task}} - \omega_k^{\text{total}} = c\,\Omega_k \Big( \Delta_k^2 - \sum_t
    \delta_k(t)^2 \Big) .
""")
@settings(max_examples=50, deadline=None)
@given(deltas=st.lists(st.floats(-1, 1), min_size=1, max_size=20),
       grads=st.lists(st.floats(-5, 5), min_size=20, max_size=20), importance=positive,
       strength=positive)
def test_surrogate_gap(deltas, grads, importance, strength):
    """For any displacements and any task gradients whatever."""
    x = by_task = by_total = 0.0
    for delta, g in zip(deltas, grads, strict=False):
        by_task -= g * delta
        by_total -= (g + 2 * strength * importance * x) * delta
        x += delta
    right = strength * importance * (x**2 - sum(delta**2 for delta in deltas))
    assert by_task - by_total == pytest.approx(right, abs=1e-9)
    assert formulas.surrogate_gap(importance, deltas, strength) == pytest.approx(right, abs=1e-9)


def second_task(h, importance, strength, distance):
    """ω and Δ of one weight under the penalty, by integrating its gradient flow."""
    pull = 2 * strength * importance

    def flow(t, state):
        task_grad = h * (state[0] - distance)
        velocity = -(task_grad + pull * state[0])
        return [velocity, -task_grad * velocity]

    return solve_ivp(flow, (0, 40 / (h + pull)), [0.0, 0.0], rtol=1e-10, atol=1e-13).y[::-1, -1]


@verifies("eq-compounding", r"\frac{\omega}{\Delta^2} = \frac{h}{2} + 2\,c\,\Omega .")
@settings(max_examples=20, deadline=None)
@given(h=positive, importance=positive, strength=positive, distance=positive)
def test_compounding(h, importance, strength, distance):
    omega, drift = second_task(h, importance, strength, distance)
    assert omega / drift**2 == pytest.approx(h / 2 + 2 * strength * importance, rel=1e-6)


@verifies("eq-compounded-total", r"\Omega^{(n)} = \frac{h}{4c} \left( (1 + 2c)^n - 1 \right)")
def test_compounded_total():
    h, strength, total = 1.3, 0.4, 0.0
    for n in range(1, 6):
        omega, drift = second_task(h, total, strength, 1.0)
        total += omega / drift**2
        closed = h / (4 * strength) * ((1 + 2 * strength) ** n - 1)
        assert total == pytest.approx(closed, rel=1e-6)


# ------------------------------------------------------------------------- the discrete first order


def descend(lr, time, theta=(1.2, -0.8)):
    """Σ ω, the drop, and the squared gradients at both ends, for plain descent on `LOSS`."""
    theta, omega = np.array(theta), 0.0
    first, start = np.array(gradient_at(*theta)), loss_at(*theta)
    for _ in range(round(time / lr)):
        g = np.array(gradient_at(*theta))
        omega += formulas.credit(g, -lr * g).sum()
        theta = theta - lr * g
    last = np.array(gradient_at(*theta))
    return omega, start - loss_at(*theta), first @ first - last @ last


@verifies("eq-step-error", r"""
    -\sum_t \sum_k g_k(t)\, \delta_k(t) - \big( L(\theta(0)) - L(\theta(T)) \big)
    = \tfrac12 \sum_t \delta(t)^\top H\, \delta(t) ,
""")
@settings(max_examples=30, deadline=None)
@given(steps=st.lists(points, min_size=1, max_size=6), start=points)
def test_step_error(steps, start):
    hessian = np.array([[2.0, 0.7], [0.7, 1.0]])
    theta, left, right = start, 0.0, 0.0
    for delta in steps:
        left -= (quadratic.gradient(theta, hessian, 0.0) * delta).sum()
        right += delta @ hessian @ delta / 2
        theta = theta + delta
    left -= quadratic.loss(start, hessian, 0.0) - quadratic.loss(theta, hessian, 0.0)
    assert left == pytest.approx(right, abs=1e-9)


@verifies("eq-euler-excess", r"""
    \sum_k \omega_k - \big( L(\theta(0)) - L(\theta(T)) \big)
    \approx \frac{\eta}{4} \left( \|g(0)\|^2 - \|g(T)\|^2 \right) ,
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
    \Big\langle -\sum_t g_k\, \delta_k \Big\rangle = \Big\langle -\sum_t \bar g_k\, \delta_k
    \Big\rangle + \eta\, T\, \sigma_k^2 .
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


@verifies("eq-trapezoid", r"""
    -\tfrac12 \sum_k \big( g_k(\theta) + g_k(\theta + \delta) \big)\, \delta_k = L(\theta) -
    L(\theta + \delta)
    \qquad \text{if } L \text{ is quadratic,}
""")
@settings(max_examples=50, deadline=None)
@given(theta=points, delta=points)
def test_trapezoid(theta, delta):
    hessian = np.array([[2.0, 0.7], [0.7, 1.0]])
    tensor = torch.tensor(np.stack([theta, theta + delta]), requires_grad=True)
    losses = 0.5 * torch.einsum("ni,ij,nj->n", tensor, torch.tensor(hessian), tensor)
    grads, = torch.autograd.grad(losses.sum(), tensor)
    left = -0.5 * ((grads[0] + grads[1]).numpy() * delta).sum()
    assert left == pytest.approx((losses[0] - losses[1]).item(), abs=1e-9)


def one_step(theta=1.0):
    """Gradients of the parabola before and after a noisy step, and the step, as functions of n."""
    before = CURVATURE * theta

    def delta(n):
        return -LR * (before + n)

    return before, lambda n: CURVATURE * (theta + delta(n)), delta


@verifies("eq-same-batch-bias", r"""
    \Big\langle -\tfrac12 \big( \bar g_k(\theta) + n_k + \bar g_k(\theta + \delta) + n_k
    \big)\, \delta_k \Big\rangle
    = \Big\langle -\tfrac12 \big( \bar g_k(\theta) + \bar g_k(\theta + \delta) \big)\,
    \delta_k \Big\rangle + \eta\,\sigma_k^2 .
""")
def test_same_batch_bias():
    before, after, delta = one_step()
    left = mean_over_noise(lambda n: -0.5 * (before + n + after(n) + n) * delta(n), 1)
    true = mean_over_noise(lambda n: -0.5 * (before + after(n)) * delta(n), 1)
    assert left == pytest.approx(true + LR * VARIANCE)


@verifies("eq-next-batch-bias", r"""
    \Big\langle -\tfrac12 \big( \bar g_k(\theta) + n_k + \bar g_k(\theta + \delta) + n_k'
    \big)\, \delta_k \Big\rangle
    = \Big\langle -\tfrac12 \big( \bar g_k(\theta) + \bar g_k(\theta + \delta) \big)\,
    \delta_k \Big\rangle + \tfrac12\,\eta\,\sigma_k^2 .
""")
def test_next_batch_bias():
    before, after, delta = one_step()
    left = mean_over_noise(
        lambda n, fresh: -0.5 * (before + n + after(n) + fresh) * delta(n), 2)
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
