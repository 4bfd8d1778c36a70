// A flipbook: pictures drawn beforehand, and controls that turn the pages.

import { frame } from "./kit/look.js";
import { buttons, choice, follow, put, reset, slider } from "./kit/controls.js";
import { make, set } from "./kit/dom.js";

/** The number of the page for these values: the last setting turns fastest. */
export const page_number = (settings, chosen) => Object.entries(settings).reduce(
  (number, [name, values]) =>
    number * values.length + Math.max(0, values.indexOf(chosen[name])), 0);

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

/** A picture with its name above; the returned function shows another page in it. */
function picture(parent, name) {
  const box = make(parent, "div", { style: "min-width: 0" });
  if (name) make(box, "p", { style: "text-align: center; font-weight: 600" }, name);
  const image = make(box, "img", { style: "display: block; width: 100%; "
    + "background: none; border-radius: 4px; margin: 0; padding: 0; filter: none" });
  image.addEventListener("load", () => {
    const small = image.naturalWidth < 100;
    image.style.imageRendering = small ? "pixelated" : "auto";
    parent.parentNode.style.maxWidth = small && !name ? "21rem" : "";
  });
  return ({ png, alt }) => set(image, { src: `data:image/png;base64,${png}`, alt });
}

/** The colours of the pictures (matplotlib's viridis), from the least to the most. */
function color_key(parent, [least, most]) {
  const row = make(parent, "p", { style: "display: flex; gap: .6rem; align-items: center; "
    + "justify-content: center; margin-top: .5rem" });
  make(row, "span", {}, least);
  make(row, "span", { "aria-hidden": "true", style: "flex: 0 1 9rem; height: .8rem; "
    + "border-radius: 3px; print-color-adjust: exact; -webkit-print-color-adjust: exact; "
    + "background: linear-gradient(90deg, #440154, #3b528b, #21918c, #5ec962, #fde725)" });
  make(row, "span", {}, most);
}

function render({ model, el }) {
  const long = Math.max(...model.get("pages").map(({ caption }) => caption.length));
  const beside = model.get("beside"), settings = model.get("settings");
  const { stage, panel, say, check } = frame(el, {
    name: "flipbook", question: model.get("question"), goal: model.get("goal"),
    lines: Math.ceil(long / 36) });
  const box = make(stage, "div");
  const many = beside ? settings[beside] : [undefined];
  const row = make(box, "div", { style: "display: grid; gap: .7rem; "
    + `grid-template-columns: repeat(${many.length}, minmax(0, 1fr))` });
  const pictures = many.map((value) => picture(row, beside && String(value)));
  if (beside) stage.parentNode.style.gridTemplate = "'stage' 'panel' 'said' / minmax(0, 1fr)";
  if (model.get("key").length) color_key(stage, model.get("key"));
  const shown = Object.entries(settings).filter(([name]) => name !== beside)
    .map(([name, values]) => control(panel, model, name, values));
  reset(buttons(panel), model, ["chosen"]);
  return follow(model, ["chosen", "pages"], () => {
    const chosen = model.get("chosen"), reached = Object.entries(model.get("reached"));
    const pages = many.map((value) => model.get("pages")[
      page_number(settings, beside ? { ...chosen, [beside]: value } : chosen)]);
    shown.forEach((show) => show());
    pictures.forEach((show, i) => show(pages[i]));
    say([...new Set(pages.map(({ caption }) => caption))].join(" "));
    check(reached.length > 0 && reached.every(([name, value]) => chosen[name] === value));
  });
}

export default { render };
