// From one minimum to the other: where the second task ends for every strength of the spring.

import { frame } from "./kit/look.js";
import { bars, buttons, follow, reset, slider, toggle } from "./kit/controls.js";
import { axes } from "./kit/axes.js";
import { add, level_line, range, rotated, solve, times } from "./kit/numbers.js";
import { best_strength, forgetting, joint_loss, second_displacement } from "./kit/quadratic.js";

const NAMES = ["log_strength", "steep1", "flat1", "angle1", "steep2", "flat2", "angle2",
               "diagonal", "shift_x", "shift_y"];
const FIRST = "var(--si-blue)", SECOND = "var(--si-orange)", JOINT = "var(--si-green)";
const POWERS = range(81).map((i) => -2 + i / 20);

function two(model) {
  const only = ([[a, b], [, d]]) => (model.get("diagonal") ? [[a, 0], [0, d]] : [[a, b], [b, d]]);
  const H = [1, 2].map((t) =>
    only(rotated(...["steep", "flat", "angle"].map((name) => model.get(`${name}${t}`)))));
  const shift = [model.get("shift_x"), model.get("shift_y")];
  return { first: H[0], second: H[1], shift, importance: [H[0][0][0] / 2, H[0][1][1] / 2] };
}

function plane(stage, model) {
  const plot = axes(stage, { x: [-1.9, 1.9], y: [-1.9, 1.9], margin: [8, 24, 8, 24],
                             xLabel: "weight 1 →", yLabel: "↑ weight 2" });
  const place = plot.handle({ label: "minimum of the second task", color: SECOND,
    reach: [-1.5, 1.5],
    move(x, y) { model.set("shift_x", x); model.set("shift_y", y); model.save_changes(); } });
  return ({ first, second, shift, importance }, strength, words) => {
    const at = (c) => second_displacement(second, shift, importance, c), here = at(strength);
    const known = [[first[0][0], 0], [0, first[1][1]]];
    plot.clear();
    for (const value of [0.15, 0.6, 1.35]) {
      plot.line(level_line(first, value), { stroke: FIRST, "stroke-width": 1.5,
                                            "stroke-opacity": 0.7 });
      plot.line(level_line(second, value, shift), { stroke: SECOND, "stroke-width": 1.5,
                                                    "stroke-opacity": 0.6 });
    }
    plot.line(level_line(known, 0.6), { stroke: FIRST, "stroke-width": 2,
                                        "stroke-dasharray": "2 5" });
    plot.line([shift, ...POWERS.map((p) => at(10 ** p)), [0, 0]],
              { stroke: "var(--si-text)", "stroke-width": 2 });
    const both = solve(first.map((row, i) => add(row, second[i])), times(second, shift));
    plot.cross(both, { stroke: JOINT });
    plot.dot([0, 0], { r: 7, fill: FIRST });
    plot.text([0, 0], "task 1", { dy: 24 });
    plot.text(shift, "task 2", { dy: shift[1] > 1.3 ? 26 : -16 });
    plot.dot(here, { r: 8, fill: "var(--si-text)", stroke: "var(--si-back)", "stroke-width": 2.5 });
    place(shift);
    plot.describe(words);
  };
}

