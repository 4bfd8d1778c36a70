// What is wrong with a page at its present width and colours, each fault in words. Each function
// returns a list; an empty one is a pass.
"use strict";

window.measure = (() => {
  const article = () => document.querySelector("article.bd-article");
  const inArticle = (selector) => [...article().querySelectorAll(selector)];
  const name = (e) => `${e.tagName.toLowerCase()}.${e.getAttribute("class") ?? ""} `
    + `“${(e.textContent || e.outerHTML).trim().replace(/\s+/g, " ").slice(0, 60)}”`;
  const seen = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true })
    && e.getBoundingClientRect().width > 1;
  const hasEdge = (e) => getComputedStyle(e).backgroundImage.includes("gradient");

  /** Everything that folds is open, until `fold`. */
  const opened = [];
  function unfold() {
    for (const e of document.querySelectorAll("article details:not([open])")) {
      e.open = true;
      opened.push(() => { e.open = false; });
    }
    for (const e of document.querySelectorAll("article .toggle-hidden .toggle-button")) {
      e.click();
      opened.push(() => e.click());
    }
  }

  function fold() {
    for (const close of opened.splice(0)) close();
  }

  /** Parts that hold more than they show: cut off, or scrolling without a sign of it. */
  function cutOff({ mayScroll }) {
    return inArticle("*:not(svg *, mjx-container *)").filter((e) => {
      const style = getComputedStyle(e);
      return seen(e) && style.overflowX !== "visible" && e.scrollWidth > e.clientWidth + 1
        && e.clientWidth > 1 && !e.matches("button, .sr-only, .visually-hidden")
        && !(hasEdge(e) && style.overflowX !== "hidden"
             && (mayScroll || e.matches(".si-scroll")));
    }).map((e) => `${e.scrollWidth} pixels in ${e.clientWidth}: ${name(e)}`);
  }

  /** What reaches beyond the column of text, without anything around it that scrolls. */
  function sticksOut() {
    const right = article().getBoundingClientRect().right + 1;
    const scrolls = (e) => {
      for (let a = e.parentElement; a && a !== article(); a = a.parentElement)
        if (getComputedStyle(a).overflowX !== "visible") return true;
      return false;
    };
    const wide = inArticle("*:not(svg *, mjx-container *), mjx-math").filter((e) => seen(e)
      && e.getBoundingClientRect().right > right && !scrolls(e)).map(name);
    const page = document.documentElement.scrollWidth - innerWidth;
    return page > 1 ? [`the page is ${page} pixels wider than the window`, ...wide] : wide;
  }

  /** Texts smaller than 11 pixels as they stand on the screen. */
  function small() {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = new Map();
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const e = node.parentElement;
      if (!node.data.trim() || !seen(e)) continue;
      if (e.closest("script, style, noscript, mjx-assistive-mml, .sr-only, .visually-hidden"))
        continue;
      const { a, b } = e.ownerSVGElement ? e.getScreenCTM() : { a: 1, b: 0 };
      const size = parseFloat(getComputedStyle(e).fontSize) * Math.hypot(a, b);
      if (size < 10.9) found.set(e, size);
    }
    for (const e of document.querySelectorAll("mjx-c")) {
      const size = parseFloat(getComputedStyle(e).fontSize);
      if (seen(e.closest("mjx-container")) && size < 10.9)
        found.set(e.closest("mjx-container"), size);
    }
    return [...found].map(([e, size]) => `${size.toFixed(1)} pixels: ${name(e)}`);
  }

  /** White cards on a dark page: grounds of a colour that is not the page's. */
  function cards() {
    const light = (color) => {
      const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
      return a > 0.5 && 0.2126 * r + 0.7152 * g + 0.0722 * b > 128;
    };
    const grounds = "*:not(a.sd-btn, button, .si-track span)";  // these may stand out, bars too
    return inArticle(grounds).filter((e) => seen(e) && e.clientWidth * e.clientHeight > 2000
      && light(getComputedStyle(e).backgroundColor)).map(name);
  }

  /** Headings in order, one of the first level, and the landmarks. */
  function structure() {
    const levels = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")]
      .filter(seen).filter((e) => e.closest("article")).map((e) => Number(e.tagName[1]));
    const faults = [];
    if (levels[0] !== 1 || levels.filter((l) => l === 1).length !== 1)
      faults.push(`not one heading of the first level: ${levels}`);
    if (levels.some((l, i) => l > (levels[i - 1] ?? 0) + 1)) faults.push(`a jump in ${levels}`);
    for (const landmark of ["main", "nav", "footer"])
      if (!document.querySelector(landmark)) faults.push(`no ${landmark}`);
    if (document.documentElement.lang !== "en") faults.push("no language");
    for (const nav of document.querySelectorAll("nav"))
      if (!nav.ariaLabel && !nav.getAttribute("aria-labelledby")) faults.push("a nameless nav");
    return faults;
  }

  /** Pictures without a sentence that stands for them. */
  function wordless() {
    return inArticle("img, svg, canvas").filter((e) => {
      if (e.parentElement.closest("svg")) return false;  // a part of a drawing that has words
      if (e.closest("[aria-hidden=true]:not(svg), button")) return false;
      const words = e.closest("[role=img]")?.ariaLabel ?? e.alt ?? e.getAttribute("aria-label");
      return seen(e) && ((words ?? "").split(/\s+/).length < 6
        || /\.(png|svg|ipynb)|_images/.test(words));
    }).map((e) => `${name(e)}: ${e.outerHTML.slice(0, 80)}`);
  }

  /** What can be reached by keyboard but does not show that it has been. */
  function focusless() {
    return inArticle("a[href], button, summary, input, select, [tabindex='0']").filter((e) => {
      if (!seen(e)) return false;
      e.focus();
      if (document.activeElement !== e) return false;
      const style = getComputedStyle(e);
      const marked = parseFloat(style.outlineWidth) > 0 && style.outlineStyle !== "none";
      return !marked && style.boxShadow === "none";
    }).map(name);
  }

  /** Roles, glue and mathematics that stand there as source text. */
  function raw() {
    const text = article().innerText;
    const found = text.match(/\{(glue|cite|eq|numref|doc)[:\w]*\}|\$\$|\\frac|mjx-merror/g) ?? [];
    return [...found, ...inArticle("mjx-merror").map(name)];
  }

  /** Code that stands open before the first picture of a page that has one. */
  function codeFirst() {
    const picture = article().querySelector(
      "figure.si-figure, .si-explorable, [data-figure], figure img");
    const follows = (e) => e.compareDocumentPosition(picture) & Node.DOCUMENT_POSITION_FOLLOWING;
    return !picture ? [] : inArticle("div.cell_input").filter((e) => follows(e)
      && !e.closest("details") && seen(e)).map(name);
  }

  /** Lines that paper does not show. */
  function unprinted() {
    const hidden = inArticle("details > *, .solution > *, .dropdown > *, pre").filter((e) =>
      !e.matches("button, script, style, p.collapsed, p.expanded") && e.textContent.trim()
      && (!seen(e) || e.getBoundingClientRect().height < 4));
    const clipped = inArticle("pre, mjx-container[display], .si-scroll").filter((e) =>
      e.scrollWidth > e.clientWidth + 1);
    return [...hidden.map((e) => `hidden: ${name(e)}`),
            ...clipped.map((e) => `${e.scrollWidth} pixels in ${e.clientWidth}: ${name(e)}`)];
  }

  return { unfold, fold, cutOff, sticksOut, small, cards, structure, wordless, focusless, raw, codeFirst,
           unprinted };
})();
