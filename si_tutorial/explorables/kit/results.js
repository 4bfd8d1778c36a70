// Results of a sequence of tasks: means, and curves with bands.

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
