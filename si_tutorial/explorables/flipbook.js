// A flipbook: pictures drawn beforehand, and controls that turn the pages.

import { frame } from "./kit/look.js";
import { buttons, choice, follow, put, reset, slider } from "./kit/controls.js";
import { make, set } from "./kit/dom.js";

/** The number of the page for these values: the last setting turns fastest. */
export const page_number = (settings, chosen) => Object.entries(settings).reduce(
  (number, [name, values]) =>
    number * values.length + Math.max(0, values.indexOf(chosen[name])), 0);

/** Words along a side of the picture, with the value chosen for each {setting} in them. */
const filled = (words, chosen) => words.replace(/\{(\w+)\}/g,
  (all, name) => (Object.hasOwn(chosen, name) ? String(chosen[name]) : all));

function control(panel, model, name, values) {
  const label = name.replaceAll("_", " ");
  const choose = (value) => put(model, "chosen", { ...model.get("chosen"), [name]: value });
  const part = { save_changes() {} };
  if (values.every((value) => typeof value === "number")) {
    part.get = () => Math.max(0, values.indexOf(model.get("chosen")[name]));
    part.set = (_, index) => choose(values[index]);
    return slider(panel, part, name, { label, min: 0, max: values.length - 1, step: 1,
                                       format: (index) => String(values[index]),
                                       marks: values.map((value, i) => [i, String(value)]) });
  }
  part.get = () => model.get("chosen")[name];
  part.set = (_, value) => choose(value);
  return choice(panel, part, name, { label, options: values.map((v) => [v, String(v)]) });
}

function render({ model, el }) {
  const long = Math.max(...model.get("pages").map(({ caption }) => caption.length));
  const { stage, panel, say, check } = frame(el, {
    name: "flipbook", question: model.get("question"), goal: model.get("goal"),
    lines: Math.ceil(long / 36) });
  const up = make(stage, "p");
  const image = make(stage, "img", { style: "display: block; width: 100%; "
    + "background: none; border-radius: 4px; margin: 0; padding: 0; filter: none" });
  const across = make(stage, "p", { style: "text-align: right" });
  image.addEventListener("load", () => {
    const small = image.naturalWidth < 100;
    image.style.imageRendering = small ? "pixelated" : "auto";
    image.style.width = across.style.width = small ? "min(100%, 21rem)" : "100%";
  });
  const shown = Object.entries(model.get("settings")).map(([name, values]) =>
    control(panel, model, name, values));
  reset(buttons(panel), model, ["chosen"], () => check(null));
  return follow(model, ["chosen", "pages"], () => {
    const chosen = model.get("chosen"), reached = Object.entries(model.get("reached"));
    const page = model.get("pages")[page_number(model.get("settings"), chosen)];
    shown.forEach((show) => show());
    up.textContent = filled(model.get("up"), chosen);
    across.textContent = filled(model.get("across"), chosen);
    set(image, { src: `data:image/png;base64,${page.png}`, alt: page.alt });
    say(page.caption);
    check(reached.length > 0 && reached.every(([name, value]) => chosen[name] === value));
  });
}

export default { render };
