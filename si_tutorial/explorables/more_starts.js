// Draw a hundred starts more: two ways to average an importance over them.

import { frame } from "./kit/look.js";
import { bars, button, buttons, choice, disable, follow, put, reset, slider }
  from "./kit/controls.js";
import { axes } from "./kit/axes.js";
import { make } from "./kit/dom.js";
import { plane } from "./kit/plane.js";
import { normal, range, rotated, short } from "./kit/numbers.js";
import { path_integral } from "./kit/quadratic.js";

const NAMES = ["hundreds", "tilt", "damping"], MOST = 60;
const STEEP = 8, FLAT = 1, FIRST = 10; // the curves begin at this many starts
const MUCH = 0.2; // of the average, for one start
const WAYS = [["pooled", "quotient of means", "var(--si-green)"],
              ["average", "mean of quotients", "var(--si-blue)"]];

/** The first `count` starts, standard normal in both weights. */
export function starts(count) {
  const next = normal(4833); // a draw in which each of the first presses brings a jump
  return range(count).map(() => [next(), next()]);
}

/** Running averages for weight 1: the ratio of the means, the mean of the ratios; each ratio. */
export function running_averages(hessian, offsets, damping) {
  let [omegas, squares, ratios] = [0, 0, 0];
  const found = { ratio_of_means: [], mean_of_ratios: [], ratios: [] };
  offsets.forEach((offset, i) => {
    const omega = path_integral(hessian, offset)[0], square = offset[0] ** 2;
    const ratio = omega / (square + damping);
    omegas += omega; squares += square; ratios += ratio;
    found.ratio_of_means.push(omegas / squares);
    found.mean_of_ratios.push(ratios / (i + 1));
    found.ratios.push(ratio);
  });
  return found;
}

function curves(stage) {
  const ticks = [10, 100, 1000, 6000].map((n) => [Math.log10(n), String(n)]);
  const plot = axes(stage, { x: [Math.log10(FIRST), Math.log10(6000)], y: [-0.5, 1.5],
                             height: 316, margin: [46, 80, 22, 38], xTicks: ticks, grid: true,
                             xLabel: "starts averaged over", yLabel: "↑ importance of weight 1" });
  plot.key([...WAYS.map(([, label, color]) => ({ label, color })),
            { label: "1 = half the curvature of weight 1", dashed: true }]);
  return ({ traces, worst, part }, words) => {
    const tens = Object.values(traces).flat().slice(FIRST - 1).map(Math.log10);
    const low = Math.min(-0.5, ...tens.map((v) => v - 0.1));
    const high = Math.max(1.5, ...tens.map((v) => v + 0.25));
    plot.clear();
    plot.ranges.y = [low, high];
    plot.ground(ticks, range(9).map((i) => i - 2).filter((i) => i > low && i < high)
      .map((i) => [i, short(10 ** i, 1)]));
    plot.line([[1, 0], [4, 0]], { "stroke-dasharray": "5 5", "stroke-width": 1.5 });
    const place = (values, i) => [Math.log10(i + 1), Math.log10(values[i])];
    for (const [name, , stroke] of WAYS.toReversed()) { // the wider one first, if they are one
      const values = traces[name];
      plot.line(range(values.length).slice(FIRST - 1).filter((n) => n < 400 || n % 10 === 9)
        .map((n) => place(values, n)), { stroke, "stroke-width": name === "average" ? 4 : 2 });
    }
    if (part > MUCH && worst >= FIRST) {
      plot.dot(place(traces.average, worst), { r: 6, fill: "var(--si-red)",
        stroke: "var(--si-back)", "stroke-width": 2 });
      plot.text(place(traces.average, worst), `start ${worst + 1}`,
                { dx: -11, dy: -2, anchor: "end" });
    }
    plot.describe(words);
  };
}

function picture(panel) {
  const plot = plane(panel, { x: 5.6, y: 3.8 });
  return ({ H, offsets, worst, part }) => {
    const at = offsets[worst];
    plot.clear();
    plot.bowl(H, [1, 4, 9, 16, 25]);
    for (const start of offsets.slice(-600)) {
      plot.dot(start, { r: 1.8, fill: "var(--si-muted)", "fill-opacity": 0.6 });
    }
    if (part > MUCH) {
      plot.line([[0, at[1]], [0, 0]], { stroke: "var(--si-red)", "stroke-width": 1.5 });
      plot.dot(at, { r: 6, fill: "var(--si-red)", stroke: "var(--si-back)", "stroke-width": 2 });
      plot.text(at, `start ${worst + 1}`, { dx: 10, dy: 5, anchor: "start" });
    }
    plot.cross([0, 0]);
    plot.describe(`Level lines of the bowl, and ${Math.min(offsets.length, 600)} of the starts`
      + (part > MUCH ? `; start ${worst + 1}, in red, lies close to the vertical axis.` : "."));
  };
}

