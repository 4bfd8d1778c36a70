// What the last penalty remembers of the tasks before, and where training ends because of it.

import { frame } from "./kit/look.js";
import { bars, buttons, choice, follow, reset, slider } from "./kit/controls.js";
import { axes } from "./kit/axes.js";
import { make } from "./kit/dom.js";
import { plane } from "./kit/plane.js";
import { add, eigen, minus, range, rotated, solve, times } from "./kit/numbers.js";
import { loss } from "./kit/quadratic.js";

const MINIMA = [1, 2, 3].map((t) => [`m${t}x`, `m${t}y`]);
const NAMES = ["tasks", "dimensions", "memory", "tilt", ...MINIMA.flat()];
const COLORS = ["var(--si-blue)", "var(--si-orange)", "var(--si-purple)"];
const BEST = "var(--si-green)";
const MEMORIES = [["each", "EWC: a diagonal for each task"],
                  ["latest", "online EWC: diagonals, latest anchor"],
                  ["posterior", "everything: the old losses"]];
const NAME = { each: "EWC", latest: "online EWC", posterior: "everything" };
const plus = (A, B) => A.map((row, i) => add(row, B[i]));
const apart = (a, b) => Math.hypot(...minus(a, b));

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

/** What each memory makes of the tasks: where they end, and what that costs. */
function outcome(tasks, memory) {
  const ended = Object.fromEntries(MEMORIES.map(([key]) =>
    [key, after_tasks(tasks.hessians, tasks.minima, key)]));
  const best = ended.posterior.ends.at(-1), least = together(best, tasks);
  const excess = Object.fromEntries(MEMORIES.map(([key]) =>
    [key, Math.max(0, together(ended[key].ends.at(-1), tasks) - least)]));
  return { ...ended[memory], best, excess, off: apart(ended[memory].ends.at(-1), best) };
}

function movable(plot, model) {
  return MINIMA.map(([x, y], t) => plot.handle({
    label: `minimum of task ${t + 1}`, color: COLORS[t],
    move(a, b) {
      model.set(x, a);
      if (model.get("dimensions") === 2) model.set(y, b);
      model.save_changes();
    } }));
}

/** The way of the weights from task to task, and how far its end is from the best place. */
function trail(plot, ends, best, off) {
  const end = ends.at(-1), sides = end[1] === best[1] ? [-17, -35] // one weight: both above the line
    : end[1] < best[1] ? [28, -17] : [-17, 28];
  plot.line(ends, { stroke: "var(--si-text)", "stroke-width": 2.5 });
  plot.line([end, best], { stroke: "var(--si-red)", "stroke-width": 2.5,
                           "stroke-dasharray": "5 4" });
  ends.forEach((at) => plot.dot(at, { r: 4.5, fill: "var(--si-text)" }));
  plot.cross(best, { stroke: BEST, "stroke-width": 4 });
  plot.ring(end);
  if (off > 0.2) plot.text(end, "end", { dy: sides[0], bold: true });
  plot.text(best, off > 0.2 ? "best for all" : "the end is best for all",
            { dy: sides[1], bold: true });
}

function two_weights(stage, model) {
  const plot = plane(stage), place = movable(plot, model);
  return [plot, (tasks, { ends, stiffness, center, best, off }, words) => {
    plot.clear();
    tasks.hessians.forEach((H, t) =>
      plot.bowl(H, [0.3, 1.2], { at: tasks.minima[t], color: COLORS[t] }));
    plot.bowl(stiffness, [0.6, 2.4], { at: center, color: "var(--si-text)", "stroke-width": 2,
                                       "stroke-dasharray": "2 5" });
    const high = Math.sqrt(4.8 / eigen(stiffness)[1][0]);
    plot.text([center[0], center[1] - high], "penalty", { dy: 16 });
    trail(plot, ends, best, off);
    tasks.minima.forEach((at, t) => plot.name(at, `task ${t + 1}`));
    MINIMA.forEach((_, t) => place[t](tasks.minima[t]));
    plot.describe(words);
  }];
}

