// Strength and damping of SI on real runs: slide through the published ones.

import { frame } from "./kit/look.js";
import { buttons, follow, reset, slider } from "./kit/controls.js";
import { axes } from "./kit/axes.js";
import { make } from "./kit/dom.js";
import { power_of_ten, range, short } from "./kit/numbers.js";
import { matrix } from "./kit/matrix.js";
import { banded, just_learned } from "./kit/results.js";

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
    return run ? [[power, run.end, run.low.at(-1), run.high.at(-1),
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

const told = (value) => value.toFixed(1);

/**
 * The first word of advice, from numbers as they are told, so that readers can check it: a mean
 * within the seeds' range of the best setting is as good; one below has lost more by forgetting,
 * or by what was not learned.
 */
export function verdict(run, best) {
  const [end, most, low, high, learned, all] = [run.end, best.end, best.low.at(-1),
    best.high.at(-1), just_learned(run.accuracy), just_learned(best.accuracy)].map(told);
  const range = `${low} to ${high} %`, others = `the best setting’s seeds, ${range}`;
  if (end === most) return `The highest mean, ${end} %. Its seeds reach from ${range}.`;
  if (Number(end) >= Number(low)) {
    return `Too close to call: the mean, ${end} %, lies within the range of ${others}.`;
  }
  const tenths = (more, less) => Math.round(10 * (more - less));
  const [word, cause] = tenths(most, end) > 2 * tenths(all, learned) ? ["weak", "forgotten"]
    : ["strong", "not learned"];
  return `Too ${word}: the mean, ${end} %, lies below all of ${others}. Most of what is missing was `
    + `${cause} (learned to ${learned} %, in the best setting to ${all} %).`;
}

function sentence(run, best, runs) {
  const seeds = [...new Set(runs.map((r) => r.seeds))].sort((a, b) => a - b);
  return `${verdict(run, best)} With c = ${run.strength} and ξ = ${run.damping}; mean of `
    + `${run.seeds} seed${run.seeds === 1 ? "" : "s"}, `
    + `${run.held_out ? "held-out training" : "test"} images`
    + (seeds.length > 1 ? `; settings have ${seeds.join(" or ")} seeds.` : ".");
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
    question: "SI on split MNIST: which strength and damping keep most?",
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
  reset(buttons(panel), model, NAMES);
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
    const best = runs.reduce((a, b) => (b.end > a.end ? b : a));
    strengths(runs, now.log_strength, now.log_damping === CROSS.log_damping);
    dampings(runs, now.log_damping, now.log_strength === CROSS.log_strength);
    const words = run ? sentence(run, best, runs)
      : `There is no published run with c = ${plain(now.log_strength)} and `
        + `ξ = ${plain(now.log_damping)}.`;
    say(words);
    check(run && told(run.end) === told(best.end));
    draw(run ? run.accuracy : [], `The accuracy matrix of this setting. ${words}`);
  };
  return follow(model, [...NAMES, "runs"], update);
}

export default { render };
