// Scenario × method × strength × damping: the published runs, their matrix and their curves.

import { frame } from "./kit/look.js";
import { buttons, choice, disable, follow, reset } from "./kit/controls.js";
import { make } from "./kit/dom.js";
import { matrix } from "./kit/matrix.js";
import { accuracies, banded, seen } from "./kit/results.js";

const NAMES = ["scenario", "method", "strength", "damping"];
const COLORS = { "fine-tuning": "var(--si-red)", SI: "var(--si-blue)", joint: "var(--si-green)",
                 EWC: "var(--si-gold)", "online EWC": "var(--si-olive)", MAS: "var(--si-purple)",
                 L2: "var(--si-grey)", "fine-tuning, dropout": "var(--si-brown)",
                 "from scratch": "var(--si-violet)" };
const WORDS = { task: "task-incremental", domain: "domain-incremental",
                class: "class-incremental" };
/** What a method looks like: its colour, or in dashes that of the method it is a variant of. */
function look(method) {
  const [plain] = method.split(", "), dashed = !Object.hasOwn(COLORS, method);
  const color = [method, plain].filter((name) => Object.hasOwn(COLORS, name)).map((n) => COLORS[n]);
  return { color: color[0] ?? "var(--si-text)", dashed: dashed && color.length > 0 };
}
const stripes = ({ color, dashed }) => (!dashed ? color
  : `repeating-linear-gradient(90deg, ${color} 0 7px, transparent 7px 10px)`);
const word = (scenario) => (Object.hasOwn(WORDS, scenario) ? WORDS[scenario] : scenario);
const end = (run) => seen(run.accuracy).at(-1);
const unique = (values) => [...new Set(values)];
/** The best run; those scored on test images come first, if there are any. */
function best(runs) {
  const tested = runs.filter((run) => !run.held_out);
  return (tested.length ? tested : runs).reduce((a, b) => (end(b) > end(a) ? b : a));
}

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

const none = (value) => (value === null ? "none" : String(value));

/**
 * Radio buttons for what can be chosen, made anew when that changes. All `lists` that may ever
 * stand there lie unseen behind them, so that there is room for the longest and nothing moves.
 */
function options(parent, model, name, { label, lists = [], words = none }) {
  const box = make(parent, "div", { class: "si-stack" }), front = make(box, "div");
  for (const key of unique(lists.map((list) => JSON.stringify(list)))) {
    const back = make(box, "div", { class: "si-choice si-unseen", "aria-hidden": "true" });
    make(back, "p", { class: "si-legend" }, label);
    const row = make(back, "div", { class: "si-options" });
    JSON.parse(key).forEach((value) => make(row, "label", {}, words(value)));
  }
  let now = "", show = () => {};
  return (values, value, open = values) => {
    const key = JSON.stringify(values);
    if (key !== now) {
      now = key;
      const focused = front.contains(document.activeElement);
      front.replaceChildren();
      show = choice(front, { get: () => box.value, set: (_, v) => model.set(name, v),
                             save_changes: () => model.save_changes() }, name,
                    { label, options: values.map((v) => [v, words(v)]) });
      if (focused) front.querySelector("input")?.focus();
    }
    box.value = value;
    show();
    front.querySelectorAll("input").forEach((input, i) => disable(input, !open.includes(values[i])));
  };
}

/** For each choice of the others, the values of `name` that there are runs of. */
function lists_of(runs, name, others) {
  const key = (run) => JSON.stringify(others.map((other) => run[other]));
  return unique(runs.map(key)).map((one) =>
    unique(runs.filter((run) => key(run) === one).map((run) => run[name])));
}

function curves(panel, tasks) {
  const step = tasks > 6 ? 2 : 1;
  const plot = accuracies(panel, { x: [0.8, tasks + 0.2], height: 230,
    xLabel: "tasks learned (band: range of seeds)",
    xTicks: Array.from({ length: Math.ceil(tasks / step) },
      (_, i) => [i * step + 1, String(i * step + 1)]),
    yLabel: "mean accuracy on the tasks so far" });
  return (scenario, run, words) => {
    const rivals = unique(scenario.map((r) => r.method)).filter((m) => m !== run.method)
      .map((m) => best(scenario.filter((r) => r.method === m)));
    plot.fit(Math.min(...scenario.flatMap((r) => r.low)));
    const trace = (r) => seen(r.accuracy).map((a, i) => [i + 1, a, r.low[i], r.high[i]]);
    for (const rival of rivals) {
      const { color, dashed } = look(rival.method);
      plot.line(trace(rival), { stroke: color, "stroke-width": 1.6, "stroke-opacity": 0.75,
                                "stroke-dasharray": dashed ? "6 5" : undefined });
    }
    const own = look(run.method);
    banded(plot, trace(run), own.color, own);
    plot.describe(words);
  };
}

