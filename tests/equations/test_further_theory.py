"""The equations of the appendix "Further theory", each as it stands on the page."""

from itertools import permutations

import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import dblquad, quad, quad_vec, solve_ivp
from scipy.linalg import expm, sqrtm
from scipy.stats import ortho_group

from equations.quoting import verifies
from si_tutorial import formulas, quadratic

positive = st.floats(0.1, 3)
seeds = st.integers(0, 2**32 - 1)
offsets = st.tuples(*[st.floats(-2, 2)] * 3).map(np.array)


def a_bowl(seed, n=3):
    """A random H `(n, n)` with curvatures 0.3 … 3, from SciPy's random rotations."""
    rng = np.random.default_rng(seed)
    u = ortho_group.rvs(n, random_state=rng)
    hessian = (u * rng.uniform(0.3, 3, n)) @ u.T
    return (hessian + hessian.T) / 2


# ----------------------------------------------------------------------------- paths and divisions


@verifies("eq-green", r"""
    \begin{aligned}
    &\oint g_1 \, d\theta_1 \\
    &\quad = - \iint_A \frac{\partial^2 L}{\partial \theta_1 \, \partial \theta_2} \,
    d\theta_1 \, d\theta_2 .
    \end{aligned}
""")
def test_green_around_an_ellipse():
    x = sp.symbols("x1:3", real=True)
    loss = sp.sin(x[0]) * x[1] + x[0] ** 2 * sp.exp(x[1] / 3) + x[1] ** 4 / 5
    slope, mixed = sp.lambdify(x, sp.diff(loss, x[0])), sp.lambdify(x, sp.diff(loss, *x))
    center, a, b = (0.3, -0.2), 0.8, 0.5

    def integrand(t):     # counter-clockwise
        return slope(center[0] + a * np.cos(t), center[1] + b * np.sin(t)) * -a * np.sin(t)

    region = dblquad(lambda y, x: mixed(center[0] + x, center[1] + y), -a, a,
                     lambda x: -b * np.sqrt(1 - (x / a) ** 2),
                     lambda x: b * np.sqrt(1 - (x / a) ** 2))[0]
    assert quad(integrand, 0, 2 * np.pi)[0] == pytest.approx(-region, abs=1e-7)


@verifies("eq-shapley", r"""
    \frac{1}{n!} \sum_{\text{orders}} \omega_k = - \Delta_k\, g_k\!\left( \frac{\theta(0) +
    \theta(T)}{2} \right) .
""")
@settings(max_examples=10, deadline=None)
@given(seed=seeds, start=offsets, end=offsets)
def test_shapley(seed, start, end):
    """All six orders of three weights; an account on the way is a difference of losses."""
    hessian, optimum = a_bowl(seed), np.array([0.4, -0.3, 0.1])
    mean = np.zeros(3)
    for order in permutations(range(3)):
        theta = start.copy()
        for k in order:
            before = quadratic.loss(theta, hessian, optimum)
            theta[k] = end[k]
            mean[k] += (before - quadratic.loss(theta, hessian, optimum)) / 6
    middle = quadratic.gradient((start + end) / 2, hessian, optimum)
    np.testing.assert_allclose(mean, -(end - start) * middle, atol=1e-9)


# ------------------------------------------------------------------------------------- many tasks


@verifies("eq-surrogate-gap", r"""
    \begin{aligned}
    &\omega_k^{\text{task}} - \omega_k^{\text{total}} \\
    &\qquad = c\,\Omega_k \Big( \Delta_k^2 - \sum_t \delta_k(t)^2 \Big) .
    \end{aligned}
""")
@settings(max_examples=50, deadline=None)
@given(deltas=st.lists(st.floats(-1, 1), min_size=1, max_size=20),
       grads=st.lists(st.floats(-5, 5), min_size=20, max_size=20), importance=positive,
       strength=positive)
def test_surrogate_gap(deltas, grads, importance, strength):
    """For any steps and any task gradients whatever."""
    x = by_task = by_total = 0.0
    for delta, g in zip(deltas, grads, strict=False):
        by_task -= g * delta
        by_total -= (g + 2 * strength * importance * x) * delta
        x += delta
    right = strength * importance * (x**2 - sum(delta**2 for delta in deltas))
    assert by_task - by_total == pytest.approx(right, abs=1e-9)
    assert formulas.surrogate_gap(importance, deltas, strength) == pytest.approx(right, abs=1e-9)


def second_task(h, importance, strength, distance, total=False):
    """ω and Δ of one weight under the penalty, by integrating its gradient flow."""
    pull = 2 * strength * importance

    def flow(t, state):
        task_grad = h * (state[0] - distance)
        velocity = -(task_grad + pull * state[0])
        return [velocity, (velocity if total else -task_grad) * velocity]

    return solve_ivp(flow, (0, 40 / (h + pull)), [0.0, 0.0], rtol=1e-10, atol=1e-13).y[::-1, -1]


