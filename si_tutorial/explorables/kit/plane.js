// The plane of two weights, to one scale in both directions, and what stands in it.

import { axes } from "./axes.js";
import { handle } from "./handle.js";
import { level_line, range } from "./numbers.js";

/** A plot from −x to x and −y to y whose circles are round. */
export function plane(parent, { x = 2.8, y = x } = {}) {
  const width = 360, margin = [8, 24, 8, 24];
  const plot = axes(parent, { x: [-x, x], y: [-y, y], width, margin,
                              height: 48 + ((width - 16) * y) / x,
                              xLabel: "weight 1 →", yLabel: "↑ weight 2" });
  /** Level lines of ½ (θ−at)ᵀ H (θ−at), grey or in the colour of a task. */
  plot.bowl = (H, values, { at = [0, 0], color, ...style } = {}) => {
    for (const value of values) {
      const points = level_line(H, value, at);
      if (!color) plot.level(points);
      else plot.line(points, { stroke: color, "stroke-width": 1.4, "stroke-opacity": 0.65,
                               ...style });
    }
  };
  plot.handle = (options) => handle(plot, options);
  /** A spring between two places. */
  plot.spring = (from, to, style) => plot.line(coil(from, to, (0.033 * x)), style);
  return plot;
}

/** The points of a coil, `wide` to either side. */
function coil([x0, y0], [x1, y1], wide) {
  const [dx, dy] = [x1 - x0, y1 - y0], long = Math.hypot(dx, dy) || 1;
  return range(23).map((i) => {
    const side = i > 1 && i < 21 ? wide * (i % 2 ? 1 : -1) : 0;
    return [x0 + (dx * i) / 22 - (side * dy) / long, y0 + (dy * i) / 22 + (side * dx) / long];
  });
}
