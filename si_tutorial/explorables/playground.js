// The playground: two copies of one network learn tasks one after another, in the page.

import { frame, still } from "./kit/look.js";
import { follow } from "./kit/controls.js";
import { keep } from "./kit/address.js";
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
const PACE = { slow: 1, normal: 4, fast: 16 }; // steps a redraw

const power = (model, name) => 10 ** model.get(name);
const live = (model) => ({ strength: power(model, "log_strength"),
                           damping: power(model, "log_damping"), rate: power(model, "log_rate") });

/** The sheet of digits as grey values 0 … 15; nothing where there is none on board. */
async function sheet(images) {
  if (!/^[A-Za-z0-9+/=]+$/.test(images)) return null;
  const picture = new Image();
  picture.src = `data:image/png;base64,${images}`;
  await picture.decode();
  const pen = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
  pen.drawImage(picture, 0, 0);
  const { data } = pen.getImageData(0, 0, picture.width, picture.height);
  return Uint8Array.from({ length: data.length / 4 }, (_, k) => Math.round(data[4 * k] / 17));
}

/** Whether any of `el` is on the screen of a visible tab; `back()` when it comes into sight. */
function sight(el, back) {
  let near = true;
  const watch = new IntersectionObserver(([entry]) => {
    near = entry.isIntersecting;
    if (near) back();
  });
  watch.observe(el);
  const turn = () => { if (!document.hidden) back(); };
  document.addEventListener("visibilitychange", turn);
  return { seen: () => near && !document.hidden,
           end() { watch.disconnect(); document.removeEventListener("visibilitychange", turn); } };
}

/** Runs the session while it is wanted and in sight; `show` gets every answer. */
function conductor(model, place, view, want, show) {
  let running = false, busy = false, turn = 0, ended = false;
  const frame_ = () => new Promise((go) => (still() ? setTimeout(go) : requestAnimationFrame(go)));
  const ask = async (message) => {
    const answer = await place.ask({ ...want(), ...message });
    if (!ended) show(answer, running);
    return answer;
  };
  async function run() {
    if (busy) return;
    busy = true;
    while (running && view.seen() && !ended) {
      const rare = place.beside() ? 4 : 12, quiet = still();
      const step = quiet ? 1000 : PACE[model.get("speed")] ?? PACE.normal;
      turn += 1;
      const message = { advance: step, map: quiet || turn % rare === 0,
                        inside: want().inside && (quiet || turn % (3 * rare) === 0) };
      const answer = await ask(message);
      if (answer.left === 0) {
        running = false;
        await ask({});
      }
      await frame_();
    }
    busy = false;
  }
  return {
    run, ask,
    running: () => running,
    async learn(what) {
      running = what !== "step";
      await ask(running ? { learn: what } : { learn: what, advance: 1 });
      run();
    },
    halt() { running = false; },
    pause() { running = false; return ask({}); },
    end() { ended = true; running = false; },
  };
}

const TOUR = [
  ["Learn", { method: "none" }, [], "Both copies learn task 1. Nothing protects either."],
  ["Forget", { method: "none" }, ["again"], "Now task 2, and no example of task "
    + "1. Each cross is a point of task 1 that was right a moment ago."],
  ["Remember", { method: "si" }, ["again"], "The copy on the right now runs Synaptic "
    + "Intelligence. Just after the switch it stumbles too, for some 20 steps. Then it knows both."],
  ["Too weak", { method: "si", log_strength: -2 }, ["again"], "With c = 0.01 the springs are too "
    + "soft. SI loses task 1 as plain training does."],
  ["Too strong", { method: "si", log_strength: 3 }, ["again"], "With c = 1000 nothing that matters "
    + "to task 1 may move. It is kept, and task 2 is not learned."],
];

