// The network drawn: synapses as thick as their weights, coloured by importance; one opens up.

import { axes } from "./axes.js";
import { make, set } from "./dom.js";
import { range } from "./numbers.js";

const [WIDTH, HEIGHT, TOP] = [360, 264, 30];

/** Where units stand: inputs in a square, hidden layers in staggered columns, outputs last. */
function places({ inputs, hidden, layers, outputs }) {
  const side = Math.sqrt(inputs), cell = 132 / side, high = HEIGHT - TOP - 8;
  const column = (n, x, zigzag) => range(n).map((i) =>
    [x + (i % 2 ? zigzag : -zigzag), TOP + ((i + 0.5) * high) / n]);
  return { cell, units: [
    range(inputs).map((j) => [8 + cell * ((j % side) + 0.5),
                              TOP + (high - 132) / 2 + cell * (Math.floor(j / side) + 0.5)]),
    ...range(layers).map((l) => column(hidden, layers === 1 ? 244 : 212 + 74 * l, 6)),
    column(outputs, WIDTH - 22, 0)] };
}

const grey = (share) =>
  `color-mix(in srgb, var(--si-blue) ${Math.round(100 * share)}%, var(--play-thread))`;

/**
 * The drawing; `choose(k)` is called when a synapse is clicked. `draw(found, shape, chosen)` shows
 * `found.synapses` and, in the square of inputs, `found.protection`.
 */
export function network_view(parent, { choose }) {
  const svg = make(parent, "svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  svg.addEventListener("click", ({ target }) => {
    if (target.dataset.k !== undefined) choose(Number(target.dataset.k));
  });
  return (found, shape, chosen, words) => {
    const { units, cell } = places(shape), most = {}, thick = {};
    for (const s of found.synapses) {
      most[s.layer] = Math.max(most[s.layer] ?? 0, s.importance);
      thick[s.layer] = Math.max(thick[s.layer] ?? 0, Math.abs(s.weight));
    }
    svg.replaceChildren();
    set(svg, { "aria-label": words });
    units[0].forEach(([x, y], j) => make(svg, "rect", {
      x: x - cell / 2, y: y - cell / 2, width: cell - 0.8, height: cell - 0.8,
      fill: grey(found.protection[j]), "fill-opacity": 0.15 + 0.85 * found.protection[j] }));
    const lines = make(svg, "g", { fill: "none", "stroke-linecap": "round" });
    for (const s of found.synapses.toReversed()) {
      const [x1, y1] = units[s.layer][s.from], [x2, y2] = units[s.layer + 1][s.to];
      const bend = (x1 + x2) / 2;
      const d = `M${x1},${y1}C${bend},${y1} ${bend},${y2} ${x2},${y2}`;
      const share = most[s.layer] > 0 ? Math.sqrt(Math.max(s.importance, 0) / most[s.layer]) : 0;
      make(lines, "path", { d, stroke: s.k === chosen ? "var(--si-orange)" : grey(share),
        "stroke-width": 0.5 + (3 * Math.abs(s.weight)) / (thick[s.layer] || 1)
          + (s.k === chosen ? 1.5 : 0), "stroke-opacity": s.k === chosen ? 1 : 0.75 });
      make(lines, "path", { d, stroke: "transparent", "stroke-width": 9, "data-k": s.k,
                            class: "play-synapse" });
    }
    for (const layer of units.slice(1)) {
      const r = Math.min(4, (0.9 * (HEIGHT - TOP)) / layer.length);
      for (const [cx, cy] of layer) make(svg, "circle", { cx, cy, r, fill: "var(--si-muted)" });
    }
    const head = (x, text, anchor) => make(svg, "text", { x, y: 16, "text-anchor": anchor }, text);
    head(8, shape.inputs === 64 ? "64 place cells" : `${shape.inputs} pixels`, "start");
    head(shape.layers === 1 ? 244 : 249, shape.layers === 1 ? `${shape.hidden} hidden`
      : `2 × ${shape.hidden} hidden`, "middle");
    head(WIDTH - 4, shape.outputs === 2 ? "classes" : "heads", "end");
  };
}

