// Two bowls, one weight vector: what learning task B does to task A.

import { animate, frame } from "./kit/look.js";
import { bars, button, buttons, follow, put, reset, slider } from "./kit/controls.js";
import { make } from "./kit/dom.js";
import { labels } from "./kit/labels.js";
import { plane } from "./kit/plane.js";
import { range, rotated } from "./kit/numbers.js";
import { gradient_flow, loss } from "./kit/quadratic.js";

const START = [-1.9, -2.1];
const LITTLE = 0.5, FAR = 2, FULL = 10; // the target, and what a full bar means
const NAMES = ["a_x", "a_y", "b_x", "b_y", "stretch_a", "valley_a", "stretch_b", "valley_b",
               "time"];
const COLOR = { a: "var(--si-blue)", b: "var(--si-orange)" };

const task = (model, t) => {
  const stretch = model.get(`stretch_${t}`);
  return { at: [model.get(`${t}_x`), model.get(`${t}_y`)],
           H: rotated(stretch, 1 / stretch, model.get(`valley_${t}`) + 90) };
};

/** The way during one task, up to a share of its time; all of it ends at the minimum. */
function way(from, { at, H }, share) {
  const until = Math.min(Math.max(share, 0), 1);
  const moments = range(61).map((i) => (until * i) / 60).map((u) => (3 * u) / (1 - u));
  return gradient_flow(from, H, at, moments);
}

function picture(stage, model) {
  const plot = plane(stage);
  const place = ["a", "b"].map((t) => plot.handle({
    label: `middle of bowl ${t.toUpperCase()}`, color: COLOR[t],
    move(x, y) { put(model, `${t}_x`, x); put(model, `${t}_y`, y); } }));
  return ({ a, b, first, second, now, apart }, words) => {
    plot.clear();
    for (const [t, bowl] of [["a", a], ["b", b]]) {
      plot.bowl(bowl.H, [0.15, 0.6, 1.4, 2.6], { at: bowl.at, color: COLOR[t] });
    }
    plot.line(first, { stroke: COLOR.a, "stroke-width": 4 });
    plot.line(second, { stroke: COLOR.b, "stroke-width": 4 });
    plot.dot(START, { r: 4 });
    plot.line([a.at, b.at], { "stroke-width": 1.5, "stroke-dasharray": "2 5" });
    plot.ring(now);
    const name = labels(plot, [first, second, [a.at, b.at]], [a.at, b.at, now]);
    name(START, "start", { near: "ring" });
    name(a.at, "A", { bold: true, near: now === first.at(-1) ? "ring" : "grip" });
    name(b.at, "B", { bold: true, near: second.length ? "ring" : "grip" });
    name([(a.at[0] + b.at[0]) / 2, (a.at[1] + b.at[1]) / 2], `${apart.toFixed(1)} apart`);
    place[0](a.at);
    place[1](b.at);
    plot.describe(words);
  };
}

function sentence(time, costs, apart) {
  const [a, b] = costs.map((value) => value.toFixed(2));
  if (time === 0) return `Nothing is learned yet. The loss of A is ${a}, that of B ${b}.`;
  if (time < 1) return `Learning A: its loss has come down to ${a}. B is not asked (${b}).`;
  if (time === 1) return `A is learned, its loss is ${a}. Now the same two weights learn B.`;
  if (time < 2) return `Learning B: its loss is ${b}, and the loss of A has gone from 0 to ${a}.`;
  const verdict = costs[0] < 0.05 ? "A is remembered"
    : costs[0] < LITTLE ? "A is mostly remembered" : "A is forgotten";
  return `${verdict}: while B was learned, the loss of A went from 0 to ${a}. The bowls are `
    + `${apart.toFixed(1)} apart.`;
}

/** Both bowls, the ways into them so far, and what the losses are. */
function trained(model) {
  const [a, b, time] = [task(model, "a"), task(model, "b"), model.get("time")];
  const first = way(START, a, time), second = time > 1 ? way(a.at, b, time - 1) : [];
  const now = [...first, ...second].at(-1), both = (p) => [loss(p, a.H, a.at), loss(p, b.H, b.at)];
  return { a, b, first, second, now, time, costs: both(now),
           apart: Math.hypot(a.at[0] - b.at[0], a.at[1] - b.at[1]) };
}

/** Sliders for the training and the shapes of the bowls. */
function sliders(panel, more, model) {
  const training = slider(panel, model, "time", {
    label: "training", min: 0, max: 2, step: 0.01,
    format: (t) => (t <= 1 ? `A, ${Math.round(100 * t)} %` : `B, ${Math.round(100 * (t - 1))} %`),
    marks: [[0, "start"], [1, "A learned"], [2, "B learned"]] });
  return [training, ...["a", "b"].flatMap((t) => [
    slider(more, model, `stretch_${t}`, { label: `bowl ${t.toUpperCase()}: stretched by`, min: 1,
      max: 10, step: 0.5, format: (value) => (value === 1 ? "1 (round)" : String(value)) }),
    slider(more, model, `valley_${t}`, { label: `bowl ${t.toUpperCase()}: turned by`,
      min: 0, max: 180, step: 1, format: (value) => `${value}°` })])];
}

function render({ model, el }) {
  const { stage, panel, more, say, check } = frame(el, {
    name: "two_bowls",
    question: "Two tasks, one pair of weights. What does learning B do to A?",
    goal: `Learn A, then B, and let A keep a loss below ${LITTLE}. The bowls must be at least `
      + `${FAR} apart.`,
  });
  const draw = picture(stage, model);
  make(stage, "p", {}, "Drag the coloured dots to move the bowls.");
  let stop = () => {};
  const train = (from, to) => () => {
    stop();
    stop = animate(1.4, (share) => put(model, "time", from + (to - from) * share));
  };
  const row = buttons(panel);
  button(row, "Learn A", train(0, 1));
  button(row, "Then learn B", train(1, 2), { main: true });
  const shown = sliders(panel, more, model);
  make(panel, "p", {}, `A full bar is a loss of ${FULL}. The upright line stands at ${LITTLE}.`);
  const fill = bars(panel, [{ key: "a", label: "loss of A", color: COLOR.a, mark: "little" },
                            { key: "b", label: "loss of B", color: COLOR.b }],
                    { caption: "losses of the two tasks", format: (value) => value.toFixed(2) });
  reset(buttons(panel), model, NAMES, () => stop());
  const end = follow(model, NAMES, () => {
    const found = trained(model), { costs, time, apart } = found;
    const words = sentence(time, costs, apart);
    shown.forEach((show) => show());
    fill({ a: costs[0], b: costs[1], little: LITTLE }, FULL);
    say(words);
    check(time === 2 && costs[0] < LITTLE && apart >= FAR);
    draw(found, "Level lines of two bowls, blue for task A and orange for task B, and the way of "
      + `the weights from the start to A and on to B. ${words}`);
  });
  return () => { stop(); end(); };
}

export default { render };
