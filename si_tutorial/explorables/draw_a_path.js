// A path over a tilted bowl: both accounts, their sum, and the area that explains the difference.

import { frame } from "./kit/look.js";
import { bars, button, buttons, follow, reset, slider } from "./kit/controls.js";
import { plane } from "./kit/plane.js";
import { minus, range } from "./kit/numbers.js";
import { gradient, loss } from "./kit/quadratic.js";

const START = [-1.9, -0.3], END = [1.2, 0.5], OPTIMUM = [1.5, 0.7];
const CORNERS = [1, 2, 3].map((i) => [`x${i}`, `y${i}`]), NAMES = ["coupling", ...CORNERS.flat()];
const SCALES = [15, 30, 60, 120]; // few, and zero at the same place in each
const DEBT = -0.005; // what is nearer to zero is told as 0.00
const COLORS = ["var(--si-blue)", "var(--si-orange)"];
const between = (share) => [0, 1].map((k) => START[k] + share * (END[k] - START[k]));
const SHAPES = {
  "straight": [0.25, 0.5, 0.75].map(between),
  "weight 1 first": [[between(0.5)[0], START[1]], [END[0], START[1]], [END[0], between(0.5)[1]]],
  "weight 2 first": [[START[0], between(0.5)[1]], [START[0], END[1]], [between(0.5)[0], END[1]]],
};

/** ω_k = −Σ ½ (g_k + g_k′) δ_k over the pieces of a path: exact where the loss is quadratic. */
export function path_shares(corners, hessian, optimum) {
  const total = [0, 0];
  for (const i of range(corners.length - 1)) {
    const [g, after] = [corners[i], corners[i + 1]].map((at) => gradient(at, hessian, optimum));
    const delta = minus(corners[i + 1], corners[i]);
    for (const k of [0, 1]) total[k] -= ((g[k] + after[k]) / 2) * delta[k];
  }
  return total;
}

/** The parts of the area on either side of the straight way, each a polygon. */
function lobes(corners) {
  const chord = minus(corners.at(-1), corners[0]);
  const side = (at) => {
    const [x, y] = minus(at, corners[0]);
    return chord[0] * y - chord[1] * x;
  };
  const parts = [[corners[0]]];
  for (const i of range(corners.length - 1)) {
    const [a, b] = [corners[i], corners[i + 1]], [p, q] = [side(a), side(b)];
    if (p * q < 0) {
      const cut = [0, 1].map((k) => a[k] + ((b[k] - a[k]) * p) / (p - q));
      parts.at(-1).push(cut);
      parts.push([cut]);
    }
    parts.at(-1).push(b);
  }
  return parts;
}

/** The area to the left of the straight way back to the start, by the shoelace formula. */
export const enclosed_area = (corners) => corners.reduce((sum, [x, y], i) => {
  const [nextX, nextY] = corners[(i + 1) % corners.length];
  return sum + (x * nextY - nextX * y) / 2;
}, 0);

const middle = (corners) => [0, 1].map((k) =>
  corners.reduce((sum, at) => sum + at[k], 0) / corners.length);
const sign_of = (change) => (change < 0 ? "−" : "+");
const SIGNS = { "+": "var(--si-green)", "−": "var(--si-red)" };

function picture(stage, model) {
  const plot = plane(stage);
  const place = CORNERS.map(([x, y], i) => plot.handle({
    label: `corner ${i + 1} of the path`, color: "var(--si-green)",
    move(a, b) { model.set(x, a); model.set(y, b); model.save_changes(); } }));
  return ({ H, corners }, words) => {
    plot.clear();
    plot.bowl(H, [0.1, 0.5, 1.2, 2.4, 4, 6, 9, 13, 18], { at: OPTIMUM });
    const parts = lobes(corners).map((part) => [part, H[0][1] * enclosed_area(part)]);
    for (const [part, change] of parts) {
      plot.area(part, { fill: change ? SIGNS[sign_of(change)] : "var(--si-grey)",
                        "fill-opacity": 0.25 });
    }
    plot.line([START, END], { "stroke-dasharray": "6 5" });
    plot.line(corners, { stroke: "var(--si-green)", "stroke-width": 3.5 });
    for (const [part, change] of parts.filter((pair) => Math.abs(pair[1]) > 0.12)) {
      const sign = plot.text(middle(part), sign_of(change), { dy: 8, bold: true });
      sign.style.fontSize = "24px";
    }
    for (const [at, name, side] of [[START, "start", "end"], [END, "end", "start"]]) {
      plot.dot(at, { r: 6 });
      plot.text(at, name, { dx: side === "end" ? 0 : 6, dy: 22,
                            anchor: side === "end" ? "middle" : "start" });
    }
    CORNERS.forEach((_, i) => place[i](corners[i + 1]));
    plot.describe(words);
  };
}

