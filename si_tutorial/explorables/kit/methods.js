// What the scenarios and the methods of the stored runs are, in plain words.

const own = (table, name) => (Object.hasOwn(table, name) ? table[name] : undefined);

const SCENARIOS = {
  task: ["task-incremental", "Each task has outputs of its own, and which task an image is from is "
    + "told."],
  domain: ["domain-incremental", "All tasks share the same outputs. Which task an image is from is "
    + "not told."],
  class: ["class-incremental", "The classes of all tasks have to be told apart. Which task an "
    + "image is from is not told."],
};

const METHODS = {
  "fine-tuning": "nothing holds the weights, each task is simply trained after the last",
  "joint": "all tasks’ data at once, a yardstick that a learner of one task after another lacks",
  "from scratch": "a new network for each task, so nothing is forgotten and nothing carried over",
  "L2": "a penalty pulls all weights back alike",
  "EWC": "one penalty per old task holds weights where the Fisher information is large",
  "online EWC": "one running penalty, around the latest weights, from the Fisher information",
  "MAS": "a penalty holds weights to which the outputs are sensitive",
  "SI": "a penalty holds weights that have earned much of the drop in the loss",
  "CIFAR-10, then one task": "a network that knows CIFAR-10 learns one later task, and no other",
  "CIFAR-10, then heads": "after CIFAR-10 the network is frozen, and only new outputs are trained",
};

const VARIANTS = {
  "dropout": "half of the units are left out at random in training",
  "random heads": "the outputs’ weights begin at random, not at zero",
  "steps counted on": "Adam goes on counting its steps from task to task, as in the authors’ code",
  "shuffled": "but the importances change places at random within each layer",
};

export const scenario_name = (scenario) => own(SCENARIOS, scenario)?.[0] ?? scenario;
export const scenario_words = (scenario) => own(SCENARIOS, scenario)?.[1] ?? "";

/** One sentence on a method and what is special about its variant; nothing on an unknown one. */
export function method_words(method) {
  if (own(METHODS, method)) return `${method}: ${METHODS[method]}.`;
  const [plain, ...special] = method.split(", ");
  const decay = (what) => (what.startsWith("decay") ? "weights shrink a little with every step"
    : undefined);
  const parts = [own(METHODS, plain), ...special.map((what) => own(VARIANTS, what) ?? decay(what))];
  return parts[0] ? `${method}: ${parts.filter(Boolean).join("; ")}.` : "";
}
