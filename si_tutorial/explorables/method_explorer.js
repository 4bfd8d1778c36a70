// Scenario × method × strength × damping: the published runs, their matrix and their curves.

import { frame } from "./kit/look.js";
import { axes } from "./kit/axes.js";
import { buttons, choice, follow, reset } from "./kit/controls.js";
import { make, set } from "./kit/dom.js";
import { method_words, scenario_name, scenario_words } from "./kit/methods.js";
import { matrix } from "./kit/matrix.js";
import { short } from "./kit/short.js";
import { banded, seen } from "./kit/results.js";

const NAMES = ["scenario", "method", "strength", "damping"];
const COLORS = { "fine-tuning": "var(--si-red)", SI: "var(--si-blue)", joint: "var(--si-green)",
                 EWC: "var(--si-gold)", "online EWC": "var(--si-olive)", MAS: "var(--si-purple)",
                 L2: "var(--si-grey)", "fine-tuning, dropout": "var(--si-brown)",
                 "from scratch": "var(--si-violet)" };
const YARDSTICKS = ["fine-tuning", "from scratch", "joint"]; // shown beside every method
const STYLE = `
.si-fig .si-choose { display: grid; gap: .6rem; margin-bottom: .9rem; }
.si-fig .si-spare { display: grid; } .si-fig .si-spare > * { grid-area: 1 / 1; }
.si-fig .si-spare > .si-ghost { visibility: hidden; }
.si-fig .si-under { display: grid; gap: .6rem; align-content: start; }
.si-fig tr[aria-current] { background: var(--si-faint) !important; }
.si-fig .si-ends .si-track { overflow: visible; height: 2px; background: var(--si-line); }
.si-fig .si-ends .si-track span { top: -6px; bottom: -6px; width: 14px; margin-left: -7px;
  border-radius: 50%; }
.si-fig .si-scale { display: flex; justify-content: space-between; font-size: .86rem; }
@container (min-width: 640px) {
  .si-fig .si-body:has(> .si-under) { grid-template-rows: auto auto 1fr;
  grid-template-areas: "stage panel" "said panel" "under panel"; }
  .si-fig .si-under { grid-area: under; } }`;
/** What a method looks like: its colour, or in dashes that of the method it is a variant of. */
function look(method) {
  const [plain] = method.split(", "), dashed = !Object.hasOwn(COLORS, method);
  const color = [method, plain].filter((name) => Object.hasOwn(COLORS, name)).map((n) => COLORS[n]);
  return { color: color[0] ?? "var(--si-text)", dashed: dashed && color.length > 0 };
}
const stripes = ({ color, dashed }) => (!dashed ? color
  : `repeating-linear-gradient(90deg, ${color} 0 7px, transparent 7px 10px)`);
const unique = (values) => [...new Set(values)];
const highest = (runs) => runs.reduce((a, b) => (b.end > a.end ? b : a));
/** A method's best setting of those with the most seeds on test images: few seeds may be lucky. */
function best(runs) {
  const worth = (r) => (r.held_out ? 0 : r.seeds), most = Math.max(...runs.map(worth));
  return highest(runs.filter((r) => worth(r) === most));
}
const by_method = (runs) => unique(runs.map((r) => r.method))
  .map((m) => runs.filter((r) => r.method === m));

/** The run that is asked for, or the nearest: same scenario, same method, same strength, best. */
export function chosen(runs, wanted) {
  let left = runs;
  for (const name of NAMES) {
    const same = left.filter((run) => run[name] === wanted[name]);
    if (same.length) left = same;
    else if (name === "scenario") left = left.filter((run) => run.scenario === runs[0].scenario);
    else if (name === "method") left = left.filter((run) => run.method === left[0].method);
    else left = [best(left)];
  }
  return left[0];
}

/** Room for the largest of several things: `fill(box, thing)` lays each out, unseen. */
function spare(parent, things, fill) {
  const box = make(parent, "div", { class: "si-spare" });
  const texts = unique(things.map((thing) => JSON.stringify(thing)));
  for (const text of texts.length > 1 ? texts : []) {
    fill(make(box, "div", { class: "si-ghost", "aria-hidden": "true" }), JSON.parse(text));
  }
  return make(box, "div");
}

const words_of = (value) => (value === null ? "none"
  : typeof value === "number" ? short(value) : String(value));

/** Radio buttons for what can be chosen, made anew when that changes; `all` lists that may come. */
function options(parent, model, name, { label, all, words = words_of }) {
  const box = spare(parent, all, (ghost, values) => {
    const like = make(ghost, "div", { class: "si-choice" });
    make(like, "div", { style: "margin-bottom: .25rem" }, label);
    const list = make(like, "div", { class: "si-options" });
    for (const value of values) make(make(list, "label"), "span", {}, words(value));
  });
  let now = "", value = null, show = () => {};
  return (values, chosen_value) => {
    if (JSON.stringify(values) !== now) {
      now = JSON.stringify(values);
      const focused = box.contains(document.activeElement);
      box.replaceChildren();
      show = choice(box, { get: () => value, set: (_, v) => model.set(name, v),
                           save_changes: () => model.save_changes() }, name,
                    { label, options: values.map((v) => [v, words(v)]) });
      const dead = values.length === 1 && values[0] === null;
      set(box, { style: dead && "visibility: hidden" });
      if (focused) box.querySelector("input")?.focus();
    }
    value = chosen_value;
    show();
  };
}

