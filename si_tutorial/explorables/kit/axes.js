// Drawing: a plot that is given numbers and knows no formula.

import { make, set } from "./dom.js";

const pen = document.createElement("canvas").getContext("2d"); // knows how long words are

/**
 * A plot of `width` × `height` units with data ranges `x` and `y`. Lines and shapes are cut off at
 * its frame; words stand over it, within the frame from side to side. `clear()` empties it but for
 * the handles. Ticks are `[value, text]` pairs; `margin` is [left, top, right, bottom].
 */
export function axes(parent, { width = 360, height = 360, x, y, margin = [26, 26, 12, 26],
                               xLabel, yLabel, xTicks = [], yTicks = [], grid = false }) {
  const [left, top, right, bottom] = margin;
  const [w, h] = [width - left - right, height - top - bottom];
  const svg = make(parent, "svg", { viewBox: `0 0 ${width} ${height}`, role: "group" });
  const ground = make(svg, "g", { "aria-hidden": "true" });
  const inside = make(svg, "svg", { class: "si-inside", x: left, y: top, width: w, height: h,
                                    viewBox: `${left} ${top} ${w} ${h}`, "aria-hidden": "true",
                                    style: `width: ${w}px; height: ${h}px` });
  const over = make(svg, "g", { class: "si-words", "aria-hidden": "true" });
  const hold = make(svg, "g"), names = make(svg, "g", { "aria-hidden": "true" });
  const plot = { svg, inside, over, hold, ranges: { x, y } };
  const share = (value, [low, high]) => (value - low) / (high - low);
  plot.X = (value) => left + w * share(value, plot.ranges.x);
  plot.Y = (value) => top + h - h * share(value, plot.ranges.y);
  const pair = ([a, b]) => `${plot.X(a).toFixed(2)},${plot.Y(b).toFixed(2)}`;

  plot.ground = (xAt = xTicks, yAt = yTicks, label = yLabel) => {
    ground.replaceChildren();
    make(ground, "rect", { class: "si-frame", x: left, y: top, width: w, height: h, fill: "none",
                           stroke: "var(--si-line)" });
    for (const [value, text] of xAt) {
      if (grid) rule(ground, plot.X(value), top, plot.X(value), top + h);
      make(ground, "text", { x: plot.X(value), y: top + h + 15, "text-anchor": "middle" }, text);
    }
    for (const [value, text] of yAt) {
      if (grid) rule(ground, left, plot.Y(value), left + w, plot.Y(value));
      make(ground, "text", { x: left - 5, y: plot.Y(value) + 4.5, "text-anchor": "end" }, text);
    }
    if (xLabel) make(ground, "text", { x: left + w, y: height - 5, "text-anchor": "end" }, xLabel);
    if (label) make(ground, "text", { x: Math.min(left, 6), y: 15 }, label);
  };
  const rule = (group, x1, y1, x2, y2) =>
    make(group, "line", { x1, y1, x2, y2, stroke: "var(--si-faint)" });
  plot.ground();

  plot.clear = () => { inside.replaceChildren(); over.replaceChildren(); };
  plot.line = (points, style = {}) => make(inside, "polyline", {
    points: points.map(pair).join(" "), fill: "none", stroke: "currentColor", "stroke-width": 2,
    "stroke-linejoin": "round", "stroke-linecap": "round", ...style });
  plot.level = (points) => plot.line(points, { class: "si-level", stroke: undefined,
                                               "stroke-width": undefined });
  plot.area = (points, style = {}) => make(inside, "polygon", {
    points: points.map(pair).join(" "), stroke: "none", ...style });
  plot.dot = ([a, b], style = {}) => make(inside, "circle", {
    cx: plot.X(a), cy: plot.Y(b), r: 5, fill: "currentColor", ...style });
  /** A place that is looked for: a ring, which no handle within it hides. */
  plot.ring = (at) => plot.dot(at, { r: 13, fill: "none", stroke: "currentColor",
                                     "stroke-width": 2.5 });
  plot.cross = ([a, b], style = {}) => make(inside, "path", {
    d: `M${plot.X(a) - 5},${plot.Y(b)}h10M${plot.X(a)},${plot.Y(b) - 5}v10`, fill: "none",
    stroke: "currentColor", "stroke-width": 2.5, ...style });
  plot.bar = (x0, x1, y0, y1, style = {}) => make(inside, "rect", {
    x: Math.min(plot.X(x0), plot.X(x1)), y: Math.min(plot.Y(y0), plot.Y(y1)),
    width: Math.abs(plot.X(x1) - plot.X(x0)), height: Math.abs(plot.Y(y1) - plot.Y(y0)),
    ...style });
  /** How long words are, in units. */
  plot.long = (words, bold, size = 13) => {
    pen.font = `${bold ? 700 : 400} ${size}px system-ui, sans-serif`;
    return pen.measureText(words).width;
  };
  /** Words at a place, moved by [dx, dy] units and kept within the frame, or below it. */
  plot.text = ([a, b], words, { dx = 0, dy = 0, anchor = "middle", bold = false } = {}) => {
    const node = make(over, "text", { "text-anchor": anchor,
                                      style: bold && "font-weight: 700" }, words);
    const size = parseFloat(getComputedStyle(node).fontSize) || 14; // a node apart has no style
    const long = plot.long(words, bold, size);
    const before = { start: 0, middle: long / 2, end: long }[anchor];
    const x = Math.max(Math.min(plot.X(a) + dx, left + w - (long - before) - 4), left + before + 4);
    const y = plot.Y(b) + dy, below = y > top + h + 0.8 * size;
    return set(node, { x, y: below ? Math.min(y, height - 4)
      : Math.min(Math.max(y, top + size), top + h - 5) });
  };
  /** Which line is which, in the margin above the frame: `{ label, color, dashed }` each. */
  plot.key = (items) => {
    names.replaceChildren();
    items.forEach(({ label, color, dashed }, i) => {
      const y = 34 + 17 * i;
      make(names, "path", { d: `M8,${y - 4}h22`, stroke: color ?? "currentColor",
        "stroke-width": 3, "stroke-dasharray": dashed ? "5 4" : undefined });
      make(names, "text", { x: 37, y }, label);
    });
  };
  plot.describe = (words) => svg.setAttribute("aria-label", words);
  return plot;
}
