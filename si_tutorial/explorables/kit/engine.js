// A whole session: two learners on one stream of batches. It runs in a Worker or in the page.

import { consolidate, learner, share, step } from "./measures.js";
import { forward, layout, room, softmax, start } from "./network.js";
import { range, uniform } from "./numbers.js";
import { digits, field, plane } from "./tasks.js";

export const address = import.meta.url; // of this very text, for the Worker to import

const BATCH = 32, EVERY = 10, KEPT = 160, SIDE = 40, STRONGEST = 36;
const KINDS = {
  points: { activation: "tanh", inputs: 64, layers: 1, heads: 1, budget: 200 },
  digits: { activation: "relu", inputs: 196, layers: 2, heads: 5, budget: 100 },
};

/** A session at its start; `settings` hold tasks, order, method, hidden, seed, what acts live. */
function begin(settings, sheet) {
  const real = settings.tasks === "digits", kind = KINDS[real ? "digits" : "points"];
  const all = real ? digits(sheet) : plane(settings.tasks, settings.seed);
  const sizes = [kind.inputs, ...Array(kind.layers).fill(settings.hidden)];
  const net = layout({ sizes, heads: kind.heads, activation: kind.activation });
  const theta = start(net, settings.seed, { zero_heads: real });
  const tasks = settings.order.map((i) => ({ ...all[i], place: room(net, all[i].test.n) }));
  const session = {
    settings, net, tasks, budget: kind.budget, real,
    learners: ["none", settings.method].map((method) => learner(net, theta, method)),
    draw: uniform(2000 + settings.seed), mix: uniform(3000 + settings.seed),
    map: real ? null : { ...field(SIDE), place: room(net, SIDE * SIDE) },
    // importance as a part of the largest: of each weight, and of all that leave an input
    shares: new Float64Array(net.length), fields: new Float64Array(kind.inputs),
    at: -1, done: 0, left: 0, all: false, step: 0, stride: EVERY,
    records: [], spans: [], matrix: [[], []], broken: [false, false],
  };
  measure(session);
  return session;
}

/** How each learner does on every task now; kept for the curves, more coarsely as they grow. */
function measure(session) {
  session.guesses = session.learners.map((one) => session.tasks.map(({ test, place }) => {
    const logits = forward(one.net, one.theta, test, place), guess = new Uint8Array(test.n);
    for (let n = 0; n < test.n; n++) guess[n] = Number(logits[2 * n + 1] > logits[2 * n]);
    return guess;
  }));
  session.accuracy = session.guesses.map((tasks) => tasks.map((guess, task) => {
    const { y, n } = session.tasks[task].test;
    return guess.reduce((sum, value, i) => sum + Number(value === y[i]), 0) / n;
  }));
  const one = session.learners[1];
  session.records.push({ step: session.step, accuracy: session.accuracy,
                         path: one.method === "si" ? Float32Array.from(one.path) : null });
  if (session.records.length > KEPT) {
    session.records = session.records.filter((record, i) => i % 2 === 0);
    session.stride *= 2;
  }
}

function pick(data, next) {
  const width = data.x.length / data.n;
  const batch = { x: new Float64Array(BATCH * width), y: new Uint8Array(BATCH), n: BATCH,
                  head: data.head, heads: data.heads };
  for (let n = 0; n < BATCH; n++) {
    const row = Math.floor(next() * data.n);
    batch.x.set(data.x.subarray(row * width, (row + 1) * width), n * width);
    batch.y[n] = data.y[row];
  }
  return batch;
}

/** For “joint”: a batch from all tasks up to the present one. */
function mixed(session) {
  const seen = session.tasks.slice(0, session.at + 1).map((task) => task.train);
  const parts = range(BATCH).map(() => seen[Math.floor(session.mix() * seen.length)]);
  const width = seen[0].x.length / seen[0].n, x = new Float64Array(BATCH * width);
  const y = parts.map((data, n) => {
    const row = Math.floor(session.mix() * data.n);
    x.set(data.x.subarray(row * width, (row + 1) * width), n * width);
    return data.y[row];
  });
  return { x, y, n: BATCH, head: parts.map((data) => data.head),
           heads: [...new Set(seen.map((data) => data.head))] };
}

function train(session) {
  const batch = pick(session.tasks[session.at].train, session.draw);
  session.learners.forEach((one, i) => {
    if (session.broken[i]) return;
    step(one, one.method === "joint" ? mixed(session) : batch, session.settings);
    session.broken[i] = !Number.isFinite(one.loss) || !Number.isFinite(one.theta[0]);
  });
  session.step += 1;
  session.done += 1;
  session.left -= 1;
  session.spans.at(-1)[1] = session.step;
}

/** The task ends: a row of the accuracy matrix, and each learner consolidates. */
function end(session) {
  measure(session);
  session.accuracy.forEach((row, i) => { session.matrix[i][session.at] = row.slice(); });
  session.learners.forEach((one, i) => {
    if (session.broken[i]) return;
    const before = one.importance.slice();
    consolidate(one, session.tasks[session.at].train, session.settings);
    if (i) add_share(session, before, one.importance);
  });
  session.done = 0;
}

