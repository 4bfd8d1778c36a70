// What the playground says in words.

export const NAMES = { none: "no method", l2: "L2", ewc: "EWC", mas: "MAS", si: "SI",
                       joint: "joint training" };
export const TITLES = { none: "Plain, too", l2: "L2: pull to the old weights",
                        ewc: "Elastic Weight Consolidation", mas: "Memory Aware Synapses",
                        si: "Synaptic Intelligence", joint: "All tasks’ data together" };
const NUMBERS = ["no", "one", "two", "three", "four", "five"];
const PENALISED = ["l2", "ewc", "mas", "si"];
const KNOWN = 0.9; // of a task's test examples right: the task is known
const FAST = 0.05; // a learning rate from which on unrest comes from the steps

export const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
export const percent = (share) => `${(100 * share).toFixed(0)}\u00a0%`;
const list = (words) => (words.length < 2 ? words.join("")
  : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);

/** How many of all tasks each learner knows. */
export const knows = (accuracy) => accuracy.map((row) => row.filter((a) => a >= KNOWN).length);

/** Whether a task has just ended. */
const ended = ({ at, done, left }) => at >= 0 && done === 0 && left === 0;

/** The old tasks that a learner (0: plain, 1: the other) once knew and has lost. */
const forgotten = ({ at, accuracy, matrix }, i) => accuracy[i].slice(0, at)
  .flatMap((a, task) => (a < KNOWN && matrix[i][task]?.[task] >= KNOWN ? [task + 1] : []));

/** “weak”, “strong”, “unstable”, “slow”, or nothing: what is wrong with the setting. */
export function trouble(found, { method, rate }) {
  const { at, accuracy, broken } = found;
  if (broken.some(Boolean)) return "unstable";
  if (!ended(found)) return null;
  if (accuracy[0][at] < KNOWN) return rate > FAST ? "unstable" : "slow";
  if (!PENALISED.includes(method) || at === 0) return null;
  const lost = forgotten(found, 1).length > 0;
  const learned = accuracy[1][at] >= Math.min(KNOWN, accuracy[0][at] - 0.1);
  if (lost && !learned && rate > FAST) return "unstable";
  if (!learned) return "strong";
  return lost ? "weak" : null;
}

const ADVICE = {
  weak: (name) => `Too weak: ${name} learns each task and loses old ones. A larger c would hold `
    + "them.",
  strong: (name) => `Too strong: the springs of ${name} leave no room for the new task. A `
    + "smaller c would let it in.",
  unstable: () => "Unstable: the steps are so large that the loss does not come to rest. Lower the "
    + "learning rate or c.",
  slow: () => "Too slow: the steps are so small that even plain training has not learned the task "
    + "in time. Raise the learning rate.",
};

const opening = (tasks) => "Two copies of one network, from the same start and on the same "
  + `examples. They learn ${NUMBERS[tasks]} tasks one after another and never see an old task `
  + "again. A cross marks what has been forgotten.";

function loss(tasks) {
  return tasks.length ? `Plain training has forgotten task${tasks.length > 1 ? "s" : ""} `
    + `${list(tasks)}.` : "";
}

/** The sentence under the buttons: it changes when a task begins or ends. */
export function sentence(found, setting) {
  const { at, accuracy, more } = found, { method } = setting;
  const name = NAMES[method], tasks = accuracy[0].length, wrong = trouble(found, setting);
  if (wrong === "unstable" && !ended(found)) return ADVICE.unstable(name);
  if (at < 0) return opening(tasks);
  if (!ended(found)) {
    return at === 0 ? "Both learn task 1, in the dashed circle. The colour of the ground is what a "
      + "network would answer there."
      : `Both learn task ${at + 1} now, and see no example of ${at === 1 ? "task 1"
        : `tasks 1 to ${at}`}${method === "joint" ? ". Joint training alone still does" : ""}.`;
  }
  const [plain, other] = accuracy.map((row) => percent(mean(row.slice(0, at + 1))));
  const scope = more ? `of ${at === 0 ? "it" : `the ${NUMBERS[at + 1]} tasks so far`}`
    : `of all ${NUMBERS[tasks]} tasks`;
  const result = `${more ? `After task ${at + 1}` : "After the last task"} plain training gets `
    + `${plain} ${scope} right, `
    + (method === "none" ? "and so does its twin." : `${name} ${other}.`);
  return [result, loss(forgotten(found, 0)), wrong ? ADVICE[wrong](name) : ""]
    .filter(Boolean).join(" ");
}

/** What a map shows, for readers who cannot see it. */
export const describe = (title, row, at) => `${title}: what this network answers everywhere in the `
  + `square, with the points of all tasks. ${row.map((a, i) => `Task ${i + 1} ${
    i > at ? "not learned yet" : `${percent(a)} right`}`).join(", ")}.`;
