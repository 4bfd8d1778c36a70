// One weight on a slope, noisy gradients: the noise in a step meets itself in the credit.

import { frame } from "./kit/look.js";
import { bars, buttons, choice, follow, reset, slider } from "./kit/controls.js";
import { axes } from "./kit/axes.js";
import { normal, range } from "./kit/numbers.js";

const SLOPE = 0.2, FISHER = 1 + SLOPE ** 2; // ḡ, and the mean of single examples' squares
const SHOWN = 240, NAMES = ["log_batch", "beta1", "partner"];
const PARTNERS = [["same", "the same batch (SI)"], ["next", "mean of this and the next"],
                  ["independent", "an independent batch"]];

/** σ² = (F − ḡ²) / B. */
export const noise_variance = (fisher, mean_grad, batch_size) =>
  (fisher - mean_grad ** 2) / batch_size;

/** ⟨g m⟩: the credit of a step, over η. Noise meets itself in the share 1 − β₁, or in half. */
export function expected_credit(mean_grad, variance, beta1, partner) {
  const met = { same: 1, next: 0.5, independent: 0 }[partner];
  return mean_grad ** 2 + met * (1 - beta1) * variance;
}

/** B* = (1 − β₁) (F − ḡ²) / ḡ²: there noise and signal are equal in the credit. */
export const critical_batch = (fisher, mean_grad, beta1) =>
  ((1 - beta1) * (fisher - mean_grad ** 2)) / mean_grad ** 2;

/** Pairs (gradient that the credit is taken with, m) of a run with seeded noise. */
function pairs(deviation, beta1, partner) {
  const [here, elsewhere] = [normal(3), normal(8)];
  const warm = 60, g = range(warm + SHOWN + 1).map(() => SLOPE + deviation * here());
  const other = g.map(() => SLOPE + deviation * elsewhere());
  let m = SLOPE;
  return range(warm + SHOWN).map((t) => {
    m = beta1 * m + (1 - beta1) * g[t];
    return [{ same: g[t], next: (g[t] + g[t + 1]) / 2, independent: other[t] }[partner], m];
  }).slice(warm);
}

function cloud(stage) {
  const plot = axes(stage, { x: [-3, 3], y: [-3, 3], height: 280, margin: [8, 24, 8, 24],
    xLabel: "gradient the step is multiplied with →", yLabel: "↑ gradient that made the step" });
  return (points, words) => {
    plot.clear();
    plot.line([[-3, 0], [3, 0]], { stroke: "var(--si-line)", "stroke-width": 1 });
    plot.line([[0, -3], [0, 3]], { stroke: "var(--si-line)", "stroke-width": 1 });
    for (const at of points) {
      plot.dot(at, { r: 3, "fill-opacity": 0.55,
                     fill: at[0] * at[1] > 0 ? "var(--si-blue)" : "var(--si-red)" });
    }
    plot.text([2.9, 2.6], "credit +", { anchor: "end", dy: 2 });
    plot.text([-2.9, -2.75], "credit +", { anchor: "start" });
    plot.text([-2.9, 2.6], "credit −", { anchor: "start", dy: 2 });
    plot.text([2.9, -2.75], "credit −", { anchor: "end" });
    plot.dot([SLOPE, SLOPE], { r: 6, fill: "var(--si-green)", stroke: "var(--si-back)",
                               "stroke-width": 2 });
    plot.text([SLOPE, SLOPE], "without noise", { dx: 10, dy: 20, anchor: "start" });
    plot.describe(words);
  };
}

function curve(stage) {
  const sizes = [1, 4, 16, 64, 256, 1024];
  const plot = axes(stage, { x: [0, 10], y: [0, 1], height: 165, margin: [50, 24, 20, 36],
    xTicks: sizes.map((b) => [Math.log2(b), String(b)]), grid: true, xLabel: "batch size",
    yTicks: [[0, "0 %"], [0.5, "50 %"], [1, "100 %"]], yLabel: "noise in the credit" });
  return (log_batch, beta1, partner, share) => {
    plot.clear();
    const star = Math.log2(critical_batch(FISHER, SLOPE, beta1));
    plot.line([[star, 0], [star, 1]], { "stroke-dasharray": "4 4", "stroke-width": 1.5 });
    plot.line(range(81).map((i) => [i / 8, share(2 ** (i / 8), partner)]),
              { stroke: "var(--si-blue)", "stroke-width": 3 });
    plot.dot([log_batch, share(2 ** log_batch, partner)], { r: 7, fill: "var(--si-blue)",
      stroke: "var(--si-back)", "stroke-width": 2 });
    plot.text([star, 1], `critical batch size ${(2 ** star).toFixed(1)}`, { dy: 14, dx: 6,
      anchor: star > 5 ? "end" : "start" });
    plot.describe(`The share of noise in the credit falls with the batch size; with the same batch `
      + `it is one half at the critical batch size, ${(2 ** star).toFixed(1)}.`);
  };
}

function render({ model, el }) {
  const { stage, panel, say, check } = frame(el, {
    name: "noise_meets_itself",
    question: "Who is paid for noise? One weight, one slope, noisy gradients.",
    goal: "Find a batch size at which about half of what SI’s account claims is noise.",
  });
  const draw = cloud(stage), plot = curve(panel);
  const shown = [
    choice(panel, model, "partner", { label: "multiply the step with the gradient of",
                                      options: PARTNERS }),
    slider(panel, model, "log_batch", { label: "batch size", min: 0, max: 10, step: 0.5,
      format: (value) => String(Math.round(2 ** value)) }),
    slider(panel, model, "beta1", { label: "momentum β₁", min: 0, max: 0.95, step: 0.05,
      format: (value) => value.toFixed(2), marks: [[0, "none"], [0.9, "0.9"]] })];
  const fill = bars(panel, [
    { key: "claimed", label: "credit claimed", color: "var(--si-blue)", mark: "true" },
    { key: "true", label: "true credit", color: "var(--si-green)" }],
    { caption: "credit of a step, divided by the learning rate" });
  reset(buttons(panel), model, NAMES, () => check(null));
  return follow(model, NAMES, () => {
    const [beta1, partner] = [model.get("beta1"), model.get("partner")];
    const batch = Math.round(2 ** model.get("log_batch")), truth = SLOPE ** 2;
    const variance = (size) => noise_variance(FISHER, SLOPE, size);
    const claimed = expected_credit(SLOPE, variance(batch), beta1, partner);
    const share = (size, who) => 1 - truth / expected_credit(SLOPE, variance(size), beta1, who);
    const noise = share(batch, partner);
    const words = partner === "independent"
      ? "The noise of another batch does not know this step: their products cancel, and the "
        + "claim is true on average."
      : `At batch size ${batch} the account claims ${(claimed / truth).toFixed(1)} times the true `
        + `credit, and ${Math.round(100 * noise)} % of it is noise that has met itself`
        + `${partner === "next" ? ", half as often as with the same batch" : ""}.`;
    shown.forEach((show) => show());
    fill({ claimed, true: truth }, Math.max(1.05 * claimed, 4 * truth));
    say(words);
    check(partner === "same" && Math.abs(noise - 0.5) < 0.06);
    draw(pairs(Math.sqrt(variance(batch)), beta1, partner), "Points, one for each step: the "
      + `gradient of the credit against the gradient that made the step. ${words}`);
    plot(Math.log2(batch), beta1, partner, share);
  });
}

export default { render };