function one_weight(stage, model) {
  const plot = axes(stage, { x: [-2.8, 2.8], y: [-1, 9], height: 392, margin: [8, 24, 8, 24],
                             xLabel: "weight 1 →", yLabel: "↑ loss" });
  const place = movable(plot, model), xs = range(113).map((i) => -2.8 + i / 20);
  return [plot, (tasks, { ends, center, stiffness, best, off }, words) => {
    const curve = (f, style) => plot.line(xs.map((x) => [x, f([x, 0])]), style);
    plot.clear();
    tasks.minima.forEach((at, t) => curve((p) => loss(p, tasks.hessians[t], at),
      { stroke: COLORS[t], "stroke-width": 2, "stroke-opacity": 0.75 }));
    curve((p) => loss(p, stiffness, center), { "stroke-dasharray": "2 5", "stroke-width": 2.5 });
    curve((p) => together(p, tasks), { stroke: BEST, "stroke-width": 2.5 });
    trail(plot, ends.map(([x]) => [x, 0]), best, off);
    tasks.minima.forEach((at, t) => plot.text([at[0], 0], `task ${t + 1}`, { dy: 42 }));
    MINIMA.forEach((_, t) => place[t](tasks.minima[t]));
    plot.describe(words);
  }];
}

const WHY = {
  posterior: "Its penalty is the sum of the old losses themselves.",
  each: "Its penalty adds a diagonal for each old task, round the place where that task ended.",
  latest: "Its penalty adds up the diagonals round the place where training ended last.",
};

function sentence(memory, { off, excess }, count) {
  const tasks = count === 3 ? "all three tasks" : "both tasks";
  const who = memory === "posterior" ? "a memory of everything" : NAME[memory];
  return (off < 0.005 ? `With ${who} training ends at the best place for ${tasks}. `
    : `With ${who} training ends ${off.toFixed(2)} away from the best place for ${tasks}: their `
      + `losses are ${excess[memory].toFixed(2)} higher than they need to be. `) + WHY[memory];
}

function render({ model, el }) {
  const { stage, panel, more, say, check } = frame(el, {
    name: "last_penalty", lines: 6,
    question: "A penalty stands in for the old tasks. Does training end where it should?",
    goal: "Let EWC or online EWC end at the best place for three tasks with two weights, their "
      + "minima at least 1 apart.",
  });
  const views = { 2: two_weights(stage, model), 1: one_weight(stage, model) };
  const memory = choice(panel, model, "memory", { label: "the penalty remembers",
                                                  options: MEMORIES });
  make(panel, "p", {}, "loss of all tasks above the least");
  const fill = bars(panel, MEMORIES.map(([key]) => ({ key, label: NAME[key], color: BEST })),
                    { caption: "loss of all tasks above the least possible" });
  const shown = [memory,
    slider(panel, model, "tilt", { label: "tilt: weights interact", min: 0, max: 45,
      step: 1, format: (value) => `${value}°`, marks: [[0, "not at all"], [35, "35°"]] }),
    choice(more, model, "tasks", { label: "tasks", options: [[2, "two"], [3, "three"]] }),
    choice(more, model, "dimensions", { label: "weights", options: [[1, "one"], [2, "two"]] })];
  const tilt = panel.querySelector("[name=tilt]");
  reset(buttons(panel), model, NAMES, () => check(null));
  return follow(model, NAMES, () => {
    const tasks = given(model), remembers = model.get("memory"), { minima } = tasks;
    const found = outcome(tasks, remembers), words = sentence(remembers, found, minima.length);
    shown.forEach((show) => show());
    tilt.disabled = tasks.flat; // one weight has none to interact with
    fill(found.excess, Math.max(...Object.values(found.excess), 0.2));
    say(words);
    check(minima.length === 3 && !tasks.flat && remembers !== "posterior" && found.off < 0.005
      && minima.every((at, t) => apart(at, minima[(t + 1) % 3]) >= 1));
    for (const [dimensions, [plot, draw]] of Object.entries(views)) {
      const on = Number(dimensions) === model.get("dimensions");
      plot.svg.style.display = on ? "" : "none";
      draw(tasks, found, "The tasks' losses in colours, dotted the last penalty, and the places "
        + `where training ended after each task. ${words}`);
    }
  });
}

export default { render };
