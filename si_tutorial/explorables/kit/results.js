// Results of a sequence of tasks: means, and curves with bands.

import { axes } from "./axes.js";

/** The mean accuracy on the tasks seen so far, after each task. */
export const seen = (accuracy) =>
  accuracy.map((row) => row.reduce((sum, a) => sum + a, 0) / row.length);

/** How well each task was just after it was learned, on average. */
export const just_learned = (accuracy) =>
  accuracy.reduce((sum, row) => sum + row.at(-1), 0) / accuracy.length;

/** A line with a band: `points` are [x, value, low, high]. */
export function banded(plot, points, color, { dashed = false } = {}) {
  const ends = [...points.map(([x, , low]) => [x, low]),
                ...points.toReversed().map(([x, , , high]) => [x, high])];
  plot.area(ends, { fill: color, "fill-opacity": 0.2 });
  plot.line(points, { stroke: color, "stroke-width": 3,
                      "stroke-dasharray": dashed ? "6 5" : undefined });
  for (const at of points) plot.dot(at, { r: 3.5, fill: color });
}

/** A plot of mean accuracies in percent; its range is set when it is drawn. */
export function accuracies(parent, { x, xTicks, xLabel, yLabel, height = 220, top = 24 }) {
  const plot = axes(parent, { x, y: [0, 100], height, margin: [50, top, 16, 38], grid: true,
                              xTicks, xLabel, yLabel });
  plot.fit = (lowest, ticks = xTicks) => {
    plot.clear();
    const low = Math.max(0, Math.floor((lowest - 2) / 10) * 10);
    plot.ranges.y = [low, 102];
    const step = low < 50 ? 20 : 10;
    const marks = [];
    for (let a = Math.ceil(low / step) * step; a <= 100; a += step) marks.push([a, `${a} %`]);
    plot.ground(ticks, marks);
  };
  return plot;
}
