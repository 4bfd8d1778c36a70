// How a figure looks: its frame, and colours that follow the page, the notebook or the system.

import { make } from "./dom.js";

const THUMB = `box-sizing: border-box; width: 16px; height: 16px; border-radius: 50%;
  border: 1px solid var(--si-back); background: var(--si-blue);`;

const STYLE = `
.si-fig {
  --si-text: var(--pst-color-text-base, var(--jp-content-font-color1, CanvasText));
  --si-back: var(--pst-color-background, var(--jp-layout-color0, Canvas));
  --si-line: color-mix(in srgb, var(--si-text) 28%, transparent);
  --si-faint: color-mix(in srgb, var(--si-text) 9%, transparent);
  --si-muted: color-mix(in srgb, var(--si-text) 76%, var(--si-back));
  --si-blue: #0173b2; --si-orange: #de8f05; --si-green: #029e73; --si-red: #d55e00;
  --si-purple: #b95fa8; --si-brown: #9b6b4e; --si-grey: #84858a; --si-gold: #bd8a00;
  --si-olive: #7f6a00; --si-violet: #6f6bd8;
  container-type: inline-size; box-sizing: border-box; margin: 1rem 0; padding: .9rem 1rem;
  border: 1px solid var(--si-line); border-radius: 10px; background: var(--si-back);
  color: var(--si-text); font-size: .95rem; line-height: 1.45;
}
html[data-theme="dark"] .si-fig, body[data-jp-theme-light="false"] .si-fig {
  --si-blue: #4fa8e0; --si-green: #1fb98d; --si-red: #ee7a29; --si-olive: #a8923a;
  --si-violet: #938ff0; }
@media (prefers-color-scheme: dark) {
  html:not([data-theme]):not(:has([data-jp-theme-light])) .si-fig {
    --si-blue: #4fa8e0; --si-green: #1fb98d; --si-red: #ee7a29; --si-olive: #a8923a;
    --si-violet: #938ff0; }
}
.si-fig *, .si-fig *::before { box-sizing: border-box; }
.si-fig p { margin: 0; }
.si-fig .si-question { font-size: 1.12rem; font-weight: 600; line-height: 1.3; }
.si-fig .si-goal { margin: .3rem -.4rem .8rem; padding: .1rem .4rem; border-radius: 6px;
  display: flex; gap: .35rem; color: var(--si-muted); }
.si-fig .si-goal::before { content: "◎"; flex: none; width: 1em; color: var(--si-blue);
  font-weight: 700; }
.si-fig .si-goal:has(strong:not(:empty))::before { content: "◐"; }
.si-fig .si-goal[data-reached="true"] { color: var(--si-text);
  background: color-mix(in srgb, var(--si-green) 20%, transparent); }
.si-fig .si-goal[data-reached="true"]::before { content: "✓"; color: var(--si-text); }
.si-fig .si-heard { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap; }
.si-fig .si-body { display: grid; gap: .8rem 1.6rem; grid-template-columns: minmax(0, 1fr); }
.si-fig .si-stage, .si-fig .si-panel { min-width: 0; }
.si-fig .si-more { display: grid; gap: .7rem 1.6rem; margin-top: .8rem;
  grid-template-columns: repeat(auto-fit, minmax(min(15rem, 100%), 1fr)); }
.si-fig .si-more:empty { display: none; }
.si-fig details { grid-column: 1 / -1; }
.si-fig summary { width: fit-content; cursor: pointer; }
.si-fig .si-panel { display: flex; flex-direction: column; gap: .7rem; }
.si-fig .si-said { min-height: calc(1.45em * var(--si-lines) + 1rem); padding: .5rem .75rem;
  border-radius: 6px;
  background: var(--si-faint); border-left: 4px solid var(--si-blue); }
@container (min-width: 640px) {
  .si-fig .si-body { grid-template-columns: minmax(0, 11fr) minmax(0, 9fr);
    grid-template-areas: "stage panel" "said panel"; grid-template-rows: auto 1fr; }
  .si-fig .si-stage { grid-area: stage; } .si-fig .si-panel { grid-area: panel; }
  .si-fig .si-said { grid-area: said; align-self: start; }
}
.si-fig svg { display: block; width: 100%; height: auto; overflow: hidden; }
.si-fig svg text { fill: var(--si-text); font: 13px system-ui, sans-serif;
  paint-order: stroke; stroke: var(--si-back); stroke-width: 4px; stroke-linejoin: round; }
.si-fig .si-panel svg text { font-size: 14.4px; } /* a narrow column shows drawings smaller */
.si-fig svg .si-level { fill: none; stroke: color-mix(in srgb, var(--si-text) 36%, transparent);
  stroke-width: 1.2; }
.si-fig svg .si-handle { cursor: grab; touch-action: none; }
.si-fig svg .si-handle:active { cursor: grabbing; }
.si-fig svg .si-grip { stroke: var(--si-back); stroke-width: 2.5; }
.si-fig svg .si-handle:focus { outline: none; }
.si-fig svg .si-handle:focus-visible { outline: 2px solid transparent; } /* high contrast's own */
.si-fig svg .si-handle:focus-visible .si-halo { stroke: var(--si-text); stroke-width: 2.5; }
.si-fig :is(input, button, summary):focus-visible { outline: 3px solid var(--si-blue);
  outline-offset: 2px; }
.si-fig input[type=range]:focus-visible { outline-offset: -2px; } /* clear of words above */
.si-fig :is(.si-slider, .si-slider > label) { display: block; margin: 0; }
.si-fig .si-row { display: flex; justify-content: space-between; gap: 1rem; }
.si-fig .si-row output { font-variant-numeric: tabular-nums; font-weight: 600;
  white-space: nowrap; text-align: right; }
.si-fig input[type=range] { appearance: none; display: block; width: 100%; height: 1.6rem;
  margin: .1rem 0; padding: 0; border: 0; border-radius: 3px; cursor: pointer; touch-action: pan-y;
  background: linear-gradient(var(--si-blue) 0 0) 0 50% / var(--si-done, 0) 6px no-repeat,
    linear-gradient(var(--si-line) 0 0) 0 50% / 100% 6px no-repeat; }
.si-fig input:disabled { opacity: .45; cursor: default; }
.si-fig input[type=range]::-webkit-slider-thumb { appearance: none; ${THUMB} }
.si-fig input[type=range]::-moz-range-thumb { ${THUMB} }
/* a mark stands in the middle under the thumb, or as near as it fits; its notch is exact */
.si-fig .si-marks { position: relative; height: 1.9rem; container-type: inline-size; }
.si-fig .si-marks > * { --at: calc(8px + (100cqw - 16px) * var(--si-share));
  position: absolute; left: var(--at); white-space: nowrap; }
.si-fig .si-marks button { top: .2rem;
  translate: calc(-1 * clamp(100% - 100cqw + var(--at), 50%, var(--at))); }
.si-fig .si-marks i { top: -.2rem; margin-left: -1px; width: 2px; height: .35rem;
  background: var(--si-muted); }
.si-fig button, .si-fig .si-choice label { font: inherit; font-size: .86rem; line-height: 1.2;
  color: var(--si-text); background: var(--si-faint); border: 1px solid var(--si-line);
  border-radius: 6px; padding: .3rem .6rem; cursor: pointer; }
.si-fig .si-marks button { padding: .1rem .4rem; min-height: 1.5rem; }
.si-fig button:hover, .si-fig .si-choice label:hover { border-color: var(--si-text); }
.si-fig button:disabled { opacity: .45; cursor: default; }
.si-fig button.si-main { background: #0173b2; border-color: #0173b2; color: #fff;
  font-weight: 600; }
.si-fig .si-buttons { display: flex; flex-wrap: wrap; gap: .5rem; }
.si-fig fieldset { border: 0; margin: 0; padding: 0; min-width: 0; }
.si-fig legend { padding: 0; margin: 0 0 .25rem; font-size: inherit; float: none; width: auto; }
.si-fig .si-choice .si-options { display: flex; flex-wrap: wrap; gap: .35rem; }
.si-fig .si-choice label { position: relative; margin: 0; }
.si-fig .si-choice input { position: absolute; inset: 0; opacity: 0; margin: 0; cursor: pointer; }
.si-fig .si-choice label:has(:checked) { background: #0173b2; border-color: #0173b2; color: #fff; }
.si-fig .si-choice label:has(:focus-visible) { outline: 3px solid var(--si-blue);
  outline-offset: 2px; }
.si-fig .si-switch { display: flex; gap: .5rem; align-items: center; cursor: pointer; margin: 0; }
.si-fig .si-switch input { width: 1.15rem; height: 1.15rem; margin: 0; flex: none;
  accent-color: var(--si-blue); }
.si-fig table.si-bars { width: 100%; border-collapse: collapse; margin: 0; font-size: inherit;
  border: 0; display: table; table-layout: fixed; }
.si-fig table.si-bars tr { background: none; border: 0; }
.si-fig table.si-bars :is(th, td) { padding: .18rem .4rem .18rem 0; border: 0; text-align: left;
  font-weight: normal; vertical-align: middle; background: none; line-height: 1.25; }
.si-fig table.si-bars td.si-number { text-align: right; padding-right: 0; width: 4.4em;
  font-variant-numeric: tabular-nums; font-weight: 600; white-space: nowrap; }
.si-fig table.si-bars th { width: var(--si-label, 38%); }
.si-fig .si-track { position: relative; height: .95rem; background: var(--si-faint);
  border-radius: 3px; overflow: hidden; }
.si-fig .si-track .si-beyond { clip-path: polygon(0 0, calc(100% - 14px) 0, 100% 50%,
  calc(100% - 14px) 100%, 0 100%); }
.si-fig .si-track span { position: absolute; top: 0; bottom: 0; border-radius: 3px;
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.si-fig .si-track i { position: absolute; top: 0; bottom: 0; width: 2px;
  background: var(--si-text); }
.si-fig .si-track i.si-zero { width: 1px; opacity: .6; }
@media (prefers-reduced-motion: reduce) { .si-fig * { transition: none; animation: none; } }
@media print {
  .si-fig { break-inside: avoid; }
  .si-fig :is(button, input[type=range], .si-marks, .si-goal) { display: none; }
  .si-fig ::details-content { content-visibility: visible; block-size: auto; }
}
`;

