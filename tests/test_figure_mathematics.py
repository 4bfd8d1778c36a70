"""The mathematics of the live figures: laws, small exact cases, brute force."""

from itertools import islice, pairwise

import numpy as np
import pytest

from si_tutorial import formulas, quadratic
from si_tutorial.explorables import mathematics

RNG = np.random.default_rng(5)
H = np.array([[2.0, 1.2], [1.2, 1.5]])


def test_seeded_numbers_have_the_moments_they_should_have():
    u = np.array(list(islice(mathematics.uniform(1), 20_000)))
    z = np.array(list(islice(mathematics.normal(1), 20_000)))
    assert u.min() >= 0 and u.max() < 1 and np.isfinite(z).all()
    np.testing.assert_allclose([u.mean(), 12 * u.var(), z.mean(), z.var(), (z**4).mean()],
                               [0.5, 1, 0, 1, 3], atol=0.1)
    for values in (u - 0.5, z):  # neighbours are not related
        assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.03
    assert next(mathematics.uniform(1)) != next(mathematics.uniform(2))


def test_the_bricks_of_descent_add_up_to_the_closed_form():
    start, rate = np.array([0.4, 1.9]), 0.1
    bricks = mathematics.credits(mathematics.descent(start, H, rate, 500), H)
    np.testing.assert_allclose(bricks.sum(0), np.diag(quadratic.descent_gram(H, start, rate)))
    assert (bricks >= 0).all()  # plain descent knows no debts


def test_shares_of_a_path_are_what_small_steps_earn_and_add_up_to_the_drop():
    corners, optimum = RNG.normal(size=(5, 2)), np.array([0.5, -0.2])
    shares = mathematics.path_shares(corners, H, optimum)
    pieces = 20_000
    fine = np.concatenate([np.linspace(a, b, pieces, endpoint=False)
                           for a, b in pairwise(corners)]
                          + [corners[-1:]])
    g = quadratic.gradient(fine[:-1], H, optimum)
    np.testing.assert_allclose(formulas.credit(g, np.diff(fine, axis=0)).sum(0), shares, atol=1e-3)
    first, last = quadratic.loss(corners[[0, -1]], H, optimum)
    np.testing.assert_allclose(shares.sum(), first - last)


def test_the_difference_from_the_straight_way_is_the_coupling_times_the_area():
    corners, optimum = RNG.normal(size=(5, 2)), np.array([0.5, -0.2])
    detour = (mathematics.path_shares(corners, H, optimum)
              - mathematics.path_shares(corners[[0, -1]], H, optimum))
    moved = H[0, 1] * mathematics.enclosed_area(corners)
    np.testing.assert_allclose(detour, [moved, -moved])
    assert mathematics.enclosed_area(np.array([[0, 0], [2, 0], [2, 3]])) == 3


@pytest.mark.parametrize("partner", ["same", "next", "independent"])
@pytest.mark.parametrize("beta1", [0.0, 0.7])
def test_the_expected_credit_is_the_mean_over_many_noisy_steps(partner, beta1):
    rng, steps, slope, deviation = np.random.default_rng(3), 400_000, 0.3, 1.5
    g, other = slope + deviation * rng.normal(size=(2, steps + 1))
    m, means = slope, np.empty(steps)
    for t in range(steps):
        means[t] = m = beta1 * m + (1 - beta1) * g[t]
    met = {"same": g[:-1], "next": (g[:-1] + g[1:]) / 2, "independent": other[:-1]}[partner]
    expected = mathematics.expected_credit(slope, deviation**2, beta1, partner)
    assert abs((met * means).mean() - expected) < 0.02


def test_at_the_critical_batch_size_half_of_the_credit_is_noise():
    fisher, slope, beta1 = 1.3, 0.2, 0.9
    batch = mathematics.critical_batch(fisher, slope, beta1)
    variance = formulas.noise_variance(fisher, slope, batch)
    np.testing.assert_allclose(mathematics.expected_credit(slope, variance, beta1, "same"),
                               2 * slope**2)


def test_running_averages_are_those_of_a_loop():
    offsets = RNG.normal(size=(30, 2))
    found = mathematics.running_averages(H, offsets, 0.1)
    for n in (1, 7, 30):
        omega = [quadratic.path_integral(H, d)[0] for d in offsets[:n]]
        np.testing.assert_allclose(found["ratio_of_means"][n - 1],
                                   np.mean(omega) / np.mean(offsets[:n, 0] ** 2))
        np.testing.assert_allclose(found["mean_of_ratios"][n - 1], np.mean(
            [quadratic.importance(H, d, 0.1)[0] for d in offsets[:n]]))


def spd():
    slopes = RNG.normal(size=(2, 2))
    return slopes @ slopes.T + 0.1 * np.eye(2)


def test_the_posterior_remembers_everything():
    hessians, minima = np.array([spd() for _ in range(3)]), RNG.normal(size=(3, 2))
    best = np.linalg.solve(hessians.sum(0), np.einsum("tij,tj->i", hessians, minima))
    found = mathematics.after_tasks(hessians, minima, "posterior")
    np.testing.assert_allclose(found["ends"][-1], best)


@pytest.mark.parametrize("memory", ["each", "latest"])
def test_diagonal_penalties_end_where_the_gradient_of_the_sum_vanishes(memory):
    hessians, minima = np.array([spd() for _ in range(3)]), RNG.normal(size=(3, 2))
    ends = mathematics.after_tasks(hessians, minima, memory)["ends"]
    diagonals = [np.diag(np.diag(h)) for h in hessians]
    for task in (1, 2):
        anchors = ends[:task] if memory == "each" else [ends[task - 1]] * task
        g = quadratic.gradient(ends[task], hessians[task], minima[task]) + sum(
            d @ (ends[task] - anchor) for d, anchor in zip(diagonals, anchors, strict=False))
        np.testing.assert_allclose(g, 0, atol=1e-12)


def test_in_one_dimension_the_latest_anchor_is_exact_and_one_penalty_per_task_is_not():
    hessians, minima = np.array([np.diag([1.0, 1.0])] * 3), np.array([[0, 0], [0, 0], [0, 0.0]])
    minima[:, 0] = [0, 3, 0]
    ends = {memory: mathematics.after_tasks(hessians, minima, memory)["ends"][:, 0]
            for memory in ("posterior", "each", "latest")}
    np.testing.assert_allclose(ends["posterior"], [0, 1.5, 1])
    np.testing.assert_allclose(ends["latest"], [0, 1.5, 1])
    np.testing.assert_allclose(ends["each"], [0, 1.5, 0.5])
