// Elements, HTML's and SVG's: the one place where a figure makes them.

const SVG = "http://www.w3.org/2000/svg";

/** A new last child of `parent`. Text is text, whatever it holds, and never markup. */
export function make(parent, name, attributes = {}, text = undefined) {
  const svg = name === "svg" || parent.namespaceURI === SVG;
  const node = svg ? document.createElementNS(SVG, name) : document.createElement(name);
  set(node, attributes);
  if (text !== undefined) node.textContent = text;
  return parent.appendChild(node);
}

/** Sets attributes; `undefined` and `false` take one away. */
export function set(node, attributes) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) node.removeAttribute(key);
    else node.setAttribute(key, value === true ? "" : value);
  }
  return node;
}
