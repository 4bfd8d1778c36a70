// Two weights in a tilted bowl: where gradient flow goes, and the account of each weight.

import { frame } from "./kit/look.js";
import { bars, buttons, follow, put, reset, slider } from "./kit/controls.js";
import { make } from "./kit/dom.js";
import { labels } from "./kit/labels.js";
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

const controls = (panel, fold, model) => [
  slider(panel, model, "start", {
    label: "direction of the start", min: 0, max: 359, step: 1, format: degrees }),
  slider(panel, model, "tilt", {
    label: "tilt of the steep axis", min: 0, max: 90, step: 1, format: degrees,
    marks: [[0, "none"], [45, "45°"], [90, "90°"]] }),
  slider(fold, model, "curvature", {
    label: "curvature in the steep direction", min: 1, max: 20, step: 0.5 }),
  slider(panel, model, "log_damping", {
    label: "damping ξ", min: -4, max: 1, step: 0.25, format: (value) => short(10 ** value, 2),
    marks: [[-3, "0.001"], [0, "1"]] }),
];

const to_go = (way) => (Math.abs(way) < 1e-9 ? "nothing to go" : `${short(Math.abs(way), 2)} to go`);

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
    const [x, y] = d, name = labels(plot, [...legs, path], [d, [0, 0]]);
    name(d, "start", { near: "ring" });
    name([x / 2, 0], to_go(x));
    name([x, y / 2], to_go(y));
    place(d, `start in direction ${model.get("start")} degrees`);
    plot.describe(words);
  };
}

const ROWS = [0, 1].flatMap((k) => [
  { key: `importance-${k + 1}`, label: `importance of weight ${k + 1}`, color: COLORS[k] },
  { key: `half-${k + 1}`, label: "half its curvature",
    color: `color-mix(in srgb, ${COLORS[k]} 45%, var(--si-back))` }]);
const FURTHEST = 3; // the longest bar: a thousand times
const times = (value, half) => (value < 1e-3 * half ? 0 : value / half); // rounding is no news

/** Importance over half the curvature: a bar on each side of 1, tenfold as far for the square. */
function quotients(panel) {
  make(panel, "p", {}, "Importance ÷ half the curvature. To the right of the line it is larger, to "
    + "the left smaller; the track goes from a tenth to a thousand times.");
  const fill = bars(panel, [0, 1].map((k) => (
    { key: `quotient-${k + 1}`, label: `weight ${k + 1}`, color: COLORS[k] })),
    { caption: "importance divided by half the curvature", wide: "26%",
      format: (tens) => short(10 ** tens) });
  return ({ importance: found, half }) => {
    const [one, two] = found.map((value, k) => Math.log10(times(value, half[k])));
    fill({ "quotient-1": one, "quotient-2": two }, FURTHEST, -1);
  };
}

/** What stands behind it, folded away. */
function numbers(more) {
  const fold = make(more, "details");
  make(fold, "summary", {}, "The numbers behind it, and the steepness");
  const place = make(fold, "div", { class: "si-more" });
  const left = make(place, "div"), right = make(place, "div");
  const tell = bars(left, ROWS, { caption: "importance and half the curvature", wide: "55%" });
  make(right, "p", {}, "The accounts: how much of the drop of the loss belongs to each weight");
  const earn = bars(right, [0, 1].map((k) => (
    { key: `share-${k + 1}`, label: `account of weight ${k + 1}`, color: COLORS[k] })),
    { caption: "accounts", wide: "45%" });
  return { place, show(found) {
    const values = Object.fromEntries(["share", "importance", "half"].flatMap((what) =>
      found[what].map((value, k) => [`${what}-${k + 1}`, value])));
    tell(values, Math.max(...found.importance, ...found.half));
    earn(values, found.share[0] + found.share[1]);
  } };
}

function sentence({ share, half, importance: found }) {
  const [one, two] = found.map((value, k) => short(times(value, half[k])));
  const part = Math.round((100 * share[0]) / (share[0] + share[1]));
  const still = share.findIndex((value) => Math.abs(value) < 1e-9);
  return `From this start importance, in units of half the curvature, is ${one} for weight 1 and `
    + `${two} for weight 2. The account of weight 1 is ${part}\u00a0% of the drop of the loss.`
    + (still < 0 ? "" : ` Weight ${still + 1} does not move, so its account stays empty.`);
}

function render({ model, el }) {
  const { stage, panel, more, say, check } = frame(el, {
    name: "quadratic_bowl", lines: 6,
    question: "One run from one start: is the importance of a weight half its curvature?",
    goal: "In this bowl, find a start from which one of the two importances passes 2 (in units of "
      + "half the curvature).",
  });
  const first = NAMES.map((name) => model.get(name));
  const same = () => NAMES.every((name, i) => name === "start" || model.get(name) === first[i]);
  const draw = picture(stage, model), compare = quotients(panel), behind = numbers(more);
  const shown = controls(panel, behind.place, model);
  reset(buttons(panel), model, NAMES);
  return follow(model, NAMES, () => {
    const found = bowl({ curvature: model.get("curvature"), tilt: model.get("tilt"),
                         start: model.get("start"), damping: 10 ** model.get("log_damping") });
    const words = sentence(found);
    shown.forEach((show) => show());
    compare(found);
    behind.show(found);
    say(words);
    check(same() && found.importance.some((value, k) => value > 2 * found.half[k]));
    draw(found, `Level lines of a bowl with a steep axis tilted by ${model.get("tilt")} degrees, `
      + `and the path of gradient flow from a start in direction ${model.get("start")} degrees `
      + `to the minimum in the middle. ${words}`);
  });
}

export default { render };
