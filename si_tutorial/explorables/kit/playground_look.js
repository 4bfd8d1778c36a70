// The playground's own look, on top of that of every figure.

export const STYLE = `
.si-fig.play { --play-violet: #6a2a8c; --play-gold: #c98f00; --play-low: #d3bfe0;
  --play-high: #fbe7a3; --play-ink: #111; --play-halo: #fff; --play-thread: #b9b9b9; }
html[data-theme="dark"] .si-fig.play, body[data-jp-theme-light="false"] .si-fig.play {
  --play-violet: #c99be6; --play-gold: #ffd24a; --play-low: #35204a; --play-high: #7a5d12;
  --play-ink: #fff; --play-halo: #17121c; --play-thread: #5a5a5a; }
@media (prefers-color-scheme: dark) {
  html:not([data-theme]):not(:has([data-jp-theme-light])) .si-fig.play {
    --play-violet: #c99be6; --play-gold: #ffd24a; --play-low: #35204a; --play-high: #7a5d12;
    --play-ink: #fff; --play-halo: #17121c; --play-thread: #5a5a5a; } }
.si-fig.play .si-question { margin-bottom: .5rem; }
.si-fig.play .si-body { display: flex; flex-direction: column; gap: .75rem; }
.si-fig.play .si-stage { display: flex; flex-direction: column; gap: .6rem; }
/* room for the longest words, so that nothing below moves */
.si-fig.play .si-said { align-self: stretch; min-height: 9.9em; }
.si-fig.play .si-goal { min-height: 6em; }
.si-fig.play .si-panel { gap: 1.1rem; }
.si-fig.play h2 { font: inherit; font-weight: 600; margin: 0 0 .35rem; padding: 0; border: 0;
  color: inherit; }
.si-fig.play h2 small { font-weight: 400; font-size: .86rem; color: var(--si-muted); }
.si-fig.play .play-top { display: grid; gap: .4rem; grid-auto-rows: 2.4rem;
  grid-template-columns: repeat(6, minmax(0, 1fr)); }
.si-fig.play .play-top button { grid-column: span 2; padding: 0 .3rem; white-space: nowrap; }
.si-fig.play .play-top:not(.play-few) button:where(:nth-child(-n + 2)) { grid-column: span 3; }
.si-fig.play .play-few { grid-template-columns: minmax(0, 4fr) repeat(2, minmax(0, 3fr)); }
.si-fig.play .play-few button { grid-column: auto; }
.si-fig.play .si-main { font-size: 1rem; }
.si-fig.play button[aria-disabled=true] { opacity: .5; cursor: default; }
.si-fig.play .play-way { display: flex; flex-wrap: wrap; gap: .35rem; }
.si-fig.play .play-tour { display: contents; list-style: none; font-size: .9rem; }
.si-fig.play .play-tour::before { content: "Tour:"; align-self: center; }
.si-fig.play .play-tour li { margin: 0; }
.si-fig.play .play-way > button { border-style: dashed; }
.si-fig.play .play-settings { scroll-margin: 4rem 0 .6rem; }
.si-fig.play .play-tour button[aria-pressed=true] { border-color: var(--si-blue);
  box-shadow: inset 0 0 0 1px var(--si-blue); }
.si-fig [data-absent] .si-track { background: repeating-linear-gradient(135deg, var(--si-line) 0 1px,
  transparent 1px 6px); box-shadow: inset 0 0 0 1px var(--si-line); }
.si-fig [data-absent] i { display: none; }
.si-fig table.si-bars [data-absent] td.si-number { font-weight: 400; color: var(--si-muted); }
.si-fig.play .play-two { display: grid; gap: .6rem .9rem;
  grid-template-columns: repeat(2, minmax(0, 1fr)); }
.si-fig.play .play-two > div { display: flex; flex-direction: column; justify-content: flex-end; }
.si-fig.play .play-two { scroll-margin: 4rem 0 .6rem; }
.si-fig.play canvas { display: block; width: 100%; aspect-ratio: 1; border-radius: 5px;
  scroll-margin: 7rem 0 3rem; } /* the name above, what is known below */
.si-fig.play .play-sheet { aspect-ratio: 10.7 / 5; } /* ten digits a row, and a number */
.si-fig.play .play-name { display: flex; gap: .45rem; align-items: baseline; font-weight: 600;
  margin-bottom: .3rem; line-height: 1.25; min-height: 2.5em; }
.si-fig.play .play-name::before { content: ""; flex: none; width: .75em; height: .75em;
  border-radius: 2px; background: var(--play-color); }
.si-fig.play .play-knows { height: 2.2rem; line-height: 2.2rem; font-size: 1.12rem;
  font-weight: 600; margin: .15rem 0; }
.si-fig.play .play-knows b { color: inherit; font-size: 1.35em;
  font-variant-numeric: tabular-nums; }
.si-fig.play table.si-bars { font-size: .84rem; }
.si-fig.play table.si-bars td.si-number { width: 4em; }
.si-fig.play .si-track { height: .62rem; }
.si-fig.play .play-curves { display: grid; gap: .2rem .6rem;
  grid-template-columns: repeat(2, minmax(0, 1fr)); }
.si-fig.play .play-settings { display: grid; gap: .9rem 1.6rem;
  grid-template-columns: minmax(0, 1fr);
  padding: .8rem .9rem; border-radius: 8px; background: var(--si-faint); }
.si-fig.play .play-settings > h2 { margin: 0; }
.si-fig.play .play-does { display: grid; }
.si-fig.play .play-does span { grid-area: 1 / 1; }
.si-fig.play .play-does [hidden] { display: block; visibility: hidden; }
.si-fig.play .play-legend { display: grid; gap: .1rem 1.4rem;
  font-size: .86rem; margin-bottom: .2rem; }
.si-fig.play .play-legend i { display: inline-block; width: 2em; margin-right: .5em;
  vertical-align: middle; border-top: 3px dashed var(--play-color); }
.si-fig.play .play-legend i.play-solid { border-top-style: solid; }
.si-fig.play .play-settings button, .si-fig.play .play-settings .si-choice label {
  background: var(--si-back); }
.si-fig.play .play-settings .si-choice label:has(:checked) { background: #0173b2; }
.si-fig.play .play-inside, .si-fig.play .play-matrices { display: grid; gap: .8rem 1.6rem;
  grid-template-columns: minmax(0, 1fr); }
.si-fig.play .play-matrix { max-width: 19rem; }
.si-fig.play .play-synapse { cursor: pointer; pointer-events: stroke; }
.si-fig.play .play-synapse:hover { stroke: color-mix(in srgb, var(--si-orange) 45%, transparent); }
.si-fig.play .play-inside input[type=range] { margin-top: .4rem; }
.si-fig.play .play-account { min-height: 7.3em; }
.si-fig.play .play-note { color: var(--si-muted); font-size: .86rem; }
@container (min-width: 600px) {
  .si-fig.play .si-said { min-height: 5.4em; }
  .si-fig.play .si-goal { min-height: 3.1em; }
  .si-fig.play .play-name { min-height: 1.25em; }
  .si-fig.play .play-legend { grid-template-columns: auto 1fr; }
  .si-fig.play .play-top { justify-content: start;
    grid-template-columns: 9.5rem 9rem 7.5rem 5.5rem 6.5rem; }
  .si-fig.play .play-few { grid-template-columns: 9.5rem 7.5rem 6.5rem; }
  .si-fig.play .play-top.play-top button { grid-column: auto; }
  .si-fig.play .play-curves { grid-template-columns: repeat(var(--play-tasks, 4), minmax(0, 1fr)); }
  .si-fig.play .play-settings, .si-fig.play .play-inside, .si-fig.play .play-matrices {
    grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .si-fig.play .play-settings > :is(h2, .play-does, .si-buttons) { grid-column: 1 / -1; }
  .si-fig.play .play-settings > fieldset:first-of-type { grid-column: 1 / -1; }
}
@container (max-width: 480px) {
  .si-fig.play .play-two { gap: .6rem; }
  .si-fig.play .si-main { font-size: .95rem; }
  .si-fig.play .play-sheet { aspect-ratio: 5.7 / 5; } /* five */
}
@container (max-width: 310px) { .si-fig.play .si-said { min-height: 12.8em; } }
@media print { .si-fig.play :is(.play-settings, .play-way) { display: none; } }
`;
