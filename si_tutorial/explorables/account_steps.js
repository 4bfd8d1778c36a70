// The account in slow motion: each step lays −gδ as a brick on the stack of each weight.

import { animate, frame } from "./kit/look.js";
import { bars, button, buttons, disable, follow, put, reset, slider } from "./kit/controls.js";
import { axes } from "./kit/axes.js";
import { make } from "./kit/dom.js";
import { plane } from "./kit/plane.js";
import { add, minus, range, rotated, round_ticks, short } from "./kit/numbers.js";
import { gradient, loss } from "./kit/quadratic.js";

const LAST = 30, H = rotated(5.5, 0.9, 65), ORIGIN = [0, 0];
const NAMES = ["steps", "rate", "start_x", "start_y", "log_damping"];
const FULL = 20; // the importance that a full bar means, whatever is moved
const COLORS = ["var(--si-blue)", "var(--si-orange)"];

/** The places of gradient descent, the start first. */
export function descent(start, hessian, rate, steps) {
  const places = [start];
  for (const _ of range(steps)) {
    const g = gradient(places.at(-1), hessian, ORIGIN);
    places.push([places.at(-1)[0] - rate * g[0], places.at(-1)[1] - rate * g[1]]);
  }
  return places;
}

/** −g_k δ_k of every step, one pair for each. */
export const credits = (places, hessian) => places.slice(1).map((place, t) => {
  const g = gradient(places[t], hessian, ORIGIN), delta = minus(place, places[t]);
  return [-g[0] * delta[0], -g[1] * delta[1]];
});

/** The lowest and highest place that a stack reaches on the whole way: the scale holds still. */
function reach(places, bricks) {
  let [one, two] = [0, 0];
  const values = bricks.flatMap((brick, t) => {
    [one, two] = [one + brick[0], two + brick[1]];
    return [one, two, one + two, loss(places[0], H, ORIGIN) - loss(places[t + 1], H, ORIGIN)];
  });
  return [1.1 * Math.min(0, ...values), 1.18 * Math.max(0.01, ...values)];
}

function account(model) {
  const way = descent([model.get("start_x"), model.get("start_y")], H, model.get("rate"), LAST);
  const places = way.slice(0, model.get("steps") + 1);
  const bricks = credits(places, H), end = places.at(-1), displacement = minus(end, places[0]);
  const omega = [0, 1].map((k) => bricks.reduce((sum, brick) => sum + brick[k], 0));
  const damping = 10 ** model.get("log_damping");
  return { places, bricks, end, omega, sum: omega[0] + omega[1], scale: reach(way, credits(way, H)),
           drop: loss(places[0], H, ORIGIN) - loss(end, H, ORIGIN),
           importance: omega.map((w, k) => w / (displacement[k] ** 2 + damping)) };
}

/** At the end of the task, a spring for each weight, the thicker the more important. */
function springs(plot, end, importance) {
  const most = Math.max(...importance, 1e-9);
  [[2.75, end[1]], [end[0], -2.75]].forEach((wall, k) => plot.spring(end, wall, {
    stroke: COLORS[k], "stroke-width": 0.8 + (4.2 * importance[k]) / most }));
  plot.text([2.75, end[1]], "spring 1", { dx: -4, dy: -14, anchor: "end" });
  plot.text([end[0], -2.4], "spring 2", { dx: 14, anchor: "start" });
}

/** The last step, weight by weight. */
function legs(plot, from, to) {
  plot.line([from, [to[0], from[1]]], { stroke: COLORS[0], "stroke-width": 4 });
  plot.line([[to[0], from[1]], to], { stroke: COLORS[1], "stroke-width": 4 });
}

function picture(stage, model) {
  const plot = plane(stage);
  const place = plot.handle({ label: "where training starts", color: "var(--si-text)", step: 0.1,
    move(x, y) { put(model, "start_x", x); put(model, "start_y", y); } });
  return ({ places, end, importance }, words) => {
    plot.clear();
    plot.bowl(H, [0.15, 0.6, 1.5, 3, 5.5, 9, 14]);
    plot.line(places, { stroke: "var(--si-green)", "stroke-width": 2.5 });
    for (const at of places.slice(1)) plot.dot(at, { r: 3, fill: "var(--si-green)" });
    if (end.some((value) => Math.abs(value) > 2.8)) {
      plot.text([0, 2.8], "the weights have left the picture", { dy: 20 });
    } else {
      if (places.length === LAST + 1) springs(plot, end, importance);
      else if (places.length > 1) legs(plot, ...places.slice(-2));
      plot.dot(end, { r: 7, fill: "var(--si-green)", stroke: "var(--si-back)", "stroke-width": 2 });
    }
    place(places[0]);
    plot.describe(words);
  };
}

/** Two digits after the point, fewer of a large number, and one that counts of a small one. */
const amount = (value) => {
  const size = Math.abs(value);
  return size === 0 || (size >= 0.01 && size < 100) ? value.toFixed(2).replace("-", "−")
    : short(value, size < 1 ? 1 : 3);
};

