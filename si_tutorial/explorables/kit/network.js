// A multilayer perceptron on batches: all parameters in one vector, in PyTorch's order.

import { range, uniform } from "./numbers.js";

/**
 * Where each layer's weights (outputs × inputs) and biases lie in the vector. `sizes` are those of
 * the inputs and the hidden layers; then `heads` heads of `classes` outputs follow.
 */
export function layout({ sizes, heads = 1, classes = 2, activation = "tanh" }) {
  let length = 0;
  const linear = (inputs, outputs) => {
    const layer = { inputs, outputs, weight: length, bias: length + inputs * outputs };
    length = layer.bias + outputs;
    return layer;
  };
  const body = sizes.slice(1).map((outputs, i) => linear(sizes[i], outputs));
  const tops = range(heads).map(() => linear(sizes.at(-1), classes));
  return { body, heads: tops, classes, activation, length };
}

/** Weights and biases uniform in ±1/√inputs, PyTorch's default; heads at zero if asked for. */
export function start(net, seed, { zero_heads = false } = {}) {
  const theta = new Float64Array(net.length), next = uniform(seed);
  for (const layer of zero_heads ? net.body : [...net.body, ...net.heads]) {
    const bound = 1 / Math.sqrt(layer.inputs);
    for (let k = layer.weight; k < layer.bias + layer.outputs; k++) {
      theta[k] = bound * (2 * next() - 1);
    }
  }
  return theta;
}

/** What a pass over `n` examples needs room for. */
export function room(net, n) {
  const [hidden, slopes] = [0, 1].map(() =>
    net.body.map((layer) => new Float64Array(n * layer.outputs)));
  return { n, hidden, slopes, logits: new Float64Array(n * net.classes),
           scores: new Float64Array(n * net.classes) };
}

/** Each example's head: `head` is one number, or one for each example. */
const heads_of = (net, head) => (typeof head === "number"
  ? () => net.heads[head] : (row) => net.heads[head[row]]);

function linear(theta, layer_of, x, n, out) {
  for (let row = 0; row < n; row++) {
    const { inputs, outputs, weight, bias } = layer_of(row), from = row * inputs;
    for (let i = 0; i < outputs; i++) {
      const w = weight + i * inputs;
      let a = theta[bias + i], b = 0, j = 0;
      for (; j + 1 < inputs; j += 2) {
        a += theta[w + j] * x[from + j];
        b += theta[w + j + 1] * x[from + j + 1];
      }
      if (j < inputs) a += theta[w + j] * x[from + j];
      out[row * outputs + i] = a + b;
    }
  }
}

/** The logits (n × classes) of `x` (n × inputs); hidden activities stay in `place`. */
export function forward(net, theta, { x, head }, place) {
  let below = x;
  net.body.forEach((layer, l) => {
    const out = place.hidden[l];
    linear(theta, () => layer, below, place.n, out);
    if (net.activation === "tanh") for (let k = 0; k < out.length; k++) out[k] = Math.tanh(out[k]);
    else for (let k = 0; k < out.length; k++) if (!(out[k] > 0) && out[k] <= 0) out[k] = 0;
    below = out;
  });
  linear(theta, heads_of(net, head), below, place.n, place.logits);
  return place.logits;
}

/** p(class | x) in place of the logits. */
export function softmax(logits, classes) {
  for (let at = 0; at < logits.length; at += classes) {
    let most = -Infinity, sum = 0;
    for (let c = 0; c < classes; c++) most = Math.max(most, logits[at + c]);
    for (let c = 0; c < classes; c++) sum += logits[at + c] = Math.exp(logits[at + c] - most);
    for (let c = 0; c < classes; c++) logits[at + c] /= sum;
  }
  return logits;
}

/** into += Σ over rows of f(slope) f(input): f is left out for a gradient. */
function collect(layer_of, slope, x, n, into, f) {
  const [d, a] = f ? [slope.map(f), x.map(f)] : [slope, x];
  for (let row = 0; row < n; row++) {
    const { inputs, outputs, weight, bias } = layer_of(row), from = row * inputs;
    for (let i = 0; i < outputs; i++) {
      const s = d[row * outputs + i], w = weight + i * inputs;
      if (s === 0) continue;
      into[bias + i] += s;
      for (let j = 0; j < inputs; j++) into[w + j] += s * a[from + j];
    }
  }
}

function back(theta, layer_of, slope, n, below, activation, out) {
  out.fill(0);
  for (let row = 0; row < n; row++) {
    const { inputs, outputs, weight } = layer_of(row), from = row * inputs;
    for (let i = 0; i < outputs; i++) {
      const s = slope[row * outputs + i], w = weight + i * inputs;
      if (s === 0) continue;
      for (let j = 0; j < inputs; j++) out[from + j] += s * theta[w + j];
    }
  }
  if (activation === "tanh") for (let k = 0; k < out.length; k++) out[k] *= 1 - below[k] ** 2;
  else for (let k = 0; k < out.length; k++) if (below[k] <= 0) out[k] = 0;
}

/**
 * After `forward`: adds to `into` the gradient that belongs to `place.scores` (∂/∂logits of each
 * example). With `f`, a square or an absolute value, adds Σₙ f(the gradient of example n) instead:
 * in a linear layer it is the product of two factors, so no loop over single gradients is needed.
 */
export function backward(net, theta, { x, head }, place, into, f) {
  const { n, hidden, slopes } = place, top = heads_of(net, head);
  let slope = place.scores, layer_of = top;
  for (let l = net.body.length - 1; l >= 0; l--) {
    collect(layer_of, slope, hidden[l], n, into, f);
    back(theta, layer_of, slope, n, hidden[l], net.activation, slopes[l]);
    slope = slopes[l];
    layer_of = () => net.body[l];
  }
  collect(layer_of, slope, x, n, into, f);
}

/** The mean cross-entropy; its gradient in `place.scores`, p(class | x) in `place.logits`. */
export function cross_entropy(net, y, place) {
  const p = softmax(place.logits, net.classes), { scores, n } = place;
  let loss = 0;
  for (let k = 0; k < p.length; k++) scores[k] = p[k] / n;
  for (let row = 0; row < n; row++) {
    const k = row * net.classes + y[row];
    loss -= Math.log(p[k]) / n;
    scores[k] -= 1 / n;
  }
  return loss;
}