const name_of = ({ method }) => (method === "joint" ? "joint training"
  : method.length > 30 ? `${method.slice(0, 29)}…` : method);
const seeds = (run) => `${run.seeds} seed${run.seeds === 1 ? "" : "s"}`;

function curves(panel, tasks, rows) {
  const every = tasks > 6 ? 2 : 1, ticks = [];
  for (let t = 1; t <= tasks; t += every) ticks.push([t, String(t)]);
  const plot = axes(panel, { x: [0.8, tasks + 0.2], y: [0, 102], height: 225 + 17 * rows,
    margin: [50, 29 + 17 * rows, 16, 38], grid: true, xTicks: ticks, xLabel: "tasks learned",
    yLabel: "mean accuracy on the tasks so far" });
  return (scenario, run, words) => {
    const others = by_method(scenario).map(best)
      .filter(({ method }) => method !== run.method && YARDSTICKS.includes(method));
    const lowest = Math.min(...scenario.flatMap((r) => [...seen(r.accuracy), ...r.low]));
    const low = Math.max(0, Math.floor((lowest - 2) / 10) * 10), step = low < 50 ? 20 : 10;
    const marks = [];
    for (let a = Math.ceil(low / step) * step; a <= 100; a += step) marks.push([a, `${a} %`]);
    plot.clear();
    plot.ranges.y = [low, 102];
    plot.ground(ticks, marks);
    const trace = (r) => seen(r.accuracy).map((a, i) => [i + 1, a, r.low[i] ?? a, r.high[i] ?? a]);
    for (const other of others) {
      plot.line(trace(other), { stroke: look(other.method).color, "stroke-width": 2 });
    }
    const own = look(run.method);
    banded(plot, trace(run), own.color, own);
    const spread = run.seeds > 1 ? `(band: range of ${seeds(run)})` : "(one seed)";
    plot.key([{ label: name_of(run), ...own }, { label: spread, color: "none" },
              ...others.map((other) => ({ label: name_of(other), ...look(other.method) }))]);
    plot.describe(words);
  };
}

/** The end of every method on one scale; a method without a run here keeps its row. */
function ends(panel, methods) {
  const fold = make(panel, "details"); // a reader who guesses first does not see it
  make(fold, "summary", {},
    "Each method at its best setting among those with most seeds, the marked one as set above");
  const list = make(fold, "table", { class: "si-bars si-ends", style: "--si-label: 42%",
                                      "aria-label": "mean accuracy after the last task" });
  const head = make(list, "tr", { "aria-hidden": "true" });
  make(head, "th");
  const scale = make(make(head, "td"), "div", { class: "si-scale" });
  const [left, right] = [0, 1].map(() => make(scale, "span"));
  make(head, "td", { class: "si-number" });
  const rows = methods.map((method) => {
    const row = make(list, "tr");
    make(row, "th", { scope: "row" }, method);
    const track = make(make(row, "td", { "aria-hidden": "true" }), "div", { class: "si-track" });
    const dot = make(track, "span", { style: `background: ${stripes(look(method))}` });
    return { method, row, dot,
             number: make(row, "td", { class: "si-number", "data-method": method }) };
  });
  return (scenario, run) => {
    const bests = by_method(scenario).map(best);
    const low = Math.max(0, Math.floor((Math.min(...bests.map((r) => r.end)) - 1) / 10) * 10);
    [left.textContent, right.textContent] = [String(low), "100"];
    for (const { method, row, dot, number } of rows) {
      const mine = method === run.method, one = mine ? run : bests.find((r) => r.method === method);
      const value = one?.end ?? null;
      set(row, { "aria-current": mine && "true" });
      number.textContent = value === null ? "–" : `${value.toFixed(1)} %`;
      set(dot, { hidden: value === null });
      dot.style.left = `${Math.max(0, (100 * ((value ?? low) - low)) / (100 - low))}%`;
    }
  };
}

const setting = (run) => [["c", run.strength], ["ξ", run.damping]]
  .filter(([, value]) => value !== null)
  .map(([name, value]) => `${name} = ${words_of(value)}`).join(", ");

