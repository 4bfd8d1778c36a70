// What the playground says in words.

export const NAMES = { none: "no method", l2: "L2", ewc: "EWC", mas: "MAS", si: "SI",
                       joint: "joint training" };
export const TITLES = { none: "Its twin, trained the same way", l2: "L2: pull to the old weights",
                        ewc: "Elastic Weight Consolidation", mas: "Memory Aware Synapses",
                        si: "Synaptic Intelligence", joint: "All tasks’ data together" };
const FULL = { si: "Synaptic Intelligence (SI)", ewc: "Elastic Weight Consolidation (EWC)",
               mas: "Memory Aware Synapses (MAS)", l2: "springs of one stiffness (L2)" };
const NUMBERS = ["no", "one", "two", "three", "four", "five"];
const PENALISED = ["l2", "ewc", "mas", "si"];
const KNOWN = 90; // percent of a task's test examples right: the task is known
const FAST = 0.05; // a learning rate from which on unrest comes from the steps

export const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const rounded = (share) => (100 * share).toFixed(0);
export const percent = (share) => `${rounded(share)}\u00a0%`;
const known = (share) => Number(rounded(share)) >= KNOWN; // what reads 90 % is 90 %
const list = (words) => (words.length < 2 ? words.join("")
  : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);
const numbered = (tasks) => `task${tasks.length > 1 ? "s" : ""} ${list(tasks)}`;

/** How many of all tasks each learner knows. */
export const knows = (accuracy) => accuracy.map((row) => row.filter(known).length);

/** What “knows” means; `things` are the test examples. */
export const measure = (things) => `A task counts as known while at least ${KNOWN}\u00a0% of its `
  + `test ${things} are right, and as forgotten when it falls below that again. Guessing gets `
  + "50\u00a0%, the mark in each bar.";

/** Whether a task has just ended. */
export const ended = ({ at, done, left }) => at >= 0 && done === 0 && left === 0;

/** The old tasks that a learner (0: plain, 1: the other) once knew and has lost. */
const forgotten = ({ at, accuracy, matrix }, i) => accuracy[i].slice(0, at)
  .flatMap((a, task) => (!known(a) && known(matrix[i][task]?.[task] ?? 0) ? [task + 1] : []));

/** “weak”, “strong”, “unstable”, “slow”, or nothing: what is wrong with the setting. */
export function trouble(found, { method, rate }) {
  const { at, accuracy, broken } = found;
  if (broken.some(Boolean)) return "unstable";
  if (!ended(found)) return null;
  const [plain, other] = accuracy.map((row) => row[at]);
  if (!known(plain)) return rate > FAST ? "unstable" : "slow";
  if (!PENALISED.includes(method) || at === 0) return null;
  const lost = forgotten(found, 1).length > 0, behind = !known(other) && plain - other > 0.1;
  if (lost && behind && rate > FAST) return "unstable";
  if (behind) return "strong";
  return lost ? "weak" : null;
}

const ADVICE = {
  weak: (name, found) => `Too weak: ${name} has fallen below ${KNOWN}\u00a0% on `
    + `${numbered(forgotten(found, 1))}. A larger c makes its springs stiffer.`,
  strong: (name, { at }) => `Too strong: ${name} stays below ${KNOWN}\u00a0% on task ${at + 1}, `
    + "which plain training learns. A smaller c gives the new task more room.",
  unstable: () => "Unstable: the steps are so large that training does not come to rest. Lower "
    + "the learning rate or c.",
  slow: (name, { at }) => `Too slow: even plain training stays below ${KNOWN}\u00a0% on task `
    + `${at + 1} in the steps that it has. Raise the learning rate.`,
};

/** What is wrong with the setting, in words, or nothing. */
export function advice(found, setting) {
  const wrong = trouble(found, setting);
  return wrong ? ADVICE[wrong](NAMES[setting.method], found) : "";
}

function opening(tasks, method, digits) {
  const right = method in FULL ? ` The right one uses ${FULL[method]}.` : "";
  return `Two copies of one network learn to tell ${digits ? "digits apart"
    : "gold points from violet ones"}, ${NUMBERS[tasks]} tasks in a row. ${
    method === "joint" ? "Only the right one still sees old tasks."
      : "They never see an old task again."}${right} A cross marks what has been forgotten.`;
}

function learning(at, method, digits) {
  if (at > 0) {
    return `Both learn task ${at + 1} now, and see no example of ${at === 1 ? "task 1"
      : `tasks 1 to ${at}`}${method === "joint" ? ". Joint training alone still does" : ""}.`;
  }
  return digits ? "Both learn task 1, the digits of the first row. The ground of a digit has the "
    + "colour of the class that a network takes it for."
    : "Both learn task 1, in the dashed circle. The colour of the ground is what a network would "
      + "answer there.";
}

/** The sentence under the buttons: it changes when a task begins or ends. */
export function sentence(found, setting) {
  const { at, accuracy, more } = found, { method } = setting;
  const name = NAMES[method], tasks = accuracy[0].length, wrong = advice(found, setting);
  const digits = found.scene?.[0].images;
  if (at < 0) return opening(tasks, method, digits);
  if (!ended(found)) return wrong || learning(at, method, digits);
  const [plain, other] = accuracy.map((row) => percent(mean(row.slice(0, at + 1))));
  const scope = at === 0 ? "" : `, on average over ${
    more ? `the ${NUMBERS[at + 1]} tasks so far` : `all ${NUMBERS[tasks]} tasks`},`;
  const lost = forgotten(found, 0);
  return `After ${more ? `task ${at + 1}` : "the last task"}${scope} plain training gets ${plain} `
    + `right, ${method === "none" ? "and so does its twin." : `${name} ${other}.`} `
    + (wrong || (lost.length ? `Plain training has forgotten ${numbered(lost)}.` : ""));
}

/** What a map shows, for readers who cannot see it. */
export const describe = (title, row, at) => `${title}: what this network answers everywhere in the `
  + `square, with the points of all tasks. ${row.map((a, i) => `Task ${i + 1} ${
    i > at ? "not learned yet" : `${percent(a)} right`}`).join(", ")}.`;
