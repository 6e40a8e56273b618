// The live WebSocket: authenticates with a fresh ticket, reconnects with back-off after every loss,
// and drops fragments that are older than what the page shows. The server decides what they show.

import { hasEnded, post } from "./session.js";

const SLEEP_MS = 15_000; // after the page was hidden for so long, a socket may be half-open (dead)
const PATIENCE_MS = 2_000; // without a socket, before a banner tells her
const RECONNECTS_ITSELF = [1006, 1011, 1012, 1013]; // close codes that htmx-ext-ws handles itself
const BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 8_000;
const NO_TICKET = 4401;
const MOST_PENDING = 200;

/** Fragments whose element is not on the page yet: an answer may arrive after its push. */
const pending = /** @type {Map<string, string>} */ (new Map());

/** @type {SocketWrapper | null} */
let wrapper = null;
/** @type {EventTarget | null} */
let current = null;
/** Sockets that were replaced: their events are ignored. */
const discarded = /** @type {WeakSet<EventTarget>} */ (new WeakSet());
/** @type {"none" | "connecting" | "open"} */
let state = "none";
let hiddenAt = 0;
let lostTimer = 0;
/** @type {() => void} */
let onEnded = () => {};

/**
 * Whether a fragment is newer than what the page shows.
 * @param {{ version?: string }} fragment
 * @param {{ version?: string }} shown
 */
export function isNews(fragment, shown) {
  return Number(fragment.version ?? 0) > Number(shown.version ?? 0);
}

/**
 * Removes outdated fragments from a push, and keeps for later those whose element is not there.
 * @param {string} text
 */
export function onlyNews(text) {
  if (!text.includes("hx-swap-oob")) return text;
  const parsed = document.createElement("template");
  parsed.innerHTML = text;
  for (const part of parsed.content.querySelectorAll("[hx-swap-oob]")) {
    const fragment = /** @type {HTMLElement} */ (part);
    const shown = document.getElementById(fragment.id);
    if (shown === null) keep(fragment);
    if (shown === null || !isNews(fragment.dataset, shown.dataset)) fragment.remove();
  }
  return parsed.innerHTML;
}

/** @param {HTMLElement} fragment */
function keep(fragment) {
  pending.delete(fragment.id);
  pending.set(fragment.id, fragment.outerHTML);
  if (pending.size > MOST_PENDING) pending.delete([...pending.keys()][0]);
}

/** Shows kept fragments whose element is on the page by now. */
export function showPending() {
  for (const [id, html] of pending) {
    if (document.getElementById(id) === null) continue;
    pending.delete(id);
    const news = onlyNews(html);
    if (news.trim()) htmx.swap(document.body, news, { swapStyle: "none" });
  }
}

/** @param {() => void} ended called when the session has ended */
export function install(ended) {
  onEnded = ended;
  htmx.config.wsReconnectDelay = (/** @type {number} */ retries) =>
    100 + Math.random() * Math.min(LONGEST_BACKOFF_MS, BACKOFF_MS * 2 ** retries);
  htmx.defineExtension("newest", { transformResponse: onlyNews });
  const on = (/** @type {string} */ name, /** @type {(e: HtmxSocketEvent) => void} */ hear) =>
    document.body.addEventListener(name, (event) => hear(/** @type {any} */ (event).detail));
  document.body.addEventListener("htmx:afterSettle", showPending);
  on("htmx:wsConnecting", connecting);
  on("htmx:wsOpen", hello);
  on("htmx:wsClose", closed);
  document.addEventListener("visibilitychange", wakeUp);
  window.addEventListener("online", () => reconnect(true));
  for (const name of ["online", "offline"]) window.addEventListener(name, showState);
}

/** Opens the socket; to be called once there is a shopper token. */
export function connect() {
  if (document.getElementById("live")) return reconnect(true);
  const element = document.createElement("div");
  element.id = "live";
  element.hidden = true;
  element.setAttribute("hx-ext", "ws");
  element.setAttribute("ws-connect", "/v1/live");
  document.body.append(element);
  htmx.process(element);
}

/** Closes the socket for good: her data was deleted. */
export function disconnect() {
  document.getElementById("live")?.remove();
  if (current !== null) discarded.add(current);
  if (current instanceof WebSocket) current.close();
  pending.clear();
  wrapper = current = null;
  state = "none";
  clearTimeout(lostTimer);
  lostTimer = 0;
  showState();
}

function connecting() {
  if (current !== null) discarded.add(current);
  current = null;
  state = "connecting";
  watchForLoss();
}

/** @param {HtmxSocketEvent} detail */
async function hello({ event, socketWrapper }) {
  wrapper = socketWrapper;
  current = event.target;
  const mine = current;
  try {
    const { ticket } = await post("/v1/live-tickets", {});
    if (current !== mine) return;
    socketWrapper.sendImmediately(JSON.stringify({ type: "hello", ticket, format: "html" }), null);
    state = "open";
    clearTimeout(lostTimer);
    lostTimer = 0;
    showState();
  } catch (error) {
    if (hasEnded(error)) onEnded();
    else if (mine instanceof WebSocket) mine.close(NO_TICKET);
  }
}

/** @param {HtmxSocketEvent} detail */
function closed({ event }) {
  if (event.target !== null && discarded.has(event.target)) return;
  current = null;
  state = "none";
  watchForLoss();
  const code = event.code ?? 1006;
  if (RECONNECTS_ITSELF.includes(code)) return;
  const wait = code >= 4000 ? LONGEST_BACKOFF_MS : BACKOFF_MS;
  setTimeout(reconnect, wait * (0.5 + Math.random()));
}

/** @param {boolean} [anew] also if the socket still seems to be open */
function reconnect(anew = false) {
  if (wrapper === null || !navigator.onLine) return;
  if (state === "none" || (anew && state === "open")) wrapper.reconnect();
}

/** A phone that slept may have a socket that the server has long closed. */
function wakeUp() {
  if (document.hidden) hiddenAt = Date.now();
  else reconnect(hiddenAt > 0 && Date.now() - hiddenAt > SLEEP_MS);
}

function watchForLoss() {
  if (!lostTimer) lostTimer = window.setTimeout(showState, PATIENCE_MS);
}

function showState() {
  const lost = document.getElementById("live") !== null && state !== "open";
  const banners = { offline: !navigator.onLine, reconnecting: navigator.onLine && lost };
  for (const [id, shown] of Object.entries(banners)) {
    const banner = document.getElementById(id);
    if (banner) banner.hidden = !shown;
  }
}
