// Square first or average first? The gradients of examples, and the means of batches of them.

import { frame } from "./kit/look.js";
import { bars, button, buttons, follow, put, reset, slider } from "./kit/controls.js";
import { axes } from "./kit/axes.js";
import { normal, range } from "./kit/numbers.js";

const SHOWN = 200, NAMES = ["log_batch", "mean_grad", "seed"];
const HEIGHTS = [20, 30, 40, 60, 80, 120, 160, 200];
const FULL = 2; // what a full bar means, whatever is moved
const SINGLE = "var(--si-green)", BATCH = "var(--si-blue)";
const MEAN = "mean of squares", SQUARE = "square of mean";

/** F/B + (1 − 1/B) ḡ²: the mean square of the mean of B gradients. */
export const squared_batch_gradient = (fisher, mean_grad, batch_size) =>
  fisher / batch_size + (1 - 1 / batch_size) * mean_grad ** 2;

const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;

function draws(seed, mean_grad, batch) {
  const single = normal(seed), grouped = normal(seed + 5000);
  return { single: range(SHOWN).map(() => mean_grad + single()),
           means: range(SHOWN).map(() => mean(range(batch).map(() => mean_grad + grouped()))) };
}

/** Dots in piles, so that equal values stand over each other: `[value, height]` pairs. */
function piles(values, width) {
  const count = new Map();
  return values.map((value) => {
    const cell = Math.round(value / width), high = (count.get(cell) ?? 0) + 1;
    count.set(cell, high);
    return [cell * width, high];
  });
}

/** Values in piles over their axis, and a band from −r to r where r² is their mean square. */
function strip(stage, color, kind) {
  const ticks = [-4, -2, 0, 2, 4].map((v) => [v, String(v).replace("-", "−")]);
  const plot = axes(stage, { x: [-4.6, 5], y: [0, 30], height: 190, margin: [34, 24, 8, 20],
                             xTicks: ticks });
  return (dots, high, square, name, words) => {
    const root = Math.sqrt(square);
    plot.clear();
    plot.ranges.y = [0, high];
    plot.ground(ticks, [0, high / 2, high].map((y) => [y, String(y)]), name);
    plot.bar(-root, root, 0, high, { fill: color, "fill-opacity": 0.2 });
    for (const [value, height] of dots) {
      plot.bar(value - 0.046, value + 0.046, height - 1, height - 0.1, { fill: color });
    }
    plot.line([[0, 0], [0, high]], { stroke: "var(--si-line)", "stroke-width": 1 });
    plot.text([5, high], `${kind} ${square.toFixed(2)}`,
              { dx: -6, dy: 18, anchor: "end", bold: true });
    plot.text([5, high], "band: ± its root", { dx: -6, dy: 35, anchor: "end" });
    plot.describe(words);
  };
}

const sentence = (batch, fisher, left) => (batch === 1
  ? "In a batch of one, mean and example are the same thing: nothing is lost."
  : "Squared one by one and then averaged, the gradients give the Fisher information, "
    + `${fisher.toFixed(2)}. Averaged over a batch of ${batch} first, they partly cancel. The `
    + `square of that mean is ${left.toFixed(2)} on average: `
    + `${Math.round((100 * left) / fisher)} % of the Fisher information is left.`);

function render({ model, el }) {
  const { stage, panel, say, check } = frame(el, {
    name: "square_of_mean", lines: 7,
    question: "Does it matter whether gradients are squared first or averaged first?",
    goal: "Find a batch size at which averaging first loses nine tenths of the mean of squares.",
  });
  const above = strip(stage, SINGLE, MEAN), below = strip(stage, BATCH, SQUARE);
  const shown = [
    slider(panel, model, "log_batch", { label: "batch size", min: 0, max: 7, step: 1,
      format: (value) => String(2 ** value), marks: [[0, "1"], [3, "8"], [6, "64"]] })];
  const fill = bars(panel, [
    { key: "squares", label: MEAN, color: SINGLE },
    { key: "square", label: SQUARE, color: BATCH }],
    { caption: "two kinds of square", wide: "46%", format: (value) => value.toFixed(2) });
  shown.push(slider(panel, model, "mean_grad", { label: "mean gradient ḡ", min: 0, max: 1,
    step: 0.1, format: (value) => value.toFixed(1), marks: [[0, "0: at a minimum"], [1, "1"]] }));
  const row = buttons(panel);
  button(row, "Draw again", () => put(model, "seed", (model.get("seed") % 1000) + 1));
  reset(row, model, NAMES);
  return follow(model, NAMES, () => {
    const mean_grad = model.get("mean_grad"), batch = 2 ** model.get("log_batch");
    const fisher = 1 + mean_grad ** 2, left = squared_batch_gradient(fisher, mean_grad, batch);
    const { single, means } = draws(model.get("seed"), mean_grad, batch);
    const words = sentence(batch, fisher, left);
    shown.forEach((show) => show());
    fill({ squares: fisher, square: left }, FULL);
    say(words);
    check(left <= 0.1 * fisher);
    const [ones, many] = [single, means].map((values) => piles(values, 0.1));
    const most = 1.3 * Math.max(...[...ones, ...many].map(([, h]) => h));
    const high = HEIGHTS.find((one) => one >= most); // of both, so that they can be compared
    above(ones, high, fisher, `${SHOWN} examples: the gradient of each`, "Piles of the gradients of "
      + `${SHOWN} single examples round their mean, ${mean_grad.toFixed(1)}, with a standard `
      + "deviation of 1.");
    below(many, high, left, `${SHOWN} batches of ${batch}: the mean of each`, `Piles of the means of `
      + `${SHOWN} batches of ${batch}: they scatter round the same mean with a standard deviation `
      + `of ${(1 / Math.sqrt(batch)).toFixed(2)}. ${words}`);
  });
}

export default { render };
