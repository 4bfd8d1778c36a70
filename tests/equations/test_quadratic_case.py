"""The equations of the chapter "The quadratic case", each as it stands on the page."""

import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.integrate import quad_vec, solve_ivp
from scipy.linalg import expm
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import ortho_group

from equations.quoting import verifies
from si_tutorial import formulas, quadratic

TAU = 0.7
seeds = st.integers(0, 2**32 - 1)
offsets = hnp.arrays(float, 3, elements=st.floats(-2, 2))
positive = st.floats(0.05, 5)
for_all_bowls = settings(max_examples=30, deadline=None)


def a_bowl(seed, n=3, rank=None):
    """A random H `(n, n)` of that rank with curvatures 0.3 … 3, from SciPy's random rotations."""
    rng = np.random.default_rng(seed)
    u = ortho_group.rvs(n, random_state=rng)
    curvatures = np.append(rng.uniform(0.3, 3, rank or n), np.zeros(n - (rank or n)))
    hessian = (u * curvatures) @ u.T
    return (hessian + hessian.T) / 2


def along_the_flow(hessian, offset, integrand, until=np.inf):
    """∫ integrand(θ−θ*, θ̇) dt along the flow, from the matrix exponential alone."""
    def value(t):
        x = expm(-hessian * t / TAU) @ offset
        return integrand(x, -hessian @ x / TAU)
    until = min(until, 60 * TAU / 0.3)
    return quad_vec(value, 0, until, epsabs=1e-10)[0]


def gram(hessian, offset):
    return along_the_flow(hessian, offset, lambda x, v: TAU * np.outer(v, v))


# ---------------------------------------------------------------------------- the bowl and the flow


@verifies("eq-quadratic-gradient", r"g = H\,(\theta - \theta^*) .")
def test_quadratic_gradient():
    hessian, optimum = a_bowl(0), np.array([0.3, -1.0, 2.0])
    theta = torch.tensor([1.0, 0.5, -0.7], dtype=torch.float64, requires_grad=True)
    offset = theta - torch.tensor(optimum)
    (offset @ torch.tensor(hessian) @ offset / 2).backward()
    np.testing.assert_allclose(theta.grad, hessian @ (theta.detach().numpy() - optimum))


@verifies("eq-flow-solution", r"""
    \theta(t) = \theta^* + \sum_\alpha u^\alpha\, e^{-\lambda^\alpha t/\tau}\, d^\alpha .
""")
def test_flow_solution():
    hessian, optimum, start = a_bowl(1, rank=2), np.array([0.3, -1.0, 2.0]), np.array([1.0, 2, -1])
    solved = solve_ivp(lambda t, x: -hessian @ (x - optimum) / TAU, (0, 3), start, rtol=1e-11,
                       atol=1e-12, t_eval=[0.5, 3])
    curvatures, u = np.linalg.eigh(hessian)
    for t, theta in zip(solved.t, solved.y.T, strict=True):
        page = optimum + sum(u[:, a] * np.exp(-curvatures[a] * t / TAU) * (u[:, a]
                             @ (start - optimum)) for a in range(3))
        np.testing.assert_allclose(page, theta, atol=1e-9)


@verifies("eq-gradient-velocity", r"g = -\tau\, \dot\theta .")
def test_gradient_velocity():
    """The velocity by differences along the package's flow, the gradient by autograd."""
    hessian, start = a_bowl(2), np.array([1.0, 2, -1])
    for t in (0.1, 1.0):
        around = quadratic.gradient_flow(start, hessian, np.zeros(3), [t - 1e-5, t, t + 1e-5],
                                         tau=TAU)
        velocity = (around[2] - around[0]) / 2e-5
        theta = torch.tensor(around[1], requires_grad=True)
        (theta @ torch.tensor(hessian) @ theta / 2).backward()
        np.testing.assert_allclose(theta.grad, -TAU * velocity, rtol=1e-6)


# ---------------------------------------------------------------------------------------- Q


@verifies("eq-omega-diagonal", r"\omega_k = Q_{kk} .")
def test_omega_diagonal():
    """ω_k = −∫ g_k θ̇_k dt, by integration, against the diagonal of the package's Q."""
    hessian, offset = a_bowl(3), np.array([1.0, -2, 0.5])
    omega = -along_the_flow(hessian, offset, lambda x, v: (hessian @ x) * v)
    np.testing.assert_allclose(omega, np.diag(quadratic.velocity_gram(hessian, offset)), atol=1e-7)
    np.testing.assert_allclose(omega, quadratic.path_integral(hessian, offset), atol=1e-7)


