// The playground's tasks: points in the plane, made from a seed, and digits from a sheet of images.

import { range, uniform } from "./numbers.js";

const CELLS = 8, WIDTH = 2 / 7; // of the place cells: 8 × 8 Gaussians over the square
const CENTERS = [[-0.55, 0.55], [0.55, 0.55], [0.55, -0.55], [-0.55, -0.55]];
const TRAIN = 240, TEST = 200; // points of each task

/** A point as 64 place cells see it, row by row from the top left. `xy` holds pairs. */
export function place_cells(xy) {
  const seen = new Float64Array((xy.length / 2) * CELLS * CELLS), near = [0, 1].map(() => []);
  for (let n = 0, k = 0; n < xy.length / 2; n++) {
    for (let i = 0; i < CELLS; i++) {
      const center = -1 + (2 * i) / (CELLS - 1);
      near[0][i] = Math.exp(-((xy[2 * n] - center) ** 2) / (2 * WIDTH * WIDTH));
      near[1][i] = Math.exp(-((xy[2 * n + 1] + center) ** 2) / (2 * WIDTH * WIDTH));
    }
    for (const down of near[1]) for (const across of near[0]) seen[k++] = down * across;
  }
  return seen;
}

const OUTWARD = { islands: 0.38, quadrants: 0 }; // from the centre to where no point lies

/** One point of class 0 or 1 of the task at `center`. */
const SHAPES = {
  islands(center, label, next) { // a disc inside a ring
    const radius = label ? 0.15 * Math.sqrt(next()) : 0.3 + 0.1 * next();
    const angle = 2 * Math.PI * next();
    return [center[0] + radius * Math.cos(angle), center[1] + radius * Math.sin(angle)];
  },
  quadrants(center, label, next, task) { // left and right, which swap from task to task
    const side = label === task % 2 ? -1 : 1;
    return [center[0] + side * (0.06 + 0.4 * next()), center[1] + 0.4 * (2 * next() - 1)];
  },
};

function points(kind, task, size, next) {
  const xy = new Float64Array(2 * size), y = new Uint8Array(size);
  for (let n = 0; n < size; n++) {
    y[n] = n % 2;
    xy.set(SHAPES[kind](CENTERS[task], y[n], next, task), 2 * n);
  }
  return { xy, x: place_cells(xy), y, n: size, head: 0, heads: [0] };
}

/** Four tasks of two classes in the plane: `kind` is islands or quadrants. */
export function plane(kind, seed) {
  const next = uniform(1000 + seed);
  return CENTERS.map((center, task) => ({
    center, spot: center.map((x) => x + Math.sign(x) * OUTWARD[kind]),
    train: points(kind, task, TRAIN, next), test: points(kind, task, TEST, next) }));
}

const SIDE = 14, ACROSS = 50, ROWS = 5, FIRST = 200; // per digit: 5 rows of 50, 200 to train on

/** Five tasks, 0 or 1 to 8 or 9, from a sheet of grey values 0 … 15, each with its own head. */
export function digits(sheet) {
  const image = (digit, i, x, at) => {
    const [top, left] = [(digit * ROWS + Math.floor(i / ACROSS)) * SIDE, (i % ACROSS) * SIDE];
    for (let k = 0; k < SIDE * SIDE; k++) {
      x[at + k] = sheet[(top + Math.floor(k / SIDE)) * ACROSS * SIDE + left + (k % SIDE)] / 15;
    }
  };
  const part = (task, from, to) => {
    const each = to - from, n = 2 * each;
    const x = new Float64Array(n * SIDE * SIDE), y = new Uint8Array(n);
    for (let i = 0; i < n; i++) {
      y[i] = i % 2;
      image(2 * task + y[i], from + Math.floor(i / 2), x, i * SIDE * SIDE);
    }
    return { x, y, n, head: task, heads: [task] };
  };
  return range(5).map((task) => ({ train: part(task, 0, FIRST),
                                   test: part(task, FIRST, ROWS * ACROSS) }));
}

/** The middles of the fields of a map of the square, `side` × `side`, from the top left. */
export function field(side) {
  const xy = new Float64Array(2 * side * side);
  for (let k = 0; k < side * side; k++) {
    xy[2 * k] = -1 + (2 * (k % side) + 1) / side;
    xy[2 * k + 1] = 1 - (2 * Math.floor(k / side) + 1) / side;
  }
  return { x: place_cells(xy), n: side * side, head: 0 };
}
