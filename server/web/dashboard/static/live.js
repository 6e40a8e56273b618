// Keeps rows on the screen true: says hello on the live socket, and puts each row that the server
// sends in the place of its older self. The server decides what a row looks like.
import { said } from "./words.js";

/** @typedef {{ send(text: string): void, reconnect(): void }} Wrapper */
/** @typedef {CustomEvent<{ event: Event, socketWrapper: Wrapper }>} OpenEvent */
/** @typedef {CustomEvent<{ event: CloseEvent, socketWrapper: Wrapper }>} CloseEvent_ */
/** @typedef {CustomEvent<{ message: string }>} MessageEvent_ */

const TICKET_TRIES = 4; // the server waits 5 s for a hello
const RECONNECTS_ITSELF = [1006, 1011, 1012, 1013]; // the ws extension
const AGAIN_MS = 8_000; // after any other end, as when too many of this address are open

document.addEventListener("htmx:wsOpen", async (event) => {
  const { event: opening, socketWrapper } = /** @type {OpenEvent} */ (event).detail;
  const ticket = await freshTicket(TICKET_TRIES);
  const socket = opening.target;
  if (!(socket instanceof WebSocket) || socket.readyState !== WebSocket.OPEN) return;
  if (!ticket) return sayLive("closed", said("not_live"));
  socketWrapper.send(JSON.stringify({ type: "hello", ticket, format: "html" }));
  sayLive("open", said("live"));
});

document.addEventListener("htmx:wsClose", (event) => {
  const { event: end, socketWrapper } = /** @type {CloseEvent_} */ (event).detail;
  sayLive("closed", said("reconnecting"));
  if (RECONNECTS_ITSELF.includes(end.code)) return;
  setTimeout(() => socketWrapper.reconnect(), AGAIN_MS * (0.5 + Math.random()));
});

document.addEventListener("htmx:wsBeforeMessage", (event) => {
  event.preventDefault(); // rows go in by version, which htmx's own swap does not look at
  take(/** @type {MessageEvent_} */ (event).detail.message);
});

/** @param {number} tries @returns {Promise<string | null>} */
async function freshTicket(tries) {
  const answer = await fetch("/dashboard/live-tickets", {
    method: "POST",
    headers: { ...csrf(), Accept: "application/json" },
  }).catch(() => null);
  if (answer?.status === 401) location.reload(); // logged out meanwhile: that leads to the login
  if (answer?.ok) return (await answer.json()).ticket;
  if (tries <= 1) return null;
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return freshTicket(tries - 1);
}

export function csrf() {
  return /** @type {Record<string, string>} */ (
    JSON.parse(document.body.getAttribute("hx-headers") ?? "{}")
  );
}

/** @param {string} html */
function take(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  for (const element of template.content.querySelectorAll("[data-version][id]")) {
    if (element instanceof HTMLElement) place(element);
  }
  document.dispatchEvent(new Event("proteus:rows"));
}

/** @param {HTMLElement} fresh */
function place(fresh) {
  const old = document.getElementById(fresh.id);
  if ("gone" in fresh.dataset) {
    if (old) leave(old, fresh.dataset.version ?? "");
  } else if (!old) {
    insert(fresh);
  } else if (Number(old.dataset.version) < Number(fresh.dataset.version)) {
    const focused = old.contains(document.activeElement);
    fillCsrf(fresh);
    keepPictures(old, fresh);
    old.replaceWith(fresh);
    if (focused) /** @type {HTMLElement | null} */ (fresh.querySelector("a, button"))?.focus();
  }
}

/** A garment's row goes; a try-on stays in the list, without its picture. @param {HTMLElement} row @param {string} version */
function leave(row, version) {
  if (row.dataset.kind === "garment") return row.remove();
  for (const picture of row.querySelectorAll('img[data-picture="picture"]')) picture.remove();
  row.dataset.version = version;
}

/** Each rendering signs a picture's address anew; what is loaded stays. @param {Element} old @param {Element} fresh */
function keepPictures(old, fresh) {
  for (const picture of fresh.querySelectorAll("img[data-picture]")) {
    const same = old.querySelector(`img[data-picture="${picture.getAttribute("data-picture")}"]`);
    if (same instanceof HTMLImageElement && same.naturalWidth) picture.replaceWith(same);
  }
}

/** A row that is new to this list goes to its place by time, on the first page only. @param {HTMLElement} row */
function insert(row) {
  const list = document.querySelector(`[data-rows="${row.dataset.kind}"][data-first-page]`);
  if (!(list instanceof HTMLElement)) return;
  if (list.dataset.mode && list.dataset.mode !== row.dataset.mode) return;
  const rows = /** @type {HTMLElement[]} */ ([...list.children]);
  const next = rows.find((other) => (other.dataset.at ?? "") < (row.dataset.at ?? ""));
  if (!next && "more" in list.dataset) return; // belongs on an older page
  list.insertBefore(row, next ?? null);
  while (list.dataset.most && list.children.length > Number(list.dataset.most)) {
    list.lastElementChild?.remove();
  }
  showFilled();
}

function showFilled() {
  for (const part of document.querySelectorAll("[data-shown-when-filled]")) {
    part.removeAttribute("hidden");
  }
  for (const part of document.querySelectorAll("[data-hidden-when-filled]")) {
    part.setAttribute("hidden", "");
  }
}

/** The socket does not know this session's CSRF token; the page does. @param {ParentNode} part */
function fillCsrf(part) {
  for (const field of part.querySelectorAll("input[data-csrf]")) {
    if (field instanceof HTMLInputElement) field.value = csrf()["X-CSRFToken"] ?? "";
  }
}

/** @param {"open" | "closed"} state @param {string} words */
function sayLive(state, words) {
  for (const word of document.querySelectorAll("[data-live-word]")) {
    if (!(word instanceof HTMLElement)) continue;
    word.dataset.state = state;
    word.textContent = words;
  }
}

fillCsrf(document);
