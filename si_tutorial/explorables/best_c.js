// From one minimum to the other: where the second task ends for every strength of the springs.

import { frame } from "./kit/look.js";
import { bars, button, buttons, follow, put, reset, slider, toggle } from "./kit/controls.js";
import { axes } from "./kit/axes.js";
import { make } from "./kit/dom.js";
import { labels } from "./kit/labels.js";
import { plane } from "./kit/plane.js";
import { add, minus, range, rotated, round_ticks, short, solve, times } from "./kit/numbers.js";
import { best_strength, forgetting, joint_loss, second_displacement } from "./kit/quadratic.js";

const NAMES = ["log_strength", "steep1", "flat1", "angle1", "steep2", "flat2", "angle2",
               "diagonal", "shift_x", "shift_y"];
const FIRST = "var(--si-blue)", SECOND = "var(--si-orange)", JOINT = "var(--si-green)";
const FULL = 8; // the loss that a full bar means, whatever is moved
const POWERS = range(81).map((i) => -2 + i / 20);

function two(model) {
  const only = ([[a, b], [, d]]) => (model.get("diagonal") ? [[a, 0], [0, d]] : [[a, b], [b, d]]);
  const H = [1, 2].map((t) =>
    only(rotated(...["steep", "flat", "angle"].map((name) => model.get(`${name}${t}`)))));
  const shift = [model.get("shift_x"), model.get("shift_y")];
  return { first: H[0], second: H[1], shift, importance: [H[0][0][0] / 2, H[0][1][1] / 2] };
}

/** The losses without springs and with springs of this strength, and the best strength. */
function outcome(model) {
  const bowls = two(model), { first, second, shift, importance } = bowls;
  const power = model.get("log_strength"), c = 10 ** power;
  const cost = (what, strength) => what(first, second, shift, importance, strength);
  const [none, lost] = [0, c].map((strength) => cost(forgetting, strength));
  return { ...bowls, power, c, none, lost, joint: cost(joint_loss, c), worse: lost > none + 0.01,
           best: best_strength(first, second, shift, importance), cost,
           end: (strength) => second_displacement(second, shift, importance, strength) };
}

function picture(stage, model) {
  const plot = plane(stage, { x: 1.9 });
  const place = plot.handle({ label: "minimum of the second task", color: SECOND,
    reach: [-1.5, 1.5],
    move(x, y) { model.set("shift_x", x); model.set("shift_y", y); model.save_changes(); } });
  return ({ first, second, shift, c, end }, words) => {
    const here = end(c), known = [[first[0][0], 0], [0, first[1][1]]];
    const both = solve(first.map((row, i) => add(row, second[i])), times(second, shift));
    const near = (a, b) => Math.hypot(...minus(a, b)) < 0.2;
    const ends = [shift, ...POWERS.map((p) => end(10 ** p)), [0, 0]];
    plot.clear();
    plot.bowl(first, [0.15, 0.6, 1.35], { color: FIRST });
    plot.bowl(second, [0.15, 0.6, 1.35], { at: shift, color: SECOND });
    plot.bowl(known, [0.6], { color: FIRST, "stroke-width": 2, "stroke-dasharray": "2 5" });
    plot.line(ends, { stroke: "var(--si-text)", "stroke-width": 2 });
    plot.spring([0, 0], here, { stroke: FIRST, "stroke-width": 2.2 });
    plot.cross(both, { stroke: JOINT, "stroke-width": 4 });
    plot.dot([0, 0], { r: 8, fill: FIRST });
    plot.ring(here);
    const name = labels(plot, [ends, [[0, 0], here]], [[0, 0], shift, both, here]);
    name([0, 0], "task 1");
    name(shift, "task 2");
    name(both, "best for both");
    if (![shift, [0, 0], both].some((at) => near(here, at))) {
      name(here, "end", { bold: true, near: "ring" });
    }
    place(shift);
    plot.describe(words);
  };
}

function curves(panel) {
  const ticks = [-2, -1, 0, 1, 2].map((p) => [p, String(10 ** p)]);
  const plot = axes(panel, { x: [-2, 2], y: [0, 1], height: 205, margin: [38, 24, 22, 36],
    xTicks: ticks, grid: true, xLabel: "strength c", yLabel: "loss after task 2" });
  return ({ power, best, cost }) => {
    const kinds = [[forgetting, FIRST, "task 1"], [joint_loss, JOINT, "both"]];
    const values = kinds.map(([what]) => POWERS.map((p) => [p, cost(what, 10 ** p)]));
    const high = 1.25 * Math.max(...values.flat().map(([, v]) => v), 1e-3);
    plot.clear();
    plot.ranges.y = [0, high];
    plot.ground(ticks, round_ticks(high));
    plot.line([[power, 0], [power, high]], { "stroke-dasharray": "3 4", "stroke-width": 1.5 });
    kinds.forEach(([what, color, name], i) => {
      plot.line(values[i], { stroke: color, "stroke-width": 3 });
      plot.dot([power, cost(what, 10 ** power)],
               { r: 6, fill: color, stroke: "var(--si-back)", "stroke-width": 2 });
      plot.text(values[i].at(-1), name, { dy: -8, anchor: "end" });
    });
    const star = Math.min(Math.max(Math.log10(best), -2), 2);
    [["▾", -6], ["best c", -19]].forEach(([text, dy]) =>
      plot.text([star, cost(joint_loss, 10 ** star)], text, { dy }));
    plot.describe("Forgetting (blue) and the sum of both losses (green) against the strength on a "
      + `logarithmic axis. The sum is least at c = ${short(best, 2)}.`);
  };
}

