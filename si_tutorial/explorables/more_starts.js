// Draw a hundred starts more: two ways to average an importance over them.

import { frame } from "./kit/look.js";
import { bars, button, buttons, choice, disable, follow, put, reset, slider }
  from "./kit/controls.js";
import { axes } from "./kit/axes.js";
import { plane } from "./kit/plane.js";
import { normal, range, rotated, short } from "./kit/numbers.js";
import { path_integral } from "./kit/quadratic.js";

const NAMES = ["hundreds", "tilt", "damping"], MOST = 60;
const STEEP = 8, FLAT = 1;

/** The first `count` starts, standard normal in both weights. */
export function starts(count) {
  const next = normal(48); // a draw in which the first jump comes after two hundred starts
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
  const ticks = [1, 10, 100, 1000, 6000].map((n) => [Math.log10(n), String(n)]);
  const plot = axes(stage, { x: [0, Math.log10(6000)], y: [-0.5, 1.5], height: 290,
                             margin: [46, 24, 22, 38], xTicks: ticks, grid: true,
                             xLabel: "starts averaged over",
                             yLabel: "↑ importance of weight 1 / half its curvature" });
  return (found, half, words) => {
    plot.clear();
    const tenfold = (value) => Math.log10(value / half);
    const values = [...found.mean_of_ratios, ...found.ratio_of_means].map(tenfold);
    plot.ranges.y = [Math.min(-0.5, Math.min(...values) - 0.1),
                     Math.max(1.5, Math.max(...values) + 0.4)];
    plot.ground(ticks, range(9).map((i) => i - 2).filter((i) => i > plot.ranges.y[0]
      && i < plot.ranges.y[1]).map((i) => [i, short(10 ** i, 1)]));
    const trace = (averages) => averages.map((v, i) => [Math.log10(i + 1), tenfold(v)])
      .filter((_, i) => i < 200 || i % 10 === 9);
    plot.line([[0, 0], [4, 0]], { "stroke-dasharray": "5 5", "stroke-width": 1.5 });
    plot.line(trace(found.mean_of_ratios), { stroke: "var(--si-blue)", "stroke-width": 2.5 });
    plot.line(trace(found.ratio_of_means), { stroke: "var(--si-green)", "stroke-width": 2.5 });
    const ends = [found.mean_of_ratios, found.ratio_of_means]
      .map((v) => [tenfold(v.at(-1)), Math.log10(v.length)]);
    [["mean of the ratios", 0], ["ratio of the means", 1]].forEach(([name, i]) => {
      const above = i ? ends[1][0] > ends[0][0] : ends[0][0] >= ends[1][0];
      const right = ends[i][1] < 2.4;
      plot.text([ends[i][1], ends[i][0]], name, right
        ? { dx: 8, dy: above ? -2 : 12, anchor: "start" }
        : { dx: -6, dy: above ? -9 : 20, anchor: "end" });
    });
    plot.describe(words);
  };
}

function picture(panel) {
  const plot = plane(panel, { x: 5.6, y: 3.8 });
  return (H, offsets, worst, words) => {
    plot.clear();
    plot.bowl(H, [1, 4, 9, 16, 25]);
    for (const at of offsets.slice(-600)) {
      plot.dot(at, { r: 1.8, fill: "var(--si-muted)", "fill-opacity": 0.6 });
    }
    plot.line([[0, worst[1]], [0, 0]], { stroke: "var(--si-red)", "stroke-width": 1.5 });
    plot.dot(worst, { r: 6, fill: "var(--si-red)", stroke: "var(--si-back)", "stroke-width": 2 });
    const right = worst[0] > 2; // there the words stand before the point
    plot.text(worst, "largest ratio", { dx: right ? -10 : 10, dy: 5,
                                        anchor: right ? "end" : "start" });
    plot.cross([0, 0]);
    plot.describe(words);
  };
}

/** Buttons that draw more starts, until there are no more. */
function drawers(stage, model, check) {
  const row = buttons(stage);
  row.style.margin = "0.6rem 0";
  const more = [[1, "Draw 100 more", { main: true }], [10, "1000 more"]].map(([n, label, look]) =>
    button(row, label, () => put(model, "hundreds", Math.min(model.get("hundreds") + n, MOST)),
           look));
  reset(row, model, NAMES, () => check(null));
  return () => more.forEach((node) => disable(node, model.get("hundreds") === MOST));
}

/** All averages over the starts drawn, and the start with the largest ratio. */
function averages(model) {
  const count = 100 * model.get("hundreds"), offsets = starts(count);
  const H = rotated(STEEP, FLAT, model.get("tilt")), half = H[0][0] / 2;
  const found = running_averages(H, offsets, model.get("damping"));
  const worst = found.ratios.indexOf(Math.max(...found.ratios));
  const [a, b] = [found.ratio_of_means.at(-1), found.mean_of_ratios.at(-1)];
  return { count, offsets, H, half, found, worst: offsets[worst], ratio_of_means: a,
           mean_of_ratios: b, part: found.ratios[worst] / (b * count) };
}

function sentence({ count, half, ratio_of_means, mean_of_ratios, part }) {
  const [a, b] = [ratio_of_means / half, mean_of_ratios / half].map((value) => short(value));
  return `After ${count} starts the ratio of the means is ${a} times half the curvature, the mean `
    + `of the ratios ${b} times. `
    + (part > 0.02 ? "A single start, which hardly had to move weight 1, makes up "
      + `${Math.round(100 * part)} % of the latter.` : "No single start matters.");
}

function render({ model, el }) {
  const { stage, panel, say, check } = frame(el, {
    name: "more_starts", lines: 6,
    question: "Average the importance over many starts. Does it settle?",
    goal: "With tilt and damping as they are, draw until one single start makes up more than a "
      + "quarter of the mean of the ratios.",
  });
  const first = model.get("tilt"), draw = curves(stage);
  const shown = [drawers(stage, model, check)];
  const map = picture(panel);
  const fill = bars(panel, [
    { key: "ratio_of_means", label: "ratio of the means", color: "var(--si-green)", mark: "half" },
    { key: "mean_of_ratios", label: "mean of the ratios", color: "var(--si-blue)", mark: "half" },
    { key: "half", label: "▏half of H₁₁", color: "var(--si-grey)" }],
    { caption: "importance of weight 1", wide: "52%", format: (value) => short(value) });
  shown.push(
    choice(panel, model, "damping", { label: "damping ξ in ω / (Δ² + ξ)",
      options: [[0, "none"], [0.01, "0.01"], [0.1, "0.1"], [1, "1"]] }),
    slider(panel, model, "tilt", { label: "tilt of the steep axis", min: 0, max: 90, step: 5,
      format: (value) => `${value}°`, marks: [[0, "no interaction"], [45, "45°"]] }));
  return follow(model, NAMES, () => {
    const all = averages(model), { found, half, count, ratio_of_means, mean_of_ratios } = all;
    const words = sentence(all);
    shown.forEach((show) => show());
    fill({ ratio_of_means, mean_of_ratios, half }, 3.2 * half); // beyond that, an arrow
    say(words);
    check(all.part > 0.25 && model.get("damping") === 0 && model.get("tilt") === first);
    draw(found, half, "Two running averages against the number of starts, and a dashed line at "
      + `half the curvature. ${words}`);
    map(all.H, all.offsets, all.worst, `Level lines of the bowl, and ${Math.min(count, 600)} of `
      + "the starts; the one with the largest ratio lies close to the vertical axis.");
  });
}

export default { render };