const most = (values) => values.reduce((top, value) => Math.max(top, value), 0);

/** Raises `total` to what is new, the largest being 1: tasks differ in scale, not in meaning. */
function raise(total, values, from = 0) {
  const top = most(values) || 1;
  values.forEach((value, k) => { total[from + k] = Math.max(total[from + k], value / top); });
}

/** What a task has added to Ω: in each layer by itself, and over the weights of each input. */
function add_share({ net, shares, fields }, before, now) {
  const added = now.map((value, k) => value - before[k]);
  for (const { weight, bias, outputs } of [...net.body, ...net.heads]) {
    raise(shares, added.subarray(weight, bias + outputs), weight);
  }
  const { inputs, outputs, weight } = net.body[0];
  raise(fields, range(inputs).map((j) => range(outputs).reduce(
    (sum, i) => sum + Math.max(added[weight + i * inputs + j], 0), 0)));
}

function next_task(session) {
  if (session.at >= 0 && session.done) end(session);
  session.at += 1;
  session.spans.push([session.step, session.step, session.at]);
  session.left = session.budget;
}

const more = (session) => session.at < session.tasks.length - 1;

const ORDERS = { // what can be asked for
  again: (session) => { session.left ||= session.budget; },
  next: (session) => { if (more(session)) next_task(session); },
  all: (session) => { session.all = true; if (!session.left && more(session)) next_task(session); },
  step: (session) => { session.left = session.left || session.budget; },
};

function learn(session, what) {
  session.all = false;
  if (session.at < 0) next_task(session);
  else ORDERS[what](session);
  session.all = what === "all";
}

function advance(session, steps) {
  for (let i = 0; i < steps && session.left > 0; i++) {
    train(session);
    if (session.left === 0) {
      end(session);
      if (session.all && more(session)) next_task(session);
      else session.all = false;
    } else if (session.step % session.stride === 0) measure(session);
  }
}

/** The synapses of each layer that matter most (or, before anything does, are strongest). */
function synapses({ learners: [, one], net, shares }) {
  const heads = net.heads.length, places = Math.ceil(STRONGEST / 2 / heads);
  return [...net.body, ...net.heads].flatMap((layer, l) => {
    const head = l - net.body.length; // ≥ 0 for a head
    const found = Array.from({ length: layer.inputs * layer.outputs }, (_, i) => layer.weight + i);
    found.sort((a, b) => shares[b] - shares[a]
      || Math.abs(one.theta[b]) - Math.abs(one.theta[a]));
    return found.slice(0, head < 0 ? STRONGEST : places).filter((k) => one.theta[k] !== 0)
      .map((k) => ({ k, layer: Math.min(l, net.body.length), weight: one.theta[k],
                     importance: shares[k], from: (k - layer.weight) % layer.inputs,
                     to: Math.floor((k - layer.weight) / layer.inputs)
                       + Math.max(head, 0) * net.classes }));
  }).sort((a, b) => b.importance - a.importance);
}

/** Everything about one weight: its account over time, and the spring that holds it. */
function account(session, k) {
  const one = session.learners[1], { strength, damping } = session.settings;
  const rows = session.records.filter((record) => record.path);
  const now = one.method === "si" && session.done
    ? Math.max(one.importance[k] + share(one, k, damping), 0) : one.importance[k];
  return { k, weight: one.theta[k], anchor: one.anchor[k], importance: one.importance[k],
           path: rows.map((record) => [record.step, record.path[k]]), omega: one.path[k],
           now, ended: !session.done,
           force: -2 * strength * one.importance[k] * (one.theta[k] - one.anchor[k]) };
}

function look(session, want) {
  const { at, done, left, all, step: steps, accuracy, matrix, spans, broken } = session;
  const shown = { at, done, left, all, step: steps, accuracy, matrix, spans, broken,
                  budget: session.budget, guesses: session.guesses, more: more(session),
                  curves: session.records.map((record) => [record.step, record.accuracy]) };
  if (want.map && session.map) {
    shown.maps = session.learners.map((one) => {
      const p = softmax(forward(one.net, one.theta, session.map, session.map.place), 2);
      return Float32Array.from({ length: session.map.n }, (_, n) => p[2 * n + 1]);
    });
  }
  if (want.inside) {
    shown.protection = Array.from(session.fields);
    shown.synapses = synapses(session);
    if (want.synapse >= 0 && want.synapse < session.net.length) {
      shown.account = account(session, want.synapse);
    }
  }
  return shown;
}

/** Points to draw, in the order of the tasks; digits as grey values. */
const scene = (session) => session.tasks.map(({ center, spot, test }) => ({
  center, spot, y: test.y, xy: test.xy, images: session.real ? Float32Array.from(test.x) : null }));

/** A session to talk to: each message gets one answer. */
export function serve() {
  let session, sheet;
  return (message) => {
    if (message.sheet) sheet = message.sheet;
    if (message.begin) session = begin(message.begin, sheet);
    if (message.change) Object.assign(session.settings, message.change);
    if (message.learn) learn(session, message.learn);
    if (message.advance) advance(session, message.advance);
    const answer = look(session, message);
    return message.begin ? { ...answer, scene: scene(session) } : answer;
  };
}
