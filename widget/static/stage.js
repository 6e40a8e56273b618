// The element that shows one card at a time: replaces the card, moves the focus to its heading, and
// makes announcements for screen readers. Knows no network and no rows.

const QUIET_MS = 4_000; // between two announcements of progress

export const stage = /** @type {HTMLElement} */ (document.getElementById("stage"));
const announcer = /** @type {HTMLElement} */ (document.getElementById("announce"));
let announcedAt = 0;

export function card() {
  return /** @type {HTMLElement | null} */ (stage.querySelector(".card"));
}

/** Shows a card from a template of the document. @param {string} selector */
export function show(selector) {
  const view = document.querySelector(selector);
  if (!(view instanceof HTMLTemplateElement)) return null;
  stage.replaceChildren(view.content.cloneNode(true));
  arrived();
  return card();
}

/** Shows the card of an error. @param {string} code */
export function problem(code) {
  const known = document.querySelector(`template[data-problem="${CSS.escape(code)}"]`);
  const shown = show(`template[data-problem="${known ? CSS.escape(code) : "internal"}"]`);
  if (shown) shown.dataset.code = code;
}

const title = document.querySelector(".header-title");
const thumb = document.querySelector(".header-thumb");
const own = { title: title?.textContent ?? "", thumb: thumb?.getAttribute("src") ?? "" };

/** The header names what the card shows: a picture from the strip may be of another item. */
export function entitle() {
  const shown = card()?.dataset ?? {};
  const isOwn = !shown.title || shown.title === own.title;
  const now = isOwn ? own : { title: shown.title ?? "", thumb: shown.thumb ?? "" };
  if (title?.textContent === now.title) return;
  title?.replaceChildren(now.title);
  title?.setAttribute("title", now.title);
  thumb?.setAttribute("src", now.thumb);
}

/** Call it after a card has arrived: its heading gets the focus, or is announced. */
export function arrived() {
  const heading = stage.querySelector("h1");
  if (!(heading instanceof HTMLElement)) return;
  const active = document.activeElement;
  const elsewhere = active?.closest(".header, dialog, .history");
  announcer.textContent = "";
  document.getElementById("not-saved")?.setAttribute("hidden", "");
  if (document.hasFocus() && !elsewhere) heading.focus({ preventScroll: true });
  else announce(heading.textContent?.trim() ?? "");
  window.scrollTo(0, 0);
}

/** Announces the progress of a try-on, at most every QUIET_MS. */
export function sayProgress() {
  const said = stage.querySelector(".progress")?.getAttribute("data-said") ?? "";
  if (said && said !== announcer.textContent && Date.now() - announcedAt > QUIET_MS) announce(said);
}

/** Announces a text by the page's live region. @param {string} text */
export function announce(text) {
  announcer.textContent = text;
  announcedAt = Date.now();
}
