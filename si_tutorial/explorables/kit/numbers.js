// Numbers: vectors of two, symmetric 2 × 2 matrices [[a, b], [b, d]], seeded random numbers.

import { power_of_ten, short } from "./short.js"; // once, or it is bundled twice

export { power_of_ten, short };
export const add = (v, w) => [v[0] + w[0], v[1] + w[1]];
export const minus = (v, w) => [v[0] - w[0], v[1] - w[1]];
export const times = (H, v) => [H[0][0] * v[0] + H[0][1] * v[1], H[1][0] * v[0] + H[1][1] * v[1]];
export const trace = (H) => H[0][0] + H[1][1];
export const det = (H) => H[0][0] * H[1][1] - H[0][1] * H[1][0];
export const radians = (degrees) => (degrees * Math.PI) / 180;
export const range = (n) => Array.from({ length: n }, (_, i) => i);

/** The matrix with curvature `steep` in the direction `angle` (degrees) and `flat` across it. */
export function rotated(steep, flat, angle) {
  const [c, s] = [Math.cos(radians(angle)), Math.sin(radians(angle))];
  const off = (steep - flat) * c * s;
  return [[steep * c * c + flat * s * s, off], [off, steep * s * s + flat * c * c]];
}

/** Eigenvalues, ascending, and the eigenvectors that belong to them: `[λ, u]` pairs. */
export function eigen(H) {
  const [a, b, d] = [H[0][0], H[0][1], H[1][1]];
  const middle = (a + d) / 2, radius = Math.hypot((a - d) / 2, b);
  const angle = Math.atan2(2 * b, a - d) / 2; // of the steeper direction
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  return [[middle - radius, [-s, c]], [middle + radius, [c, s]]];
}

/** x with H x = v. */
export function solve(H, v) {
  const D = det(H);
  return [(H[1][1] * v[0] - H[0][1] * v[1]) / D, (H[0][0] * v[1] - H[1][0] * v[0]) / D];
}

/** Points of the line ½ dᵀ H d = `value` round `center`; a flat direction makes it very long. */
export function level_line(H, value, center = [0, 0], points = 96) {
  const [[low, u], [high, v]] = eigen(H).map(([l, w]) => [Math.max(l, 1e-4), w]);
  const [r, q] = [Math.sqrt((2 * value) / low), Math.sqrt((2 * value) / high)];
  return range(points + 1).map((i) => {
    const turn = (2 * Math.PI * i) / points, a = r * Math.cos(turn), b = q * Math.sin(turn);
    return [center[0] + a * u[0] + b * v[0], center[1] + a * u[1] + b * v[1]];
  });
}

/** Three or four round numbers from 0 up to `high`, with their words. */
export function round_ticks(high) {
  const size = 10 ** Math.floor(Math.log10(high / 2));
  const step = [5, 2, 1].map((n) => n * size).find((s) => high / s >= 2);
  return range(Math.floor(high / step) + 1).map((i) => [i * step, short(i * step, 2)]);
}

/** A generator of numbers in [0, 1) from a seed (the generator known as mulberry32). */
export function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A generator of standard normal numbers from a seed (Box and Muller, one of each pair). */
export function normal(seed) {
  const next = uniform(seed);
  return () => {
    const [u, v] = [next(), next()];
    return Math.sqrt(-2 * Math.log(1 - u)) * Math.cos(2 * Math.PI * v);
  };
}
