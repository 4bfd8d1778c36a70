// Two weights in a tilted bowl: where gradient flow goes, and what each weight earns on the way.

const RADIUS = 2; // of the circle of starts
const SVG = "http://www.w3.org/2000/svg";

/** Everything that is shown, from the four settings. Angles are in degrees. */
export function bowl({ curvature, tilt, start, damping }) {
  const [c, s] = [Math.cos((tilt * Math.PI) / 180), Math.sin((tilt * Math.PI) / 180)];
  const H = [[curvature * c * c + s * s, (curvature - 1) * c * s],
             [(curvature - 1) * c * s, curvature * s * s + c * c]];
  const phi = (start * Math.PI) / 180;
  const d = [RADIUS * Math.cos(phi), RADIUS * Math.sin(phi)];       // θ(0) − θ*
  const g = H.map((row) => row[0] * d[0] + row[1] * d[1]);          // gradient at the start
  const share = [0, 1].map((k) =>                                   // ω_k = Q_kk for two weights
    (g[k] ** 2 + curvature * d[k] ** 2) / (2 * (1 + curvature)));
  const importance = share.map((w, k) => w / (d[k] ** 2 + damping));
  const along = [c * d[0] + s * d[1], -s * d[0] + c * d[1]];        // u·d for λ = curvature, 1
  const path = Array.from({ length: 200 }, (_, i) => {
    const t = 8 * (i / 199) ** 2;
    const [a, b] = [along[0] * Math.exp(-curvature * t), along[1] * Math.exp(-t)];
    return [c * a - s * b, s * a + c * b];
  });
  return { d, share, importance, half: [H[0][0] / 2, H[1][1] / 2], path };
}

const SETTINGS = [
  ["curvature", "steep curvature λ (the other is 1)", 1, 20, 0.5],
  ["tilt", "tilt of the steep axis, in degrees", 0, 90, 1],
  ["start", "direction of the start, in degrees", 0, 359, 1],
  ["log_damping", "damping ξ, as a power of ten", -4, 1, 0.25],
];

const settings = (model) => ({
  curvature: model.get("curvature"), tilt: model.get("tilt"), start: model.get("start"),
  damping: 10 ** model.get("log_damping"),
});

function element(parent, name, attributes = {}, text = "") {
  const svg = ["svg", "ellipse", "polyline", "circle", "line", "text", "g"].includes(name);
  const node = svg ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = text;
  return parent.appendChild(node);
}

function controls(parent, model) {
  return SETTINGS.map(([name, words, min, max, step]) => {
    const label = element(parent, "label", { style: "display:block; margin:0.3rem 0" });
    element(label, "span", { style: "display:block; font-size:0.9em" }, words);
    const input = element(label, "input", {
      type: "range", min, max, step, style: "width:70%; vertical-align:middle", name });
    const value = element(label, "output", { style: "margin-left:0.6rem" });
    input.addEventListener("input", () => {
      model.set(name, Number(input.value));
      model.save_changes();
    });
    return () => {
      input.value = model.get(name);
      value.textContent = name === "log_damping"
        ? (10 ** model.get(name)).toPrecision(2) : String(model.get(name));
    };
  });
}

function picture(parent, model) {
  const svg = element(parent, "svg", {
    viewBox: "-3 -3 6 6", role: "img", style: "width:100%; max-width:22rem; touch-action:none" });
  const levels = element(svg, "g", { fill: "none", stroke: "currentColor", "stroke-opacity": 0.3,
                                     "stroke-width": 0.02 });
  const rings = [0.25, 1, 2.25, 4, 6.25].map((e) => [e, element(levels, "ellipse")]);
  const path = element(svg, "polyline", { fill: "none", stroke: "#0173b2", "stroke-width": 0.06 });
  element(svg, "circle", { r: 0.07, fill: "currentColor" });
  const dot = element(svg, "circle", { r: 0.14, fill: "#de8f05", style: "cursor:grab" });
  const type = { fill: "currentColor", "font-size": 0.26 };
  element(svg, "text", { x: 2.95, y: 2.9, "text-anchor": "end", ...type }, "weight 1 →");
  element(svg, "text", { x: -2.95, y: -2.7, ...type }, "↑ weight 2");
  const follow = (event) => {
    const box = svg.getBoundingClientRect();
    const [x, y] = [event.clientX - box.x - box.width / 2, box.y + box.height / 2 - event.clientY];
    model.set("start", (Math.round((Math.atan2(y, x) * 180) / Math.PI) + 360) % 360);
    model.save_changes();
  };
  dot.addEventListener("pointerdown", (event) => dot.setPointerCapture(event.pointerId));
  dot.addEventListener("pointermove", (event) => {
    if (dot.hasPointerCapture(event.pointerId)) follow(event);
  });
  return (found, { curvature, tilt }, words) => {
    for (const [e, ring] of rings) {
      ring.setAttribute("rx", Math.sqrt((2 * e) / curvature));
      ring.setAttribute("ry", Math.sqrt(2 * e));
    }
    levels.setAttribute("transform", `rotate(${-tilt})`); // the picture's y axis points down
    path.setAttribute("points", found.path.map(([x, y]) => `${x},${-y}`).join(" "));
    dot.setAttribute("cx", found.d[0]);
    dot.setAttribute("cy", -found.d[1]);
    svg.setAttribute("aria-label", words);
  };
}

function numbers(parent) {
  const table = element(parent, "table", { style: "margin-top:0.6rem" });
  const head = element(table, "tr");
  const columns = ["", "share ω", "importance Ω", "½ H (kk)"];
  for (const name of columns) element(head, "th", { scope: "col" }, name);
  const rows = [1, 2].map((k) => {
    const row = element(table, "tr");
    element(row, "th", { scope: "row", style: "white-space:nowrap" }, `weight ${k}`);
    return ["share", "importance", "half"].map((what) =>
      [what, element(row, "td", { "data-what": what, style: "text-align:right" })]);
  });
  return (found) => rows.forEach((cells, k) => cells.forEach(([what, cell]) => {
    cell.textContent = found[what][k].toFixed(3);
  }));
}

function render({ model, el }) {
  el.style.cssText = "display:flex; flex-wrap:wrap; gap:1.5rem; align-items:flex-start";
  const draw = picture(element(el, "div", { style: "flex:1 1 16rem" }), model);
  const side = element(el, "div", { style: "flex:1 1 16rem" });
  const shown = controls(side, model);
  const fill = numbers(side);
  const sum = element(side, "p", { "aria-live": "polite", style: "font-size:0.9em" });
  const update = () => {
    const now = settings(model);
    const found = bowl(now);
    const [one, two] = found.share;
    sum.textContent = `Together they earn ${(one + two).toFixed(3)}, the whole drop of the loss; `
      + `weight 1 earns ${((100 * one) / (one + two)).toFixed(0)} % of it.`;
    shown.forEach((show) => show());
    fill(found);
    draw(found, now, "Level lines of a bowl with a steep axis tilted by " + now.tilt
      + " degrees, and the path of gradient flow from a start in direction " + now.start
      + " degrees to the minimum in the middle. " + sum.textContent);
  };
  const events = SETTINGS.map(([name]) => `change:${name}`);
  for (const event of events) model.on(event, update);
  update();
  return () => events.forEach((event) => model.off(event, update));
}

export default { render };
