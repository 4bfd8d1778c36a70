// A point in the plane that can be dragged.

import { make, set } from "./dom.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/**
 * A point to be dragged, by pointer, touch or arrow keys (with Shift, five steps at a time).
 * `move(x, y)` gets where it should go, each within `reach`; the returned function shows where it
 * is, or hides it.
 */
export function handle(plot, { label, color = "var(--si-orange)", step = 0.1, reach = [-2.5, 2.5],
                               move }) {
  const group = make(plot.hold, "g", { class: "si-handle", tabindex: 0, role: "slider",
                                       "aria-label": label, "aria-roledescription": "point to drag" });
  make(group, "circle", { r: 20, fill: "transparent" });
  make(group, "circle", { class: "si-halo", r: 13, fill: "none" });
  make(group, "circle", { class: "si-grip", r: 8.5, fill: color });
  let at = [0, 0];
  const clamp = (value) => Math.min(Math.max(value, reach[0]), reach[1]);
  const go = (a, b) => move(clamp(a), clamp(b));
  group.addEventListener("pointerdown", (event) => group.setPointerCapture(event.pointerId));
  group.addEventListener("pointermove", (event) => {
    if (!group.hasPointerCapture(event.pointerId)) return;
    const spot = new DOMPoint(event.clientX, event.clientY)
      .matrixTransform(plot.svg.getScreenCTM().inverse());
    const { x, y } = plot.ranges;
    go(x[0] + ((spot.x - plot.X(x[0])) / (plot.X(x[1]) - plot.X(x[0]))) * (x[1] - x[0]),
       y[0] + ((spot.y - plot.Y(y[0])) / (plot.Y(y[1]) - plot.Y(y[0]))) * (y[1] - y[0]));
  });
  group.addEventListener("keydown", (event) => {
    if (!(event.key in ARROWS)) return;
    event.preventDefault();
    const far = step * (event.shiftKey ? 5 : 1);
    go(at[0] + far * ARROWS[event.key][0], at[1] + far * ARROWS[event.key][1]);
  });
  return (place, words) => {
    set(group, { display: place ? undefined : "none" });
    if (!place) return;
    const [a, b] = at = place;
    words ??= `weight 1 at ${a.toFixed(1)}, weight 2 at ${b.toFixed(1)}`;
    set(group, { transform: `translate(${plot.X(a)} ${plot.Y(b)})`, "aria-valuetext": words,
                 "aria-valuenow": a.toFixed(2) });
  };
}
