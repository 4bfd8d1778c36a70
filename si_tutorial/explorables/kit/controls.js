// Controls: each is a real form element that shows one trait of the model and sets it.

import { make, set } from "./dom.js";
import { put } from "./traits.js";

export { follow, put } from "./traits.js";

/**
 * A slider with its name, a readout (`format(value)`) and marks: `[value, text]` pairs, buttons
 * with a notch under the place they set. Returns what shows the trait's present value.
 */
export function slider(parent, model, name,
                       { label, min, max, step, format = String, marks = [] }) {
  const box = make(parent, "div", { class: "si-slider" });
  const named = make(box, "label");
  const row = make(named, "span", { class: "si-row" });
  make(row, "span", {}, label);
  const long = Array.from({ length: Math.round((max - min) / step) + 1 }, (_, i) =>
    format(Number((min + i * step).toFixed(6))).length); // room for the longest, so that the name keeps its lines
  const readout = make(row, "output", { style: `min-width: ${Math.max(...long)}ch` });
  const share = (value) => (value - min) / (max - min);
  const input = make(named, "input", { type: "range", name, min, max, step, "aria-label": label });
  input.addEventListener("input", () => put(model, name, Number(input.value)));
  if (marks.length) {
    const line = make(box, "div", { class: "si-marks" });
    for (const [value, text] of marks) {
      const style = `--si-share: ${share(value)}`;
      make(line, "i", { style });
      const mark = make(line, "button", { type: "button", "aria-label": `${label}: ${text}`,
                                          style }, text);
      mark.addEventListener("click", () => put(model, name, value));
    }
  }
  return () => {
    const value = model.get(name);
    input.value = value;
    input.style.setProperty("--si-done", `calc(8px + (100% - 16px) * ${share(value)})`);
    readout.textContent = format(value);
    input.setAttribute("aria-valuetext", format(value));
  };
}

/** A switch: the trait is true or false. */
export function toggle(parent, model, name, { label }) {
  const box = make(parent, "label", { class: "si-switch" });
  const input = make(box, "input", { type: "checkbox", role: "switch", name });
  make(box, "span", {}, label);
  input.addEventListener("change", () => put(model, name, input.checked));
  return () => { input.checked = model.get(name); };
}

let groups = 0; // two figures on a page must not share the name of a group of radio buttons

/** One of several: `options` are `[value, text]` pairs. */
export function choice(parent, model, name, { label, options }) {
  const box = make(parent, "fieldset", { class: "si-choice" });
  make(box, "legend", {}, label);
  const list = make(box, "div", { class: "si-options" });
  const group = `${name}-${groups++}-${Math.random().toString(36).slice(2)}`;
  const inputs = options.map(([value, text]) => {
    const one = make(list, "label");
    const input = make(one, "input",
      { type: "radio", name: group, "data-name": name, value: String(value) });
    make(one, "span", {}, text);
    input.addEventListener("change", () => put(model, name, value));
    return [value, input];
  });
  return () => inputs.forEach(([value, input]) => { input.checked = value === model.get(name); });
}

/** A row for buttons. */
export const buttons = (parent) => make(parent, "div", { class: "si-buttons" });

/** A button; the main one of a figure stands out. */
export function button(parent, label, call, { main = false } = {}) {
  const node = make(parent, "button", { type: "button", class: main && "si-main" }, label);
  node.addEventListener("click", call);
  return node;
}

/** A button that puts the traits back to what they are now. */
export function reset(parent, model, names, after = () => {}) {
  const first = names.map((name) => [name, model.get(name)]);
  return button(parent, "Start again", () => {
    for (const [name, value] of first) model.set(name, value);
    model.save_changes();
    after();
  });
}

/**
 * Numbers with bars beside them. `rows` are `{ key, label, color, mark }`; the returned function
 * takes `{ key: value }`, the largest value that fits, and the smallest (0, or below for
 * negative ones); a longer bar ends in an arrow. A row with a `mark` draws a line at that key's
 * value; `wide` is the width of the column of labels, `none` says that a value is null.
 */
export function bars(parent, rows,
                     { format = (value) => value.toFixed(3), caption, wide, none = "" } = {}) {
  const table = make(parent, "table", { class: "si-bars", "aria-label": caption,
                                        style: wide && `--si-label: ${wide}` });
  const body = make(table, "tbody");
  const cells = rows.map(({ key, label, color = "var(--si-blue)", mark }) => {
    const row = make(body, "tr");
    make(row, "th", { scope: "row" }, label);
    const track = make(make(row, "td", { "aria-hidden": "true" }), "div", { class: "si-track" });
    const bar = make(track, "span", { style: `background: ${color}` });
    const line = mark && make(track, "i"), zero = make(track, "i", { class: "si-zero" });
    const number = make(row, "td", { class: "si-number", "data-what": key });
    return { key, mark, row, bar, line, zero, number };
  });
  return (values, max, min = 0) => {
    const share = (value) => 100 * Math.min(Math.max((value - min) / (max - min), 0), 1);
    for (const { key, mark, row, bar, line, zero, number } of cells) {
      const absent = values[key] === null;
      row.toggleAttribute("data-absent", absent);
      const [from, to] = [share(0), share(values[key])].sort((a, b) => a - b);
      bar.style.left = `${from}%`;
      bar.style.width = `${to - from}%`;
      bar.classList.toggle("si-beyond", values[key] > max * (1 + 1e-9));
      zero.style.cssText = min < 0 ? `left: ${share(0)}%` : "display: none";
      if (line) line.style.left = `calc(${share(values[mark])}% - 1px)`;
      const words = absent ? none : format(values[key], key);
      number.textContent = words.replace("-", Number(words) === 0 ? "" : "−");
    }
  };
}

/** Puts a button out of use, or back into it. */
export const disable = (node, off) => set(node, { disabled: Boolean(off) });
