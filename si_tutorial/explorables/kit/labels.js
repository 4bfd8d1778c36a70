// Names of places in a plot, each on the side where it covers the least.

const AROUND = [[0, -1], [0, 1], [1, -1], [1, 1], [-1, -1], [-1, 1], [1, 0], [-1, 0],
                [0.4, -1], [0.4, 1], [-0.4, -1], [-0.4, 1]];
const SIDES = [1, 1.7, 2.6, 3.6].flatMap((far) => AROUND.map(([sx, sy]) => [sx, sy, far]));
const range = (n) => [...Array(n).keys()];
const FAR = { grip: 9, ring: 14 };

/**
 * Returns `name(at, words, { near, bold })`, which writes words beside a place, off the `lines`
 * (lists of points), off the `places` (of handles and rings) and off the names before.
 */
export function labels(plot, lines, places = []) {
  const spot = ([a, b]) => [plot.X(a), plot.Y(b)], names = [];
  const taken = lines.flatMap((points) => points.slice(1).flatMap((to, i) => {
    const [[x0, y0], [x1, y1]] = [points[i], to].map(spot);
    return range(17).map((n) => [x0 + ((x1 - x0) * n) / 16, y0 + ((y1 - y0) * n) / 16]);
  }));
  for (const [x, y] of places.map(spot)) {
    for (const turn of range(8)) {
      taken.push([x + 8 * Math.cos(turn * 0.785), y + 8 * Math.sin(turn * 0.785)]);
    }
  }
  const { x, y } = plot.ranges, [left, bottom] = spot([x[0], y[0]]);
  const [right, top] = spot([x[1], y[1]]);
  return (at, words, { near = "grip", bold } = {}) => {
    if (at[0] < x[0] || at[0] > x[1] || at[1] < y[0] || at[1] > y[1]) return; // not to be seen
    const long = plot.long(words, bold), [px, py] = spot(at);
    const tried = SIDES.map(([sx, sy, far]) => {
      const r = far * FAR[near], corner = sx * sy ? 0.7 : 1, end = Math.abs(sx) === 1;
      const dx = end ? sx * (sy ? 0.7 * r : r + 5) : sx * long;
      const dy = [-corner * r - 5, 5, corner * r + 15][sy + 1];
      const x0 = px + dx - long * (end ? (1 - sx) / 2 : 0.5), y0 = py + dy - 12;
      const box = { x0, y0, x1: x0 + long, y1: y0 + 16 };
      const covered = taken.filter(([a, b]) =>
        a > box.x0 - 3 && a < box.x1 + 3 && b > box.y0 - 2 && b < box.y1 + 2).length;
      const outside = box.x0 < left || box.x1 > right || box.y0 < top || box.y1 > bottom;
      const over = names.some((one) => one.x0 < box.x1 + 4 && one.x1 > box.x0 - 4
        && one.y0 < box.y1 + 5 && one.y1 > box.y0 - 5);
      return { dx, dy, box, cost: covered + (outside || over ? 1e4 : 0),
               anchor: !end ? "middle" : sx < 0 ? "end" : "start" };
    });
    const best = tried.reduce((a, b) => (b.cost < a.cost ? b : a));
    names.push(best.box);
    plot.text(at, words, { dx: best.dx, dy: best.dy, anchor: best.anchor, bold });
  };
}