@verifies("eq-compounded-total", r"\Omega^{(n)} = \frac{h}{4c} \left( (1 + 2c)^n - 1 \right)")
def test_compounded_total():
    h, strength, total = 1.3, 0.4, 0.0
    for n in range(1, 6):
        omega, displacement = second_task(h, total, strength, 1.0)
        total += omega / displacement**2
        closed = h / (4 * strength) * ((1 + 2 * strength) ** n - 1)
        assert total == pytest.approx(closed, rel=1e-6)


@verifies("eq-damped-growth", r"\Omega^{(n)} \approx h\, D\, \sqrt{\frac{n}{c\,\xi}} .")
@pytest.mark.parametrize(("h", "distance", "strength", "damping"),
                         [(1.0, 1.0, 1.0, 0.1), (2.0, 0.5, 0.3, 0.4)])
def test_damped_growth(h, distance, strength, damping):
    """Task after task in closed form; the ratio comes closer to 1 with their number."""
    total, off = 0.0, []
    for n in range(1, 100_001):
        moved = h * distance / (h + 2 * strength * total)
        omega = h / 2 * (distance**2 - (distance - moved) ** 2)
        total += formulas.importance(omega, moved, damping)
        if n in (1000, 100_000):
            off.append(abs(total / (h * distance * (n / strength / damping) ** 0.5) - 1))
    assert off[1] < 0.01 and off[1] < off[0] / 5


@verifies("eq-replaced", r"\Omega_{\text{new}} = \frac{h}{2} + c\,\Omega_{\text{old}} ,")
def test_replaced():
    total = 0.0
    for n in range(1, 6):
        omega, displacement = second_task(1.3, total, 1.0, 0.7, total=True)
        assert omega / displacement**2 == pytest.approx(1.3 / 2 + 1.0 * total, rel=1e-6)
        total = omega / displacement**2
        assert total == pytest.approx(n * 1.3 / 2, rel=1e-6)
    omega, displacement = second_task(0.9, 1.1, 0.4, 0.7, total=True)
    assert omega / displacement**2 == pytest.approx(0.9 / 2 + 0.4 * 1.1, rel=1e-6)


# ----------------------------------------------------------------------------------- in the bowl

TAU = 0.7


def gram(hessian, offset):
    """τ ∫ θ̇ θ̇ᵀ dt from the matrix exponential alone."""
    def value(t):
        velocity = -hessian @ expm(-hessian * t / TAU) @ offset / TAU
        return TAU * np.outer(velocity, velocity)
    return quad_vec(value, 0, 60 * TAU / 0.3, epsabs=1e-10)[0]


@verifies("eq-gram-integral", r"""
    \begin{aligned}
    Q &= \frac{1}{\tau} \int_0^\infty M(t)\, dt , \\
    M(t) &= e^{-Ht/\tau}\, H\, d\, d^\top H\, e^{-Ht/\tau} .
    \end{aligned}
""")
def test_gram_integral():
    hessian, offset = a_bowl(4), np.array([1.0, -2, 0.5])

    def integrand(t):
        decay = expm(-hessian * t / TAU)
        return decay @ hessian @ np.outer(offset, offset) @ hessian @ decay

    right = quad_vec(integrand, 0, 60, epsabs=1e-11)[0] / TAU
    np.testing.assert_allclose(gram(hessian, offset), right, atol=1e-7)


@verifies("eq-lyapunov", r"H Q + Q H = H\, d\, d^\top H ,")
@settings(max_examples=4, deadline=None)
@given(seed=seeds, offset=offsets)
def test_lyapunov(seed, offset):
    hessian = a_bowl(seed)
    Q = gram(hessian, offset)
    right = hessian @ np.outer(offset, offset) @ hessian
    np.testing.assert_allclose(hessian @ Q + Q @ hessian, right, atol=1e-6)


@verifies("eq-two-weights", r"""
    Q = \frac{g\, g^\top + \det(H)\; d\, d^\top}{2 \operatorname{tr} H}
""")
def test_two_weights():
    """By SymPy: it solves the Lyapunov equation, whose solution is unique for positive H."""
    a, b, c, d1, d2 = sp.symbols("a b c d1 d2")
    H, d = sp.Matrix([[a, b], [b, c]]), sp.Matrix([d1, d2])
    g = H * d
    Q = (g * g.T + H.det() * d * d.T) / (2 * H.trace())
    assert sp.simplify(H * Q + Q * H - H * d * d.T * H) == sp.zeros(2)


# ------------------------------------------------------------------------------------ other roads