/** Writes words that are new, and says whether they are: what is heard is not said again. */
const tell = (node, words) => node.textContent !== words && (node.textContent = words, true);

/**
 * The frame of a figure: question and target above, drawing (`stage`), controls (`panel`, and
 * `more` below both), and a sentence that says what is seen, with room for `lines` of a phone so
 * that nothing below moves. `check(reached)` ticks the target off, or takes that back, so that
 * the tick is about what is seen now. `check(false, words)` says what has been found of it.
 */
export function frame(el, { name, question, goal, lines = 4 }) {
  el.classList.add("si-explorable");
  el.dataset.figure = name;
  const root = make(el, "section", { class: "si-fig", "aria-label": question,
    "data-lm-suppress-shortcuts": "true" }); // so JupyterLab leaves keys to the controls …
  root.addEventListener("keydown", (event) => {
    if (event.key.startsWith("Arrow")) event.stopPropagation(); // … and does not eat the arrows
  });
  make(root, "style", {}, STYLE);
  make(root, "p", { class: "si-question" }, question);
  const target = goal && make(root, "p",
    { class: "si-goal", "aria-live": "polite", "data-reached": "false" });
  const reachedWord = target && make(target, "span", { class: "si-heard" });
  const words = target && make(target, "span", {}, goal ? `${goal} ` : "");
  const partly = target && make(words, "strong");
  const body = make(root, "div", { class: "si-body" });
  const stage = make(body, "div", { class: "si-stage" });
  const said = make(body, "p", { class: "si-said", "aria-live": "polite",
                                 style: `--si-lines: ${lines}` });
  const panel = make(body, "div", { class: "si-panel" });
  const more = make(root, "div", { class: "si-more" });
  let rest = 0; // while words still change, a screen reader waits for the last ones
  return {
    root, stage, panel, more,
    say(text) {
      if (!tell(said, text)) return;
      said.setAttribute("aria-busy", "true");
      clearTimeout(rest);
      rest = setTimeout(() => said.removeAttribute("aria-busy"), 400);
    },
    check(reached, part = "") {
      if (!target) return;
      tell(partly, reached ? "" : part);
      tell(reachedWord, reached ? "Reached:" : "");
      target.dataset.reached = Boolean(reached);
    },
  };
}

/** Whether the reader has asked for less motion. */
export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/**
 * Calls `step(share)` with shares from 0 to 1 during `seconds`, then `done`; at once where motion
 * is not wanted. Returns a function that stops it.
 */
export function animate(seconds, step, done = () => {}) {
  if (still()) {
    step(1);
    done();
    return () => {};
  }
  let frameId = 0, began;
  const next = (now) => {
    began ??= now;
    const share = Math.min((now - began) / (1000 * seconds), 1);
    step(share);
    if (share < 1) frameId = requestAnimationFrame(next);
    else done();
  };
  frameId = requestAnimationFrame(next);
  return () => cancelAnimationFrame(frameId);
}
