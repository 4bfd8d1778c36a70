// Where words can stand in a drawing without covering what is drawn there.

import { range } from "./numbers.js";

/** Thirty places on the way from one to another. */
export const along = (from, to) => range(30).map((i) =>
  [0, 1].map((k) => from[k] + ((to[k] - from[k]) * i) / 29));

/** Eight points round a place, `far` pixels away. */
export const round = (plot, [a, b], far) => range(8).map((i) => {
  const unit = plot.X(1) - plot.X(0), turn = (i * Math.PI) / 4;
  return [a + (far * Math.cos(turn)) / unit, b + (far * Math.sin(turn)) / unit];
});

const PLACES = [[10, 5, "start"], [-10, 5, "end"], [0, 20, "middle"], [0, -10, "middle"],
                [16, -12, "start"], [-16, -12, "end"], [16, 24, "start"], [-16, 24, "end"],
                [0, 38, "middle"], [0, -28, "middle"], [0, 50, "middle"], [0, -42, "middle"],
                [28, 5, "start"], [-28, 5, "end"]];

/**
 * Where words at a place cover none of the points `taken`, and none of a `line` if that is at all
 * possible; `box` are the points they then take themselves.
 */
export function free(plot, at, words, taken, line) {
  const long = 7.3 * words.length, [x, y] = [plot.X(at[0]), plot.Y(at[1])];
  const [left, right] = plot.ranges.x.map(plot.X), [bottom, top] = plot.ranges.y.map(plot.Y);
  const found = PLACES.map(([dx, dy, anchor]) => {
    const from = x + dx - { start: 0, middle: long / 2, end: long }[anchor];
    const within = from > left + 4 && from + long < right - 4 && y + dy < bottom - 6
      && y + dy - 14 > top;
    const covered = (points) => points.filter(([a, b]) => plot.X(a) > from - 4
      && plot.X(a) < from + long + 4 && plot.Y(b) > y + dy - 15 && plot.Y(b) < y + dy + 5).length;
    const unit = plot.X(1) - plot.X(0);
    const box = range(90).map((i) => [at[0] + (from - x + (long * (i % 30)) / 29) / unit,
                                      at[1] - (dy - 6 * Math.floor(i / 30)) / unit]);
    return { dx, dy, anchor, box, cost: covered(taken) + 50 * covered(line)
             + (within ? 0 : 9000) };
  });
  return found.reduce((a, b) => (b.cost < a.cost ? b : a));
}
