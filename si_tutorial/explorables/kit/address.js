// The setting in a page's address, `#play=tasks:islands,c:1,…`: numbers and known words alone.

import { follow } from "./traits.js";

const MARK = "#play=";

/**
 * What `text` says of `fields`, `{ key: { name, words } }` or `{ key: { name, min, max } }`. What
 * is not a known key, a known word or a finite number is passed over; numbers are brought into
 * their range.
 */
export function parse(text, fields) {
  const found = {};
  if (!text.startsWith(MARK)) return found;
  for (const part of text.slice(MARK.length, MARK.length + 400).split(",")) {
    const at = part.indexOf(":"), field = Object.hasOwn(fields, part.slice(0, at))
      && fields[part.slice(0, at)];
    if (!field) continue;
    const said = part.slice(at + 1);
    if (field.words) {
      const word = field.words.find((w) => String(w).replaceAll(" ", "-") === said);
      if (word !== undefined) found[field.name] = word;
    } else if (/^-?\d{1,6}(\.\d{1,6})?$/.test(said)) {
      const value = Math.min(Math.max(Number(said), field.min), field.max);
      found[field.name] = field.whole ? Math.round(value) : value;
    }
  }
  return found;
}

/** The other way round. */
export function tell(get, fields) {
  return MARK + Object.entries(fields).map(([key, { name }]) =>
    `${key}:${String(get(name)).replaceAll(" ", "-")}`).join(",");
}

/** Takes the setting from the address, and keeps it there; returns what ends that. */
export function keep(model, fields) {
  const read = () => {
    const found = parse(location.hash, fields);
    for (const { name } of Object.values(fields)) if (name in found) model.set(name, found[name]);
    model.save_changes();
  };
  read();
  let first = true;
  const stop = follow(model, Object.values(fields).map(({ name }) => name), () => {
    if (!first) history.replaceState(history.state, "", tell((name) => model.get(name), fields));
    first = false;
  });
  addEventListener("hashchange", read);
  return () => { stop(); removeEventListener("hashchange", read); };
}
