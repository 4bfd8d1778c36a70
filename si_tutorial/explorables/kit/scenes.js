// What is in view while the playground learns.

import { axes } from "./axes.js";
import { bars } from "./controls.js";
import { make, set } from "./dom.js";
import { canvas, draw_map, draw_sheet } from "./maps.js";
import { matrix } from "./matrix.js";
import { range } from "./numbers.js";
import { account_view, network_view } from "./synapses.js";
import { NAMES, TITLES, describe, knows, mean, measure, percent } from "./verdict.js";

const COLORS = { plain: "var(--si-red)", none: "var(--si-red)", si: "var(--si-blue)",
                 ewc: "var(--si-gold)", mas: "var(--si-purple)", l2: "var(--si-grey)",
                 joint: "var(--si-green)" };
const SIDES = [0, 1];
const count = (model) => (model.get("tasks") === "digits" ? 5 : 4); // before an engine says so
const method_of = (model, side) => (side ? model.get("method") : "plain");
const title_of = (model, side) => (side ? TITLES[model.get("method")] : "Plain training");

/** The two pictures, the verdict under each, and bars. */
export function scenes(parent, model) {
  const box = make(parent, "div", { class: "play-two" });
  const sides = SIDES.map(() => {
    const one = make(box, "div");
    return { name: make(one, "p", { class: "play-name" }), one,
             picture: canvas(one, { label: "the answers of a network" }),
             knows: make(one, "p", { class: "play-knows" }), table: make(one, "div"), fill: null };
  });
  const note = make(parent, "p", { class: "play-note" });
  let built = "";
  const build = (tasks) => sides.forEach((side, i) => {
    note.textContent = measure(tasks === 5 ? "digits" : "points");
    set(side.picture.node, { class: tasks === 5 && "play-sheet" });
    side.name.textContent = title_of(model, i);
    side.one.style.setProperty("--play-color", COLORS[method_of(model, i)]);
    side.table.replaceChildren();
    side.fill = bars(side.table, range(tasks).map((task) => ({
      key: `task-${task + 1}`, label: `task ${task + 1}`, mark: "guessing",
      color: COLORS[method_of(model, i)] })),
      { caption: `accuracy of ${title_of(model, i)}`, format: percent, wide: "3.9em",
        none: "not yet" });
  });
  build(count(model)); // everything has its place before the first answer
  return {
    box,
    picture: sides[0].picture.node,
    show({ accuracy, maps, scene, guesses, at, done, left }, _, running) {
      const tasks = accuracy[0].length, key = `${tasks} ${model.get("method")}`;
      if (key !== built) build(tasks);
      built = key;
      const known = knows(accuracy), training = running || left > 0 || done > 0;
      sides.forEach((side, i) => {
        const view = { scene, guesses: guesses[i], at, training, p: maps?.[i] };
        if (view.p) draw_map(side.picture, view);
        else if (scene[0].images) draw_sheet(side.picture, view);
        set(side.picture.node, { "aria-label": describe(title_of(model, i), accuracy[i], at) });
        side.knows.replaceChildren();
        make(side.knows, "span", {}, "knows ");
        make(side.knows, "b", {}, String(known[i]));
        make(side.knows, "span", {}, ` of ${tasks}`);
        side.fill({ ...Object.fromEntries(accuracy[i].map((a, task) =>
          [`task-${task + 1}`, task > at ? null : a])), guessing: 0.5 }, 1);
      });
    },
    end: () => sides.forEach((side) => side.picture.end()),
  };
}