function render({ model, el }) {
  const compact = model.get("compact");
  const leave = model.get("address") ? keep(model, FIELDS) : () => {};
  const { root, stage, panel, say, check } = frame(el, compact
    ? { name: "playground", question: "One network forgets. The other remembers." }
    : { name: "playground", question: "What does a network still know when it has learned "
        + "something else?",
        goal: "Find a strength c that is too weak, and one that is too strong." });
  make(root, "style", {}, STYLE);
  root.classList.add("play");
  const place = workplace({ address, serve });
  let synapse = -1, scene = null, tour = "", last = null, found_troubles = new Set();
  const want = () => ({ map: true, inside: !compact, synapse });
  const view = sight(root, () => work.run());

  function show(answer, running) {
    if (answer.scene) scene = answer.scene;
    last = { ...last, ...answer, scene };
    const setting = { method: model.get("method"), rate: power(model, "log_rate") };
    const wrong = trouble(last, setting);
    if (["weak", "strong"].includes(wrong)) found_troubles.add(wrong);
    check(found_troubles.size === 2);
    const words = sentence(last, setting);
    const stopped = last.done === 0 && last.left === 0 && !running;
    say(tour && !stopped ? tour : tour ? `${tour} ${words}` : words);
    parts.forEach((part) => part.show(last, model, running));
  }
  const work = conductor(model, place, view, want, show);
  let images = null, ready = null;
  async function begin() {
    work.halt();
    ready ??= sheet(model.get("images"));
    images = await ready;
    if (model.get("tasks") === "digits" && !images) {
      model.set("tasks", "islands"); // which begins anew
      return null;
    }
    const order = model.get("order").split(" ").map((word) => Number(word) - 1);
    const digits = model.get("tasks") === "digits";
    last = null;
    synapse = -1;
    return work.ask({ sheet: images, begin: {
      ...live(model), tasks: model.get("tasks"), method: model.get("method"),
      hidden: model.get("hidden"), seed: model.get("seed"),
      order: digits ? [...order, 4] : order } });
  }
  async function play(what) {
    tour = "";
    if (what === "begin" || (last && !last.more && last.left === 0 && what === "all")) await begin();
    if (what === "pause") await work.pause();
    else if (what !== "begin") await work.learn(what);
  }
  async function guide(number) {
    const [, traits, before, words] = TOUR[number];
    quiet = true;
    for (const [name, value] of Object.entries({ tasks: "islands", hidden: 64, log_damping: -1,
      order: "1 2 3 4", log_rate: -2, log_strength: 0, ...traits })) model.set(name, value);
    model.save_changes();
    quiet = false;
    tour = words;
    await begin();
    for (const what of before) await work.ask({ learn: what, advance: 200 });
    await work.learn(before.length ? "next" : "again");
  }
  const parts = [transport(stage, { compact, play, guide, tour: TOUR.map(([name]) => name) }),
                 scenes(panel, { compact })];
  if (!compact) {
    parts.push(curves(panel), settings(panel, model), matrices(panel),
               inside(panel, { choose(k) { synapse = k; if (!work.running()) work.ask({}); } }));
  }
  let quiet = false, method = model.get("method"), tasks = model.get("tasks");
  const good = () => GOOD[model.get("tasks") === "digits" ? "digits" : "plane"];
  const again = follow(model, AGAIN, () => {
    if (quiet) { [method, tasks] = [model.get("method"), model.get("tasks")]; return; }
    if (model.get("method") !== method || model.get("tasks") !== tasks) {
      [method, tasks] = [model.get("method"), model.get("tasks")];
      if (method in good()) model.set("log_strength", good()[method]);
      model.set("log_damping", good().damping);
      model.save_changes();
    }
    tour = "";
    begin();
  });
  const onward = follow(model, LIVE, () => { if (!quiet && last) work.ask({ change: live(model) }); });
  const speed = follow(model, ["speed"], () => parts.forEach((part) => part.speed?.(model)));
  return () => {
    work.end();
    place.end();
    view.end();
    [leave, again, onward, speed].forEach((end) => end());
    parts.forEach((part) => part.end?.());
  };
}

export default { render };