function legend(panel) {
  const list = make(panel, "table", { class: "si-bars", style: "--si-label: 38%",
                                      "aria-label": "mean accuracy after the last task" });
  return (scenario, run, methods) => {
    list.replaceChildren();
    for (const method of methods) {
      const own = scenario.filter((r) => r.method === method), chosen_one = method === run.method;
      const shown = chosen_one ? run : own.length && best(own);
      const row = make(list, "tr", { "data-absent": !shown });
      const name = make(row, "th", { scope: "row", "aria-current": chosen_one && "true" }, method);
      const track = make(make(row, "td", { "aria-hidden": "true" }), "div", { class: "si-track" });
      make(track, "span", { style: `background: ${stripes(look(method))}; left: 0; `
        + `width: ${shown ? end(shown) : 0}%` });
      make(row, "td", { class: "si-number", "data-method": method },
           shown ? `${end(shown).toFixed(1)} %` : "no run");
      name.title = chosen_one ? "as chosen" : "at its best setting";
    }
  };
}

const setting = (run) => [["c", run.strength], ["ξ", run.damping]]
  .filter(([, value]) => value !== null).map(([name, value]) => `${name} = ${value}`).join(", ");

function sentence(run, scenario) {
  const [first, last] = [run.accuracy[0][0], run.accuracy.at(-1)[0]];
  const compared = [["fine-tuning", "fine-tuning"], ["joint", "joint training"]]
    .map(([method, name]) => [scenario.find((r) => r.method === method), name])
    .filter(([other]) => other && other.method !== run.method)
    .map(([other, name]) => `${name} ${end(other).toFixed(1)} %`);
  const what = [run.method, word(run.scenario), setting(run)].filter(Boolean).join(", ");
  return `${what[0].toUpperCase()}${what.slice(1)}: after the last task ${end(run).toFixed(1)} % of all tasks’ images are right`
    + (compared.length ? ` (${compared.join(", ")})` : "")
    + `. Task 1 went from ${first.toFixed(1)} to ${last.toFixed(1)} %. `
    + `${run.seeds} seed${run.seeds === 1 ? "" : "s"}, `
    + `${run.held_out ? "held-out training" : "test"} images.`;
}

function render({ model, el }) {
  const runs = model.get("runs"), several = unique(runs.map((run) => run.scenario)).length > 1;
  const { stage, panel, more, say, check } = frame(el, {
    name: "method_explorer", lines: 7,
    question: `Which method keeps what it has learned${several ? ", and in which scenario" : ""}?`,
    goal: "Find the best setting here that is not joint training, which sees all tasks at once.",
  });
  if (!runs.length) { say("There is no finished run to show."); return () => {}; }
  const lists = (name, ...others) => ({ lists: lists_of(runs, name, others) });
  const pick = {
    ...(several && { scenario: options(panel, model, "scenario",
                                       { label: "scenario", words: word }) }),
    method: options(panel, model, "method", { label: "method" }),
    strength: options(more, model, "strength",
                      { label: "strength c", ...lists("strength", "scenario", "method") }),
    damping: options(more, model, "damping",
                     { label: "damping ξ", ...lists("damping", "scenario", "method", "strength") }),
  };
  const draw = matrix(stage);
  const plot = curves(panel, Math.max(...runs.map((run) => run.accuracy.length)));
  const table = legend(panel);
  reset(buttons(panel), model, NAMES, () => check(null));
  return follow(model, [...NAMES, "runs"], () => {
    const wanted = Object.fromEntries(NAMES.map((name) => [name, model.get(name)]));
    const all = model.get("runs"), run = chosen(all, wanted);
    const scenario = all.filter((r) => r.scenario === run.scenario);
    const own = scenario.filter((r) => r.method === run.method);
    const equal = own.filter((r) => r.strength === run.strength);
    const methods = unique(all.map((r) => r.method));
    pick.scenario?.(unique(all.map((r) => r.scenario)), run.scenario);
    pick.method(methods, run.method, scenario.map((r) => r.method));
    pick.strength(unique(own.map((r) => r.strength)), run.strength);
    pick.damping(unique(equal.map((r) => r.damping)), run.damping);
    const words = sentence(run, scenario);
    say(words);
    const rivals = scenario.filter((r) => r.method !== "joint");
    check(rivals.length > 1 && run === best(rivals));
    draw(run.accuracy, `The accuracy matrix of this setting. ${words}`);
    plot(scenario, run, "Mean accuracy on the tasks learned so far, after each task, for this "
      + `setting and for the best of every other method. ${words}`);
    table(scenario, run, methods);
  });
}

export default { render };