/** Buttons that draw more starts, until there are no more. */
function drawers(stage, model) {
  const row = buttons(stage);
  row.style.margin = "0.6rem 0";
  const more = [[1, "Draw 100 more", { main: true }], [10, "1000 more"]].map(([n, label, look]) =>
    button(row, label, () => put(model, "hundreds", Math.min(model.get("hundreds") + n, MOST)),
           look));
  reset(row, model, NAMES);
  return () => more.forEach((node) => disable(node, model.get("hundreds") === MOST));
}

/** Both averages, in units of half the curvature, and the start with the largest single result. */
function averages(model) {
  const count = 100 * model.get("hundreds"), offsets = starts(count);
  const H = rotated(STEEP, FLAT, model.get("tilt")), half = H[0][0] / 2;
  const { ratio_of_means, mean_of_ratios, ratios } =
    running_averages(H, offsets, model.get("damping"));
  const traces = { pooled: ratio_of_means.map((value) => value / half),
                   average: mean_of_ratios.map((value) => value / half) };
  const worst = ratios.indexOf(Math.max(...ratios));
  return { count, offsets, H, traces, worst, pooled: traces.pooled.at(-1),
           average: traces.average.at(-1), part: ratios[worst] / (mean_of_ratios.at(-1) * count) };
}

function sentence({ count, pooled, average, worst, offsets, part }) {
  const percent = `${Math.round(100 * part)}\u00a0%`;
  const [a, b] = [pooled, average].map((value) => short(value));
  const both = `Over ${count} starts, the quotient of means is ${a} and the mean of quotients `
    + `${b}. `;
  if (a === b) return `${both}Both ways agree.`;
  return both + (part < MUCH ? `No start makes up more than ${Math.ceil(100 * part)}\u00a0% `
    + "of that mean." : `Start ${worst + 1} alone makes up ${percent} of that mean: weight 1 `
    + `had only ${short(Math.abs(offsets[worst][0]), 1)} to go, and was swept along.`);
}

function render({ model, el }) {
  const { stage, panel, say, check } = frame(el, {
    name: "more_starts", lines: 7,
    question: "Averaged over many starts: does the importance of a weight settle?",
    goal: "Leave tilt and damping alone. Draw more starts until a single one makes up more than "
      + "half of the mean of quotients.",
  });
  const first = model.get("tilt"), draw = curves(stage);
  const shown = [drawers(stage, model)];
  const map = picture(panel);
  make(panel, "p", {}, "Quotient of means: the mean of all ω, divided by the mean of all Δ². Mean "
    + "of quotients: each start’s ω / (Δ² + ξ), and the mean of these. Both in units of half the "
    + "curvature.");
  const fill = bars(panel, WAYS.map(([name, label, color]) => (
    { key: name, label, color, mark: "half" })),
    { caption: "importance of weight 1 in units of half its curvature", wide: "46%",
      format: (value) => short(value) });
  shown.push(
    choice(panel, model, "damping", { label: "damping ξ, in the mean of quotients only",
      options: [[0, "none"], [0.01, "0.01"], [0.1, "0.1"], [1, "1"]] }),
    slider(panel, model, "tilt", { label: "tilt of the steep axis", min: 0, max: 90, step: 5,
      format: (value) => `${value}°`, marks: [[0, "no interaction"], [45, "45°"]] }));
  return follow(model, NAMES, () => {
    const all = averages(model), { pooled, average } = all, words = sentence(all);
    shown.forEach((show) => show());
    fill({ pooled, average, half: 1 }, 3.2); // beyond that, an arrow
    say(words);
    check(all.part > 0.5 && model.get("damping") === 0 && model.get("tilt") === first);
    draw(all, "Two running averages against the number of starts, and a dashed line at 1. "
      + words);
    map(all);
  });
}

export default { render };
