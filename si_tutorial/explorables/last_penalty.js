// What the last penalty remembers of the tasks before, and where training ends because of it.

import { frame } from "./kit/look.js";
import { bars, buttons, choice, follow, reset, slider } from "./kit/controls.js";
import { axes } from "./kit/axes.js";
import { make } from "./kit/dom.js";
import { add, level_line, range, rotated, solve, times } from "./kit/numbers.js";
import { loss } from "./kit/quadratic.js";

const MINIMA = [1, 2, 3].map((t) => [`m${t}x`, `m${t}y`]);
const NAMES = ["tasks", "dimensions", "memory", "tilt", ...MINIMA.flat()];
const COLORS = ["var(--si-blue)", "var(--si-orange)", "var(--si-purple)"];
const MEMORIES = [["posterior", "everything"], ["each", "diagonals, one penalty per task"],
                  ["latest", "diagonals, at the latest anchor"]];
const plus = (A, B) => A.map((row, i) => add(row, B[i]));

/** Where training ends after each task, and the last penalty ½ (θ−b)ᵀ A (θ−b). */
export function after_tasks(hessians, minima, memory) {
  let [stiffness, pull, center] = [[[0, 0], [0, 0]], [0, 0], minima[0]];
  const ends = [minima[0]];
  for (const t of range(minima.length - 1)) {
    const H = hessians[t];
    const old = memory === "posterior" ? H : [[H[0][0], 0], [0, H[1][1]]];
    stiffness = plus(stiffness, old);
    pull = add(pull, times(old, memory === "posterior" ? minima[t] : ends.at(-1)));
    center = memory === "latest" ? ends.at(-1) : solve(stiffness, pull);
    ends.push(solve(plus(stiffness, hessians[t + 1]),
                    add(times(stiffness, center), times(hessians[t + 1], minima[t + 1]))));
  }
  return { ends, stiffness, center };
}

/** The tasks as they are set; in one dimension nothing depends on weight 2. */
function given(model) {
  const flat = model.get("dimensions") === 1, count = model.get("tasks"), tilt = model.get("tilt");
  const place = ([x, y]) => [model.get(x), flat ? 0 : model.get(y)];
  return { flat, minima: MINIMA.slice(0, count).map(place),
           hessians: flat ? range(count).map(() => [[1, 0], [0, 1]])
             : [tilt, 90 + tilt, 90 - tilt].slice(0, count).map((a) => rotated(4, 1, a)) };
}

const together = (theta, { hessians, minima }) =>
  hessians.reduce((sum, H, t) => sum + loss(theta, H, minima[t]), 0);

function movable(plot, model) {
  return MINIMA.map(([x, y], t) => plot.handle({
    label: `minimum of task ${t + 1}`, color: COLORS[t],
    move(a, b) {
      model.set(x, a);
      if (model.get("dimensions") === 2) model.set(y, b);
      model.save_changes();
    } }));
}

function trail(plot, ends, best) {
  ends.forEach((at, t) => {
    plot.dot(at, { r: t === ends.length - 1 ? 8 : 4.5, fill: "var(--si-text)",
                   stroke: "var(--si-back)", "stroke-width": 2 });
  });
  plot.cross(best, { stroke: "var(--si-green)", "stroke-width": 3.5 });
}

function plane(stage, model) {
  const plot = axes(stage, { x: [-2.8, 2.8], y: [-2.8, 2.8], margin: [8, 24, 8, 24],
                             xLabel: "weight 1 →", yLabel: "↑ weight 2" });
  const place = movable(plot, model);
  return [plot, (tasks, { ends, stiffness, center }, best, words) => {
    plot.clear();
    tasks.hessians.forEach((H, t) => [0.3, 1.2].forEach((value) =>
      plot.line(level_line(H, value, tasks.minima[t]),
                { stroke: COLORS[t], "stroke-width": 1.4, "stroke-opacity": 0.75 })));
    [0.6, 2.4].forEach((value) => plot.line(level_line(stiffness, value, center),
      { stroke: "var(--si-text)", "stroke-width": 2, "stroke-dasharray": "2 5" }));
    plot.line(ends, { stroke: "var(--si-text)", "stroke-width": 2.5 });
    trail(plot, ends, best);
    tasks.minima.forEach((at, t) => plot.text(at, `task ${t + 1}`, { dy: at[1] > 2.2 ? 26 : -15 }));
    MINIMA.forEach((_, t) => place[t](tasks.minima[t]));
    plot.describe(words);
  }];
}

