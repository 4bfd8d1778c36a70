// Questions: the answer to a choice appears below the choices, where a screen reader announces it.
"use strict";

/** Show the answer to a chosen radio button, and return its place. Nodes are copied, so no text is read as markup. */
function answer(radio) {
  const question = radio.closest(".si-quiz");
  const given = [...question.querySelectorAll(".si-answer")]
    .find((one) => one.dataset.to === radio.value);
  const copy = given.cloneNode(true);
  for (const e of copy.querySelectorAll("[id]")) e.removeAttribute("id");
  const said = question.querySelector(".si-quiz-said");
  said.dataset.right = given.dataset.right;
  said.replaceChildren(...copy.childNodes);
  return said;
}

document.addEventListener("change", (event) => {
  if (!event.target.matches(".si-quiz input")) return;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  answer(event.target).scrollIntoView( // only as far as it lies outside the window
    { block: "nearest", behavior: still ? "instant" : "smooth" });
});

// a browser may keep what was chosen when a page is loaded anew
addEventListener("pageshow", () => {
  for (const radio of document.querySelectorAll(".si-quiz input:checked")) answer(radio);
});
