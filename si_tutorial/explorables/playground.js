// The playground: two copies of one network learn tasks one after another, in the page.

import { frame, still } from "./kit/look.js";
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
import { TOUR, outcome } from "./kit/tour.js";
import { ended, sentence, trouble } from "./kit/verdict.js";

const AGAIN = ["tasks", "method", "hidden", "order", "seed"]; // these begin anew
const LIVE = ["log_strength", "log_damping", "log_rate"]; // these act from the next step on
const CHANGED = "The new setting acts from the next step on. To see it from the start, train "
  + "again.";

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
    if (state.stale && !answer.scene) return; // still about the session before this one
    const last = state.last = answer.scene ? answer : { ...state.last, ...answer };
    state.stale = false;
    const setting = { method: model.get("method"), rate: 10 ** model.get("log_rate") };
    const wrong = trouble(last, setting), { tour } = state, busy = running || state.mute;
    if (state.own && !state.changed && (wrong === "weak" || wrong === "strong")) troubles.add(wrong);
    check(troubles.size === 2, [...troubles].map((found) => `Found: too ${found}.`)[0]);
    if (state.changed) say(CHANGED);
    else if (!tour) say(sentence(last, setting));
    else say(!busy && ended(last) ? outcome(tour, last, setting) : tour.before);
    parts.forEach((part) => part.show(last, model, busy, TOUR.indexOf(tour)));
  };
}

/** What the buttons do. */
function actions(model, work, state, hold, look) {
  const sheet = sheet_of(model.get("images"));
  /** A new session; what is seen stays until it answers. `more` is asked along with it. */
  async function begin(more = {}) {
    work.halt();
    Object.assign(state, { stale: true, synapse: -1, changed: false });
    const images = await sheet;
    if (model.get("tasks") === "digits" && !images) set_all(model, { tasks: "islands" }, hold);
    state.sheet = images;
    return work.ask({ sheet: images, begin: order_for(model), ...more });
  }
  async function play(what) {
    const { last } = state, mine = ++state.turn, stay = what === "pause" || what === "resume";
    Object.assign(state, { tour: stay ? state.tour : null, changed: false, mute: false });
    look();
    if (what === "begin") return begin();
    if (what === "pause") {
      work.halt();
      return work.ask({});
    }
    if (what === "anew" || (what === "all" && last && !last.more && last.left === 0)) await begin();
    return mine === state.turn && work.learn({ anew: "all", resume: "again" }[what] ?? what);
  }
  async function guide(number) {
    const { traits, second } = TOUR[number], mine = ++state.turn;
    look();
    set_all(model, traits, hold);
    Object.assign(state, { tour: TOUR[number], own: false });
    state.mute = true; // a task that is learned at once on the way is not told about
    await begin(second ? { learn: "again", advance: 1000 } : {});
    if (mine !== state.turn) return; // another was pressed
    state.mute = false;
    await work.learn(second ? "next" : "again");
  }
  return { begin, play, guide };
}

/**
 * Paper shows what is on the screen; where nothing has been learned yet, what would come of it.
 * Returns what ends that.
 */
function print(model, state, show) {
  let kept = null;
  const before = () => {
    if (!state.last || state.last.at >= 0) return;
    kept = state.last;
    const session = serve(), first = session({ sheet: state.sheet, begin: order_for(model) });
    session({ learn: "all", advance: 10_000 });
    show({ ...first, ...session({ map: true, inside: !model.get("compact") }) }, false);
  };
  const after = () => {
    if (!kept) return;
    show(kept, false);
    kept = null;
  };
  addEventListener("beforeprint", before);
  addEventListener("afterprint", after);
  return () => {
    removeEventListener("beforeprint", before);
    removeEventListener("afterprint", after);
  };
}

/**
 * Scrolls as little as brings the pictures into sight, with the bars where buttons stay too. The
 * button that the keyboard is at never leaves the window for it.
 */
function reveal(stage, { box, picture }) {
  const high = box.getBoundingClientRect().bottom - stage.getBoundingClientRect().top;
  const node = high < innerHeight - 80 ? box : picture; // 80: a page's own header, and an edge
  const focused = stage.closest(".si-fig").querySelector(":focus-visible");
  if (focused && !(stage.contains(focused) && node === box)) return;
  node.scrollIntoView({ block: "nearest", behavior: still() ? "instant" : "smooth" });
}

/** Brings the settings into sight, and the keyboard to them. */
function go_to(box) {
  box.scrollIntoView({ block: "start", behavior: still() ? "instant" : "smooth" });
  box.querySelector("input:checked").focus({ preventScroll: true });
}

/** A change of the setting begins anew, or acts at once. Returns what ends that. */
function listen(model, work, state, hold, begin) {
  let [method, tasks, strength] = ["method", "tasks", "log_strength"].map((n) => model.get(n));
  const stops = [
    follow(model, AGAIN, () => {
      const other = method !== model.get("method") || tasks !== model.get("tasks");
      [method, tasks] = [model.get("method"), model.get("tasks")];
      if (hold.on) return;
      const good = GOOD[tasks === "digits" ? "digits" : "plane"];
      const works = Object.hasOwn(good, method) ? good[method] : model.get("log_strength");
      if (other) {
        set_all(model, { log_strength: works, log_damping: good.damping }, hold);
        state.own = false;
      }
      state.tour = null;
      begin();
    }),
    follow(model, LIVE, () => {
      const other = strength !== model.get("log_strength");
      strength = model.get("log_strength");
      if (hold.on) return;
      state.own ||= other; // the reader has moved it, and neither the tour nor another method
      if (!state.last) return;
      Object.assign(state, { tour: null, changed: state.last.at >= 0 && !work.running() });
      work.ask({ change: live(model) });
    })];
  return () => stops.forEach((stop) => stop());
}

function render({ model, el }) {
  const compact = model.get("compact");
  const leave = model.get("address") ? keep(model, FIELDS) : () => {};
  const figure = frame(el, compact
    ? { name: "playground", question: "One network forgets. The other remembers." }
    : { name: "playground",
        question: "What does a network still know when it has learned something else?",
        goal: "After the tour: find a strength c of the springs that is too weak to keep old "
          + "knowledge, and one that is too strong to let new in." });
  const { root, stage, panel } = figure;
  make(root, "style", {}, STYLE);
  root.classList.add("play");
  const state = { last: null, stale: true, synapse: -1, tour: null, changed: false, turn: 0, mute: false,
                  sheet: null, own: false };
  const hold = { on: false };
  const parts = [];
  const show = display(model, figure, parts, state);
  const work = conductor(root, workplace({ address, serve }), {
    want: () => ({ map: true, inside: !compact, synapse: state.synapse }),
    speed: () => model.get("speed"), show });
  const { begin, play, guide } = actions(model, work, state, hold, () => reveal(stage, pictures));
  const open = (synapse) => {
    state.synapse = synapse;
    if (!work.running()) work.ask({});
  };
  const pictures = scenes(panel, model);
  parts.push(pictures,
             transport(stage, { compact, play, guide, tour: TOUR.map(({ name }) => name),
                                set_up: () => go_to(panel.querySelector(".play-settings")) }));
  if (!compact) {
    parts.push(settings(panel, model, { train: () => play("anew") }), curves(panel, model),
               matrices(panel, model), inside(panel, { choose: open }));
  }
  const stops = [listen(model, work, state, hold, begin), print(model, state, show)];
  return () => {
    [work.end, ...stops, leave].forEach((end) => end());
    parts.forEach((part) => part.end?.());
  };
}

export default { render };