/** Accuracy on every task over time. */
export function curves(parent, model) {
  const section = make(parent, "section");
  const head = make(section, "h2", {}, "Accuracy on every task ");
  make(head, "small", {}, "over the steps. The strip behind a line is the task’s own training, the "
    + "thin dotted line is guessing.");
  const legend = make(section, "p", { class: "play-legend" });
  const names = SIDES.map((side) => {
    const one = make(legend, "span");
    make(one, "i", { class: side && "play-solid" });
    return { one, name: make(one, "span") };
  });
  const box = make(section, "div", { class: "play-curves" });
  let plots = [];
  const build = (tasks) => {
    box.replaceChildren();
    set(box, { style: `--play-tasks: ${tasks}` });
    plots = range(tasks).map((task) => axes(box, {
      x: [0, 1], y: [0, 1.05], width: 170, height: 120, margin: [4, 22, 4, 6],
      yLabel: `task ${task + 1}` }));
  };
  build(count(model));
  return {
    show({ accuracy, curves: records, spans, step, budget }) {
      const tasks = accuracy[0].length, method = model.get("method");
      if (plots.length !== tasks) build(tasks);
      names.forEach(({ one, name }, side) => {
        one.style.setProperty("--play-color", COLORS[method_of(model, side)]);
        name.textContent = title_of(model, side);
      });
      plots.forEach((plot, task) => {
        plot.clear();
        plot.ranges.x = [0, Math.max(step, tasks * budget)];
        for (const [from, to, which] of spans) {
          if (which === task) plot.bar(from, to, 0, 1.05, { fill: "var(--si-line)" });
          plot.line([[from, 0], [from, 1.05]], { stroke: "var(--si-line)", "stroke-width": 1 });
        }
        plot.line([[0, 0.5], [plot.ranges.x[1], 0.5]],
                  { stroke: "var(--si-muted)", "stroke-dasharray": "1 4", "stroke-width": 1.5 });
        for (const side of SIDES) {
          plot.line(records.map(([at, values]) => [at, values[side][task]]),
                    { stroke: COLORS[method_of(model, side)], "stroke-width": 2.2,
                      "stroke-dasharray": side ? undefined : "5 3" });
        }
        plot.describe(`Accuracy on task ${task + 1} over ${step} steps: plain training now `
          + `${percent(accuracy[0][task])}, ${NAMES[method]} ${percent(accuracy[1][task])}.`);
      });
    },
  };
}

/** What was right after each task. */
export function matrices(parent, model) {
  const section = make(parent, "section");
  make(make(section, "h2", {}, "What was right after each task "), "small", {},
       "for the tasks seen, in percent");
  const pair = make(section, "div", { class: "play-matrices" });
  const sides = SIDES.map(() => {
    const one = make(pair, "div", { class: "play-matrix" });
    return { name: make(one, "p", { class: "play-name" }), one, draw: matrix(one, { width: 290 }) };
  });
  const show = (rows, tasks) => sides.forEach(({ name, one, draw }, side) => {
    name.textContent = title_of(model, side);
    one.style.setProperty("--play-color", COLORS[method_of(model, side)]);
    const seen = range(tasks).map((at) =>
      (rows[side][at] ?? []).slice(0, at + 1).map((a) => 100 * a));
    const last = seen.findLast((row) => row.length);
    draw(seen, `${title_of(model, side)}: accuracy after each task on the tasks seen by then. `
      + (last ? `Now ${percent(mean(last) / 100)} on average.` : "No task has ended yet."));
  });
  show([[], []], count(model));
  return { show: ({ accuracy, matrix: rows }) => show(rows, accuracy[0].length) };
}

/** The network, and the account of one synapse. */
export function inside(parent, { choose }) {
  const section = make(parent, "section");
  const head = make(section, "h2", {}, "Inside the network on the right ");
  make(head, "small", {}, "the thicker a line, the larger the weight; the bluer, the more "
    + "important. Each task’s share of the importance is scaled to its largest. The square shows that of all "
    + "weights that leave an input. Before the first task has ended nothing is important yet.");
  const box = make(section, "div", { class: "play-inside" });
  const left = make(box, "div"), right = make(box, "div");
  const draw = network_view(left, { choose });
  const row = make(left, "label");
  make(row, "span", {}, "open the account of a synapse, by rank");
  const rank = make(row, "input", { type: "range", name: "synapse", min: 1, max: 1, step: 1,
                                    value: 1, "aria-label": "synapse by rank" });
  const hint = make(right, "p", { class: "play-note" }, "Click a synapse to open its account: what "
    + "it has earned, its importance, its anchor, and the spring between weight and anchor.");
  const details = make(right, "div", { hidden: true }), tell = account_view(details);
  let ranked = [];
  rank.addEventListener("input", () => {
    const one = ranked[Number(rank.value) - 1];
    if (one) choose(one.k);
  });
  return {
    show(found, model) {
      if (!found.synapses) return;
      const method = model.get("method"), digits = found.scene[0].images;
      ranked = found.synapses;
      set(rank, { max: ranked.length });
      const chosen = found.account?.k;
      const place = ranked.findIndex((s) => s.k === chosen);
      if (place >= 0) rank.value = place + 1;
      rank.setAttribute("aria-valuetext", chosen === undefined ? "none opened"
        : `synapse ${chosen}`);
      draw(found, { inputs: digits ? 196 : 64, hidden: model.get("hidden"), layers: digits ? 2 : 1,
                    outputs: digits ? 10 : 2 }, chosen,
           `The network of ${TITLES[method]}: its ${ranked.length} most important synapses, and `
           + "how important the weights are that leave each input.");
      set(hint, { hidden: chosen !== undefined });
      set(details, { hidden: chosen === undefined });
      if (chosen !== undefined) tell(found, method);
    },
  };
}
