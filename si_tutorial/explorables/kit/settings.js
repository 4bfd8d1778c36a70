// The playground's settings: their bounds, what is good, and the controls that set them.

import { button, choice, follow, put, slider } from "./controls.js";
import { make, set } from "./dom.js";

const METHODS = [["none", "none"], ["l2", "L2"], ["ewc", "EWC"], ["mas", "MAS"], ["si", "SI"],
                 ["joint", "joint"]];
const DOES = {
  none: "No protection: training changes the weights, which are the numbers in a network, as each "
    + "new task asks.",
  l2: "L2 holds every weight by the same spring, whether it mattered for the old tasks or not.",
  ewc: "EWC (elastic weight consolidation) looks, when a task is over, how much each weight sways "
    + "the answers, and holds it by a spring as stiff as that.",
  mas: "MAS (memory aware synapses) looks, when a task is over, how much each weight sways the raw "
    + "outputs, whatever the right answer, and holds it by a spring as stiff as that.",
  si: "SI (synaptic intelligence) counts, while a task is being learned, how much each weight helps. "
    + "It then holds those by the stiffest springs that helped much while they moved little. A "
    + "large damping ξ softens the springs of weights that have hardly moved.",
  joint: "Joint training is no protection: it may go on seeing the examples of all tasks so far. It "
    + "shows what could be reached.",
};
const TASKS = [["islands", "islands"], ["quadrants", "left and right"], ["digits", "digits"]];
const ORDERS = ["1 2 3 4", "4 3 2 1", "1 3 2 4", "2 4 1 3"];
const HIDDEN = [8, 16, 32, 64], SPEEDS = ["slow", "normal", "fast"];
const same = (values) => values.map((value) => [value, String(value)]);

/** Known words and bounds, by the name that stands in the address. */
export const FIELDS = {
  tasks: { name: "tasks", words: TASKS.map(([word]) => word) },
  method: { name: "method", words: METHODS.map(([word]) => word) },
  hidden: { name: "hidden", words: HIDDEN },
  order: { name: "order", words: ORDERS },
  seed: { name: "seed", min: 0, max: 999, whole: true },
  c: { name: "log_strength", min: -4, max: 6 },
  xi: { name: "log_damping", min: -4, max: 2 },
  rate: { name: "log_rate", min: -3, max: 0 },
};

/** Values (log₁₀) at which each method works, measured over ten seeds. */
export const GOOD = {
  plane: { l2: -2, ewc: 4, mas: -1, si: 0, damping: -1 },
  digits: { l2: -1, ewc: 4, mas: -1, si: 0, damping: -2 },
};

const plain = (value) => {
  const shown = Number((10 ** value).toPrecision(2));
  return shown >= 1e4 ? `10${[..."⁴⁵⁶"][Math.floor(value) - 4]}`.replace("undefined", "")
    : String(shown);
};

/** A line that says what the method chosen does, in the room that the longest one needs. */
function explained(parent, model) {
  const id = `play-does-${Math.random().toString(36).slice(2)}`;
  set(parent.querySelector("fieldset"), { "aria-describedby": id });
  const box = make(parent, "p", { class: "play-does", id, "aria-live": "polite" });
  const lines = METHODS.map(([word]) => [word, make(box, "span", {}, DOES[word])]);
  return () => lines.forEach(([word, line]) => set(line, { hidden: word !== model.get("method") }));
}

/** The panel; a slider that means nothing for the method chosen leaves its place empty. */
export function settings(parent, model, { train }) {
  const box = make(parent, "section", { class: "play-settings", "aria-label": "settings" });
  make(box, "h2", {}, "Settings");
  const options = model.get("images") ? TASKS : TASKS.slice(0, 2);
  const shown = [
    choice(box, model, "method", { label: "how the copy on the right is protected",
                                   options: METHODS }),
    explained(box, model),
    choice(box, model, "tasks", { label: "tasks", options }),
  ];
  const places = ["strength", "damping", "rate"].map(() => make(box, "div"));
  shown.push(
    choice(box, model, "hidden", { label: "hidden units: the size of the network", options: same(HIDDEN) }),
    choice(box, model, "order", { label: "order of the tasks, as first numbered",
                                  options: same(ORDERS) }),
    choice(box, model, "speed", { label: "speed", options: same(SPEEDS) }));
  const last = make(box, "div", { class: "si-buttons" });
  button(last, "Learn all tasks with this setting", train);
  button(last, "Draw other points and another start", () =>
    put(model, "seed", (model.get("seed") + 1) % 1000));
  let sliders = [];
  const dress = () => {
    const method = model.get("method");
    const good = GOOD[model.get("tasks") === "digits" ? "digits" : "plane"];
    const one = (place, key, label, value, means = true) => {
      set(place, { style: !means && "visibility: hidden" }).replaceChildren();
      const { name, min, max } = FIELDS[key];
      return slider(place, model, name, { label, min, max, step: 0.25, format: plain,
                                          marks: [[value, `good value: ${plain(value)}`]] });
    };
    sliders = [one(places[0], "c", "strength c of the springs", good[method] ?? 0,
                   method in good),
               one(places[1], "xi", "damping ξ, of SI alone", good.damping,
                   method === "si"),
               one(places[2], "rate", "learning rate (step size)", -2)];
  };
  const ends = [follow(model, ["method", "tasks"], dress),
                follow(model, Object.values(FIELDS).map(({ name }) => name).concat("speed"), () =>
                  [...shown, ...sliders].forEach((show) => show()))];
  return { show() {}, end: () => ends.forEach((end) => end()) };
}