function line(stage, model) {
  const plot = axes(stage, { x: [-2.8, 2.8], y: [-1, 9], margin: [8, 24, 8, 24],
                             xLabel: "weight 1 →", yLabel: "↑ loss" });
  const place = movable(plot, model), xs = range(113).map((i) => -2.8 + i / 20);
  return [plot, (tasks, { ends, center, stiffness }, best, words) => {
    const curve = (f, style) => plot.line(xs.map((x) => [x, f([x, 0])]), style);
    plot.clear();
    tasks.minima.forEach((at, t) => curve((p) => loss(p, tasks.hessians[t], at),
      { stroke: COLORS[t], "stroke-width": 2, "stroke-opacity": 0.75 }));
    curve((p) => loss(p, stiffness, center), { "stroke-dasharray": "2 5", "stroke-width": 2.5 });
    curve((p) => together(p, tasks), { stroke: "var(--si-green)", "stroke-width": 2.5 });
    trail(plot, ends.map(([x], t) => [x, t < ends.length - 1 ? 0 : together([x, 0], tasks)]),
          [best[0], together(best, tasks)]);
    plot.text([best[0], together(best, tasks)], "all losses", { dy: -14 });
    tasks.minima.forEach((at, t) => plot.text([at[0], 0], `task ${t + 1}`, { dy: 26 }));
    MINIMA.forEach((_, t) => place[t](tasks.minima[t]));
    plot.describe(words);
  }];
}

const SAYS = {
  posterior: "The penalty is the whole sum of the old losses: nothing is lost",
  each: "The penalty keeps one diagonal per task, each where its training ended",
  latest: "The penalty keeps the sum of the diagonals, at the place where training ended last",
};

function render({ model, el }) {
  const { stage, panel, say, check } = frame(el, {
    name: "last_penalty",
    question: "Three tasks, and the data of the old ones are gone. What should the penalty "
      + "remember?",
    goal: "Let three tasks end at the best place for all of them with a diagonal memory.",
  });
  const views = { 2: plane(stage, model), 1: line(stage, model) };
  const tilted = make(panel, "div");
  const shown = [
    choice(panel, model, "memory", { label: "the penalty remembers", options: MEMORIES }),
    choice(panel, model, "tasks", { label: "tasks", options: [[2, "two"], [3, "three"]] }),
    choice(panel, model, "dimensions", { label: "weights", options: [[1, "one"], [2, "two"]] }),
    slider(tilted, model, "tilt", { label: "how far the weights interact (tilt)", min: 0, max: 45,
      step: 1, format: (value) => `${value}°`, marks: [[0, "not at all"], [35, "35°"]] })];
  panel.append(tilted);
  make(panel, "p", {}, "Loss of all tasks, above the least possible:");
  const fill = bars(panel, MEMORIES.map(([key]) => ({ key, color: "var(--si-green)", label: {
    posterior: "everything", each: "one per task", latest: "latest anchor" }[key] })),
    { caption: "loss of all tasks above the least possible" });
  reset(buttons(panel), model, NAMES, () => check(null));
  return follow(model, NAMES, () => {
    const tasks = given(model), memory = model.get("memory"), count = tasks.minima.length;
    const ended = Object.fromEntries(MEMORIES.map(([key]) =>
      [key, after_tasks(tasks.hessians, tasks.minima, key)]));
    const best = ended.posterior.ends.at(-1), least = together(best, tasks);
    const excess = Object.fromEntries(MEMORIES.map(([key]) =>
      [key, Math.max(0, together(ended[key].ends.at(-1), tasks) - least)]));
    const end = ended[memory].ends.at(-1), off = Math.hypot(end[0] - best[0], end[1] - best[1]);
    const words = `${SAYS[memory]}. Training ends `
      + (off < 0.005 ? "at the best place for all tasks (green cross)."
        : `${off.toFixed(2)} from the best place for all tasks (green cross), and their losses are `
          + `${excess[memory].toFixed(3)} higher than they need to be.`);
    shown.forEach((show) => show());
    tilted.hidden = tasks.flat;
    fill(excess, Math.max(...Object.values(excess), 0.2));
    say(words);
    check(count === 3 && memory !== "posterior" && off < 0.005);
    for (const [dimensions, [plot, draw]] of Object.entries(views)) {
      const on = Number(dimensions) === model.get("dimensions");
      plot.svg.style.display = on ? "" : "none";
      draw(tasks, ended[memory], best, `The tasks' losses in colours, dotted the last penalty, and `
        + `the places where training ended after each task. ${words}`);
    }
  });
}

export default { render };
