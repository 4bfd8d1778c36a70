// The tour: five short steps. Each says what happens, and then, in numbers, what came of it.

import { NAMES, advice, percent } from "./verdict.js";

const SETTING = { tasks: "islands", hidden: 64, order: "1 2 3 4", seed: 0, log_damping: -1,
                  log_rate: -2, log_strength: 0 };
const step = (name, traits, second, before, after) =>
  ({ name, traits: { ...SETTING, ...traits }, second, before, after });

/** `traits` to set, whether it begins with the `second` task, and the words before and after. */
export const TOUR = [
  step("Learn", { method: "none" }, false,
       "Both copies learn task 1, in the dashed circle.",
       "Both copies have learned which points are gold and which are violet. In step 2 they go on "
       + "to another task."),
  step("Forget", { method: "none" }, true,
       "Now both learn task 2, and see no example of task 1.",
       "Each cross is a point of task 1 that was right before. That is catastrophic forgetting."),
  step("Remember", { method: "si" }, true,
       "The copy on the right now uses Synaptic Intelligence (SI). While it learns task 2, it "
       + "holds by the stiffest springs the weights that helped much with task 1 in a short move.",
       "Springs hold what SI found important for task 1. In the first steps of task 2 it stumbled "
       + "too, and recovered."),
  step("Too weak", { method: "si", log_strength: -2 }, true,
       "The strength c says how stiff the springs are. Here it is 0.01 instead of 1.", ""),
  step("Too strong", { method: "si", log_strength: 3 }, true,
       "Here the strength c is 1000. The springs hardly give way.", ""),
];

/** What a step has led to: each task's accuracy, and what it means. */
export function outcome({ after, traits }, found, setting) {
  const [plain, other] = found.accuracy.map((row) => row.slice(0, found.at + 1).map(percent));
  const results = plain.map((a, task) => `Task ${task + 1}: `
    + (setting.method === "none" ? `${a} right.` : `plain ${a}, ${NAMES[setting.method]} `
      + `${other[task]}.`));
  const strength = traits.log_strength ? [`Strength c = ${10 ** traits.log_strength}.`] : [];
  return [...strength, ...results, advice(found, setting) || after].join(" ");
}
