// The key of a drawing: which line is which, in its margin, where no curve can run into it.

import { make } from "./dom.js";

/** Returns what shows one line of words for each `{ label, color, dashed }`, from `y` downwards. */
export function key(svg, { x = 8, y = 34 } = {}) {
  const group = make(svg, "g", { "aria-hidden": "true" });
  return (items) => {
    group.replaceChildren();
    items.forEach(({ label, color = "currentColor", dashed }, i) => {
      const at = y + 17 * i;
      make(group, "line", { x1: x, x2: x + 22, y1: at - 4, y2: at - 4, stroke: color,
        "stroke-width": 3, "stroke-dasharray": dashed ? "5 4" : undefined });
      make(group, "text", { x: x + 29, y: at }, label);
    });
  };
}
