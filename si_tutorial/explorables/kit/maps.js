// What a learner believes, as a picture: a map of the square with all points, or sheets of digits.

import { make, set } from "./dom.js";

const shown = (width) => (width < 240 ? 40 : 60); // points of each task
const TAU = 2 * Math.PI;

/** Draws on a canvas as sharp as the screen is, and again when its size or the theme changes. */
export function canvas(parent, { label }) {
  const node = make(parent, "canvas", { role: "img", "aria-label": label });
  const pen = node.getContext("2d");
  let paint = null;
  const again = () => {
    const [width, height] = [node.clientWidth, node.clientHeight].map((side) =>
      Math.round(side * devicePixelRatio));
    if (!paint || !width) return;
    set(node, { width, height });
    paint(pen, width, height);
  };
  const sized = new ResizeObserver(again);
  sized.observe(node);
  const dark = matchMedia("(prefers-color-scheme: dark)"), themed = new MutationObserver(again);
  dark.addEventListener("change", again);
  for (const one of [document.documentElement, document.body]) {
    themed.observe(one, { attributeFilter: ["data-theme", "data-jp-theme-light"] });
  }
  return {
    node,
    draw(call) { paint = call; again(); },
    end() {
      sized.disconnect();
      themed.disconnect();
      dark.removeEventListener("change", again);
    },
  };
}

/** The colours of the two classes, from the figure's own variables. */
function palette(node) {
  const style = getComputedStyle(node), scratch = document.createElement("canvas");
  const pen = scratch.getContext("2d", { willReadFrequently: true });
  const get = (name) => style.getPropertyValue(name).trim();
  const rgb = (name) => {
    pen.fillStyle = get(name);
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  return { low: rgb("--play-low"), high: rgb("--play-high"), ink: get("--play-ink"),
           rgb: rgb("--play-ink").slice(0, 3), halo: get("--play-halo"),
           points: [get("--play-violet"), get("--play-gold")] };
}

function ground(pen, size, p, { low, high }) {
  const side = Math.sqrt(p.length), image = new ImageData(side, side);
  p.forEach((share, k) => {
    const s = 1 / (1 + Math.exp(-9 * (share - 0.5))); // the border is sharp enough to be seen
    for (let c = 0; c < 3; c++) image.data[4 * k + c] = low[c] + s * (high[c] - low[c]);
    image.data[4 * k + 3] = 255;
  });
  const small = new OffscreenCanvas(side, side);
  small.getContext("2d").putImageData(image, 0, 0);
  pen.imageSmoothingEnabled = true;
  pen.imageSmoothingQuality = "high";
  pen.drawImage(small, 0, 0, size, size);
}

function cross(pen, x, y, r, { ink, halo }) {
  for (const [style, width] of [[halo, 0.95], [ink, 0.42]]) {
    pen.strokeStyle = style;
    pen.lineWidth = width * r;
    pen.beginPath();
    for (const s of [-1, 1]) {
      pen.moveTo(x - r, y - s * r);
      pen.lineTo(x + r, y + s * r);
    }
    pen.stroke();
  }
}

function dot(pen, x, y, r, label, { points, halo }) {
  pen.fillStyle = points[label];
  pen.strokeStyle = halo;
  pen.lineWidth = 0.4 * r;
  pen.beginPath();
  if (label) pen.rect(x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r);
  else pen.arc(x, y, r, 0, TAU);
  pen.stroke();
  pen.fill();
}

/** A task's number, which stands where none of its points do. */
function number(pen, task, x, y, size, { ink, halo }) {
  pen.font = `600 ${size}px system-ui, sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  pen.lineWidth = size / 4;
  pen.strokeStyle = halo;
  pen.fillStyle = ink;
  pen.strokeText(String(task + 1), x, y);
  pen.fillText(String(task + 1), x, y);
}

/**
 * The map `p` (p(gold) on a grid from the top left) under the points of all tasks. Points to come
 * are faint, an old one that is now wrong is a cross, the present task stands in a dashed circle.
 * Numbers say which task is which.
 */
export function draw_map(place, { p, scene, guesses, at, training }) {
  place.draw((pen, size) => {
    const look = palette(place.node);
    const X = (x) => ((x + 1.06) / 2.12) * size, Y = (y) => ((1.06 - y) / 2.12) * size;
    const r = Math.max(size / 104, 2.1 * devicePixelRatio), many = shown(size / devicePixelRatio);
    ground(pen, size, p, look);
    scene.forEach(({ y, xy, center, spot }, task) => {
      for (let n = 0; n < many; n++) {
        const wrong = guesses[task][n] !== y[n], [a, b] = [X(xy[2 * n]), Y(xy[2 * n + 1])];
        pen.globalAlpha = task > at ? 0.22 : 1;
        if (task < at && wrong) cross(pen, a, b, 1.15 * r, look);
        else dot(pen, a, b, r, y[n], look);
      }
      pen.globalAlpha = 1;
      number(pen, task, X(spot[0]), Y(spot[1]), Math.max(13 * devicePixelRatio, size / 22), look);
      if (task !== at || !training) return;
      pen.strokeStyle = look.ink;
      pen.lineWidth = Math.max(1.5 * devicePixelRatio, size / 260);
      pen.setLineDash([size / 50, size / 70]);
      pen.beginPath();
      pen.arc(X(center[0]), Y(center[1]), (0.49 / 2.12) * size, 0, TAU);
      pen.stroke();
      pen.setLineDash([]);
    });
  });
}

const SIDE = 14, MARGIN = 0.7; // of a digit's width, for the number of the row

/** Test digits, a row a task, on the colour of the class guessed; wrong old ones crossed. */
export function draw_sheet(place, { scene, guesses, at }) {
  place.draw((pen, width, height) => {
    const look = palette(place.node), h = height / scene.length;
    const columns = Math.round(width / h - MARGIN), w = width / (columns + MARGIN);
    const small = new OffscreenCanvas(SIDE, SIDE);
    pen.clearRect(0, 0, width, height);
    scene.forEach(({ y, images }, task) => {
      number(pen, task, 0.3 * w, (task + 0.5) * h, 13 * devicePixelRatio, look);
      for (let n = 0; n < columns; n++) {
        const image = new ImageData(SIDE, SIDE), guess = guesses[task][n];
        for (let k = 0; k < SIDE * SIDE; k++) {
          image.data.set([...look.rgb, 255 * images[n * SIDE * SIDE + k]], 4 * k);
        }
        small.getContext("2d").putImageData(image, 0, 0);
        pen.globalAlpha = task > at ? 0.25 : 1;
        pen.fillStyle = `rgb(${(task > at ? look.low : [look.low, look.high][guess]).slice(0, 3)})`;
        const left = (n + MARGIN) * w;
        pen.fillRect(left + 1, task * h + 1, w - 2, h - 2);
        pen.imageSmoothingEnabled = true;
        pen.drawImage(small, left + 0.12 * w, task * h + 0.12 * h, 0.76 * w, 0.76 * h);
        if (task < at && guess !== y[n]) {
          cross(pen, left + 0.5 * w, (task + 0.5) * h, 0.3 * Math.min(w, h), look);
        }
        pen.globalAlpha = 1;
      }
    });
  });
}
