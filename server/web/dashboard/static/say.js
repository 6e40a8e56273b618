// Says one short thing at the foot of the page, to eyes and to screen readers.

/** @type {number | undefined} */
let timer;

/** @param {string} words */
export function say(words) {
  const toast = document.querySelector(".toast");
  if (!toast) return;
  toast.textContent = words;
  window.clearTimeout(timer);
  timer = window.setTimeout(() => {
    toast.textContent = "";
  }, 4000);
}
