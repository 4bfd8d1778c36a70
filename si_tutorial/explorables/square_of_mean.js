// Square first or average first? The gradients of examples, and the means of batches of them.

import { frame } from "./kit/look.js";
import { bars, button, buttons, follow, put, reset, slider } from "./kit/controls.js";
import { axes } from "./kit/axes.js";
import { normal, range } from "./kit/numbers.js";

const SHOWN = 200, NAMES = ["log_batch", "mean_grad", "seed"];

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

function strips(stage) {
  const ticks = [-4, -2, 0, 2, 4].map((v) => [v, String(v).replace("-", "−")]);
  const strip = (label, color) => {
    const plot = axes(stage, { x: [-4.2, 5], y: [0, 30], height: 172, margin: [14, 24, 8, 20],
                               xTicks: ticks, yLabel: label });
    return (values, mean_grad, words) => {
      plot.clear();
      const dots = piles(values, 0.1), high = Math.max(...dots.map(([, h]) => h));
      plot.ranges.y = [0, Math.max(14, 1.3 * high)];
      for (const [value, height] of dots) {
        plot.bar(value - 0.046, value + 0.046, height - 1, height - 0.1, { fill: color });
      }
      plot.line([[0, 0], [0, plot.ranges.y[1]]], { stroke: "var(--si-line)", "stroke-width": 1 });
      plot.line([[mean_grad, 0], [mean_grad, plot.ranges.y[1]]],
                { "stroke-dasharray": "4 4", "stroke-width": 1.5 });
      plot.text([mean_grad, plot.ranges.y[1]], "mean gradient ḡ",
                { dx: 6, dy: 15, anchor: "start" });
      plot.describe(words);
    };
  };
  return [strip("gradients of single examples", "var(--si-green)"),
          strip("gradients of batches: means of examples", "var(--si-blue)")];
}

function render({ model, el }) {
  const { stage, panel, say, check } = frame(el, {
    name: "square_of_mean",
    question: "Square first and then average, or average first and then square?",
    goal: "Find a batch size that loses nine tenths of the Fisher information.",
  });
  const [above, below] = strips(stage);
  const shown = [
    slider(panel, model, "log_batch", { label: "batch size", min: 0, max: 7, step: 1,
      format: (value) => String(2 ** value), marks: [[0, "1"], [3, "8"], [6, "64"]] }),
    slider(panel, model, "mean_grad", { label: "mean gradient ḡ (0 at a minimum)", min: 0, max: 2,
      step: 0.1, format: (value) => value.toFixed(1), marks: [[0, "0"], [1, "1"]] })];
  const fill = bars(panel, [
    { key: "squares", label: "mean of the squares, F", color: "var(--si-green)" },
    { key: "square", label: "mean square of a batch’s mean", color: "var(--si-blue)" },
    { key: "drawn", label: "… of the batches shown", color: "var(--si-grey)" }],
    { caption: "two kinds of square", wide: "46%" });
  const row = buttons(panel);
  button(row, "Draw again", () => put(model, "seed", (model.get("seed") % 1000) + 1));
  reset(row, model, NAMES, () => check(null));
  return follow(model, NAMES, () => {
    const mean_grad = model.get("mean_grad"), batch = 2 ** model.get("log_batch");
    const fisher = 1 + mean_grad ** 2, left = squared_batch_gradient(fisher, mean_grad, batch);
    const { single, means } = draws(model.get("seed"), mean_grad, batch);
    const share = left / fisher;
    const words = batch === 1
      ? "In a batch of one, mean and example are the same thing: nothing is lost."
      : `Averaging ${batch} gradients first makes their scatter `
        + `${Math.sqrt(batch).toFixed(1)} times narrower. The square of the mean keeps `
        + `${Math.round(100 * share)} % of the mean of the squares`
        + `${mean_grad >= 1 ? ": most gradients point the same way here" : ""}.`;
    shown.forEach((show) => show());
    fill({ squares: fisher, square: left, drawn: mean(means.map((v) => v * v)) }, 1.3 * fisher);
    say(words);
    check(share <= 0.1);
    above(single, mean_grad, "Piles of the gradients of 200 single examples round their mean, "
      + `${mean_grad.toFixed(1)}, with a standard deviation of 1.`);
    below(means, mean_grad, `Piles of the means of 200 batches of ${batch}: they scatter round the `
      + `same mean with a standard deviation of ${(1 / Math.sqrt(batch)).toFixed(2)}. ${words}`);
  });
}

export default { render };
