// The playground's buttons: train, pause, a task, a step, start again, and the tour.

import { button } from "./controls.js";
import { make, set } from "./dom.js";

/** Puts a button out of use and leaves it the focus, which `disabled` would take away. */
const rest = (node, off) => set(node, { "aria-disabled": off && "true" });

/**
 * `play(what)`, `guide(number)` and `set_up()` are called; `show` puts the buttons right. At a step
 * of the tour the main button goes on with that step, and then to the next one.
 */
export function transport(parent, { compact, play, guide, set_up, tour }) {
  const steps = compact ? [] : tour_of(parent, tour, guide, set_up);
  const row = make(parent, "div", { class: `play-top${compact ? " play-few" : ""}`, role: "group",
                                    "aria-label": "training" });
  let does = () => play("all");
  const press = (what) => ({ currentTarget }) => {
    if (currentTarget.ariaDisabled !== "true") play(what);
  };
  const main = button(row, "Train both", () => does(), { main: true });
  const again = compact ? null : button(row, "Learn task 1", press("again"));
  const next = button(row, "Learn task 1", press("next"));
  const step = compact ? null : button(row, "One step", press("step"));
  button(row, "Start again", press("begin"));
  return {
    show({ at, left, more }, model, now, stage) {
      steps.forEach((one, i) => set(one, { "aria-pressed": String(i === stage) }));
      const over = at >= 0 && !more && left === 0, within = stage >= 0 && left > 0;
      const then = stage >= 0 && !within && stage + 1 < tour.length;
      does = then && !now ? () => steps[stage + 1].click()
        : () => play(now ? "pause" : within ? "resume" : "all");
      main.textContent = now ? "❚❚ Pause" : `▶ ${then ? `Tour: step ${stage + 2}`
        : at < 0 ? "Train both" : over ? "Train again" : "Go on"}`;
      const first = compact ? -1 : 0; // task 1 has a button of its own
      next.textContent = more ? `Learn task ${Math.max(at, first) + 2}` : "No task left";
      rest(next, now || !more || at < first);
      if (compact) return;
      again.textContent = at < 0 ? "Learn task 1" : left > 0 ? `Go on with task ${at + 1}`
        : `Task ${at + 1} once more`;
      rest(again, now);
      rest(step, now);
    },
  };
}

function tour_of(parent, names, guide, set_up) {
  const box = make(parent, "div", { class: "play-way" });
  const list = make(box, "ol", { class: "play-tour", "aria-label": "a tour of five steps" });
  const steps = names.map((name, i) => {
    const step = button(make(list, "li"), `${i + 1} ${name}`, () => {
      steps.forEach((one) => set(one, { "aria-pressed": String(one === step) }));
      guide(i);
    });
    return set(step, { "aria-pressed": "false" });
  });
  button(box, "Settings ↓", set_up);
  return steps;
}
