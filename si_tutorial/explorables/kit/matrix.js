// The accuracy matrix of a sequence of tasks.

import { make } from "./dom.js";

/**
 * The accuracy matrix in percent: row after training, column tested; drawn up to the diagonal.
 * What is at most `from` percent is left blank; another value than the usual 40 is told.
 */
export function matrix(parent, { width = 360, from = 40, digits = 0 } = {}) {
  const svg = make(parent, "svg", { role: "img" });
  return (accuracy, words) => {
    const tasks = accuracy.length, [left, top] = [64, 44], cell = (width - left - 8) / tasks;
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${width} ${top + cell * tasks + 8}`);
    svg.setAttribute("aria-label", words);
    make(svg, "text", { x: left, y: 16 }, "accuracy (%) on task …");
    if (from !== 40) { // in the corner that the matrix leaves free
      ["uncoloured:", `${from} or less`].forEach((text, i) => make(svg, "text",
        { x: width - 8, y: top + 18 * (i + 1), "text-anchor": "end" }, text));
    }
    make(svg, "text", { x: 4, y: top - 6 }, "after");
    accuracy.forEach((row, i) => {
      const middle = top + cell * (i + 0.5);
      make(svg, "text", { x: left - 8, y: middle + 4, "text-anchor": "end" }, `task ${i + 1}`);
      make(svg, "text", { x: left + cell * (i + 0.5), y: top - 6, "text-anchor": "middle" },
           String(i + 1));
      row.forEach((value, j) => {
        const strength = Math.round(62 * Math.min(Math.max((value - from) / (100 - from), 0), 1));
        make(svg, "rect", { x: left + cell * j + 1, y: top + cell * i + 1, width: cell - 2,
          height: cell - 2, rx: 3, stroke: "var(--si-line)", "stroke-width": 1,
          fill: `color-mix(in srgb, var(--si-blue) ${strength}%, var(--si-back))` });
        make(svg, "text", { x: left + cell * (j + 0.5), y: middle + 4.5, "text-anchor": "middle",
          stroke: "none", style: "stroke: none" }, value.toFixed(digits));
      });
    });
  };
}
