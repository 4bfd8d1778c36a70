// Strength and damping of SI on real runs: slide through the published ones.

import { frame } from "./kit/look.js";
import { buttons, follow, reset, slider } from "./kit/controls.js";
import { power_of_ten, range, short } from "./kit/numbers.js";
import { matrix } from "./kit/matrix.js";
import { accuracies, banded, just_learned, seen } from "./kit/results.js";

const NAMES = ["log_strength", "log_damping"], CROSS = { log_strength: 0, log_damping: -3 };
const LIMITS = { log_strength: [-3, 4], log_damping: [-6, 0] };
const plain = (power) => short(10 ** power, 1);
const near = (value, power) => value > 0 && Math.abs(Math.log10(value) - power) < 0.01;

const found = (runs, log_strength, log_damping) => runs.find((run) =>
  near(run.strength, log_strength) && near(run.damping, log_damping));

/** The runs along one axis through the crossing: [power, at the end, low, high, just learned]. */
const along = (runs, name) => range(LIMITS[name][1] - LIMITS[name][0] + 1)
  .map((i) => LIMITS[name][0] + i).flatMap((power) => {
    const at = { ...CROSS, [name]: power }, run = found(runs, at.log_strength, at.log_damping);
    return run ? [[power, seen(run.accuracy).at(-1), run.low.at(-1), run.high.at(-1),
                   just_learned(run.accuracy)]] : [];
  });

function curve(panel, name, label, held) {
  const [low, high] = LIMITS[name];
  const ticks = range(high - low + 1).map((i) => low + i)
    .filter((p) => (p - low) % 2 === 0 || high - low < 7)
    .map((p) => [p, p < -3 ? power_of_ten(p) : plain(p)]);
  const plot = accuracies(panel, { x: [low - 0.3, high + 0.3], xTicks: ticks, xLabel: label,
                                   yLabel: `mean accuracy, ${held}`, height: 190 });
  return (runs, power, active) => {
    const points = along(runs, name);
    plot.fit(Math.min(...points.flatMap((p) => [p[2], p[4]])));
    banded(plot, points, "var(--si-blue)");
    plot.line(points.map(([p, , , , learned]) => [p, learned]),
              { stroke: "var(--si-orange)", "stroke-width": 2.5, "stroke-dasharray": "6 5" });
    const gap = ([, mean, , , learned]) => learned - mean;
    const widest = points.reduce((a, b) => (gap(b) > gap(a) ? b : a));
    const left = widest[0] < (low + high) / 2;
    const corner = [left ? high + 0.3 : low - 0.3, plot.ranges.y[0]];
    ["dashed: just learned", "solid: at the end"].forEach((words, i) =>
      plot.text(corner, words, { dy: -22 + 17 * i, anchor: left ? "end" : "start" }));
    const here = points.find(([p]) => p === power);
    if (active && here) { // only then is the run that is shown one of this curve
      plot.line([[power, 0], [power, 110]], { "stroke-dasharray": "3 4", "stroke-width": 1.5 });
      plot.dot(here, { r: 7.5, fill: "var(--si-blue)", stroke: "var(--si-back)",
                       "stroke-width": 2 });
    }
    plot.describe(`Mean accuracy after the last task by ${label}: `
      + points.map(([p, mean]) => `${mean.toFixed(1)} percent at ${plain(p)}`).join(", ") + ".");
  };
}

function sentence(run, best) {
  const end = seen(run.accuracy).at(-1), learned = just_learned(run.accuracy);
  const kept = run.accuracy.at(-1)[0], again = run.accuracy[0][0];
  const verdict = end > best - 0.2 ? "About as good as it gets"
    : learned - end > 1 ? "Too soft: old tasks are forgotten"
    : "Too stiff: new tasks are learned less well";
  return `${verdict}. With c = ${run.strength} and ξ = ${run.damping} the tasks were learned to `
    + `${learned.toFixed(1)} %, and after the last one ${end.toFixed(1)} % is left; task 1 went `
    + `from ${again.toFixed(1)} to ${kept.toFixed(1)} %. (Mean of ${run.seeds} seeds, `
    + `${run.held_out ? "held-out training" : "test"} images.)`;
}

function render({ model, el }) {
  const { stage, panel, say, check } = frame(el, {
    name: "strength_damping", lines: 7,
    question: "How strong, how damped? SI on split MNIST, from runs that were really made.",
    goal: "Find the setting with the best mean accuracy after the last task.",
  });
  const draw = matrix(stage);
  const shown = [
    slider(panel, model, "log_strength", { label: "strength c", min: -3, max: 4, step: 1,
      format: plain, marks: [[-3, "weak"], [0, "1"], [4, "strong"]] })];
  const strengths = curve(panel, "log_strength", "strength c", "ξ = 0.001");
  shown.push(slider(panel, model, "log_damping", { label: "damping ξ", min: -6, max: 0, step: 1,
    format: plain, marks: [[-3, "0.001"], [0, "1"]] }));
  const dampings = curve(panel, "log_damping", "damping ξ", "c = 1");
  reset(buttons(panel), model, NAMES, () => check(null));
  let last = { log_strength: model.get("log_strength"), log_damping: model.get("log_damping") };
  const update = () => {
    const now = { log_strength: model.get("log_strength"), log_damping: model.get("log_damping") };
    const runs = model.get("runs"), run = found(runs, now.log_strength, now.log_damping);
    if (!run && now.log_strength !== CROSS.log_strength && now.log_damping !== CROSS.log_damping) {
      const moved = now.log_strength === last.log_strength ? "log_damping" : "log_strength";
      const other = NAMES.find((name) => name !== moved);
      last = now;
      model.set(other, CROSS[other]);
      model.save_changes();
      return;
    }
    last = now;
    shown.forEach((show) => show());
    const all = runs.map((r) => seen(r.accuracy).at(-1));
    const best = Math.max(...all);
    strengths(runs, now.log_strength, now.log_damping === CROSS.log_damping);
    dampings(runs, now.log_damping, now.log_strength === CROSS.log_strength);
    const words = run ? sentence(run, best)
      : `There is no published run with c = ${plain(now.log_strength)} and `
        + `ξ = ${plain(now.log_damping)}.`;
    say(words);
    check(run && seen(run.accuracy).at(-1) >= best - 1e-9);
    draw(run ? run.accuracy : [], `The accuracy matrix of this setting. ${words}`);
  };
  return follow(model, [...NAMES, "runs"], update);
}

export default { render };
