"""The quadratic case in closed form: E(θ) = ½ (θ−θ*)ᵀ H (θ−θ*), H symmetric, no λ below zero.

Everything follows from the offset d = θ(0) − θ*, the start as seen from the optimum. In code:
H `hessian`, its eigenvalues λ `curvatures` and eigenvectors u `directions`, θ* `optimum`,
d `offset`, Q `velocity_gram`, Δ `displacement`, ω `path_integral`, Ω `importance`, ξ `damping`.

All arrays are NumPy's, in double precision. `offset` may be one vector `(n,)` or a stack of them
`(..., n)`. A Hessian that is not symmetric, or has a negative eigenvalue, is a ValueError.

Source: the theoretical analysis in Zenke, Poole & Ganguli, Continual Learning Through Synaptic
Intelligence, ICML 2017 (Z17); the book's chapter "The quadratic case" derives each line.
"""

import numpy as np

EPS = np.finfo(float).eps


def spectrum(hessian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """λ `(n,)`, ascending, and u `(n, n)`, one eigenvector per column: H = Σ_α λ^α u^α u^αᵀ.

    What round-off leaves below zero is returned as zero. Raises ValueError for a matrix that is
    not square and symmetric, or has a negative eigenvalue (then θ* is not a minimum).
    """
    hessian = np.asarray(hessian, dtype=float)
    if hessian.ndim != 2 or hessian.shape[0] != hessian.shape[1]:
        raise ValueError(f"hessian must be a square matrix, got shape {hessian.shape}")
    roundoff = 10 * len(hessian) * EPS * np.abs(hessian).max()
    if not (np.abs(hessian - hessian.T) <= roundoff).all():  # NaN fails it too
        raise ValueError("hessian must be symmetric and finite; symmetrise it: (H + H.T) / 2")
    curvatures, directions = np.linalg.eigh(hessian)
    if curvatures[0] < -roundoff:
        raise ValueError(f"hessian has the negative eigenvalue {curvatures[0]:.3g}: the optimum "
                         "is no minimum, and gradient flow does not converge")
    return np.maximum(curvatures, 0), directions


def loss(theta: np.ndarray, hessian: np.ndarray, optimum: np.ndarray | float) -> np.ndarray:
    """E(θ) = ½ (θ−θ*)ᵀ H (θ−θ*), for each θ of `theta`, shape `(..., n)`."""
    offset = np.subtract(theta, optimum)
    return 0.5 * np.einsum("...i,ij,...j->...", offset, hessian, offset)


def gradient(theta: np.ndarray, hessian: np.ndarray, optimum: np.ndarray | float) -> np.ndarray:
    """g = H (θ−θ*), shape `(..., n)`; in gradient flow g = −τ θ̇."""
    return np.subtract(theta, optimum) @ hessian


def gradient_flow(start: np.ndarray, hessian: np.ndarray, optimum: np.ndarray | float,
                  times: np.ndarray, *, tau: float = 1.0) -> np.ndarray:
    """θ(t) = θ* + Σ_α u^α e^{−λ^α t/τ} (u^α·d), the solution of τ θ̇ = −H (θ−θ*).

    `times`, shape `(T,)`, and τ are in one unit of time. Returns `(T, n)`.
    """
    curvatures, directions = spectrum(hessian)
    amplitudes = directions.T @ np.subtract(start, optimum)             # (n,)
    decay = np.exp(-np.multiply.outer(times, curvatures) / tau)         # (T, n)
    return optimum + (decay * amplitudes) @ directions.T


def velocity_gram(hessian: np.ndarray, offset: np.ndarray, *, time: float = np.inf,
                  tau: float = 1.0) -> np.ndarray:
    """Q = τ ∫₀ᵀ θ̇ θ̇ᵀ dt = Σ_αβ u^α d^α [λ^α λ^β / (λ^α+λ^β)] (1 − e^{−(λ^α+λ^β)T/τ}) d^β u^βᵀ.

    With d^α = u^α·d. For T = ∞, the default, Q does not depend on τ and solves
    HQ + QH = H d dᵀ H. Its diagonal is ω, its trace the whole drop of the loss. A direction of zero
    curvature contributes nothing: nothing moves along it. Shape `(..., n, n)`.
    """
    curvatures, directions = spectrum(hessian)
    amplitudes = np.asarray(offset, dtype=float) @ directions           # (..., n)
    total = np.add.outer(curvatures, curvatures)                        # (n, n): λ^α + λ^β
    fraction = np.divide(curvatures, total, out=np.zeros_like(total), where=total > 0)
    weight = curvatures[:, None] * fraction                             # no underflow of λ^α λ^β
    if np.isfinite(time):
        weight = weight * -np.expm1(-total * time / tau)
    modes = directions * amplitudes[..., None, :]                       # (..., n, n): u^α d^α
    return modes @ weight @ np.swapaxes(modes, -1, -2)


def path_integral(hessian: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """ω_k = Q_kk: each parameter's account of the whole drop of the loss; shape `(..., n)`."""
    return np.diagonal(velocity_gram(hessian, offset), axis1=-2, axis2=-1)


def displacement(hessian: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Δ = −P d: the displacement θ(∞) − θ(0), shape `(..., n)`.

    P projects on the range of H: along a direction of zero curvature a parameter stays.
    """
    return -np.asarray(offset, dtype=float) @ range_projector(hessian)


def importance(hessian: np.ndarray, offset: np.ndarray, damping: float) -> np.ndarray:
    """Ω_k = Q_kk / (Δ_k² + ξ), shape `(..., n)` (Z17, eq. 5). Where ω, Δ and ξ are 0, Ω is 0.

    So it is where H_kk = 0: such a parameter does not move, and its account stays empty.
    """
    omega, moved = path_integral(hessian, offset), displacement(hessian, offset)
    still = (np.diagonal(hessian) == 0) | ((omega == 0) & (moved == 0))
    return np.where(still, 0.0, omega / (np.where(still, 1.0, moved) ** 2 + damping))


def mean_velocity_gram(hessian: np.ndarray, sigma: float) -> np.ndarray:
    """⟨Q⟩ = ½ σ² H over isotropic starts, ⟨d dᵀ⟩ = σ² I. Shape `(n, n)`."""
    spectrum(hessian)  # refuse what is no minimum
    return 0.5 * sigma**2 * np.asarray(hessian, dtype=float)


def mean_squared_displacement(hessian: np.ndarray, sigma: float) -> np.ndarray:
    """⟨Δ_k²⟩ = σ² P_kk over isotropic starts: σ² for a non-singular H, else less. Shape `(n,)`."""
    return sigma**2 * np.diagonal(range_projector(hessian))


def rank_one_importance(curvature: float, direction: np.ndarray, offset: np.ndarray,
                        damping: float) -> np.ndarray:
    """Ω_k = ½ λ (u·d)² u_k² / ((u·d)² u_k² + ξ) for H = λ u uᵀ, |u| = 1. Shape `(n,)`.

    ½λ for every participating weight (u_k ≠ 0) at ξ = 0; ∝ H_kk = λ u_k² where ξ ≫ Δ_k².
    """
    direction = np.asarray(direction, dtype=float)
    if not np.isclose(direction @ direction, 1):
        raise ValueError(f"direction must have length 1, got {np.linalg.norm(direction):.6g}")
    squares = (direction @ offset) ** 2 * direction**2                  # (n,): Δ²
    fraction = np.divide(squares, squares + damping, where=squares > 0,
                         out=np.zeros_like(direction))
    return 0.5 * curvature * fraction


def descent_gram(hessian: np.ndarray, offset: np.ndarray, lr: float) -> np.ndarray:
    """Σₜ δₜ δₜᵀ / η for plain gradient descent of rate η `lr`; its diagonal is the summed −g·δ.

    Σ_αβ u^α d^α [λ^α λ^β / (λ^α + λ^β − η λ^α λ^β)] d^β u^βᵀ, which tends to Q as η → 0. Raises
    ValueError at η λ ≥ 2, where descent does not converge. Shape `(n, n)`.
    """
    curvatures, directions = spectrum(hessian)
    if lr * curvatures[-1] >= 2:
        raise ValueError(f"gradient descent does not converge: lr · λ = {lr * curvatures[-1]:.3g}, "
                         "at least 2")
    total = np.add.outer(curvatures, curvatures) - lr * np.multiply.outer(curvatures, curvatures)
    fraction = np.divide(curvatures, total, out=np.zeros_like(total), where=total > 0)
    modes = directions * (directions.T @ offset)
    return modes @ (curvatures[:, None] * fraction) @ modes.T


def compounded_importance(curvature: np.ndarray | float, importance: np.ndarray | float,
                          strength: float) -> np.ndarray | float:
    """h/2 + 2 c Ω_old: what a later task adds to Ω at ξ = 0, for diagonal curvature h.

    The penalty holds the parameter back: it lowers the loss by much over a short displacement.
    """
    return curvature / 2 + 2 * strength * importance


def second_displacement(second_hessian: np.ndarray, shift: np.ndarray, importance: np.ndarray,
                        strength: float) -> np.ndarray:
    """Δ = (H₂ + 2c diag Ω)⁻¹ H₂ D: the second task moves θ from θ̃ = θ₁* by it; D = θ₂* − θ₁*.

    Where the matrix is singular, its pseudo-inverse: gradient flow from θ₁* goes there. `(n,)`.
    """
    spectrum(second_hessian)  # refuse what is no minimum
    stiffness = second_hessian + 2 * strength * np.diag(importance)     # (n, n)
    return _flow_from_zero(stiffness, second_hessian @ np.asarray(shift, dtype=float))


def forgetting(first_hessian: np.ndarray, second_hessian: np.ndarray, shift: np.ndarray,
               importance: np.ndarray, strength: float) -> np.ndarray:
    """½ Δᵀ H₁ Δ, the rise of the first task's loss, with Δ = `second_displacement(…)`."""
    moved = second_displacement(second_hessian, shift, importance, strength)
    return loss(moved, first_hessian, 0.0)


def joint_loss(first_hessian: np.ndarray, second_hessian: np.ndarray, shift: np.ndarray,
               importance: np.ndarray, strength: float) -> np.ndarray:
    """½ Δᵀ H₁ Δ + ½ (Δ−D)ᵀ H₂ (Δ−D): both tasks' losses after the second task."""
    moved = second_displacement(second_hessian, shift, importance, strength)
    return loss(moved, first_hessian, 0.0) + loss(moved, second_hessian, shift)


def best_strength(first_hessian: np.ndarray, second_hessian: np.ndarray, shift: np.ndarray,
                  importance: np.ndarray, *, low: float = 1e-3, high: float = 1e3) -> float:
    """The c in [`low`, `high`] at which `joint_loss` is least, to about seven digits.

    A search: the best of 121 values on a logarithmic grid, refined between its neighbours. For a
    diagonal first Hessian and ξ = 0 the answer is 1; in general there is no closed form.
    """
    def joint(log_c):
        return joint_loss(first_hessian, second_hessian, shift, importance, np.exp(log_c))

    grid = np.linspace(np.log(low), np.log(high), 121)
    for _ in range(10):
        best = int(np.argmin([joint(x) for x in grid]))
        grid = np.linspace(grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)], 13)
    return float(np.exp(grid[len(grid) // 2]))


def range_projector(hessian: np.ndarray) -> np.ndarray:
    """P, the orthogonal projector on the range of H: its null space removed. Shape `(n, n)`."""
    spectrum(hessian)  # refuse what is no minimum
    flat = _null_space(np.asarray(hessian, dtype=float))
    return np.eye(len(flat)) - flat @ flat.T


def _null_space(matrix: np.ndarray) -> np.ndarray:
    """An orthonormal basis of the null space of a positive semi-definite matrix, `(n, k)`."""
    unit, scale = _unit_diagonal(matrix)
    curvatures, directions = np.linalg.eigh(unit)
    flat = directions[:, curvatures <= _tolerance(unit)] / scale[:, None]
    return np.linalg.qr(flat / np.linalg.norm(flat, axis=0))[0]


def _flow_from_zero(matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Where ẋ = `target` − `matrix` x goes from x = 0: the solution with no flat component."""
    unit, scale = _unit_diagonal(matrix)
    curvatures, directions = np.linalg.eigh(unit)
    force = directions.T @ (target / scale)
    x = directions @ np.divide(force, curvatures, out=np.zeros_like(force),
                               where=curvatures > _tolerance(unit)) / scale
    flat = _null_space(matrix)
    return x - flat @ (flat.T @ x)


def _unit_diagonal(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The matrix scaled to a unit diagonal, and the scale, so that a weight of small curvature
    beside one of large curvature is not taken for a flat direction."""
    diagonal = np.diagonal(matrix)
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    return matrix / scale / scale[:, None], scale


def _tolerance(unit: np.ndarray) -> float:
    return 10 * len(unit) * EPS
