// What the last penalty remembers of the tasks before, and where training ends because of it.

import { frame } from "./kit/look.js";
import { bars, buttons, choice, follow, reset, slider } from "./kit/controls.js";
import { axes } from "./kit/axes.js";
import { make } from "./kit/dom.js";
import { handle } from "./kit/handle.js";
import { labels } from "./kit/labels.js";
import { plane } from "./kit/plane.js";
import { add, eigen, minus, range, rotated, solve, times } from "./kit/numbers.js";
import { loss } from "./kit/quadratic.js";

const MINIMA = [1, 2, 3].map((t) => [`m${t}x`, `m${t}y`]);
const NAMES = ["tasks", "dimensions", "memory", "tilt", ...MINIMA.flat()];
const COLORS = ["var(--si-blue)", "var(--si-orange)", "var(--si-purple)"];
const BEST = "var(--si-green)";
const FULL = 4; // what a full bar means, whatever is moved
const MEMORIES = [["each", "EWC: one set of springs per old task"],
                  ["latest", "online EWC: one set, at the last end"],
                  ["posterior", "everything: the old losses"]];
const NAME = { each: "EWC", latest: "online EWC", posterior: "everything" };
const DOTTED = { each: "springs", latest: "springs", posterior: "old losses" };
const SAME = 0.005; // nearer than this, a distance is told as 0.00
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
  return MINIMA.map(([x, y], t) => handle(plot, {
    label: `minimum of task ${t + 1}`, color: COLORS[t],
    move(a, b) {
      model.set(x, a);
      if (model.get("dimensions") === 2) model.set(y, b);
      model.save_changes();
    } }));
}

/** The way of the weights from task to task, and how far its end is from the best place. */
function trail(plot, ends, best) {
  plot.line(ends, { stroke: "var(--si-text)", "stroke-width": 2.5 });
  plot.line([ends.at(-1), best], { stroke: "var(--si-red)", "stroke-width": 2.5,
                                   "stroke-dasharray": "5 4" });
  ends.forEach((at) => plot.dot(at, { r: 4.5, fill: "var(--si-text)" }));
  plot.cross(best, { stroke: BEST, "stroke-width": 4 });
  plot.ring(ends.at(-1));
}

/** Places and their names; end and best share one only where they are the same place. */
function named({ ends, best, off }) {
  const end = ends.at(-1), middle = ends.slice(1, -1).filter((at) => apart(at, end) > 0.3);
  return [...(off < SAME ? [[best, "the end is best for all"]]
                         : [[end, "end"], [best, "best for all"]]),
          ...middle.map((at) => [at, "after task 2"])];
}

function two_weights(stage, model) {
  const plot = plane(stage), place = movable(plot, model);
  return [plot, (tasks, found, remembered, words) => {
    const { ends, stiffness, center, best, off } = found;
    plot.clear();
    tasks.hessians.forEach((H, t) =>
      plot.bowl(H, [0.3, 1.2], { at: tasks.minima[t], color: COLORS[t] }));
    plot.bowl(stiffness, [2.4], { at: center, color: "var(--si-text)", "stroke-width": 2,
                                       "stroke-dasharray": "2 5" });
    trail(plot, ends, best);
    const name = labels(plot, [ends, [ends.at(-1), best]], [...tasks.minima, ends.at(-1), best]);
    tasks.minima.forEach((at, t) => name(at, `task ${t + 1}`));
    for (const [at, text] of named(found)) {
      const dotted = text === "after task 2" || (at === best && off > 0.3);
      name(at, text, { bold: text !== "after task 2", near: dotted ? "grip" : "ring" });
    }
    const high = Math.sqrt(4.8 / eigen(stiffness)[1][0]);
    name([center[0], center[1] + (center[1] - high > -2.6 ? -high : high)], remembered);
    MINIMA.forEach((_, t) => place[t](tasks.minima[t]));
    plot.describe(words);
  }];
}

/** The place where a curve comes down to a height, or its first one where it begins below. */
const at_height = (curve, height) =>
  curve.find(([x, y]) => x > -2.4 && y <= height) ?? curve[0];

