// What the pages do beyond their theme: an answer opens for a search, paper is white, letters in
// formulas stay large enough to read, and what scrolls can be reached with the keyboard.
"use strict";

const SCROLLS = '.bd-article mjx-container[display="true"], .bd-article div.highlight pre';
const ANSWERS = "details.question, div.dropdown, .si-answer";

// letters of letters (as in e^{x_i}) are not made smaller than letters of a line: 11 pixels at least
if (window.MathJax) window.MathJax.startup = {
  ready() {
    MathJax._.core.MmlTree.MmlNodes.math.MmlMath.defaults.scriptminsize = "0.7em";
    MathJax.startup.defaultReady();
  },
};

/** Open a folded answer, of any kind. */
function unfold(answer) {
  if (answer.tagName === "DETAILS") answer.open = true;
  else if (answer.matches(".si-answer"))
    answer.closest(".si-quiz").querySelector(`input[value="${answer.dataset.to}"]`).click();
  else if (answer.classList.contains("toggle-hidden")) answer.querySelector("button")?.click();
}

/** A search marks what it found; an answer that holds a mark opens. */
function openAnswersFound() {
  for (const mark of document.querySelectorAll(".bd-article span.highlighted"))
    for (let a = mark.closest(ANSWERS); a; a = a.parentElement.closest(ANSWERS)) unfold(a);
}

/** Only what scrolls is a stop on the way through the page. */
const sizes = new ResizeObserver((changes) => {
  for (const { target } of changes)
    if (target.scrollWidth > target.clientWidth) target.setAttribute("tabindex", "0");
    else target.removeAttribute("tabindex");
});

function watch() {
  for (const part of document.querySelectorAll(SCROLLS)) sizes.observe(part);
}

// on paper pages are light (that folds open there is left to the style sheet)
let shown;
addEventListener("beforeprint", () => {
  shown = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
});
addEventListener("afterprint", () => { document.documentElement.dataset.theme = shown; });

/** Code that is shown below its figure comes after it for the keyboard, too. */
function putCodeLast() {
  for (const fold of document.querySelectorAll(".cell:is(.tag_figure, .tag_table) > details"))
    fold.parentElement.append(fold);
}

addEventListener("load", () => {
  putCodeLast();
  // Sphinx marks nothing on a page that has a search field of its own, as all of these have
  if (!document.getElementById("search-results")) SphinxHighlight.highlightSearchWords();
  setTimeout(openAnswersFound, 50);  // it marks after 10
  watch();
  window.MathJax?.startup?.promise?.then(watch);
});