const short = (value, digits = 3) => {
  const size = Math.abs(value), plain = size === 0 || (size >= 1e-4 && size < 1e5);
  return (plain ? String(Number(value.toPrecision(digits))) : value.toExponential(1))
    .replace("-", "−");
};

/** A spring from the anchor to the weight: the thicker, the harder it pulls. */
function spring(svg, { weight, anchor, force, importance }) {
  const wide = Math.max(Math.abs(weight - anchor) * 1.6, 0.05), middle = (weight + anchor) / 2;
  const X = (value) => 180 + (150 * (value - middle)) / wide, y = 34;
  svg.replaceChildren();
  make(svg, "line", { x1: 8, x2: 352, y1: y, y2: y, stroke: "var(--si-line)" });
  if (importance > 0 && X(weight) !== X(anchor)) {
    const coil = range(25).map((i) => [X(anchor) + ((X(weight) - X(anchor)) * i) / 24,
                                       y + (i % 2 ? 8 : -8) * Number(i > 1 && i < 23)]);
    make(svg, "polyline", { points: coil.map((c) => c.join(",")).join(" "), fill: "none",
      stroke: "var(--si-blue)",
      "stroke-width": Math.min(Math.max(2 + Math.log10(Math.abs(force) + 1e-6), 0.8), 5) });
  }
  const left = weight < anchor;
  make(svg, "rect", { x: X(anchor) - 4, y: y - 12, width: 8, height: 24, fill: "var(--si-text)" });
  make(svg, "circle", { cx: X(weight), cy: y, r: 8, fill: "var(--si-orange)" });
  make(svg, "text", { x: X(anchor) + (left ? 8 : -8), y: 14,
                      "text-anchor": left ? "start" : "end" }, "anchor");
  make(svg, "text", { x: X(weight) + (left ? -8 : 8), y: 60,
                      "text-anchor": left ? "end" : "start" }, "weight");
}

/** What one weight's account says, over time and in words. */
export function account_view(parent) {
  const words = make(parent, "p", { class: "play-account" });
  const plot = axes(parent, { x: [0, 1], y: [0, 1], width: 360, height: 150,
                              margin: [58, 22, 10, 24], yLabel: "path integral ω" });
  const svg = make(parent, "svg", { viewBox: "0 0 360 68", role: "img" });
  return ({ account, spans, step }, method) => {
    const { k, weight, anchor, importance, path, omega, now, force, ended } = account;
    const kept = method === "si" && !ended
      ? `Its account in this task: ω = ${short(omega)}. If the task ended now, its importance `
        + `would be Ω = ${short(now)}.`
      : `Its importance is Ω = ${short(importance)}${method === "si" ? ", the sum over the tasks"
        : ". This method keeps no account on the way"}.`;
    words.textContent = `Synapse ${k}: weight ${short(weight)}, anchor ${short(anchor)}. ${kept} `
      + `Its spring pulls with force ${short(force)}.`;
    set(plot.svg, { display: method === "si" ? undefined : "none" });
    plot.clear();
    const values = path.map(([, value]) => value);
    plot.ranges.x = [0, Math.max(step, 1)];
    plot.ranges.y = [Math.min(0, ...values), Math.max(1e-9, ...values) * 1.1];
    plot.ground([], [[0, "0"], [plot.ranges.y[1] / 1.1, short(plot.ranges.y[1] / 1.1, 1)]]);
    for (const [from, to, task] of spans) {
      const part = path.filter(([at]) => at > from && at <= to);
      plot.line([[from, 0], ...part], { stroke: "var(--si-orange)", "stroke-width": 2.5 });
      plot.line([[from, plot.ranges.y[0]], [from, plot.ranges.y[1]]],
                { stroke: "var(--si-line)", "stroke-width": 1 });
      plot.text([from, plot.ranges.y[0]], `task ${task + 1}`, { dx: 3, dy: 16, anchor: "start" });
    }
    plot.describe(`The path integral of synapse ${k} over time, ending at ${short(omega)}.`);
    spring(svg, account);
    set(svg, { "aria-label": `The weight at ${short(weight)}, its anchor at ${short(anchor)} and `
      + "the spring between them." });
  };
}
