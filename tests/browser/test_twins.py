"""Mathematics that stands in Python and in JavaScript: both on the same random inputs."""

from pathlib import Path

import numpy as np
import pytest

from si_tutorial import explorables, quadratic
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
        "second_drift": (second, shift, importance, c),
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