function curves(panel) {
  const ticks = [-2, -1, 0, 1, 2].map((p) => [p, String(10 ** p)]);
  const plot = axes(panel, { x: [-2, 2], y: [0, 1], height: 205, margin: [22, 24, 22, 36],
    xTicks: ticks, grid: true, xLabel: "strength c", yLabel: "loss after the second task" });
  return ({ first, second, shift, importance }, power, best) => {
    const kinds = [[forgetting, FIRST, "forgetting"], [joint_loss, JOINT, "both losses"]];
    const values = kinds.map(([what]) =>
      POWERS.map((p) => [p, what(first, second, shift, importance, 10 ** p)]));
    plot.clear();
    plot.ranges.y = [0, 1.25 * Math.max(...values.flat().map(([, v]) => v), 1e-3)];
    plot.line([[power, 0], [power, 9e9]].map(([p, v]) => [p, Math.min(v, plot.ranges.y[1])]),
              { "stroke-dasharray": "3 4", "stroke-width": 1.5 });
    kinds.forEach(([what, color], i) => {
      plot.line(values[i], { stroke: color, "stroke-width": 3 });
      plot.dot([power, what(first, second, shift, importance, 10 ** power)],
               { r: 6, fill: color, stroke: "var(--si-back)", "stroke-width": 2 });
    });
    const star = Math.min(Math.max(Math.log10(best), -2), 2);
    plot.text([star, joint_loss(first, second, shift, importance, 10 ** star)], "best c ▾",
              { dy: -8 });
    plot.describe("Forgetting (blue) and the sum of both losses (green) against the strength on a "
      + `logarithmic axis. The sum is least at c = ${best.toPrecision(2)}.`);
  };
}

function render({ model, el }) {
  const { stage, panel, more, say, check } = frame(el, {
    name: "best_c",
    question: "How strong should the spring be? And does a stiffer one always forget less?",
    goal: "Find a pair of bowls in which a spring makes task 1 forget more than no spring at all.",
  });
  const draw = plane(stage, model), plot = curves(panel);
  const power = (value) => String(Number((10 ** value).toPrecision(2)));
  const main = slider(panel, model, "log_strength", { label: "strength c", min: -2, max: 2,
    step: 0.05, format: power, marks: [[-2, "weak"], [0, "1"], [2, "strong"]] });
  const fill = bars(panel, [
    { key: "none", label: "forgetting, c = 0", color: "var(--si-grey)" },
    { key: "forgetting", label: "forgetting", color: FIRST },
    { key: "joint", label: "both losses", color: JOINT }],
    { caption: "losses after the second task", wide: "44%" });
  const straight = toggle(panel, model, "diagonal",
                          { label: "without interaction: the bowls’ diagonals only" });
  const degrees = { min: 0, max: 180, step: 5, format: (value) => `${value}°`,
                    marks: [[45, "45°"], [90, "90°"], [135, "135°"]] };
  const digit = { format: (value) => value.toFixed(1) };
  const both = (name, words, look) => [1, 2].map((t) =>
    slider(more, model, `${name}${t}`, { label: `task ${t}: ${words}`, ...look(t) }));
  const bowls = [
    ...both("angle", "steep direction", () => degrees),
    ...both("steep", "curvature along it", () => ({ min: 1, max: 8, step: 0.5, ...digit })),
    ...both("flat", "curvature across it",
            (t) => ({ min: t === 1 ? 0 : 0.2, max: 1, step: 0.1, ...digit }))];
  reset(buttons(panel), model, NAMES, () => check(null));
  return follow(model, NAMES, () => {
    const found = two(model), p = model.get("log_strength"), c = 10 ** p;
    const { first, second, shift, importance } = found;
    const [none, lost] = [0, c].map((s) => forgetting(first, second, shift, importance, s));
    const best = best_strength(first, second, shift, importance);
    const least = best > 900 ? "as large as it can be"
      : best < 0.0011 ? "zero" : best.toPrecision(2);
    const worse = lost > none + 0.01;
    const words = `With c = ${c.toPrecision(2)} task 1 loses ${lost.toFixed(3)}`
      + (worse ? `: more than the ${none.toFixed(3)} without any spring. The spring knows only the `
        + "diagonal of the bowl (dotted) and leads the weights out of its valley."
        : ` of the ${none.toFixed(3)} that it would lose without a spring.`)
      + ` For both tasks together the best c is ${least}.`;
    [main, straight, ...bowls].forEach((show) => show());
    const joint = joint_loss(first, second, shift, importance, c);
    fill({ none, forgetting: lost, joint }, Math.max(none, lost, joint, 0.05));
    say(words);
    check(worse);
    plot(found, p, best);
    draw(found, c, "Level lines of the bowls of both tasks, dotted the diagonal that the spring "
      + `knows, and the line of end points from the second minimum to the first. ${words}`);
  });
}

export default { render };
