// The traits of the model: set one, and follow several.

/** Sets a trait, on the page or in the kernel. */
export function put(model, name, value) {
  model.set(name, value);
  model.save_changes();
}

/** Calls `update` now and whenever one of the traits changes; returns what ends that. */
export function follow(model, names, update) {
  const events = names.map((name) => `change:${name}`);
  for (const event of events) model.on(event, update);
  update();
  return () => events.forEach((event) => model.off(event, update));
}
