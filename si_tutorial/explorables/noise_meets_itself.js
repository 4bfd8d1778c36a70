// One weight on a slope, noisy gradients: the noise in a step meets itself in the account.

import { frame } from "./kit/look.js";
import { bars, buttons, choice, follow, reset, slider } from "./kit/controls.js";
import { axes } from "./kit/axes.js";
import { normal, range, short } from "./kit/numbers.js";

const SLOPE = 0.25, FISHER = 1 + SLOPE ** 2; // ḡ, so that B* is 16, and the mean of squares
const SCALES = [2, 5, 15, 40, 130, 400, 900]; // few, so that a change is seen, not scaled away
const STEPS = 100, NAMES = ["log_batch", "beta1", "partner"];
const PARTNERS = [["same", "the same gradient (SI)"], ["next", "mean of this and the next"],
                  ["independent", "an independent gradient"]];
const CLAIM = "var(--si-blue)", TRUE = "var(--si-green)", DEBT = "var(--si-red)";

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

/** The credit of each step of a run with seeded noise, in units of the true credit. */
function run_of_credits(deviation, beta1, partner) {
  const [here, elsewhere] = [normal(3), normal(8)];
  const warm = 60, g = range(warm + STEPS + 1).map(() => SLOPE + deviation * here());
  const other = g.map(() => SLOPE + deviation * elsewhere());
  let m = SLOPE;
  return range(warm + STEPS).map((t) => {
    m = beta1 * m + (1 - beta1) * g[t];
    const met = { same: g[t], next: (g[t] + g[t + 1]) / 2, independent: other[t] }[partner];
    return (met * m) / SLOPE ** 2;
  }).slice(warm);
}

/** The first of the scales that has room for all values, in units of the true credit. */
const room = (...values) => SCALES.find((scale) => scale >= 1.04 * Math.max(...values))
  ?? SCALES.at(-1);

const numbers = (scale) => [0, 1, scale].filter((n) => n !== 1 || scale <= 15)
  .map((n) => [n, String(n)]);

/** Above the credit of every step, below their sum. */
function account(stage) {
  const x = [0, STEPS];
  const above = axes(stage, { x, y: [-1, 1], height: 150, margin: [38, 24, 8, 24],
                              yLabel: "each step’s credit (1: that of a true step)" });
  const below = axes(stage, { x, y: [0, 1], height: 262, margin: [38, 60, 8, 24], grid: true,
                              xLabel: "steps →",
                              yLabel: "the account, their sum (1: the true sum)" });
  below.key([{ label: "claimed", color: CLAIM }, { label: "true", color: TRUE }]);
  return (credits, words) => {
    const high = room(...credits), low = Math.min(...credits) < 0
      ? -room(...credits.map((credit) => -credit)) : 0;
    above.clear();
    above.ranges.y = [low, high];
    above.ground([], [...(low ? [[low, String(low).replace("-", "−")]] : []), [0, "0"],
                      [high, String(high)]]);
    above.line([[0, 0], [STEPS, 0]], { stroke: "var(--si-line)", "stroke-width": 1 });
    credits.forEach((credit, t) => above.bar(t + 0.1, t + 0.9, 0, credit,
                                             { fill: credit < 0 ? DEBT : CLAIM }));
    const sums = credits.reduce((list, credit) => [...list, list.at(-1) + credit / STEPS], [0]);
    const line = sums.map((sum, t) => [t, sum]), scale = room(...sums);
    below.clear();
    below.ranges.y = [1.1 * Math.min(0, ...sums), scale];
    below.ground([], numbers(scale));
    below.area([...line, [STEPS, 1]], { fill: CLAIM, "fill-opacity": 0.16 });
    below.line([[0, 0], [STEPS, 1]], { stroke: TRUE, "stroke-width": 3 });
    below.line(line, { stroke: CLAIM, "stroke-width": 3 });
    if (sums.at(-1) > 0.4 * scale && sums.at(-1) > 2.5) {
      below.text([0.6 * STEPS, 0.32 * sums.at(-1)], "noise", { dx: 12, dy: 4 });
    }
    above.describe(`Sticks, one for each of ${STEPS} steps: its credit, `
      + (low < 0 ? "often positive and sometimes negative." : "never negative."));
    below.describe(words);
  };
}

