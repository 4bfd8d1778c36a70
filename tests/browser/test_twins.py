"""Mathematics that stands in Python and in JavaScript: both on the same random inputs."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from si_tutorial import explorables, formulas, quadratic
from si_tutorial.explorables import mathematics
from si_tutorial.explorables.explorable import bundle

FOLDER = Path(explorables.__file__).parent
RNG = np.random.default_rng(17)


@pytest.fixture(scope="module")
def js(browser):
    """Calls `js("kit/quadratic.js", "loss", …)` in Chromium."""
    page = browser.new_page()

    def call(file, name, *arguments):
        return page.evaluate("""async ([text, name, given]) => {
            const file = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
            return (await import(file))[name](...given);
        }""", [bundle(FOLDER / file), name,
               [a.tolist() if isinstance(a, np.ndarray) else a for a in arguments]])
    yield call
    page.close()


def same(got, expected):
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


def bowl(smallest=0.05):
    """A random symmetric 2 × 2 matrix whose curvatures are at least `smallest`."""
    slopes = RNG.normal(size=(2, 2))
    return slopes @ slopes.T + smallest * np.eye(2)


@pytest.mark.parametrize("_", range(5))
def test_the_quadratic_case(js, _):
    first, second, shift, theta = bowl(), bowl(), RNG.normal(size=2), RNG.normal(size=2)
    importance, c = RNG.uniform(0.1, 2, size=2), float(RNG.uniform(0.1, 10))
    for name, arguments in {
        "loss": (theta, first, shift),
        "gradient": (theta, first, shift),
        "gradient_flow": (theta, first, shift, np.array([0, 0.1, 1, 7.0])),
        "path_integral": (first, theta),
        "importance": (first, theta, 0.01),
        "second_displacement": (second, shift, importance, c),
        "forgetting": (first, second, shift, importance, c),
        "joint_loss": (first, second, shift, importance, c),
    }.items():
        same(js("kit/quadratic.js", name, *arguments), getattr(quadratic, name)(*arguments))
    best = js("kit/quadratic.js", "best_strength", first, second, shift, importance)
    expected = quadratic.best_strength(first, second, shift, importance)
    np.testing.assert_allclose(best, expected, rtol=1e-6)  # a minimum is flat: half the digits
    same(quadratic.joint_loss(first, second, shift, importance, best),
         quadratic.joint_loss(first, second, shift, importance, expected))


@pytest.mark.parametrize("_", range(5))
def test_symmetric_matrices_of_two_rows(js, _):
    hessian, v = bowl(), RNG.normal(size=2)
    found = js("kit/numbers.js", "eigen", hessian)
    same([value for value, _ in found], np.linalg.eigvalsh(hessian))
    for value, direction in found:
        same(hessian @ direction, value * np.array(direction))
        same(np.linalg.norm(direction), 1)
    same(js("kit/numbers.js", "solve", hessian, v), np.linalg.solve(hessian, v))
    same(js("kit/numbers.js", "times", hessian, v), hessian @ v)
    same(js("kit/numbers.js", "det", hessian), np.linalg.det(hessian))
    turn = np.radians(37)
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    same(js("kit/numbers.js", "rotated", 5, 0.5, 37), axes @ np.diag([5, 0.5]) @ axes.T)
    line = np.array(js("kit/numbers.js", "level_line", hessian, 0.7, v))
    same(quadratic.loss(line, hessian, v), np.full(len(line), 0.7))


@pytest.mark.parametrize("seed", [0, 1, 48, 2**32 - 1])
def test_seeded_random_numbers(browser, seed):
    page = browser.new_page()
    for name in ("uniform", "normal"):
        got = page.evaluate("""async ([text, name, seed]) => {
            const file = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
            const next = (await import(file))[name](seed);
            return Array.from({ length: 200 }, next);
        }""", [bundle(FOLDER / "kit/numbers.js"), name, seed])
        same(got, list(islice(getattr(mathematics, name)(seed), 200)))
    page.close()


@pytest.mark.parametrize("_", range(4))
def test_steps_and_paths(js, _):
    hessian, start, optimum = bowl(), RNG.normal(size=2), RNG.normal(size=2)
    rate, corners = float(RNG.uniform(0.01, 0.2)), RNG.normal(size=(5, 2))
    places = mathematics.descent(start, hessian, rate, 12)
    same(js("account_steps.js", "descent", start, hessian, rate, 12), places)
    same(js("account_steps.js", "credits", places, hessian), mathematics.credits(places, hessian))
    same(js("draw_a_path.js", "path_shares", corners, hessian, optimum),
         mathematics.path_shares(corners, hessian, optimum))
    same(js("draw_a_path.js", "enclosed_area", corners), mathematics.enclosed_area(corners))


@pytest.mark.parametrize("_", range(4))
def test_noise_and_averages(js, _):
    mean_grad, beta1 = RNG.uniform(0.05, 1, size=2).tolist()
    fisher, batch = mean_grad**2 + float(RNG.uniform(0.1, 3)), int(RNG.integers(1, 300))
    variance = formulas.noise_variance(fisher, mean_grad, batch)
    same(js("noise_meets_itself.js", "noise_variance", fisher, mean_grad, batch), variance)
    for partner in ("same", "next", "independent"):
        same(js("noise_meets_itself.js", "expected_credit", mean_grad, variance, beta1, partner),
             mathematics.expected_credit(mean_grad, variance, beta1, partner))
    same(js("noise_meets_itself.js", "critical_batch", fisher, mean_grad, beta1),
         mathematics.critical_batch(fisher, mean_grad, beta1))
    same(js("square_of_mean.js", "squared_batch_gradient", fisher, mean_grad, batch),
         formulas.squared_batch_gradient(fisher, mean_grad, batch))
    hessian, offsets = bowl(), RNG.normal(size=(50, 2))
    got = js("more_starts.js", "running_averages", hessian, offsets, 0.01)
    for name, values in mathematics.running_averages(hessian, offsets, 0.01).items():
        same(got[name], values)


@pytest.mark.parametrize("tasks", [2, 3])
@pytest.mark.parametrize("memory", ["posterior", "each", "latest"])
def test_tasks_under_a_penalty(js, tasks, memory):
    hessians, minima = np.array([bowl() for _ in range(tasks)]), RNG.normal(size=(tasks, 2))
    got = js("last_penalty.js", "after_tasks", hessians, minima, memory)
    for name, value in mathematics.after_tasks(hessians, minima, memory).items():
        same(got[name], value)


def test_numbers_are_told_without_powers_of_ten_where_readers_need_none(js):
    told = {0.001: "0.001", 0.00999: "0.01", 1.0: "1", 99.99: "100", 858.86: "860", 0: "0",
            10_000: "10000", -858.86: "−860", 1e-6: "10⁻⁶", -3e7: "−3 · 10⁷"}
    assert {value: js("kit/numbers.js", "short", value, 2) for value in told} == told
