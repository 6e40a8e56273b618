// Copies the words of the element that a button names (`data-copies`).
import { say } from "./say.js";
import { said } from "./words.js";

document.addEventListener("click", async (event) => {
  if (!(event.target instanceof Element)) return;
  const button = event.target.closest("[data-copies]");
  if (!(button instanceof HTMLElement)) return;
  const source = document.getElementById(button.dataset.copies ?? "");
  if (!source) return;
  say(said((await copied(source)) ? "copied" : "copy_refused"));
});

/** Selects the words first, so that a refused clipboard leaves one key to press. @param {HTMLElement} source */
async function copied(source) {
  window.getSelection()?.selectAllChildren(source);
  try {
    await navigator.clipboard.writeText(source.textContent ?? "");
    window.getSelection()?.removeAllRanges();
    return true;
  } catch {
    return false;
  }
}
