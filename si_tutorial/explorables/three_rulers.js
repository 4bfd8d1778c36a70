// SI's account against several rulers: what a whole layer promises, and what a pixel holds.

import { frame } from "./kit/look.js";
import { buttons, choice, follow, reset } from "./kit/controls.js";
import { axes } from "./kit/axes.js";
import { make, set } from "./kit/dom.js";
import { range } from "./kit/numbers.js";

const NAMES = ["ruler", "batch_size"], PLACES = ["layer", "pixel"];
const WORDS = { layer: "over the layer", pixel: "within a pixel" };
const COLORS = { layer: "var(--si-grey)", pixel: "var(--si-blue)" };
const MOST = 4; // times what chance gives: the darkest shade
const unique = (values) => [...new Set(values)];
const number = (value) => value.toFixed(2).replace("-", "−");

/** What a reader should find: the entry whose layer promises most that a pixel does not hold. */
export const most_misleading = (found) => found.filter(({ pixel }) => pixel !== null)
  .reduce((a, b) => (b.layer - b.pixel > a.layer - a.pixel ? b : a));

/** Two bars for each batch size; a frame for each ruler. */
function pairs(stage, rulers, sizes) {
  const plots = rulers.map((ruler, i) => axes(stage, {
    x: [0, sizes.length], y: [0, 1.3], height: i ? 122 : 160, grid: true,
    margin: [34, i ? 22 : 60, 8, 20], yLabel: `SI against ${ruler}`,
    xTicks: sizes.map((size, k) => [k + 0.5, String(size)]), yTicks: [[0, "0"], [1, "1"]] }));
  plots[0].key(PLACES.map((place) => ({ label: WORDS[place], color: COLORS[place] })));
  make(stage, "p", { style: "text-align: right" }, "batch size");
  return (found, chosen) => plots.forEach((plot, i) => {
    const own = found.filter(({ ruler }) => ruler === rulers[i]);
    plot.clear();
    plot.ranges.y = [Math.min(0, ...own.flatMap(({ layer, pixel }) => [layer, pixel ?? 0])), 1.3];
    plot.ground();
    own.forEach((entry) => {
      const k = sizes.indexOf(entry.batch_size);
      if (entry === chosen) {
        plot.bar(k, k + 1, plot.ranges.y[0], 1.3, { fill: "var(--si-orange)",
                                                    "fill-opacity": 0.22 });
      }
      PLACES.filter((place) => entry[place] !== null).forEach((place, j) => {
        const left = k + 0.08 + 0.42 * j, value = entry[place];
        plot.bar(left, left + 0.38, 0, value, { fill: COLORS[place] });
        plot.text([left + 0.19, Math.max(value, 0)], number(value), { dy: -4 });
      });
    });
    plot.describe(`Rank correlation of SI’s account with ${rulers[i]}. ` + own.map((entry) =>
      `Batch size ${entry.batch_size}: ${PLACES.map((place) => `${WORDS[place]} ${
        entry[place] === null ? "nothing to compare" : number(entry[place])}`).join(", ")}`)
      .join("; "));
  });
}

const shade = (times) => `color-mix(in srgb, var(--si-blue) ${
  Math.round((100 * Math.min(times, MOST)) / MOST)}%, var(--si-back))`;

/** One map of ranks with its diagonal, in a square from [`x`, `y`], `side` wide. */
function rank_map(svg, counts, { x, y, side }) {
  const box = { x, y, width: side, height: side };
  if (counts) {
    const cell = side / counts.length;
    counts.forEach((row, i) => row.forEach((times, j) => make(svg, "rect", {
      x: x + cell * j, y: y + side - cell * (i + 1), width: cell + 0.4, height: cell + 0.4,
      fill: shade(times) })));
    make(svg, "line", { x1: x, y1: y + side, x2: x + side, y2: y, stroke: "currentColor",
                        "stroke-width": 1.5, "stroke-dasharray": "5 4" });
  } else {
    ["one value for", "all weights of", "a pixel: they", "have no order"].forEach((words, i) =>
      make(svg, "text", { x: x + side / 2, y: y + side / 2 - 22 + 19 * i,
                          "text-anchor": "middle" }, words));
  }
  make(svg, "rect", { ...box, fill: "none", stroke: "var(--si-line)" });
}

function maps(panel) {
  const svg = make(panel, "svg", { viewBox: "0 0 360 260", role: "img" });
  const side = 148, y = 26, at = { layer: 24, pixel: 202 };
  const group = make(svg, "g"), ruler = make(svg, "text", { x: 350, y: y + side + 17,
                                                           "text-anchor": "end" });
  make(svg, "text", { x: 24, y: y + side + 17 }, "↑ rank by SI");
  for (const place of PLACES) make(svg, "text", { x: at[place], y: 17 }, WORDS[place]);
  make(svg, "text", { x: 24, y: 213 }, "weights here, times what chance gives:");
  range(2 * MOST + 1).forEach((i) => make(svg, "rect", { x: 24 + 30 * i, y: 221, width: 30.4,
    height: 14, fill: shade(i / 2) }));
  range(MOST + 1).forEach((i) => make(svg, "text", { x: 39 + 60 * i, y: 250,
    "text-anchor": "middle" }, i === MOST ? `${i} or more` : String(i)));
  return (entry, words) => {
    group.replaceChildren();
    for (const place of PLACES) rank_map(group, entry[`${place}_map`], { x: at[place], y, side });
    ruler.textContent = `rank by ${entry.ruler} →`;
    set(svg, { "aria-label": `Maps of the weights by two ranks, SI’s and that by ${entry.ruler}, `
      + `with a dashed diagonal on which the ranks are equal. ${words}` });
  };
}

function sentence({ ruler, batch_size, layer, pixel }) {
  const first = `SI’s account against ${ruler} at batch size ${batch_size}: over the whole first `
    + `layer the rank correlation is ${number(layer)}. `;
  if (pixel === null) {
    return `${first}No training is needed for that: weights that read the same pixel all have the `
      + `same ${ruler}, which says nothing of their order.`;
  }
  return `${first}Among weights that read the same pixel it is ${number(pixel)}. `
    + (layer - pixel > 0.3 ? "So what agrees is mostly how bright the pixels are."
      : pixel > 0.6 ? "So they also agree about weights with the same input."
        : "About weights with the same input they agree less.");
}

function render({ model, el }) {
  const found = model.get("found"), rulers = unique(found.map(({ ruler }) => ruler));
  const sizes = unique(found.map(({ batch_size }) => batch_size));
  const { stage, panel, say, check } = frame(el, {
    name: "three_rulers", lines: 7,
    question: "Does SI’s account put the weights in the same order as another measure?",
    goal: "Find the two bars that differ most: much agreement over the layer, little within a "
      + "pixel.",
  });
  const draw = pairs(stage, rulers, sizes);
  const shown = [
    choice(panel, model, "ruler", { label: "SI against", options: rulers.map((r) => [r, r]) }),
    choice(panel, model, "batch_size", { label: "batch size",
                                         options: sizes.map((size) => [size, String(size)]) })];
  const map = maps(panel);
  reset(buttons(panel), model, NAMES);
  return follow(model, NAMES, () => {
    const entry = found.find((one) => NAMES.every((name) => one[name] === model.get(name)))
      ?? found[0];
    const words = sentence(entry);
    shown.forEach((show) => show());
    say(words);
    check(entry === most_misleading(found));
    draw(found, entry);
    map(entry, words);
  });
}

export default { render };