function stacks(stage) {
  const plot = axes(stage, { x: [0, 4], y: [0, 1], height: 210, margin: [56, 24, 8, 22],
                             yLabel: "each step adds a brick: −gradient g × step δ" });
  const column = (i, from, to, style) => plot.bar(i + 0.12, i + 0.88, from, to, {
    stroke: "var(--si-back)", "stroke-width": 1, ...style });
  return ({ bricks, omega, sum, drop, scale }) => {
    plot.clear();
    const tops = bricks.reduce((list, brick) => [...list, add(list.at(-1), brick)], [[0, 0]]);
    plot.ranges.y = scale;
    plot.ground(["weight 1", "weight 2", "both", "drop of loss"].map((name, i) => [i + 0.5, name]),
                round_ticks(scale[1]));
    plot.line([[0, 0], [4, 0]], { stroke: "var(--si-line)", "stroke-width": 1 });
    [0, 1].forEach((k) => {
      bricks.forEach((_, t) => column(k, tops[t][k], tops[t + 1][k], {
        fill: COLORS[k], "fill-opacity": t === bricks.length - 1 ? 1 : 0.62 }));
    });
    column(2, 0, omega[0], { fill: COLORS[0] });
    column(2, omega[0], sum, { fill: COLORS[1] });
    column(3, 0, drop, { fill: drop < 0 ? "var(--si-red)" : "var(--si-green)" });
    [omega[0], omega[1], sum, drop].forEach((value, i) => {
      plot.text([i + 0.5, Math.max(value, 0)], amount(value), { dy: -6 });
    });
    plot.describe(`Four columns. Weight 1 has earned ${amount(omega[0])}, weight 2 `
      + `${amount(omega[1])}, both ${amount(sum)}; the loss has ${drop < 0 ? "risen" : "dropped"} `
      + `by ${amount(Math.abs(drop))}.`);
  };
}

function sentence({ bricks, sum, drop, importance }) {
  const steps = bricks.length, times = sum / drop;
  if (!steps) return "No step is taken yet: both stacks are empty. Take the first one.";
  if (sum < 1e-9) return "The start is the minimum: there is nothing to earn.";
  if (drop <= 0) return `The steps are too long: the loss has risen by ${amount(-drop)}, and `
    + `still the stacks claim a drop of ${amount(sum)}.`;
  const claim = Math.abs(times - 1) < 0.005 ? "exactly the drop of the loss"
    : `${times.toFixed(2)} times the drop of the loss`;
  if (steps < LAST) {
    const [one, two] = bricks.at(-1).map((v) => v.toFixed(3).replace("-", "−"));
    return `Step ${steps} lays ${one} on the stack of weight 1 and ${two} on that of weight 2. `
      + `Together the stacks claim ${claim}.`;
  }
  const stiff = importance[0] > importance[1] ? 0 : 1;
  const ratio = (importance[stiff] / importance[1 - stiff]).toFixed(1);
  return "The task is over, and each stack, divided by Δ² + ξ, has become a spring. "
    + (ratio === "1.0" ? "Both weights are held alike. "
      : `Weight ${stiff + 1} is held ${ratio} times as stiffly as the other. `)
    + `The stacks claim ${claim}.`;
}

/** Buttons that take steps; what they return shows whether any are left. */
function steppers(panel, model) {
  let stop = () => {};
  const row = buttons(panel);
  const go = (steps) => put(model, "steps", Math.min(steps, LAST));
  const one = button(row, "One step", () => {
    stop();
    go(model.get("steps") + 1);
  }, { main: true });
  const all = button(row, "To the end", () => {
    stop();
    const from = model.get("steps");
    stop = animate(0.09 * (LAST - from), (share) => go(from + Math.floor(share * (LAST - from))));
  });
  reset(row, model, NAMES, () => stop());
  return { show: () => [one, all].forEach((node) => disable(node, model.get("steps") === LAST)),
           stop: () => stop() };
}

const sliders = (panel, model) => [
  slider(panel, model, "steps", { label: "steps taken", min: 0, max: LAST, step: 1 }),
  slider(panel, model, "rate", { label: "learning rate", min: 0.01, max: 0.37, step: 0.01,
    marks: [[0.02, "small"], [0.15, "large"], [0.37, "too large"]] }),
  slider(panel, model, "log_damping", { label: "damping ξ", min: -4, max: 1, step: 0.25,
    format: (value) => short(10 ** value, 2) })];

function render({ model, el }) {
  const { stage, panel, say, check } = frame(el, {
    name: "account_steps", lines: 6,
    question: "How does a weight earn its importance, step by step?",
    goal: `Take all ${LAST} steps so that both stacks together add up to the drop of the loss, `
      + "within 10 %.",
  });
  const draw = picture(stage, model);
  const pile = stacks(panel);
  const steps = steppers(panel, model), shown = [...sliders(panel, model), steps.show];
  make(panel, "p", {}, "Importance: ω / (Δ² + ξ), where ω is the height of the stack and Δ the "
    + `displacement, from the start to here. A full bar is ${FULL}.`);
  const fill = bars(panel, [0, 1].map((k) => ({
    key: `importance-${k + 1}`, label: `weight ${k + 1}`, color: COLORS[k] })),
    { caption: "importance so far", format: amount });
  const end = follow(model, NAMES, () => {
    const found = account(model), words = sentence(found), [a, b] = found.importance;
    shown.forEach((show) => show());
    fill({ "importance-1": a, "importance-2": b }, FULL);
    say(words);
    check(found.bricks.length === LAST && Math.abs(found.sum / found.drop - 1) < 0.1);
    pile(found);
    draw(found, "Level lines of a tilted bowl and the steps of gradient descent from the start "
      + `towards the minimum. ${words}`);
  });
  return () => { steps.stop(); end(); };
}

export default { render };