function one_weight(stage, model) {
  const plot = axes(stage, { x: [-2.8, 2.8], y: [-3.6, 9], height: 392, margin: [8, 24, 8, 24],
                             xLabel: "weight 1 →", yLabel: "↑ loss" });
  const place = movable(plot, model), xs = range(113).map((i) => -2.8 + i / 20);
  return [plot, (tasks, found, remembered, words) => {
    const { ends, center, stiffness, best } = found;
    const curve = (f) => xs.map((x) => [x, f([x, 0])]), old = (p) => loss(p, stiffness, center);
    const each = tasks.minima.map((at, t) => curve((p) => loss(p, tasks.hessians[t], at)));
    plot.clear();
    each.forEach((line, t) => plot.line(line, { stroke: COLORS[t], "stroke-width": 2,
                                                "stroke-opacity": 0.75 }));
    plot.line(curve(old), { "stroke-dasharray": "2 5", "stroke-width": 2.5 });
    plot.line(curve((p) => together(p, tasks)), { stroke: BEST, "stroke-width": 2.5 });
    plot.line([[-2.8, 0], [2.8, 0]], { stroke: "var(--si-line)", "stroke-width": 1 });
    const rows = [...tasks.minima.map((at, t) => [at, `task ${t + 1}`, 0]),
                  ...named(found).map(([at, text], i) => [at, text, i + 1])];
    for (const [[x], , row] of rows) {
      plot.line([[x, 0], [x, -0.6 - 0.75 * row]], { stroke: "var(--si-line)", "stroke-width": 1 });
    }
    trail(plot, ends, best);
    for (const [[x], text, row] of rows) {
      plot.text([x, -1 - 0.75 * row], text, { dy: 4, bold: text.match("end|best") });
    }
    const name = labels(plot, [...each, curve(old), curve((p) => together(p, tasks))]);
    name(at_height(curve((p) => together(p, tasks)), 6), "all losses");
    name(at_height(curve(old), 3), remembered);
    MINIMA.forEach((_, t) => place[t](tasks.minima[t]));
    plot.describe(words);
  }];
}

const WHY = {
  posterior: "Its penalty is the sum of the old losses themselves.",
  each: "Its springs, one for each weight and old task, are fixed where that task ended.",
  latest: "Its springs, one for each weight, are all fixed where training ended last.",
};

function sentence(memory, { off, excess }, { minima, flat }, tilt) {
  const all = minima.length === 3 ? "all three tasks" : "both tasks";
  const who = memory === "posterior" ? "a memory of everything" : NAME[memory];
  if (off < SAME) return `With ${who} training ends at the best place for ${all}. ${WHY[memory]}`;
  const why = memory === "each" && minima.length === 3
    ? " So the first task counts twice."
    : tilt > 0 && !flat ? " They cannot follow the tilt of the bowls." : "";
  return `With ${who} training ends ${off.toFixed(2)} away from the best place for ${all}: their `
    + `losses together are ${excess[memory].toFixed(3)} higher than there. ${WHY[memory]}${why}`;
}

function render({ model, el }) {
  const { stage, panel, more, say, check } = frame(el, {
    name: "last_penalty", lines: 7,
    question: "Springs remember the old tasks. Is the end the best place for all of them?",
    goal: "With three tasks and two weights, make EWC or online EWC end at the best place. Keep "
      + "the tasks’ minima at least 1 apart.",
  });
  const views = { 2: two_weights(stage, model), 1: one_weight(stage, model) };
  const memory = choice(panel, model, "memory", { label: "the penalty consists of",
                                                  options: MEMORIES });
  make(panel, "p", {}, `loss of all tasks above the least possible (a full bar is ${FULL})`);
  const fill = bars(panel, MEMORIES.map(([key]) => ({ key, label: NAME[key], color: BEST })),
                    { caption: "loss of all tasks above the least possible" });
  const shown = [memory,
    slider(panel, model, "tilt", { label: "tilt of the bowls", min: 0, max: 45,
      step: 1, format: (value) => `${value}°`, marks: [[0, "not tilted"], [35, "35°"]] }),
    choice(more, model, "tasks", { label: "tasks", options: [[2, "two"], [3, "three"]] }),
    choice(more, model, "dimensions", { label: "weights", options: [[1, "one"], [2, "two"]] })];
  const tilt = panel.querySelector("[name=tilt]");
  reset(buttons(panel), model, NAMES);
  return follow(model, NAMES, () => {
    const tasks = given(model), remembers = model.get("memory"), { minima } = tasks;
    const found = outcome(tasks, remembers);
    const words = sentence(remembers, found, tasks, model.get("tilt"));
    shown.forEach((show) => show());
    tilt.disabled = tasks.flat; // one weight has nothing to tilt
    fill(found.excess, FULL);
    say(words);
    check(minima.length === 3 && !tasks.flat && remembers !== "posterior" && found.off < SAME
      && minima.every((at, t) => apart(at, minima[(t + 1) % 3]) >= 1));
    for (const [dimensions, [plot, draw]] of Object.entries(views)) {
      const on = Number(dimensions) === model.get("dimensions");
      plot.svg.style.display = on ? "" : "none";
      draw(tasks, found, DOTTED[remembers], "The tasks’ losses in colours, dotted the last penalty, "
        + "and the places "
        + `where training ended after each task. ${words}`);
    }
  });
}

export default { render };