function curve(stage) {
  const sizes = [1, 4, 16, 64, 256, 1024];
  const plot = axes(stage, { x: [0, 10], y: [0, 1], height: 170, margin: [50, 29, 20, 36],
    xTicks: sizes.map((b) => [Math.log2(b), String(b)]), grid: true, xLabel: "batch size",
    yTicks: [[0, "0 %"], [0.5, "50 %"], [1, "100 %"]], yLabel: "noise in the account" });
  return (log_batch, beta1, partner, share) => {
    const star = Math.log2(critical_batch(FISHER, SLOPE, beta1)), right = star < 5;
    plot.clear();
    if (partner === "same") {
      plot.line([[star, 0], [star, 1]], { "stroke-dasharray": "4 4", "stroke-width": 1.5 });
      plot.text([star, 1], `critical: ${short(2 ** star)}`, { dy: 17, dx: right ? 6 : -6,
        anchor: right ? "start" : "end" });
    }
    plot.line(range(81).map((i) => [i / 8, share(2 ** (i / 8), partner)]),
              { stroke: CLAIM, "stroke-width": 3 });
    plot.dot([log_batch, share(2 ** log_batch, partner)], { r: 7, fill: CLAIM,
      stroke: "var(--si-back)", "stroke-width": 2 });
    plot.describe(partner === "independent"
      ? "The share of noise in the account is zero on average, at every batch size."
      : "The share of noise in the account falls with the batch size; with the same gradient it is "
        + `one half at the critical batch size, ${short(2 ** star)}.`);
  };
}

/** Where in the product noise meets itself, and why some bars are red, if some are. */
function reason(beta1, partner, red) {
  if (beta1 === 0 && partner === "same") {
    return "Step and gradient hold the same noise, and noise times itself is never negative.";
  }
  const share = `${Math.round(100 * (1 - beta1))}\u00a0%`;
  const where = [beta1 > 0 && `${share} of the step comes from this batch`,
                 partner === "next" && "half of the gradient"].filter(Boolean);
  return `Only ${beta1 > 0 ? where.join(", and ") : "half of the gradient comes from this batch"}`
    + `: there noise meets itself. Other batches’ noise is as often of the other sign`
    + (red ? ": hence red bars." : ".");
}

function sentence(batch, beta1, partner, times, noise, red) {
  if (partner === "independent") {
    return "The noise of another batch does not know this step. Their products are as often "
      + "negative as positive: the account wanders round the true one and does not outgrow it.";
  }
  const pace = short(times) === "1" ? "about" : `${short(times)} times`;
  const part = noise < 0.01 ? "less than 1" : Math.round(100 * noise);
  return `At batch size ${batch} the account grows ${pace} as fast as it should: ${part}\u00a0% of `
    + `it is noise. ${reason(beta1, partner, red)}`;
}

function render({ model, el }) {
  const { stage, panel, say, check } = frame(el, {
    name: "noise_meets_itself", lines: 8,
    question: "What does the noise of the gradients add to SI’s account?",
    goal: "Without momentum, set the critical batch size: half of SI’s account is noise there.",
  });
  const draw = account(stage);
  const shown = [
    slider(panel, model, "log_batch", { label: "batch size", min: 0, max: 10, step: 1,
      format: (value) => String(2 ** value), marks: [[0, "1"], [4, "16"], [10, "1024"]] }),
    choice(panel, model, "partner", { label: "multiply the step with",
                                      options: PARTNERS })];
  const fill = bars(panel, [
    { key: "claimed", label: "credit claimed", color: CLAIM, mark: "true" },
    { key: "true", label: "true credit", color: TRUE }],
    { caption: "credit of a step, divided by the learning rate", wide: "44%" });
  const plot = curve(panel);
  shown.push(slider(panel, model, "beta1", { label: "momentum β₁", min: 0, max: 0.95, step: 0.05,
    format: (value) => value.toFixed(2), marks: [[0, "none"], [0.9, "0.9"]] }));
  reset(buttons(panel), model, NAMES);
  return follow(model, NAMES, () => {
    const [beta1, partner] = [model.get("beta1"), model.get("partner")];
    const batch = 2 ** model.get("log_batch"), truth = SLOPE ** 2;
    const variance = (size) => noise_variance(FISHER, SLOPE, size);
    const claimed = expected_credit(SLOPE, variance(batch), beta1, partner);
    const share = (size, who) => 1 - truth / expected_credit(SLOPE, variance(size), beta1, who);
    const credits = run_of_credits(Math.sqrt(variance(batch)), beta1, partner);
    const noise = share(batch, partner), red = credits.some((credit) => credit < 0);
    const words = sentence(batch, beta1, partner, claimed / truth, noise, red);
    shown.forEach((show) => show());
    fill({ claimed, true: truth }, room(claimed / truth) * truth);
    say(words);
    check(partner === "same" && beta1 === 0 && Math.abs(noise - 0.5) < 0.01);
    draw(credits, `Two lines over ${STEPS} steps: the account that is claimed, and the true one. `
      + words);
    plot(Math.log2(batch), beta1, partner, share);
  });
}

export default { render };
