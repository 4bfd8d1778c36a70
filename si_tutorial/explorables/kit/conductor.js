// What keeps a session going: while it is wanted, in sight, and no faster than it can be shown.

import { still } from "./look.js";

const PACE = { slow: 1, normal: 4, fast: 16 }; // steps a redraw

const PRESSES = ["click", "input", "keydown"]; // whoever does one of these sees the figure

/**
 * Whether `el` is on the screen of a visible tab; `back()` is called when it comes into sight. An
 * observer may tell late, and of several changes at once, of which the last one holds. So a press
 * looks again where the figure really is.
 */
function sight(el, back) {
  let near = true;
  const turn = (now) => {
    near = now;
    if (near && !document.hidden) back();
  };
  const look = () => {
    const { top, bottom, width } = el.getBoundingClientRect();
    turn(width > 0 && bottom > 0 && top < innerHeight);
  };
  const watch = new IntersectionObserver((entries) => turn(entries.at(-1).isIntersecting));
  watch.observe(el);
  document.addEventListener("visibilitychange", look);
  PRESSES.forEach((press) => el.addEventListener(press, look, true));
  return { seen: () => near && !document.hidden,
           end() {
             watch.disconnect();
             document.removeEventListener("visibilitychange", look);
             PRESSES.forEach((press) => el.removeEventListener(press, look, true));
           } };
}

/**
 * Drives the session behind `place`. `want()` says what an answer should hold, `speed()` how fast
 * it should go, and `show(answer, running)` gets every answer. Maps are asked for every few
 * redraws only; without motion, each task is one step.
 */
export function conductor(root, place, { want, speed, show }) {
  let running = false, busy = false, turn = 0, ended = false;
  const view = sight(root, () => run());
  const redraw = () =>
    new Promise((go) => (still() ? setTimeout(go) : requestAnimationFrame(go)));
  async function ask(message) {
    const answer = await place.ask({ ...want(), ...message });
    if (!ended) show(answer, running);
    return answer;
  }
  async function run() {
    if (busy) return;
    busy = true;
    try {
      while (running && view.seen() && !ended) {
        const quiet = still(), rare = place.beside() ? 4 : 12;
        turn += 1;
        const { left } = await ask({
          advance: quiet ? 1000 : PACE[speed()] ?? PACE.normal, map: quiet || turn % rare === 0,
          inside: want().inside && (quiet || turn % (3 * rare) === 0) });
        if (left === 0) {
          running = false;
          await ask({});
        }
        await redraw();
      }
    } finally { // an error must not leave the figure deaf
      busy = false;
    }
  }
  return {
    ask,
    running: () => running,
    halt() { running = false; },
    async learn(what) {
      running = what !== "step";
      await ask(running ? { learn: what } : { learn: what, advance: 1 });
      run();
    },
    end() {
      ended = true;
      running = false;
      view.end();
      place.end();
    },
  };
}