def mean_accounts(rate, columns, time=400.0):
    """−∫ Σ over starts g θ̇ᵀ dt for (θ−θ*, velocity)' = rate · (…), starts in `columns`, at rest.

    `rate` maps the state `(m, n)` to its derivative, and returns g as well.
    """
    def flow(t, state):
        change, g = rate(state[:-9].reshape(-1, 9))
        velocity = change[0].reshape(3, 3)
        return [*change.ravel(), *(-g @ velocity.T).ravel()]

    start = np.concatenate([columns.ravel(), np.zeros(9 * (rate(None) - 1)), np.zeros(9)])
    run = solve_ivp(flow, (0, time), start, rtol=1e-10, atol=1e-12)
    return run.y[-9:, -1].reshape(3, 3)


@verifies("eq-any-road", r"""
    \begin{aligned}
    &-\int_0^\infty \langle g\, \dot\theta^\top \rangle\, dt \\
&\quad = -\sigma^2 \int_0^\infty H\, \Phi\, \dot\Phi\, dt \\
&\quad = -\tfrac12\, \sigma^2 H \int_0^\infty \frac{d}{dt} \Phi^2\, dt \\
&\quad = \tfrac12\, \sigma^2 H .
    \end{aligned}
""")
def test_any_road():
    """A heavy ball, from three starts at right angles of length σ√3: ⟨d dᵀ⟩ = σ² I exactly."""
    hessian, sigma, mass, friction = a_bowl(8), 0.6, 1.4, 0.5

    def rate(state):
        if state is None:
            return 2    # position and velocity
        x, velocity = state[0].reshape(3, 3), state[1].reshape(3, 3)
        g = hessian @ x
        return np.array([velocity.ravel(), (-(g + friction * velocity) / mass).ravel()]), g

    columns = sigma * np.sqrt(3) * ortho_group.rvs(3, random_state=np.random.default_rng(1))
    found = mean_accounts(rate, columns) / 3
    np.testing.assert_allclose(found, sigma**2 * hessian / 2, atol=1e-6)
    np.testing.assert_allclose(quadratic.mean_velocity_gram(hessian, sigma), found, atol=1e-6)
    single = mean_accounts(rate, np.outer(columns[:, 0], [1, 0, 0]))
    flowing = quadratic.velocity_gram(hessian, columns[:, 0])
    assert np.abs(np.diag(single - flowing)).max() > 0.01     # one account does change


@verifies("eq-preconditioned", r"""
    \frac{\langle \omega_k \rangle}{\langle \Delta_k^2 \rangle}
    = \frac{\tfrac12\, \sigma^2 H_{kk}\, A_{kk}}{\sigma^2 A_{kk}} = \tfrac12\, H_{kk}
""")
def test_preconditioned():
    """Starts of covariance σ²A exactly; with isotropic ones the ratio is another."""
    hessian, scales, sigma = a_bowl(9), np.diag([0.4, 1.0, 2.5]), 0.6

    def rate(state):
        if state is None:
            return 1
        g = hessian @ state[0].reshape(3, 3)
        return np.array([(-scales @ g).ravel()]), g

    even = sigma * np.sqrt(3) * ortho_group.rvs(3, random_state=np.random.default_rng(1))
    columns = np.real(sqrtm(scales)) @ even
    omega, squares = np.diag(mean_accounts(rate, columns)) / 3, (columns**2).mean(1)
    np.testing.assert_allclose(omega, sigma**2 * np.diag(hessian) * np.diag(scales) / 2, rtol=1e-6)
    np.testing.assert_allclose(squares, sigma**2 * np.diag(scales), rtol=1e-9)
    np.testing.assert_allclose(omega / squares, np.diag(hessian) / 2, rtol=1e-6)
    other = np.diag(mean_accounts(rate, even)) / 3 / (even**2).mean(1)
    assert np.abs(other - np.diag(hessian) / 2).max() > 0.01


# -------------------------------------------------------------------------------------- the Fisher


@verifies("eq-fisher-curvature", r"""
\begin{aligned}
F &= - \frac1N \sum_{n=1}^N \; \mathbb{E}_{y \sim p(y \mid x_n, \theta)} \\
&\quad \nabla_\theta^2 \log p(y \mid x_n, \theta) ,
\end{aligned}
""")
def test_fisher_curvature():
    """A network with a hidden layer, every input and label, by two kinds of derivative."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(7, 2, generator=generator, dtype=torch.float64)
    w = torch.randn(3 * 2 + 3 * 3, generator=generator, dtype=torch.float64)

    def log_p(w):
        hidden = torch.tanh(x @ w[:6].view(3, 2).T)
        return torch.log_softmax(hidden @ w[6:].view(3, 3).T, 1)            # (7, 3)

    p, slopes = log_p(w).exp(), torch.func.jacrev(log_p)(w)
    left = torch.einsum("ny,nyi,nyj->ij", p, slopes, slopes) / 7
    right = -torch.einsum("ny,nyij->ij", p, torch.func.hessian(log_p)(w)) / 7
    torch.testing.assert_close(left, right)
    assert left.abs().max() > 0.01
