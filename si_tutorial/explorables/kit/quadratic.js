// The twin of si_tutorial/quadratic.py for two weights: same names, same results.

import { add, det, eigen, minus, range, solve, times, trace } from "./numbers.js";

export const gradient = (theta, hessian, optimum) => times(hessian, minus(theta, optimum));

export function loss(theta, hessian, optimum) {
  const [d, g] = [minus(theta, optimum), gradient(theta, hessian, optimum)];
  return (d[0] * g[0] + d[1] * g[1]) / 2;
}

/** Where gradient flow is after each of `times_` (Infinity: at the end; no flat direction). */
export function gradient_flow(start, hessian, optimum, moments) {
  const modes = eigen(hessian), d = minus(start, optimum);
  return moments.map((t) => modes.reduce((theta, [curvature, u]) => {
    const amplitude = (u[0] * d[0] + u[1] * d[1]) * Math.exp(-curvature * t);
    return add(theta, [amplitude * u[0], amplitude * u[1]]);
  }, optimum));
}

/** ω_k = Q_kk = (g_k² + det(H) d_k²) / (2 tr H), the form for two weights. */
export function path_integral(hessian, offset) {
  const g = times(hessian, offset);
  return offset.map((d, k) => (g[k] ** 2 + det(hessian) * d ** 2) / (2 * trace(hessian)));
}

/** Ω_k = ω_k / (Δ_k² + ξ), for a bowl without a flat direction: Δ = −d. */
export const importance = (hessian, offset, damping) =>
  path_integral(hessian, offset).map((omega, k) => omega / (offset[k] ** 2 + damping));

/** δ = (H₂ + 2c diag Ω)⁻¹ H₂ D. */
export function second_displacement(second_hessian, shift, importance_, strength) {
  const [a, b] = second_hessian;
  const stiffness = [[a[0] + 2 * strength * importance_[0], a[1]],
                     [b[0], b[1] + 2 * strength * importance_[1]]];
  return solve(stiffness, times(second_hessian, shift));
}

export const forgetting = (first_hessian, second_hessian, shift, importance_, strength) =>
  loss(second_displacement(second_hessian, shift, importance_, strength), first_hessian, [0, 0]);

export function joint_loss(first_hessian, second_hessian, shift, importance_, strength) {
  const moved = second_displacement(second_hessian, shift, importance_, strength);
  return loss(moved, first_hessian, [0, 0]) + loss(moved, second_hessian, shift);
}

/** The c between 10⁻³ and 10³ with the least joint loss: the same search as Python's. */
export function best_strength(first_hessian, second_hessian, shift, importance_) {
  const spread = (low, high, n) => range(n).map((i) => low + ((high - low) * i) / (n - 1));
  const joint = (x) =>
    joint_loss(first_hessian, second_hessian, shift, importance_, Math.exp(x));
  let grid = spread(Math.log(1e-3), Math.log(1e3), 121);
  for (let i = 0; i < 10; i++) {
    const values = grid.map(joint), best = values.indexOf(Math.min(...values));
    grid = spread(grid[Math.max(best - 1, 0)], grid[Math.min(best + 1, grid.length - 1)], 13);
  }
  return Math.exp(grid[Math.floor(grid.length / 2)]);
}