@verifies("eq-velocity-gram", r"""
    Q = \sum_{\alpha\beta} u^\alpha\, d^\alpha\, \frac{\lambda^\alpha
    \lambda^\beta}{\lambda^\alpha + \lambda^\beta}\, d^\beta\, u^{\beta\top} .
""")
@settings(max_examples=4, deadline=None)
@given(seed=seeds, offset=offsets, rank=st.integers(1, 3))
def test_velocity_gram(seed, offset, rank):
    hessian = a_bowl(seed, rank=rank)
    curvatures, u = np.linalg.eigh(hessian)
    page = np.zeros((3, 3))
    for a in range(3):
        for b in range(3):
            if curvatures[a] > 1e-12 and curvatures[b] > 1e-12:     # else it stands for zero
                page += (np.outer(u[:, a], u[:, b]) * (u[:, a] @ offset) * (u[:, b] @ offset)
                         * curvatures[a] * curvatures[b] / (curvatures[a] + curvatures[b]))
    np.testing.assert_allclose(gram(hessian, offset), page, atol=1e-6)
    np.testing.assert_allclose(quadratic.velocity_gram(hessian, offset), page, atol=1e-12)


@pytest.mark.parametrize("until", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("rank", [2, 3])
def test_the_gram_up_to_a_time(until, rank):
    """The package's Q for a finite time: by integration, and its trace is the drop until then."""
    hessian, offset = a_bowl(10, rank=rank), np.array([1.0, -2, 0.5])
    found = quadratic.velocity_gram(hessian, offset, time=until, tau=TAU)
    integrated = along_the_flow(hessian, offset, lambda x, v: TAU * np.outer(v, v), until=until)
    np.testing.assert_allclose(found, integrated, atol=1e-8)
    there = expm(-hessian * until / TAU) @ offset
    drop = offset @ hessian @ offset / 2 - there @ hessian @ there / 2
    assert np.trace(found) == pytest.approx(drop, rel=1e-9)


@verifies("eq-trace", r"\operatorname{tr} Q = \tfrac12\, d^\top H\, d = E(\theta(0)) ,")
@for_all_bowls
@given(seed=seeds, offset=offsets, rank=st.integers(1, 3))
def test_trace(seed, offset, rank):
    hessian = a_bowl(seed, rank=rank)
    trace = np.trace(quadratic.velocity_gram(hessian, offset))
    assert trace == pytest.approx(offset @ hessian @ offset / 2, abs=1e-10)
    assert trace == pytest.approx(quadratic.loss(offset, hessian, 0.0), abs=1e-10)


# ------------------------------------------------------------------------------ the special cases


@verifies("eq-diagonal", r"""
    \begin{aligned}
    \omega_k &= \tfrac12\, H_{kk}\, d_k^2 , \qquad \Delta_k^2 = d_k^2 , \\
    \Omega_k &= \frac{\omega_k}{\Delta_k^2 + \xi} \xrightarrow{\ \xi \to 0\ } \tfrac12\, H_{kk}
    ,
    \end{aligned}
""")
@for_all_bowls
@given(curvature=positive, offset=st.floats(0.1, 2), other=positive)
def test_diagonal(curvature, offset, other):
    """The first of two weights, by integrating its own flow to twelve decimals."""
    t_end = 40 / curvature
    x, omega = solve_ivp(lambda t, s: [-curvature * s[0], (curvature * s[0]) ** 2], (0, t_end),
                         [offset, 0], rtol=1e-11, atol=1e-13).y[:, -1]
    assert omega == pytest.approx(curvature * offset**2 / 2, rel=1e-8)
    assert (x - offset) ** 2 == pytest.approx(offset**2, rel=1e-8)
    hessian = np.diag([curvature, other])
    for damping in (1e-6, 1e-9):
        found = quadratic.importance(hessian, [offset, 1.0], damping)[0]
        assert found == pytest.approx(omega / ((x - offset) ** 2 + damping), rel=1e-7)
        assert found == pytest.approx(curvature / 2, rel=200 * damping)


@for_all_bowls
@given(seed=seeds, offset=offsets, rank=st.integers(1, 3), damping=st.floats(0.01, 1))
def test_displacement_and_importance_with_flat_directions(seed, offset, rank, damping):
    """Δ where the flow ends, with its sign, and Ω with interaction and a start that is not 0."""
    hessian = a_bowl(seed, rank=rank)
    flown = expm(-hessian * 100) @ offset - offset
    np.testing.assert_allclose(quadratic.displacement(hessian, offset), flown, atol=1e-9)
    omega = np.diag(quadratic.velocity_gram(hessian, offset))
    np.testing.assert_allclose(quadratic.importance(hessian, offset, damping),
                               omega / (flown**2 + damping), atol=1e-9)


def test_a_small_curvature_is_not_a_flat_direction():
    """However small beside another: the tolerance is for the matrix with a unit diagonal."""
    for scale in (1e16, 1.0):
        hessian = np.diag([scale, scale * 1e-16, 0.0])
        np.testing.assert_allclose(quadratic.range_projector(hessian), np.diag([1.0, 1, 0]))
        np.testing.assert_allclose(quadratic.displacement(hessian, [1.0, 2, 3]), [-1, -2, 0])
    almost = np.array([[1.0, 1 - 1e-9], [1 - 1e-9, 1.0]])      # curvatures 2 and 10⁻⁹
    np.testing.assert_allclose(quadratic.range_projector(almost), np.eye(2), atol=1e-12)


def many_starts(sigma, count=60_000, n=3):
    return sigma * np.random.default_rng(0).normal(size=(count, n))


def assert_mean_is(samples, expected):
    """Within 5 standard errors, and these within 3 % of the largest entry: the test can see it."""
    error = samples.std(axis=0) / len(samples) ** 0.5
    assert (np.abs(samples.mean(axis=0) - expected) < 5 * error + 1e-12).all()
    assert error.max() < 0.03 * np.abs(expected).max()


@verifies("eq-mean-gram", r"""
    \begin{aligned}
    \langle Q \rangle &= \tfrac12\, \sigma^2 \sum_\alpha u^\alpha\, \lambda^\alpha\,
    u^{\alpha\top} \\
    &= \tfrac12\, \sigma^2 H .
    \end{aligned}
""")
@pytest.mark.parametrize("rank", [3, 2])
def test_mean_gram(rank):
    hessian, sigma = a_bowl(5, rank=rank), 0.6
    assert_mean_is(quadratic.velocity_gram(hessian, many_starts(sigma)), sigma**2 * hessian / 2)
    curvatures, u = np.linalg.eigh(hessian)
    np.testing.assert_allclose(quadratic.mean_velocity_gram(hessian, sigma),
                               sigma**2 / 2 * sum(curvatures[a] * np.outer(u[:, a], u[:, a])
                                                  for a in range(3)), atol=1e-12)


@verifies("eq-ratio-of-means", r"""
    \frac{\langle \omega_k \rangle}{\langle \Delta_k^2 \rangle} = \tfrac12\, H_{kk} .
""")
def test_ratio_of_means():
    hessian, starts = a_bowl(6), many_starts(0.6)
    flown = starts @ expm(-hessian * 100).T - starts                       # Δ, by the flow itself
    ratio = quadratic.path_integral(hessian, starts).mean(0) / (flown**2).mean(0)
    np.testing.assert_allclose(ratio, np.diag(hessian) / 2, rtol=0.03)


@verifies("eq-off-centre", r"""
    \frac{\langle \omega_k \rangle}{\langle \Delta_k^2 \rangle}
    = \frac{\tfrac12\, \sigma^2 H_{kk} + Q_{kk}(b)}{\sigma^2 + b_k^2} .
""")
def test_off_centre():
    """Starts b ± σ√3 e along three directions at right angles: the averages are finite sums."""
    hessian, b, sigma = a_bowl(11), np.array([1.0, -2, 0.5]), 0.6
    turned = ortho_group.rvs(3, random_state=np.random.default_rng(2))
    starts = [b + sign * sigma * np.sqrt(3) * e for e in turned for sign in (-1, 1)]
    ratio = (np.mean([np.diag(gram(hessian, start)) for start in starts], axis=0)
             / np.mean(np.square(starts), axis=0))                      # Δ = −d
    page = ((sigma**2 * np.diag(hessian) / 2 + np.diag(gram(hessian, b)))
            / (sigma**2 + b**2))
    np.testing.assert_allclose(ratio, page, rtol=1e-6)
    assert np.abs(page - np.diag(hessian) / 2).max() > 0.1


@verifies("eq-singular-ratio", r"""
    \frac{\langle \omega_k \rangle}{\langle \Delta_k^2 \rangle} = \frac{H_{kk}}{2\, P_{kk}}
    \ge \tfrac12\, H_{kk} .
""")
def test_singular_ratio():
    hessian, starts = a_bowl(7, rank=2), many_starts(0.6)
    flown = starts @ expm(-hessian * 100).T - starts
    ratio = quadratic.path_integral(hessian, starts).mean(0) / (flown**2).mean(0)
    projector = hessian @ np.linalg.pinv(hessian)
    np.testing.assert_allclose(ratio, np.diag(hessian) / (2 * np.diag(projector)), rtol=0.03)
    np.testing.assert_allclose(quadratic.mean_squared_displacement(hessian, 0.6),
                               0.36 * np.diag(projector), atol=1e-10)
    assert (ratio > np.diag(hessian) / 2).all()


@verifies("eq-tail", r"""
    \begin{aligned}
    \mathrm{Prob}\left( \frac{\omega_1}{\Delta_1^2} > q \right)
    &= \frac1\pi \arctan \frac{|H_{12}|}{s - H_{11}} \\
    &\quad + \frac1\pi \arctan \frac{|H_{12}|}{s + H_{11}} \\
    &\approx \frac{2}{\pi}\, \frac{|H_{12}|}{\sqrt{2\, q \operatorname{tr} H}}
    \end{aligned}
""")
@pytest.mark.parametrize("q", [2, 20, 2e4, 1e8])
def test_tail(q):
    """The angle of the start decides, and it is uniform: the probability is a length of arc."""
    hessian = np.array([[1.0, 0.7], [0.7, 1.5]])

    def beyond(angle):
        d = np.array([np.cos(angle), np.sin(angle)])
        return quadratic.path_integral(hessian, d)[..., 0] - q * d[0] ** 2

    # around d₁ = 0, in the direction 90°, the quotient is large: to where on either side?
    ends = [brentq(beyond, np.pi / 2, np.pi / 2 + side * 1.5, xtol=1e-15) for side in (-1, 1)]
    found = (ends[1] - ends[0]) / np.pi
    s = np.sqrt(2 * q * 2.5 - np.linalg.det(hessian))
    assert s > 1 and found == pytest.approx(
        (np.arctan(0.7 / (s - 1.0)) + np.arctan(0.7 / (s + 1.0))) / np.pi, rel=1e-6)
    if q > 1e3:
        assert found == pytest.approx(2 / np.pi * 0.7 / np.sqrt(2 * q * 2.5), rel=20 / q)


@verifies("eq-rank-one", r"""
    \Omega_k = \frac{\lambda}{2} \cdot \frac{(u \cdot d)^2\, u_k^2}{(u \cdot d)^2\, u_k^2 +
    \xi} .
""")
@settings(max_examples=4, deadline=None)
@given(seed=seeds, offset=offsets.filter(lambda d: np.linalg.norm(d) > 0.5),
       damping=st.floats(0.01, 1))
def test_rank_one(seed, offset, damping):
    u = ortho_group.rvs(3, random_state=np.random.default_rng(seed))[:, 0]
    hessian = 2.0 * np.outer(u, u)
    omega = np.diag(gram(hessian, offset))
    displacement = expm(-hessian * 100) @ offset - offset
    along = (u @ offset) ** 2 * u**2
    page = 2.0 / 2 * along / (along + damping)
    np.testing.assert_allclose(omega / (displacement**2 + damping), page, atol=1e-6)
    np.testing.assert_allclose(quadratic.rank_one_importance(2.0, u, offset, damping), page,
                               atol=1e-10)


# --------------------------------------------------------------------------------------- two tasks


@verifies("eq-second-minimum", r"\Delta(c) = (H_2 + 2c\,\Omega)^{-1} H_2\, D .")
@for_all_bowls
@given(seed=seeds, shift=offsets, strength=st.floats(0, 3))
def test_second_minimum(seed, shift, strength):
    """The gradient of the surrogate loss, by autograd, is zero there."""
    first, second = a_bowl(seed), a_bowl(seed + 1)
    importance = np.diag(first) / 2
    moved = np.linalg.solve(second + 2 * strength * np.diag(importance), second @ shift)
    delta = torch.tensor(moved, requires_grad=True)
    away = delta - torch.tensor(shift)
    surrogate = (away @ torch.tensor(second) @ away / 2
                 + formulas.penalty(torch.tensor(importance), 0.0, delta, strength))
    surrogate.backward()
    np.testing.assert_allclose(delta.grad, 0, atol=1e-10)
    found = quadratic.second_displacement(second, shift, importance, strength)
    np.testing.assert_allclose(found, moved, atol=1e-10)


def test_the_second_minimum_with_flat_directions():
    """Along what neither task 2 nor the penalty feels, the weights stay: SciPy's flow agrees."""
    u = np.array([0.6, 0.8, 0.0])
    second, importance, shift = np.outer(u, u), np.array([0.0, 0, 2]), np.array([1.0, -0.3, 0.7])
    stiffness = second + 2 * 0.7 * np.diag(importance)
    run = solve_ivp(lambda t, x: second @ shift - stiffness @ x, (0, 60), np.zeros(3), rtol=1e-11,
                    atol=1e-13)
    found = quadratic.second_displacement(second, shift, importance, 0.7)
    np.testing.assert_allclose(found, run.y[:, -1], atol=1e-8)
    assert np.abs(found).max() > 0.1


h1, h2, D, c = sp.symbols("h1 h2 D c", positive=True)
x = sp.symbols("x", real=True)
SURROGATE = h2 * (x - D) ** 2 / 2 + c * (h1 / 2) * x**2
(DELTA,) = sp.solve(sp.diff(SURROGATE, x), x)        # one weight, found by SymPy
JOINT = h1 * DELTA**2 / 2 + h2 * (DELTA - D) ** 2 / 2
WEIGHTS = np.array([[0.5, 2.0, 1.0], [3.0, 0.4, -0.7]])    # two weights: h₁, h₂, D


def summed(one_weight, strength):
    return sum(float(one_weight.subs({h1: a, h2: b, D: d, c: strength})) for a, b, d in WEIGHTS)


def package(function, strength):
    first, second, shift = WEIGHTS.T
    return function(np.diag(first), np.diag(second), shift, first / 2, strength)


@verifies("eq-forgetting-diagonal", r"""
    \tfrac12\, \Delta^\top H_1\, \Delta = \frac12 \sum \frac{h_1\, h_2^2\, D^2}{(h_2 + c\,
    h_1)^2} ,
""")
def test_forgetting_diagonal():
    page = h1 * h2**2 * D**2 / (h2 + c * h1) ** 2 / 2
    assert sp.simplify(h1 * DELTA**2 / 2 - page) == 0
    for strength in (0.0, 0.7, 3.0):
        assert package(quadratic.forgetting, strength) == pytest.approx(summed(page, strength))


@verifies("eq-joint-diagonal", r"""
    J(c) = \frac12 \sum \frac{h_1 h_2\, (h_2 + c^2 h_1)\, D^2}{(h_2 + c\, h_1)^2} ,
""")
def test_joint_diagonal():
    page = h1 * h2 * (h2 + c**2 * h1) * D**2 / (h2 + c * h1) ** 2 / 2
    assert sp.simplify(JOINT - page) == 0
    for strength in (0.0, 0.7, 3.0):
        assert package(quadratic.joint_loss, strength) == pytest.approx(summed(page, strength))


@verifies("eq-joint-derivative", r"""
    \frac{dJ}{dc} = (c - 1) \sum \frac{h_1^2\, h_2^2\, D^2}{(h_2 + c\, h_1)^3}
""")
def test_joint_derivative():
    page = (c - 1) * h1**2 * h2**2 * D**2 / (h2 + c * h1) ** 3
    assert sp.simplify(sp.diff(JOINT, c) - page) == 0
    assert package(quadratic.joint_loss, 1.0) == pytest.approx(min(
        package(quadratic.joint_loss, strength) for strength in np.linspace(0.5, 1.5, 201)))


@for_all_bowls
@given(seed=seeds, shift=offsets.filter(lambda d: np.linalg.norm(d) > 0.5))
def test_both_conclusions_hold_where_only_the_first_hessian_is_diagonal(seed, shift):
    first, second = np.diag(np.random.default_rng(seed).uniform(0.2, 3, 3)), a_bowl(seed)
    best = quadratic.best_strength(first, second, shift, np.diag(first) / 2)
    assert best == pytest.approx(1, rel=1e-3)
    together = np.linalg.solve(first + second, second @ shift)
    np.testing.assert_allclose(
        quadratic.second_displacement(second, shift, np.diag(first) / 2, 1.0), together)
    forgetting = [quadratic.forgetting(first, second, shift, np.diag(first) / 2, strength)
                  for strength in np.geomspace(0.01, 100, 20)]
    assert (np.diff(forgetting) < 0).all()


def test_with_interaction_neither_holds():
    """The page's example: forgetting rises with c. And SciPy finds the best c, which is not 1."""
    first, second = np.array([[1.0, -1], [-1, 1]]), np.diag([1.0, 5])
    values = [quadratic.forgetting(first, second, np.ones(2), [0.5, 0.5], strength)
              for strength in (0.0, 1.0)]
    assert values == pytest.approx([0, 1 / 18])
    first, importance = a_bowl(3), np.array([0.2, 0.6, 0.4])
    second, shift = a_bowl(4), np.array([1.0, -0.5, 0.8])
    found = minimize_scalar(
        lambda x: quadratic.joint_loss(first, second, shift, importance, np.exp(x)),
        bounds=(-6, 6), method="bounded", options={"xatol": 1e-9})
    best = quadratic.best_strength(first, second, shift, importance)
    assert best == pytest.approx(np.exp(found.x), rel=1e-4) and abs(best - 1) > 0.1


# ---------------------------------------------------------------------------------- discrete steps


@verifies("eq-descent-share", r"""
    \begin{aligned}
    \omega &= \eta\, h^2 d^2 \sum_{t=0}^\infty (1 - \eta h)^{2t} \\
    &= \frac{\tfrac12\, h\, d^2}{1 - \tfrac12\, \eta\, h} ,
    \end{aligned}
""")
@for_all_bowls
@given(product=st.floats(0.05, 1.9), h=positive, offset=st.floats(0.1, 2))
def test_descent_share(product, h, offset):
    lr, d, omega = product / h, offset, 0.0
    for _ in range(800):
        omega += formulas.credit(h * d, -lr * h * d)
        d *= 1 - lr * h
    assert omega == pytest.approx(h * offset**2 / 2 / (1 - lr * h / 2), rel=1e-8)
    series = sum(lr * h**2 * offset**2 * (1 - lr * h) ** (2 * t) for t in range(800))
    assert omega == pytest.approx(series, rel=1e-8)
    assert quadratic.descent_gram([[h]], [offset], lr)[0, 0] == pytest.approx(omega, rel=1e-8)


def test_descent_share_of_interacting_weights():
    """Σ δ δᵀ / η of plain descent, step by step, with a flat direction as well."""
    for rank in (2, 3):
        hessian, x, lr, total = a_bowl(12, rank=rank), np.array([1.0, -2, 0.5]), 0.3, 0.0
        found = quadratic.descent_gram(hessian, x, lr)
        for _ in range(600):
            delta = -lr * hessian @ x
            total, x = total + np.outer(delta, delta) / lr, x + delta
        np.testing.assert_allclose(found, total, atol=1e-9)


@verifies("eq-momentum-limit", r"0 < \eta\, h < 2\,(1 + \beta) .")
@for_all_bowls
@given(beta=st.floats(0.01, 0.95), inside=st.floats(0.02, 0.98), beyond=st.floats(1.02, 3))
def test_momentum_limit(beta, inside, beyond):
    """torch's own SGD contracts inside the limit and not beyond; nor for ηh ≤ 0."""
    def radius(product, **form):
        """The largest |eigenvalue| of one step of torch's SGD on (θ, momentum buffer)."""
        columns = []
        for theta, buffer in ((1.0, 0.0), (0.0, 1.0)):
            weight = torch.tensor([theta], dtype=torch.float64, requires_grad=True)
            sgd = torch.optim.SGD([weight], lr=0.5, momentum=beta, **form)
            sgd.state[weight]["momentum_buffer"] = torch.tensor([buffer], dtype=torch.float64)
            weight.grad = weight.detach() * product / 0.5
            sgd.step()
            kept = sgd.state[weight]["momentum_buffer"]
            columns.append([weight.item(), kept.item()])
        return np.abs(np.linalg.eigvals(np.array(columns).T)).max()

    limit = 2 * (1 + beta)
    assert radius(inside * limit) < 1 < radius(beyond * limit)
    assert radius(-0.1) > 1
    assert formulas.momentum_limit(beta) == pytest.approx(limit)
    for form in ({"nesterov": True}, {"dampening": 0.4}):      # what else the package warns of
        limit = formulas.momentum_limit(beta, **form)
        assert radius(inside * limit, **form) < 1 < radius(beyond * limit, **form)
    assert abs(1 - inside * 2) < 1 < abs(1 - beyond * 2)       # without momentum, θ ← (1 − ηh) θ
    assert formulas.momentum_limit() == 2