const number = (value) => // 0 is added, so that nothing is told as −0.00
  (Number(value.toFixed(2)) + 0).toFixed(2).replace("-", "−");

/** The numbers of the bars in words; what an area above the line counts, where there is one. */
function sentence(omega, sum, change, area, coupling) {
  const debt = omega.findIndex((w) => w < DEBT);
  const first = debt >= 0
    ? `The account of weight ${debt + 1} is in debt: on this way the weight has raised the loss by `
      + `${number(-omega[debt])}, and the other has paid for it.`
    : `On this way the account of weight 1 is ${number(omega[0])}, that of weight 2 `
      + `${number(omega[1])}.`;
  const second = Math.abs(change) < 0.005
    ? "That is what the straight way gives them."
    : `For weight 1 that is ${number(Math.abs(change))} ${change > 0 ? "more" : "less"} than on the `
      + `straight way: H₁₂ times the shaded area, ${number(coupling)} · ${number(area)}.`
      + (area < 0 ? " (Above the dashed line an area counts as negative.)" : "");
  return `${first} ${second} The sum is ${number(sum)}, whatever the way.`;
}

function render({ model, el }) {
  const { stage, panel, say, check } = frame(el, {
    name: "draw_a_path", lines: 8,
    question: "Same start, same end. Does the way between them matter?",
    goal: "With the interaction as it is, drag the corners until one account is in debt, below "
      + "zero. Try the other side of the dashed line.",
  });
  const first = model.get("coupling"), draw = picture(stage, model);
  const row = buttons(panel);
  for (const [name, places] of Object.entries(SHAPES)) {
    button(row, name, () => {
      places.forEach((at, i) => CORNERS[i].forEach((trait, k) => model.set(trait, at[k])));
      model.save_changes();
    });
  }
  const fill = bars(panel, [
    { key: "account-1", label: "account of weight 1", color: COLORS[0] },
    { key: "account-2", label: "account of weight 2", color: COLORS[1] },
    { key: "sum", label: "sum: drop of loss", color: "var(--si-text)" }],
    { caption: "accounts along the path", wide: "50%", format: (value) => value.toFixed(2) });
  const explain = bars(panel, [
    { key: "change", label: "weight 1 minus straight way", color: COLORS[0] },
    { key: "area", label: "H₁₂ × shaded area", color: "var(--si-grey)" }],
    { caption: "difference from the straight path", wide: "50%",
      format: (value) => value.toFixed(2) });
  const shown = [slider(panel, model, "coupling", {
    label: "interaction H₁₂", min: -1.8, max: 1.8, step: 0.1,
    marks: [[0, "not at all"]], format: (value) => value.toFixed(1).replace("-", "−") })];
  reset(buttons(panel), model, NAMES);
  return follow(model, NAMES, () => {
    const coupling = model.get("coupling"), H = [[2, coupling], [coupling, 2]];
    const corners = [START, ...CORNERS.map((names) => names.map((n) => model.get(n))), END];
    const omega = path_shares(corners, H, OPTIMUM), straight = path_shares([START, END], H, OPTIMUM);
    const sum = loss(START, H, OPTIMUM) - loss(END, H, OPTIMUM), area = enclosed_area(corners);
    const change = omega[0] - straight[0], words = sentence(omega, sum, change, area, coupling);
    shown.forEach((show) => show());
    const told = [...omega, sum, change];
    const most = SCALES.find((scale) => scale >= Math.max(...told, -2 * Math.min(...told)));
    fill({ "account-1": omega[0], "account-2": omega[1], sum }, most, -most / 2); // zero stays put
    explain({ change, area: coupling * area }, most, -most / 2);
    say(words);
    check(Math.min(...omega) < DEBT && coupling === first);
    draw({ H, corners }, "Level lines of a tilted bowl, a path with three corners between two "
      + `fixed ends, and the area between it and the straight line. ${words}`);
  });
}

export default { render };
