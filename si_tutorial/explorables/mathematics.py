"""The mathematics of the live figures that stands in no other module: NumPy twins of their JS.

A test calls both on random inputs. What `formulas` or `quadratic` has is not repeated here.
"""

from collections.abc import Iterator

import numpy as np

from si_tutorial import formulas, quadratic


def uniform(seed: int) -> Iterator[float]:
    """Numbers in [0, 1) from a seed, by the generator known as mulberry32."""
    word = 0xFFFFFFFF
    state = seed
    while True:
        state = (state + 0x6D2B79F5) & word
        mixed = (state ^ state >> 15) * (state | 1) & word
        mixed ^= (mixed + ((mixed ^ mixed >> 7) * (mixed | 61) & word)) & word
        yield (mixed ^ mixed >> 14) / 2**32


def normal(seed: int) -> Iterator[float]:
    """Standard normal numbers from a seed (Box and Muller, one of each pair)."""
    numbers = uniform(seed)
    for u, v in zip(numbers, numbers, strict=False):
        yield np.sqrt(-2 * np.log(1 - u)) * np.cos(2 * np.pi * v)


def descent(start: np.ndarray, hessian: np.ndarray, rate: float, steps: int) -> np.ndarray:
    """The places of plain gradient descent in ½ θᵀ H θ, the start first: `(steps + 1, n)`."""
    places = [np.asarray(start, dtype=float)]
    for _ in range(steps):
        places.append(places[-1] - rate * quadratic.gradient(places[-1], hessian, 0.0))
    return np.array(places)


def credits(places: np.ndarray, hessian: np.ndarray) -> np.ndarray:
    """−g_k δ_k of each step between these places, in ½ θᵀ H θ: `(steps, n)`."""
    return formulas.credit(quadratic.gradient(places[:-1], hessian, 0.0), np.diff(places, axis=0))


def path_shares(corners: np.ndarray, hessian: np.ndarray, optimum: np.ndarray) -> np.ndarray:
    """ω_k = −∫ g_k dθ_k along straight pieces between `corners`, `(corners, n)`; shape `(n,)`.

    The trapezoid rule is exact, because the gradient of a quadratic loss is linear.
    """
    g = quadratic.gradient(corners, hessian, optimum)
    return formulas.trapezoid_credit(g[:-1], g[1:], np.diff(corners, axis=0)).sum(0)


def enclosed_area(corners: np.ndarray) -> float:
    """The area inside a polygon, positive where it runs counter-clockwise (shoelace formula).

    By Green's theorem ω₁ along a path exceeds ω₁ along the straight way by H₁₂ times this area.
    """
    x, y = np.transpose(corners)
    return float(x @ np.roll(y, -1) - np.roll(x, -1) @ y) / 2


def expected_credit(mean_grad: float, variance: float, beta1: float, partner: str) -> float:
    """⟨g m⟩ with m = (1−β₁) Σ β₁ʲ g_{t−j}: what a step of −η m is credited with, over η.

    The noise meets itself in the share 1 − β₁ if g is the gradient of the `same` batch, half as
    often if it is the mean of this and the `next` one, never if it is `independent`.
    """
    met = {"same": 1.0, "next": 0.5, "independent": 0.0}[partner]
    return mean_grad**2 + met * (1 - beta1) * variance


def critical_batch(fisher: float, mean_grad: float, beta1: float) -> float:
    """B* = (1 − β₁) (F − ḡ²) / ḡ²: signal and noise are equal in the credit of the same batch."""
    return (1 - beta1) * (fisher - mean_grad**2) / mean_grad**2


def running_averages(hessian: np.ndarray, offsets: np.ndarray, damping: float
                     ) -> dict[str, np.ndarray]:
    """For weight 1, over the first 1, 2, … starts: ⟨ω⟩/⟨Δ²⟩ and ⟨ω/(Δ²+ξ)⟩; and each ratio."""
    omega, square = quadratic.path_integral(hessian, offsets)[:, 0], offsets[:, 0] ** 2
    ratios = omega / (square + damping)
    return {"ratio_of_means": np.cumsum(omega) / np.cumsum(square),
            "mean_of_ratios": np.cumsum(ratios) / np.arange(1, len(offsets) + 1),
            "ratios": ratios}


def after_tasks(hessians: np.ndarray, minima: np.ndarray, memory: str) -> dict[str, np.ndarray]:
    """Where training on one task after another ends, if old tasks are remembered in a penalty.

    Task t has the loss ½ (θ−m_t)ᵀ H_t (θ−m_t). `memory` is "posterior" (the whole sum of the old
    losses), "each" (their diagonals, each at the weights after its task: EWC) or "latest" (the sum
    of the diagonals at the latest weights: online EWC). Returns the `ends` after each task, and the
    `stiffness` A and `center` b of the last penalty ½ (θ−b)ᵀ A (θ−b).
    """
    ends, stiffness, pull = [minima[0]], np.zeros_like(hessians[0]), np.zeros_like(minima[0])
    center = minima[0]
    for task in range(1, len(minima)):
        old = hessians[task - 1] if memory == "posterior" else np.diag(np.diag(hessians[task - 1]))
        stiffness = stiffness + old
        pull = pull + old @ (minima[task - 1] if memory == "posterior" else ends[-1])
        center = ends[-1] if memory == "latest" else np.linalg.solve(stiffness, pull)
        ends.append(np.linalg.solve(stiffness + hessians[task],
                                    stiffness @ center + hessians[task] @ minima[task]))
    return {"ends": np.array(ends), "stiffness": stiffness, "center": center}
