// Strength and damping of SI on real runs: slide through the published ones.

import { frame } from "./kit/look.js";
import { buttons, follow, reset, slider } from "./kit/controls.js";
import { axes } from "./kit/axes.js";
import { make } from "./kit/dom.js";
import { power_of_ten, range, short } from "./kit/numbers.js";
import { matrix } from "./kit/matrix.js";
import { banded, just_learned, seen } from "./kit/results.js";

const NAMES = ["log_strength", "log_damping"], CROSS = { log_strength: 0, log_damping: -3 };
const LIMITS = { log_strength: [-3, 4], log_damping: [-6, 0] };
const TICKS = [50, 70, 80, 90, 95, 98, 99, 99.5];
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

/** Where an accuracy stands on an axis on which half the mistakes are a step up. */
const height = (accuracy) => -Math.log2(Math.max(100 - accuracy, 0.2));

function curve(panel, name, label, held) {
  const [low, high] = LIMITS[name];
  const ticks = range(high - low + 1).map((i) => low + i)
    .filter((p) => (p - low) % 2 === 0 || high - low < 7)
    .map((p) => [p, p < -3 ? power_of_ten(p) : plain(p)]);
  const plot = axes(panel, { x: [low - 0.3, high + 0.3], y: [0, 1], xTicks: ticks, grid: true,
    xLabel: label, yLabel: `mean accuracy, ${held}`, height: 190, margin: [56, 24, 16, 38] });
  return (runs, power, active) => {
    const points = along(runs, name);
    const all = points.flatMap((p) => p.slice(1)).map(height);
    const [lowest, highest] = [Math.min(...all), Math.max(...all)];
    plot.clear();
    plot.ranges.y = [lowest - 0.4, highest + 0.4];
    plot.ground(ticks, TICKS.map((a) => [height(a), `${a} %`])
      .filter(([y]) => y > lowest - 0.4 && y < highest + 0.4));
    banded(plot, points.map(([p, ...some]) => [p, ...some.map(height)]), "var(--si-blue)");
    plot.line(points.map(([p, , , , learned]) => [p, height(learned)]),
              { stroke: "var(--si-orange)", "stroke-width": 2.5, "stroke-dasharray": "6 5" });
    const here = points.find(([p]) => p === power);
    if (active && here) { // only then is the run that is shown one of this curve
      plot.line(plot.ranges.y.map((y) => [power, y]),
                { "stroke-dasharray": "3 4", "stroke-width": 1.5 });
      plot.dot([power, height(here[1])], { r: 7.5, fill: "var(--si-blue)",
                                           stroke: "var(--si-back)", "stroke-width": 2 });
    }
    plot.describe(`Mean accuracy after the last task by ${label}: `
      + points.map(([p, mean]) => `${mean.toFixed(1)} percent at ${plain(p)}`).join(", ") + ".");
  };
}

/** What the numbers of a setting say, beside those of the best one: the first word of advice. */
function verdict(run, best) {
  const [end, most] = [run, best].map((r) => seen(r.accuracy).at(-1));
  const within = (value, { low, high }) => value >= low.at(-1) && value <= high.at(-1);
  const seeds = `from ${run.low.at(-1).toFixed(1)} to ${run.high.at(-1).toFixed(1)} %`;
  if (end === most) return `The highest mean of all (its seeds reach ${seeds})`;
  if (within(end, best) || within(most, run)) {
    return `Too close to call: the highest mean is ${most.toFixed(1)} %, and the seeds of this `
      + `setting reach ${seeds}`;
  }
  const unlearned = just_learned(best.accuracy) - just_learned(run.accuracy);
  return most - end > 2 * unlearned ? "Too soft: old tasks are forgotten"
    : "Too stiff: new tasks are learned less well";
}

function sentence(run, best, runs) {
  const end = seen(run.accuracy).at(-1), learned = just_learned(run.accuracy);
  const seeds = [...new Set(runs.map((r) => r.seeds))].sort((a, b) => a - b);
  return `${verdict(run, best)}. With c = ${run.strength} and ξ = ${run.damping} the tasks were `
    + `learned to ${learned.toFixed(1)} %, and after the last one ${end.toFixed(1)} % is left. `
    + `(Mean of ${run.seeds} seeds, ${run.held_out ? "held-out training" : "test"} images`
    + (seeds.length > 1 ? `; settings have ${seeds.join(" or ")} seeds.)` : ".)");
}

/** A slider that is idle is dimmed, and says where it is held. */
function shown_idle(panel, name, idle) {
  const input = panel.querySelector(`input[name=${name}]`);
  input.style.opacity = idle ? 0.45 : 1;
  if (!idle) return;
  const words = `${plain(CROSS[name])}, held here`;
  input.closest("label").querySelector("output").textContent = words;
  input.setAttribute("aria-valuetext", words);
}

function render({ model, el }) {
  const { stage, panel, say, check } = frame(el, {
    name: "strength_damping", lines: 8,
    question: "How strong, how damped? SI on split MNIST, from runs that were really made.",
    goal: "Find the setting with the highest mean accuracy after the last task.",
  });
  const draw = matrix(stage, { from: 90, digits: 1 });
  make(panel, "p", {}, "One of the two at a time: move one, and the other returns to c = 1 or "
    + "ξ = 0.001.");
  const shown = [
    slider(panel, model, "log_strength", { label: "strength c", min: -3, max: 4, step: 1,
      format: plain, marks: [[-3, "weak"], [0, "1"], [4, "strong"]] })];
  const strengths = curve(panel, "log_strength", "strength c", "ξ = 0.001");
  shown.push(slider(panel, model, "log_damping", { label: "damping ξ", min: -6, max: 0, step: 1,
    format: plain, marks: [[-3, "0.001"], [0, "1"]] }));
  const dampings = curve(panel, "log_damping", "damping ξ", "c = 1");
  make(panel, "p", {}, "Solid: after the last task, with a band from the worst seed to the best. "
    + "Dashed: just learned. The axis is stretched towards 100 %.");
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
    NAMES.forEach((name, i) => shown_idle(panel, name, now[name] === CROSS[name]
      && now[NAMES[1 - i]] !== CROSS[NAMES[1 - i]]));
    const best = runs.reduce((a, b) =>
      (seen(b.accuracy).at(-1) > seen(a.accuracy).at(-1) ? b : a));
    strengths(runs, now.log_strength, now.log_damping === CROSS.log_damping);
    dampings(runs, now.log_damping, now.log_strength === CROSS.log_strength);
    const words = run ? sentence(run, best, runs)
      : `There is no published run with c = ${plain(now.log_strength)} and `
        + `ξ = ${plain(now.log_damping)}.`;
    say(words);
    check(run && seen(run.accuracy).at(-1) >= seen(best.accuracy).at(-1) - 1e-9);
    draw(run ? run.accuracy : [], `The accuracy matrix of this setting. ${words}`);
  };
  return follow(model, [...NAMES, "runs"], update);
}

export default { render };
