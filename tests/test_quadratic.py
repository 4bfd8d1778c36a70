"""The closed forms against integration, descent, autograd and sampling: laws, for all H."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.integrate import quad_vec, solve_ivp
from scipy.linalg import solve_continuous_lyapunov
from scipy.optimize import minimize_scalar

from si_tutorial import formulas, quadratic

TAU = 1.7
numbers = st.floats(-2, 2, allow_subnormal=False)


def hessian_from(seed, n=4, rank=None):
    """A random positive semi-definite matrix `(n, n)` of that rank, eigenvalues 0.2 … 3."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.normal(size=(n, n)))[0][:, : rank or n]
    hessian = (directions * rng.uniform(0.2, 3, rank or n)) @ directions.T
    return (hessian + hessian.T) / 2


seeds = st.integers(0, 2**32 - 1)
ranks = st.integers(1, 4)
vectors = hnp.arrays(float, 4, elements=numbers)


def descend(hessian, offset, lr, steps=20_000):
    """Steps and gradients of plain descent from `offset`, each `(steps, n)`."""
    grads = np.empty((steps, len(offset)))
    x = np.array(offset, dtype=float)
    for t in range(steps):
        grads[t] = hessian @ x
        x = x - lr * grads[t]
    return grads, -lr * grads


# ------------------------------------------------------------------------------ one task, one flow


@settings(max_examples=30, deadline=None)
@given(seed=seeds, rank=ranks)
def test_the_spectrum_rebuilds_the_hessian(seed, rank):
    hessian = hessian_from(seed, rank=rank)
    curvatures, directions = quadratic.spectrum(hessian)
    np.testing.assert_allclose((directions * curvatures) @ directions.T, hessian, atol=1e-14)
    assert (curvatures >= 0).all() and (np.diff(curvatures) >= 0).all()


@pytest.mark.parametrize(("hessian", "message"), [
    ([[1.0, 2.0]], "square"),
    ([[1.0, 0.5], [0.4, 1.0]], "symmetric"),
    ([[1.0, np.nan], [np.nan, 1.0]], "finite"),
    ([[1.0, 2.0], [2.0, 1.0]], "negative eigenvalue -1"),
])
def test_what_is_no_minimum_is_refused(hessian, message):
    for function in (quadratic.spectrum, quadratic.range_projector,
                     lambda h: quadratic.mean_velocity_gram(h, 1.0)):
        with pytest.raises(ValueError, match=message):
            function(hessian)


def test_gradient_is_the_derivative_of_the_loss():
    hessian, optimum = hessian_from(0), np.arange(4.0)
    theta = torch.tensor([0.3, -1.0, 2.0, 0.7], dtype=torch.float64, requires_grad=True)
    offset = theta - torch.tensor(optimum)
    value = 0.5 * offset @ torch.tensor(hessian) @ offset
    value.backward()
    point = theta.detach().numpy()
    np.testing.assert_allclose(quadratic.loss(point, hessian, optimum), value.item())
    np.testing.assert_allclose(quadratic.gradient(point, hessian, optimum), theta.grad.numpy())
    np.testing.assert_allclose(quadratic.loss([point, point + 1], hessian, optimum)[0],
                               value.item())


