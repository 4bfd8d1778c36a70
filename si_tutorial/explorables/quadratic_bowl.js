// Two weights in a tilted bowl: where gradient flow goes, and what each weight earns on the way.

import { frame } from "./kit/look.js";
import { bars, buttons, follow, put, reset, slider } from "./kit/controls.js";
import { axes } from "./kit/axes.js";
import { level_line, radians, range, rotated } from "./kit/numbers.js";
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

function controls(panel, model) {
  return [
    slider(panel, model, "curvature", {
      label: "steep curvature λ (the other is 1)", min: 1, max: 20, step: 0.5 }),
    slider(panel, model, "tilt", {
      label: "tilt of the steep axis", min: 0, max: 90, step: 1, format: degrees,
      marks: [[0, "none"], [45, "45°"], [90, "90°"]] }),
    slider(panel, model, "start", {
      label: "direction of the start", min: 0, max: 359, step: 1, format: degrees }),
    slider(panel, model, "log_damping", {
      label: "damping ξ", min: -4, max: 1, step: 0.25,
      format: (value) => String(Number((10 ** value).toPrecision(2))),
      marks: [[-3, "0.001"], [0, "1"]] }),
  ];
}

function picture(stage, model) {
  const plot = axes(stage, { x: [-2.7, 2.7], y: [-2.7, 2.7], margin: [8, 24, 8, 24],
                             xLabel: "weight 1 →", yLabel: "↑ weight 2" });
  const place = plot.handle({
    label: "start of the path", color: "var(--si-text)", step: 0.15,
    move: (x, y) =>
      put(model, "start", (Math.round((Math.atan2(y, x) * 180) / Math.PI) + 360) % 360) });
  return (found, words) => {
    plot.clear();
    for (const value of [0.2, 0.8, 1.8, 3.2, 5, 9, 16]) plot.level(level_line(found.H, value));
    plot.line(range(121).map((i) => [RADIUS * Math.cos(i / 120 * 2 * Math.PI),
                                     RADIUS * Math.sin(i / 120 * 2 * Math.PI)]),
              { stroke: "var(--si-line)", "stroke-dasharray": "2 5", "stroke-width": 1.5 });
    plot.line(found.path, { stroke: "var(--si-green)", "stroke-width": 3 });
    plot.cross([0, 0]);
    plot.text(found.d, "start", { dx: 14 * Math.sign(found.d[0] || 1), dy: 5,
                                  anchor: found.d[0] < 0 ? "end" : "start" });
    place(found.d, `start in direction ${model.get("start")} degrees`);
    plot.describe(words);
  };
}

function render({ model, el }) {
  const { stage, panel, say, check } = frame(el, {
    name: "quadratic_bowl",
    question: "Two weights roll down together. What does each one earn, and does its importance "
      + "know the bowl?",
    goal: "Drag the start until one weight’s importance is more than twice its half curvature.",
  });
  const draw = picture(stage, model);
  const shown = controls(panel, model);
  const rows = (what, words, mark) => [0, 1].map((k) => ({
    key: `${what}-${k + 1}`, label: words.replaceAll("k", "₁₂"[k]), color: COLORS[k],
    mark: mark && `half-${k + 1}` }));
  const shares = bars(panel, rows("share", "share ωk"), { caption: "what each weight earns" });
  const importances = bars(panel, [
    ...rows("importance", "importance Ωk", true), ...rows("half", "▏half of Hkk")],
    { caption: "importance and half the curvature" });
  reset(buttons(panel), model, NAMES, () => check(null));
  return follow(model, NAMES, () => {
    const found = bowl({ curvature: model.get("curvature"), tilt: model.get("tilt"),
                         start: model.get("start"), damping: 10 ** model.get("log_damping") });
    const [one, two] = found.share, ratio = found.importance.map((v, k) => v / found.half[k]);
    const far = Math.abs(Math.log(ratio[0])) > Math.abs(Math.log(ratio[1])) ? 0 : 1;
    const words = `Together they earn ${(one + two).toFixed(3)}, the whole drop of the loss; `
      + `weight 1 earns ${((100 * one) / (one + two)).toFixed(0)} % of it. The importance of `
      + `weight ${far + 1} is ${ratio[far].toFixed(2)} times its half curvature.`;
    const values = Object.fromEntries(["share", "importance", "half"].flatMap((what) =>
      found[what].map((value, k) => [`${what}-${k + 1}`, value])));
    shown.forEach((show) => show());
    shares(values, one + two);
    importances(values, 1.02 * Math.max(...found.importance, ...found.half));
    say(words);
    check(Math.max(...ratio) > 2);
    draw(found, `Level lines of a bowl with a steep axis tilted by ${model.get("tilt")} degrees, `
      + `and the path of gradient flow from a start in direction ${model.get("start")} degrees `
      + `to the minimum in the middle. ${words}`);
  });
}

export default { render };
