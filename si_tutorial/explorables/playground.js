// The playground: two copies of one network learn tasks one after another, in the page.

import { frame } from "./kit/look.js";
import { follow } from "./kit/controls.js";
import { keep } from "./kit/address.js";
import { conductor } from "./kit/conductor.js";
import { address, serve } from "./kit/engine.js";
import { workplace } from "./kit/worker.js";
import { make } from "./kit/dom.js";
import { STYLE } from "./kit/playground_look.js";
import { FIELDS, GOOD, settings } from "./kit/settings.js";
import { curves, inside, matrices, scenes } from "./kit/scenes.js";
import { transport } from "./kit/transport.js";
import { sentence, trouble } from "./kit/verdict.js";

const AGAIN = ["tasks", "method", "hidden", "order", "seed"]; // these begin anew
const LIVE = ["log_strength", "log_damping", "log_rate"]; // these act from the next step on
const CHANGED = "The new setting acts from the next step on. To see it from the start, train "
  + "again.";

const TOUR = [
  ["Learn", { method: "none" }, false, "Both copies learn task 1. Nothing protects either."],
  ["Forget", { method: "none" }, true, "Now task 2, and no example of task 1. Each cross is a "
    + "point of task 1 that was right a moment ago."],
  ["Remember", { method: "si" }, true, "The copy on the right now runs Synaptic Intelligence. Just "
    + "after the switch it stumbles too, for some 20 steps. Then it knows both."],
  ["Too weak", { method: "si", log_strength: -2 }, true, "With c = 0.01 the springs are too soft. "
    + "SI loses task 1 as plain training does."],
  ["Too strong", { method: "si", log_strength: 3 }, true, "With c = 1000 nothing that matters to "
    + "task 1 may move. It is kept, and task 2 is not learned."],
];
const TOUR_SETTING = { tasks: "islands", hidden: 64, order: "1 2 3 4", log_damping: -1,
                       log_rate: -2, log_strength: 0 };

const live = (model) => Object.fromEntries(
  LIVE.map((name) => [name.slice("log_".length), 10 ** model.get(name)]));

/** The sheet of digits as grey values 0 … 15; nothing where there is none on board. */
async function sheet_of(images) {
  if (!/^[A-Za-z0-9+/=]+$/.test(images)) return null;
  const picture = new Image();
  picture.src = `data:image/png;base64,${images}`;
  await picture.decode();
  const pen = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
  pen.drawImage(picture, 0, 0);
  const { data } = pen.getImageData(0, 0, picture.width, picture.height);
  return Uint8Array.from({ length: data.length / 4 }, (_, k) => Math.round(data[4 * k] / 17));
}

/** Sets traits together, so that what follows them is called with all of them new. */
function set_all(model, traits, hold) {
  hold.on = true;
  for (const [name, value] of Object.entries(traits)) model.set(name, value);
  model.save_changes();
  hold.on = false;
}

/** The model's settings as the engine takes them. */
function order_for(model) {
  const order = model.get("order").split(" ").map((word) => Number(word) - 1);
  return { ...live(model), tasks: model.get("tasks"), method: model.get("method"),
           hidden: model.get("hidden"), seed: model.get("seed"),
           order: model.get("tasks") === "digits" ? [...order, 4] : order };
}

/** Shows every answer: the words, the target, and all parts of the figure. */
function display(model, { say, check }, parts, state) {
  const troubles = new Set();
  return (answer, running) => {
    if (!state.last && !answer.scene) return; // still about the session before this one
    const last = state.last = { ...state.last, ...answer };
    const setting = { method: model.get("method"), rate: 10 ** model.get("log_rate") };
    const wrong = trouble(last, setting), words = sentence(last, setting);
    if (wrong === "weak" || wrong === "strong") troubles.add(wrong);
    check(troubles.size === 2);
    const stopped = last.done === 0 && last.left === 0 && !running;
    if (state.mute) say(state.tour);
    else if (state.changed) say(CHANGED);
    else if (state.tour) say(stopped ? `${state.tour} ${words}` : state.tour);
    else say(words);
    parts.forEach((part) => part.show(last, model, running));
  };
}

