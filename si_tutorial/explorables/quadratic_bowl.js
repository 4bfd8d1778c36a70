// Two weights in a tilted bowl: where gradient flow goes, and what each weight earns on the way.

import { frame } from "./kit/look.js";
import { bars, buttons, follow, put, reset, slider } from "./kit/controls.js";
import { make } from "./kit/dom.js";
import { plane } from "./kit/plane.js";
import { radians, range, rotated, short } from "./kit/numbers.js";
import { gradient_flow, importance, path_integral } from "./kit/quadratic.js";

const RADIUS = 2; // of the circle of starts
const NAMES = ["curvature", "tilt", "start", "log_damping"];
const COLORS = ["var(--si-blue)", "var(--si-orange)"];

/** Everything that is shown, from the four settings. Angles are in degrees. */
export function bowl({ curvature, tilt, start, damping }) {
  const H = rotated(curvature, 1, tilt), phi = radians(start);
  const d = [RADIUS * Math.cos(phi), RADIUS * Math.sin(phi)]; // θ(0) − θ*
  return {
    H, d, share: path_integral(H, d), importance: importance(H, d, damping),
    half: [H[0][0] / 2, H[1][1] / 2],
    path: gradient_flow(d, H, [0, 0], range(200).map((i) => 8 * (i / 199) ** 2)),
  };
}

const degrees = (value) => `${value}°`;

const controls = (panel, model) => [
  slider(panel, model, "start", {
    label: "direction of the start", min: 0, max: 359, step: 1, format: degrees }),
  slider(panel, model, "tilt", {
    label: "tilt of the steep axis", min: 0, max: 90, step: 1, format: degrees,
    marks: [[0, "none"], [45, "45°"], [90, "90°"]] }),
  slider(panel, model, "curvature", {
    label: "steep curvature λ (flat: 1)", min: 1, max: 20, step: 0.5 }),
  slider(panel, model, "log_damping", {
    label: "damping ξ", min: -4, max: 1, step: 0.25, format: (value) => short(10 ** value, 2),
    marks: [[-3, "0.001"], [0, "1"]] }),
];

function picture(stage, model) {
  const plot = plane(stage, { x: 2.7 });
  const place = plot.handle({
    label: "start of the path", color: "var(--si-text)", step: 0.15,
    move: (x, y) =>
      put(model, "start", (Math.round((Math.atan2(y, x) * 180) / Math.PI) + 360) % 360) });
  const circle = range(121).map((i) => [RADIUS * Math.cos(i / 120 * 2 * Math.PI),
                                        RADIUS * Math.sin(i / 120 * 2 * Math.PI)]);
  return ({ H, d, path }, words) => {
    plot.clear();
    plot.bowl(H, [0.2, 0.8, 1.8, 3.2, 5, 9, 16]);
    plot.line(circle, { stroke: "var(--si-line)", "stroke-dasharray": "2 5", "stroke-width": 1.5 });
    const legs = [[[d[0], 0], [0, 0]], [d, [d[0], 0]]]; // how far each weight has to go
    legs.forEach((leg, k) => plot.line(leg, { stroke: COLORS[k], "stroke-width": 2.5,
                                              "stroke-dasharray": "1 5" }));
    plot.line(path, { stroke: "var(--si-green)", "stroke-width": 3 });
    plot.cross([0, 0]);
    const right = d[0] >= 0, up = d[1] >= 0;
    plot.text([d[0] / 2, 0], `Δ₁ = ${short(-d[0], 2)}`, { dy: up ? 19 : -9 });
    const low = Math.abs(d[1]) < 0.6; // then the point lies over the middle of that leg
    plot.text(low ? d : [d[0], d[1] / 2], `Δ₂ = ${short(-d[1], 2)}`,
              { dx: right ? 7 : -7, dy: low ? (up ? 30 : -18) : 5,
                anchor: right ? "start" : "end" });
    plot.text(d, "start", { dx: right ? 14 : -14, dy: up ? -8 : 18,
                            anchor: right ? "start" : "end" });
    place(d, `start in direction ${model.get("start")} degrees`);
    plot.describe(words);
  };
}

/** Each weight's importance over half its curvature, and what it has earned. */
function tables(panel) {
  const pale = (color) => `color-mix(in srgb, ${color} 45%, var(--si-back))`;
  make(panel, "p", {}, "importance Ω and half the curvature");
  const pairs = bars(panel, [0, 1].flatMap((k) => [
    { key: `importance-${k + 1}`, label: `Ω${"₁₂"[k]}`, color: COLORS[k], mark: `half-${k + 1}` },
    { key: `half-${k + 1}`, label: `½H${["₁₁", "₂₂"][k]}`, color: pale(COLORS[k]) }]),
    { caption: "importance and half the curvature", wide: "18%" });
  const shares = (place) => bars(place, [0, 1].map((k) => (
    { key: `share-${k + 1}`, label: `ω${"₁₂"[k]}`, color: COLORS[k] })),
    { caption: "what each weight earns", wide: "18%" });
  return { pairs, shares };
}

function sentence({ share, half, importance: found }) {
  const [one, two] = found.map((value, k) => short(value / half[k]));
  const part = Math.round((100 * share[0]) / (share[0] + share[1]));
  return `From this start importance is ${one} times half the curvature for weight 1, and ${two} `
    + `times for weight 2, and weight 1 earns ${part} % of the drop of the loss.`;
}

function render({ model, el }) {
  const { stage, panel, say, check } = frame(el, {
    name: "quadratic_bowl", lines: 6,
    question: "One run from one start: is the importance of a weight half its curvature?",
    goal: "In this bowl, find a start from which one weight’s importance is more than twice its half "
      + "curvature.",
  });
  const first = NAMES.map((name) => model.get(name));
  const same = () => NAMES.every((name, i) => name === "start" || model.get(name) === first[i]);
  const draw = picture(stage, model), { pairs, shares } = tables(panel);
  const shown = controls(panel, model);
  make(panel, "p", {}, "accounts ω, together the drop");
  const earn = shares(panel);
  reset(buttons(panel), model, NAMES, () => check(null));
  return follow(model, NAMES, () => {
    const found = bowl({ curvature: model.get("curvature"), tilt: model.get("tilt"),
                         start: model.get("start"), damping: 10 ** model.get("log_damping") });
    const words = sentence(found);
    const values = Object.fromEntries(["share", "importance", "half"].flatMap((what) =>
      found[what].map((value, k) => [`${what}-${k + 1}`, value])));
    shown.forEach((show) => show());
    pairs(values, 3 * Math.max(...found.half));
    earn(values, found.share[0] + found.share[1]);
    say(words);
    check(same() && found.importance.some((value, k) => value > 2 * found.half[k]));
    draw(found, `Level lines of a bowl with a steep axis tilted by ${model.get("tilt")} degrees, `
      + `and the path of gradient flow from a start in direction ${model.get("start")} degrees `
      + `to the minimum in the middle. ${words}`);
  });
}

export default { render };
