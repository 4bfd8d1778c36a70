// One learner: a network, Adam, and a measure of importance. The twin of si_tutorial/importance.

import { backward, cross_entropy, forward, room, softmax } from "./network.js";

const BETA1 = 0.9, BETA2 = 0.999, EPSILON = 1e-8;

/** A learner that starts at `theta`; `method` is none, joint, l2, ewc, mas or si. */
export function learner(net, theta, method) {
  const zeros = () => new Float64Array(net.length);
  return { net, method, theta: theta.slice(),
           importance: zeros(), // Ω
           anchor: theta.slice(), // θ̃
           path: zeros(), // ω, of the task in progress; SI alone
           grad: zeros(), m: zeros(), v: zeros(), steps: 0, loss: 0, place: null };
}

/** Which parts of the vector a batch of these heads has a gradient in. */
const parts = (net, heads) => [[0, net.heads[0].weight],
  ...heads.map((h) => [net.heads[h].weight, net.heads[h].bias + net.heads[h].outputs])];

/**
 * One step of Adam on L + c Σ Ω (θ − θ̃)²: g is the gradient of the task loss L alone, and
 * ω −= g · Δθ takes the step that was really made. A batch is { x, y, n, head, heads }.
 */
export function step(one, batch, { strength, rate }) {
  const { net, theta, importance, anchor, path, grad, m, v } = one;
  if (one.place?.n !== batch.n) one.place = room(net, batch.n);
  forward(net, theta, batch, one.place);
  one.loss = cross_entropy(net, batch.y, one.place);
  grad.fill(0);
  backward(net, theta, batch, one.place, grad);
  one.steps += 1;
  const size = rate / (1 - BETA1 ** one.steps), root = Math.sqrt(1 - BETA2 ** one.steps);
  for (const [from, to] of parts(net, batch.heads)) {
    for (let k = from; k < to; k++) {
      const before = theta[k];
      const total = grad[k] + 2 * strength * importance[k] * (before - anchor[k]);
      m[k] += (total - m[k]) * (1 - BETA1);
      v[k] = v[k] * BETA2 + (1 - BETA2) * total * total;
      theta[k] = before - (size * m[k]) / (Math.sqrt(v[k]) / root + EPSILON);
      path[k] += grad[k] * (before - theta[k]);
    }
  }
}

/** Σ over c of p(c|x) (∂ log p(c|x) / ∂θ)², the mean over the examples of `data`. */
function fisher(one, data) {
  const { net, theta } = one, place = room(net, data.n), found = new Float64Array(net.length);
  const p = softmax(forward(net, theta, data, place), net.classes);
  for (let c = 0; c < net.classes; c++) {
    for (let row = 0, k = 0; row < data.n; row++) {
      const weight = Math.sqrt(p[row * net.classes + c]);
      for (let i = 0; i < net.classes; i++, k++) place.scores[k] = weight * ((i === c) - p[k]);
    }
    backward(net, theta, data, place, found, (value) => value * value);
  }
  return found.map((value) => value / data.n);
}

/** The mean over the examples of |∂ ‖logits‖² / ∂θ|. */
function sensitivity(one, data) {
  const { net, theta } = one, place = room(net, data.n), found = new Float64Array(net.length);
  const logits = forward(net, theta, data, place);
  place.scores.set(logits.map((value) => 2 * value));
  backward(net, theta, data, place, found, Math.abs);
  return found.map((value) => value / data.n);
}

/** This task's ω / (Δ² + ξ); zero where a weight neither moved nor earned anything. */
export function share(one, k, damping) {
  const displacement = one.theta[k] - one.anchor[k];
  if (one.path[k] === 0 && displacement === 0) return 0;
  return one.path[k] / (displacement * displacement + damping);
}

const ENDS = {
  si(one, data, damping) {
    one.importance.forEach((value, k) => {
      one.importance[k] = Math.max(value + share(one, k, damping), 0);
    });
    one.anchor.set(one.theta);
  },
  ewc(one, data) { // one penalty per task: their sum is one parabola, with its minimum between
    fisher(one, data).forEach((value, k) => {
      const old = one.importance[k], now = old + value / 2;
      const weight = now === 0 ? 1 : value / 2 / now;
      one.importance[k] = now;
      one.anchor[k] += weight * (one.theta[k] - one.anchor[k]);
    });
  },
  mas(one, data) {
    sensitivity(one, data).forEach((value, k) => { one.importance[k] += value; });
    one.anchor.set(one.theta);
  },
  l2(one) {
    one.importance.fill(1);
    one.anchor.set(one.theta);
  },
  none() {},
  joint() {},
};

/** Ends a task, on whose `data` EWC and MAS look: Ω, θ̃, ω ← 0, and Adam starts afresh. */
export function consolidate(one, data, { damping }) {
  ENDS[one.method](one, data, damping);
  one.path.fill(0);
  one.m.fill(0);
  one.v.fill(0);
  one.steps = 0;
}