/** What the buttons do. */
function actions(model, work, state, hold) {
  const sheet = sheet_of(model.get("images"));
  async function begin() {
    work.halt();
    Object.assign(state, { last: null, synapse: -1, changed: false });
    const images = await sheet;
    if (model.get("tasks") === "digits" && !images) set_all(model, { tasks: "islands" }, hold);
    return work.ask({ sheet: images, begin: order_for(model) });
  }
  async function play(what) {
    const { last } = state, mine = ++state.turn;
    Object.assign(state, { tour: "", changed: false, mute: false });
    if (what === "begin") return begin();
    if (what === "pause") {
      work.halt();
      return work.ask({});
    }
    if (what === "all" && last && !last.more && last.left === 0) await begin();
    return mine === state.turn && work.learn(what);
  }
  async function guide(number) {
    const [, traits, second, words] = TOUR[number], mine = ++state.turn;
    set_all(model, { ...TOUR_SETTING, ...traits }, hold);
    state.tour = words;
    state.mute = true; // a task that is learned at once on the way is not told about
    await begin();
    if (second && mine === state.turn) await work.ask({ learn: "again", advance: 1000 });
    state.mute = false;
    return mine === state.turn && work.learn(second ? "next" : "again"); // no other was pressed
  }
  return { begin, play, guide };
}

/** A change of the setting begins anew, or acts at once. Returns what ends that. */
function listen(model, work, state, hold, begin) {
  let method = model.get("method"), tasks = model.get("tasks");
  const stops = [
    follow(model, AGAIN, () => {
      const other = method !== model.get("method") || tasks !== model.get("tasks");
      [method, tasks] = [model.get("method"), model.get("tasks")];
      if (hold.on) return;
      const good = GOOD[tasks === "digits" ? "digits" : "plane"];
      const strength = Object.hasOwn(good, method) ? good[method] : model.get("log_strength");
      if (other) set_all(model, { log_strength: strength, log_damping: good.damping }, hold);
      state.tour = "";
      begin();
    }),
    follow(model, LIVE, () => {
      if (hold.on || !state.last) return;
      Object.assign(state, { tour: "", changed: state.last.at >= 0 && !work.running() });
      work.ask({ change: live(model) });
    })];
  return () => stops.forEach((stop) => stop());
}

function render({ model, el }) {
  const compact = model.get("compact");
  const leave = model.get("address") ? keep(model, FIELDS) : () => {};
  const figure = frame(el, compact
    ? { name: "playground", question: "One network forgets. The other remembers." }
    : { name: "playground", goal: "Find a strength c that is too weak, and one that is too strong.",
        question: "What does a network still know when it has learned something else?" });
  const { root, stage, panel } = figure;
  make(root, "style", {}, STYLE);
  root.classList.add("play");
  const state = { last: null, synapse: -1, tour: "", changed: false, turn: 0, mute: false };
  const hold = { on: false };
  const parts = [];
  const work = conductor(root, workplace({ address, serve }), {
    want: () => ({ map: true, inside: !compact, synapse: state.synapse }),
    speed: () => model.get("speed"), show: display(model, figure, parts, state) });
  const { begin, play, guide } = actions(model, work, state, hold);
  const open = (synapse) => {
    state.synapse = synapse;
    if (!work.running()) work.ask({});
  };
  parts.push(transport(stage, { compact, play, guide, tour: TOUR.map(([name]) => name) }),
             scenes(panel, { compact }));
  if (!compact) {
    parts.push(curves(panel), settings(panel, model), matrices(panel),
               inside(panel, { choose: open }));
  }
  const stop = listen(model, work, state, hold, begin);
  return () => {
    [work.end, stop, leave].forEach((end) => end());
    parts.forEach((part) => part.end?.());
  };
}

export default { render };