const format = (value) => value.toFixed(1);

/** Task 1's valley: a button that turns it, and how flat its floor is. */
function valley(panel, model) {
  button(buttons(panel), "Turn task 1’s valley towards task 2", () => {
    const [x, y] = [model.get("shift_x"), model.get("shift_y")];
    const across = 90 + (180 * Math.atan2(y, x)) / Math.PI; // the walls stand across the valley
    put(model, "angle1", (5 * Math.round(across / 5) + 360) % 180);
  });
  return slider(panel, model, "flat1", { label: "steepness of its valley floor", min: 0, max: 1,
    step: 0.1, format, marks: [[0, "level"]] });
}

/** The rest of the shapes of both bowls, folded away. */
function shapes(more, model) {
  const fold = make(more, "details");
  make(fold, "summary", {}, "More on both valleys");
  const place = make(fold, "div", { class: "si-more" });
  const knob = (name, label, options) => slider(place, model, name, { label, ...options });
  const angle = { min: 0, max: 180, step: 5, format: (value) => `${value}°`,
                  marks: [[45, "45°"], [90, "90°"], [135, "135°"]] };
  const steep = { min: 1, max: 8, step: 0.5, format };
  return [
    knob("angle1", "task 1: direction in which its walls rise", angle),
    knob("angle2", "task 2: direction in which its walls rise", angle),
    knob("steep1", "task 1: steepness of its walls", steep),
    knob("steep2", "task 2: steepness of its walls", steep),
    knob("flat2", "task 2: steepness of its valley floor", { min: 0.2, max: 1, step: 0.1, format }),
  ];
}

function sentence({ c, none, lost, worse, best }) {
  const least = best > 900 ? "as large as it can be" : best < 0.0011 ? "zero" : short(best, 2);
  const [without, kept] = [none, lost].map((value) => value.toFixed(3)), c_words = short(c, 2);
  const first = worse ? `Springs of strength c = ${c_words} make it worse: the loss of task 1 rises `
    + `by ${kept}, without springs by ${without}. They know only the diagonal of its bowl (dotted) `
    + "and lead the weights out of its valley."
    : `Task 2 pulls the weights, springs of strength c = ${c_words} hold them back. The loss of `
      + `task 1 rises by ${kept}, ${kept === without ? "as much as without springs"
        : `without springs by ${without}`}.`;
  return `${first} For both tasks together the best c is ${least}.`;
}

function render({ model, el }) {
  const { stage, panel, more, say, check } = frame(el, {
    name: "best_c", lines: 7,
    question: "Springs hold the weights at task 1 while task 2 pulls. Can springs do harm?",
    goal: "Shape task 1’s valley until springs make task 1 forget more than no springs at all.",
  });
  const draw = picture(stage, model);
  const shown = [slider(panel, model, "log_strength", { label: "strength c", min: -2, max: 2,
    step: 0.05, format: (p) => short(10 ** p, 2),
    marks: [[-2, "weak"], [0, "1"], [2, "strong"]] })];
  make(panel, "p", {}, `Losses after task 2. A full bar is ${FULL}.`);
  const fill = bars(panel, [
    { key: "none", label: "task 1, no springs", color: "var(--si-grey)" },
    { key: "forgetting", label: "task 1, springs", color: FIRST },
    { key: "joint", label: "both tasks", color: JOINT }],
    { caption: "losses after the second task", wide: "52%" });
  shown.push(valley(panel, model));
  const plot = curves(panel);
  shown.push(toggle(panel, model, "diagonal", { label: "weights do not interact" }),
             ...shapes(more, model));
  reset(buttons(panel), model, NAMES);
  return follow(model, NAMES, () => {
    const found = outcome(model), words = sentence(found), { none, lost, joint } = found;
    shown.forEach((show) => show());
    fill({ none, forgetting: lost, joint }, FULL);
    say(words);
    check(found.worse);
    plot(found);
    draw(found, "Level lines of the bowls of both tasks, dotted the diagonal that the springs "
      + `know, and the line of end points from the second minimum to the first. ${words}`);
  });
}

export default { render };