function sentence(run, scenario) {
  const [first, last] = [run.accuracy[0][0], run.accuracy.at(-1)[0]];
  const compared = [["fine-tuning", "fine-tuning"], ["joint", "joint training"]]
    .map(([method, name]) => [scenario.find((r) => r.method === method), name])
    .filter(([other]) => other && other.method !== run.method)
    .map(([other, name]) => `${name} ${other.end.toFixed(1)} %`);
  const what = [run.method, scenario_name(run.scenario), setting(run)].filter(Boolean).join(", ");
  return `${what}: after the last task ${run.end.toFixed(1)} % of all tasks’ images are right`
    + (compared.length ? ` (${compared.join(", ")})` : "")
    + `. Task 1 went from ${first.toFixed(1)} to ${last.toFixed(1)} %. `
    + `${seeds(run)}, `
    + `${run.held_out ? "held-out training" : "test"} images.`;
}

/** What there is to choose, with room for the longest list of each. */
function pickers(places, model, runs) {
  const lists = (names, last) => {
    const group = (run) => JSON.stringify(names.map((name) => run[name]));
    return unique(runs.map(group)).map((one) =>
      unique(runs.filter((run) => group(run) === one).map((run) => run[last])));
  };
  const several = (all) => all.some((values) => values.length > 1);
  const scenarios = unique(runs.map((run) => run.scenario));
  const strengths = lists(["scenario", "method"], "strength");
  const dampings = lists(["scenario", "method", "strength"], "damping");
  return {
    ...(scenarios.length > 1 && { scenario: options(places.choose, model, "scenario",
      { label: "scenario", all: [scenarios], words: scenario_name }) }),
    method: options(places.choose, model, "method",
      { label: "method", all: lists(["scenario"], "method"), words: String }),
    ...(several(strengths) && { strength: options(places.under, model, "strength",
      { label: "strength c", all: strengths }) }),
    ...(several(dampings) && { damping: options(places.under, model, "damping",
      { label: "damping ξ", all: dampings }) }),
  };
}

const explanation = (run, several) =>
  [several && scenario_words(run.scenario), method_words(run.method)].filter(Boolean).join(" ");

function goal_words(model, first, joint) {
  const where = model.get("goal") || "Find the method that ends highest"
    + (first ? ` in the ${scenario_name(first)} scenario` : "");
  return where + (joint ? ". Joint training, which sees all tasks at once, does not count." : ".");
}

/** Where a line of words goes, with room for the longest of `all`. */
function line(parent, all) {
  const node = make(spare(parent, all, (ghost, words) => make(ghost, "p", {}, words)), "p");
  return (words) => { node.textContent = words; };
}

function render({ model, el }) {
  const runs = model.get("runs"), of = (name) => unique(runs.map((run) => run[name]));
  const several = of("scenario").length > 1, wanted = () =>
    Object.fromEntries(NAMES.map((name) => [name, model.get(name)]));
  const first = runs.length ? chosen(runs, wanted()).scenario : "";
  const { root, stage, panel, say, check } = frame(el, {
    name: "method_explorer", lines: 7,
    question: model.get("question")
      || `Which method keeps what it has learned${several ? ", and in which scenario" : ""}?`,
    goal: goal_words(model, several && first, of("method").includes("joint")),
  });
  if (!runs.length) { say("There is no finished run to show."); return () => {}; }
  make(root, "style", {}, STYLE);
  const choose = make(root, "div", { class: "si-choose" }), body = stage.parentNode;
  root.insertBefore(choose, body);
  if (model.get("about")) make(choose, "p", {}, model.get("about"));
  const under = make(body, "div", { class: "si-under" });
  body.insertBefore(under, panel);
  const pick = pickers({ choose, under }, model, runs);
  const told = line(choose, runs.map((run) => explanation(run, several)));
  const draw = matrix(stage);
  const yardsticks = of("method").filter((method) => YARDSTICKS.includes(method)).length;
  const plot = curves(panel, Math.max(...runs.map((run) => run.accuracy.length)), yardsticks + 2);
  reset(buttons(panel), model, NAMES);
  const table = ends(panel, of("method"));
  return follow(model, [...NAMES, "runs"], () => {
    const all = model.get("runs"), run = chosen(all, wanted());
    const scenario = all.filter((r) => r.scenario === run.scenario);
    const own = scenario.filter((r) => r.method === run.method);
    const equal = own.filter((r) => r.strength === run.strength);
    for (const [name, among] of Object.entries({ scenario: all, method: scenario, strength: own,
                                                 damping: equal })) {
      pick[name]?.(unique(among.map((r) => r[name])), run[name]);
    }
    const words = sentence(run, scenario);
    told(explanation(run, several));
    say(words);
    const rivals = by_method(scenario.filter((r) => r.method !== "joint")).map(best);
    check(run.scenario === first && rivals.length > 1 && run === highest(rivals));
    draw(run.accuracy, `The accuracy matrix of this setting. ${words}`);
    plot(scenario, run, "Mean accuracy on the tasks learned so far, after each task, for this "
      + `setting and for yardsticks. ${words}`);
    table(scenario, run);
  });
}

export default { render };