def test_gradient_flow_solves_its_differential_equation():
    hessian, optimum, start = hessian_from(1, rank=3), np.ones(4), np.array([2.0, -1, 0, 3])
    times = np.linspace(0, 5, 6)
    solved = solve_ivp(lambda t, x: -quadratic.gradient(x, hessian, optimum) / TAU, (0, 5), start,
                       t_eval=times, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(quadratic.gradient_flow(start, hessian, optimum, times, tau=TAU),
                               solved.y.T, atol=1e-9)


def test_velocity_gram_is_the_integral_along_the_flow():
    hessian, offset = hessian_from(2), np.array([1.0, -2, 0.5, 1])

    def integrand(t):
        theta = quadratic.gradient_flow(offset, hessian, np.zeros(4), [t], tau=TAU)[0]
        velocity = -hessian @ theta / TAU
        return TAU * np.outer(velocity, velocity)

    for time in (0.3, 2.0, np.inf):
        integral = quad_vec(integrand, 0, time, epsabs=1e-12)[0]
        found = quadratic.velocity_gram(hessian, offset, time=time, tau=TAU)
        np.testing.assert_allclose(found, integral, atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(seed=seeds, offset=vectors)
def test_velocity_gram_solves_the_lyapunov_equation(seed, offset):
    hessian = hessian_from(seed)
    push = hessian @ offset
    gram = quadratic.velocity_gram(hessian, offset)
    np.testing.assert_allclose(
        gram, solve_continuous_lyapunov(hessian, np.outer(push, push)), atol=1e-11)
    np.testing.assert_allclose(gram, quadratic.velocity_gram(hessian, offset, time=1e9, tau=3.0))


@settings(max_examples=50, deadline=None)
@given(seed=seeds, rank=ranks, offset=vectors)
def test_the_shares_add_up_to_the_drop(seed, rank, offset):
    hessian = hessian_from(seed, rank=rank)
    end = offset + quadratic.displacement(hessian, offset)
    drop = quadratic.loss(offset, hessian, 0.0) - quadratic.loss(end, hessian, 0.0)
    np.testing.assert_allclose(quadratic.path_integral(hessian, offset).sum(), drop, atol=1e-12)


@settings(max_examples=50, deadline=None)
@given(seed=seeds, rank=ranks, offset=vectors)
def test_the_flow_ends_where_the_displacement_says(seed, rank, offset):
    hessian = hessian_from(seed, rank=rank)
    end = quadratic.gradient_flow(offset, hessian, np.zeros(4), [500.0])[0]
    np.testing.assert_allclose(offset + quadratic.displacement(hessian, offset), end, atol=1e-11)


@settings(max_examples=50, deadline=None)
@given(curvatures=hnp.arrays(float, 4, elements=st.floats(1e-3, 1e3)),
       offset=hnp.arrays(float, 4, elements=st.floats(0.01, 10)))
def test_diagonal_hessian_importance_is_half_the_curvature(curvatures, offset):
    hessian = np.diag(curvatures)
    np.testing.assert_allclose(quadratic.importance(hessian, offset, 0.0), curvatures / 2)
    damped = quadratic.importance(hessian, offset, 0.3)
    omega, moved = quadratic.path_integral(hessian, offset), quadratic.displacement(hessian, offset)
    np.testing.assert_array_equal(damped, formulas.importance(omega, moved, 0.3))
    np.testing.assert_allclose(damped, curvatures / 2 * offset**2 / (offset**2 + 0.3))


# ----------------------------------------------------------- singular, ill-conditioned, degenerate


def test_a_flat_direction_earns_nothing_and_divides_nothing():
    with np.errstate(all="raise"):
        hessian = np.diag([2.0, 0.0, 0.0])
        assert np.array_equal(quadratic.velocity_gram(hessian, [1.0, 2, 3]), np.diag([1.0, 0, 0]))
        assert np.array_equal(quadratic.velocity_gram(hessian, [1.0, 2, 3], time=7.0)[1:],
                              np.zeros((2, 3)))
        assert np.array_equal(quadratic.displacement(hessian, [1.0, 2, 3]), [-1, 0, 0])
        assert np.array_equal(quadratic.importance(hessian, [1.0, 2, 3], 0.0), [1, 0, 0])
        assert np.array_equal(quadratic.velocity_gram(np.zeros((2, 2)), [1.0, 2]),
                              np.zeros((2, 2)))
        assert np.array_equal(quadratic.importance(np.eye(2), [1.0, 0.0], 0.0), [0.5, 0])


@settings(max_examples=100, deadline=None)
@given(seed=seeds)
def test_a_weight_without_curvature_has_no_importance(seed):
    """Also where round-off leaves it a trace of ω and Δ, whose quotient would be anything."""
    rng = np.random.default_rng(seed)
    slopes = rng.normal(size=(2, 6)) * (rng.random(6) < 0.6)
    hessian = slopes.T @ slopes
    still = np.diag(hessian) == 0
    assert (quadratic.importance(hessian, rng.normal(size=6), 0.0)[still] == 0).all()


def test_small_curvatures_beside_large_ones_are_kept():
    hessian, offset = np.diag([1e20, 1.0, 1e-200]), np.array([1.0, 2, 3])
    assert np.array_equal(quadratic.path_integral(hessian, offset),
                          np.diag(hessian) / 2 * offset**2)
    assert np.array_equal(quadratic.displacement(hessian, offset), -offset)
    np.testing.assert_allclose(quadratic.importance(hessian, offset, 0.0), np.diag(hessian) / 2)
    np.testing.assert_allclose(quadratic.second_displacement(hessian, offset, [1e20, 1, 0], 1.0),
                               [1 / 3, 2 / 3, 3])


def test_a_rotated_ill_conditioned_hessian_stays_within_round_off():
    rotation = np.linalg.qr(np.random.default_rng(4).normal(size=(5, 5)))[0]
    curvatures = np.array([1e6, 1.0, 1e-6, 1e-12, 0.0])
    hessian = (rotation * curvatures) @ rotation.T
    hessian = (hessian + hessian.T) / 2
    offset = rotation @ np.ones(5)
    gram = quadratic.velocity_gram(hessian, offset)
    push = hessian @ offset
    np.testing.assert_allclose(hessian @ gram + gram @ hessian, np.outer(push, push),
                               atol=1e-14 * 1e12)
    np.testing.assert_allclose(np.trace(gram), curvatures.sum() / 2, rtol=1e-12)
    assert np.linalg.eigvalsh(gram).min() > -1e-9
    assert np.array_equal(gram, gram.T) or np.abs(gram - gram.T).max() < 1e-9


# ------------------------------------------------------------------------------ averages, rank one


@pytest.mark.parametrize("rank", [4, 2])
def test_averages_over_isotropic_starts(rank):
    """40,000 starts: the mean is good to 5 standard errors, measured from the same sample."""
    hessian, sigma = hessian_from(5, rank=rank), 0.8
    offsets = sigma * np.random.default_rng(0).normal(size=(40_000, 4))
    grams = quadratic.velocity_gram(hessian, offsets)                 # (S, n, n)
    error = 5 * grams.std(0) / 200 + 1e-12
    assert (np.abs(grams.mean(0) - quadratic.mean_velocity_gram(hessian, sigma)) < error).all()
    squares = quadratic.displacement(hessian, offsets) ** 2                  # (S, n)
    error = 5 * squares.std(0) / 200
    expected = quadratic.mean_squared_displacement(hessian, sigma)
    assert (np.abs(squares.mean(0) - expected) < error).all()


@settings(max_examples=50, deadline=None)
@given(direction=hnp.arrays(float, 3, elements=st.floats(0.1, 2)),
       offset=hnp.arrays(float, 3, elements=st.floats(0.1, 2)), damping=st.floats(0, 10))
def test_rank_one_agrees_with_the_general_form(direction, offset, damping):
    direction = np.append(direction, 0.0) / np.linalg.norm(direction)
    offset = np.append(offset, 1.0)
    special = quadratic.rank_one_importance(3.0, direction, offset, damping)
    general = quadratic.importance(3.0 * np.outer(direction, direction), offset, damping)
    np.testing.assert_allclose(special, general, rtol=1e-9)
    if damping == 0:
        np.testing.assert_allclose(special, [1.5, 1.5, 1.5, 0])


def test_rank_one_with_heavy_damping_is_proportional_to_the_hessian():
    direction = np.array([0.6, -0.8])
    found = quadratic.rank_one_importance(2.0, direction, [1.0, 2.0], 1e6)
    np.testing.assert_allclose(found[0] / found[1], 0.36 / 0.64, rtol=1e-5)
    with pytest.raises(ValueError, match="length 1, got 2"):
        quadratic.rank_one_importance(2.0, [2.0, 0.0], [1.0, 2.0], 0.0)


# ---------------------------------------------------------------------------------- discrete steps


@settings(max_examples=10, deadline=None)
@given(seed=seeds, rank=ranks, offset=vectors, fraction=st.floats(0.05, 0.9))
def test_descent_gram_is_the_sum_over_the_steps(seed, rank, offset, fraction):
    hessian = hessian_from(seed, rank=rank)
    lr = fraction * 2 / np.linalg.eigvalsh(hessian).max()
    grads, deltas = descend(hessian, offset, lr, steps=3000)
    gram = quadratic.descent_gram(hessian, offset, lr)
    np.testing.assert_allclose(gram, deltas.T @ deltas / lr, atol=1e-9)
    np.testing.assert_allclose(np.diag(gram), formulas.path_integral(grads, deltas), atol=1e-9)


def test_descent_tends_to_the_flow_in_proportion_to_the_rate():
    hessian, offset = hessian_from(7), np.array([1.0, -1, 2, 0.5])
    flow = quadratic.velocity_gram(hessian, offset)
    errors = [np.abs(quadratic.descent_gram(hessian, offset, lr) - flow).max()
              for lr in (1e-3, 1e-4)]
    assert errors[0] / errors[1] == pytest.approx(10, rel=0.01)
    with pytest.raises(ValueError, match="does not converge"):
        quadratic.descent_gram(hessian, offset, 2 / np.linalg.eigvalsh(hessian).max() + 1e-9)


# --------------------------------------------------------------------------------------- two tasks


@settings(max_examples=20, deadline=None)
@given(seed=seeds, ranks=st.tuples(ranks, ranks), shift=vectors,
       strength=st.sampled_from([0, 1e-12, 1e-6]) | st.floats(0.01, 5))
def test_second_displacement_is_where_the_flow_on_the_surrogate_ends(seed, ranks, shift, strength):
    first, second = hessian_from(seed, rank=ranks[0]), hessian_from(seed + 1, rank=ranks[1])
    importance = np.diag(first) / 2
    stiffness = second + 2 * strength * np.diag(importance)
    moved = quadratic.second_displacement(second, shift, importance, strength)
    np.testing.assert_allclose(stiffness @ moved, second @ shift, atol=1e-9)  # it is stationary
    rate = 1.9 / np.linalg.eigvalsh(stiffness).max()
    x = np.zeros(4)
    for _ in range(20_000):
        x -= rate * (stiffness @ x - second @ shift)
    between = [v for v in np.linalg.eigvalsh(stiffness) if 1e-14 < v < 0.01]
    if not between:  # else 20,000 steps of descent do not get there
        np.testing.assert_allclose(moved, x, atol=1e-8)


def test_without_a_penalty_a_flat_direction_of_the_second_task_is_left_alone():
    u = np.array([3.0, 4.0]) / 5
    moved = quadratic.second_displacement(2 * np.outer(u, u), [1.0, 0.0], [0.0, 0.0], 1.0)
    np.testing.assert_allclose(moved, 0.6 * u)


@settings(max_examples=50, deadline=None)
@given(first=hnp.arrays(float, 4, elements=st.floats(0.01, 10)),
       second=hnp.arrays(float, 4, elements=st.floats(0.01, 10)), shift=vectors)
def test_two_diagonal_tasks(first, second, shift):
    tasks = np.diag(first), np.diag(second), shift, first / 2
    strengths = np.array([0, 0.3, 0.9, 1, 1.1, 3, 100])
    lost = np.array([quadratic.forgetting(*tasks, c) for c in strengths])
    expected = [(first * (second * shift / (second + c * first)) ** 2).sum() / 2 for c in strengths]
    np.testing.assert_allclose(lost, expected, atol=1e-12)
    assert (np.diff(lost) <= 1e-12).all()
    joint = np.array([quadratic.joint_loss(*tasks, c) for c in strengths])
    assert joint[3] <= joint.min() + 1e-12
    np.testing.assert_allclose(joint[3], (first * second / (first + second) * shift**2).sum() / 2,
                               atol=1e-12)


def test_joint_loss_is_the_sum_of_both_losses():
    first, second, shift = hessian_from(10), hessian_from(11), np.array([1.0, -0.5, 2, 0.3])
    importance = quadratic.importance(first, [1.0, 1, -1, 0.5], 0.1)
    theta = quadratic.second_displacement(second, shift, importance, 0.7)
    lost = quadratic.forgetting(first, second, shift, importance, 0.7)
    assert lost == pytest.approx(quadratic.loss(theta, first, np.zeros(4)))
    assert (quadratic.joint_loss(first, second, shift, importance, 0.7)
            == pytest.approx(lost + quadratic.loss(theta, second, shift)))


@pytest.mark.parametrize("seed", range(4))
def test_best_strength_is_the_minimum_scipy_finds(seed):
    rng = np.random.default_rng(seed)
    first, second = hessian_from(seed), hessian_from(seed + 50)
    tasks = first, second, rng.normal(size=4), quadratic.importance(first, rng.normal(size=4), 0.01)
    best = quadratic.best_strength(*tasks)
    found = minimize_scalar(lambda x: quadratic.joint_loss(*tasks, np.exp(x)),
                            bounds=(np.log(best / 3), np.log(best * 3)), method="bounded",
                            options={"xatol": 1e-9})
    assert best == pytest.approx(np.exp(found.x), rel=1e-5)
    strengths = np.geomspace(1e-3, 1e3, 500)
    least = min(quadratic.joint_loss(*tasks, c) for c in strengths)
    assert quadratic.joint_loss(*tasks, best) <= least + 1e-12


def test_best_strength_of_diagonal_tasks_is_one():
    first, second = np.diag([1.0, 5.0]), np.diag([2.0, 0.5])
    best = quadratic.best_strength(first, second, [1.0, 2.0], [0.5, 2.5])
    assert best == pytest.approx(1, rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(curvature=st.floats(0.2, 3), importance=st.floats(0, 2), strength=st.floats(0, 2),
       shift=st.floats(0.3, 2))
def test_importances_compound(curvature, importance, strength, shift):
    """Integrate the second task's own gradient along the flow on the surrogate loss."""
    stiffness = curvature + 2 * strength * importance

    def flow(t, state):
        x, _ = state
        task_grad = curvature * (x - shift)
        velocity = -(task_grad + 2 * strength * importance * x)
        return [velocity, -task_grad * velocity]

    moved, omega = solve_ivp(flow, (0, 40 / stiffness), [0, 0], rtol=1e-10, atol=1e-12).y[:, -1]
    share = quadratic.compounded_importance(curvature, importance, strength)
    assert omega / moved**2 == pytest.approx(share, rel=1e-6)
