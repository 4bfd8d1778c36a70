// Results of a sequence of tasks: the accuracy matrix, and curves with bands.

import { axes } from "./axes.js";
import { make } from "./dom.js";

/** The mean accuracy on the tasks seen so far, after each task. */
export const seen = (accuracy) =>
  accuracy.map((row) => row.reduce((sum, a) => sum + a, 0) / row.length);

/** How well each task was just after it was learned, on average. */
export const just_learned = (accuracy) =>
  accuracy.reduce((sum, row) => sum + row.at(-1), 0) / accuracy.length;

/**
 * The accuracy matrix in percent: row after training, column tested; drawn up to the diagonal.
 * What is at most `from` percent is left blank; another value than the usual 40 is told.
 */
export function matrix(parent, { width = 360, from = 40, digits = 0 } = {}) {
  const svg = make(parent, "svg", { role: "img" });
  return (accuracy, words) => {
    const tasks = accuracy.length, [left, top] = [64, 44], cell = (width - left - 8) / tasks;
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${width} ${top + cell * tasks + 8}`);
    svg.setAttribute("aria-label", words);
    make(svg, "text", { x: left, y: 16 }, "accuracy (%) on task …");
    if (from !== 40) make(svg, "text", { x: width - 8, y: 16, "text-anchor": "end" },
                          `blank: ${from} or less`);
    make(svg, "text", { x: 4, y: top - 6 }, "after");
    accuracy.forEach((row, i) => {
      const middle = top + cell * (i + 0.5);
      make(svg, "text", { x: left - 8, y: middle + 4, "text-anchor": "end" }, `task ${i + 1}`);
      make(svg, "text", { x: left + cell * (i + 0.5), y: top - 6, "text-anchor": "middle" },
           String(i + 1));
      row.forEach((value, j) => {
        const strength = Math.round(62 * Math.min(Math.max((value - from) / (100 - from), 0), 1));
        make(svg, "rect", { x: left + cell * j + 1, y: top + cell * i + 1, width: cell - 2,
          height: cell - 2, rx: 3, stroke: "var(--si-line)", "stroke-width": 1,
          fill: `color-mix(in srgb, var(--si-blue) ${strength}%, var(--si-back))` });
        make(svg, "text", { x: left + cell * (j + 0.5), y: middle + 4.5, "text-anchor": "middle",
          stroke: "none", style: "stroke: none" }, value.toFixed(digits));
      });
    });
  };
}

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
