// The live socket: says hello with a fresh ticket, comes back after every loss, and lets only
// news through. What a fragment shows is the server's business.

import { post } from "./session.js";

const SLEEP_MS = 15_000; // hidden for longer than this, a socket may be dead without knowing it
const PATIENCE_MS = 2_000; // without a socket before she is told
const RECONNECTS_ITSELF = [1006, 1011, 1012, 1013]; // the ws extension
const BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 8_000;
const MOST_PENDING = 200;

/** Fragments whose element is not on the page yet: an answer may arrive after its push. */
const pending = /** @type {Map<string, string>} */ (new Map());

/** @type {SocketWrapper | null} */
let wrapper = null;
/** @type {EventTarget | null} the socket that counts; an older one may still close */
let current = null;
let open = false;
let hiddenAt = 0;
let lostTimer = 0;

/**
 * Whether a fragment is newer than what the page shows.
 * @param {{ version?: string }} fragment
 * @param {{ version?: string }} shown
 */
export function isNews(fragment, shown) {
  return Number(fragment.version ?? 0) > Number(shown.version ?? 0);
}

/**
 * Drops from a push what is old, and keeps for later what has no place on the page.
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

/** Shows what was pushed before the page had a place for it. */
export function showPending() {
  for (const [id, html] of pending) {
    if (document.getElementById(id) === null) continue;
    pending.delete(id);
    const news = onlyNews(html);
    if (news.trim()) htmx.swap(document.body, news, { swapStyle: "none" });
  }
}

export function install() {
  htmx.config.wsReconnectDelay = (/** @type {number} */ retries) =>
    100 + Math.random() * Math.min(LONGEST_BACKOFF_MS, BACKOFF_MS * 2 ** retries);
  htmx.defineExtension("newest", { transformResponse: onlyNews });
  document.body.addEventListener("htmx:afterSettle", showPending);
  document.body.addEventListener("htmx:wsConnecting", watchForLoss);
  document.body.addEventListener("htmx:wsOpen", (event) =>
    hello(/** @type {CustomEvent<HtmxSocketEvent>} */ (event).detail),
  );
  document.body.addEventListener("htmx:wsClose", (event) =>
    closed(/** @type {CustomEvent<HtmxSocketEvent>} */ (event).detail),
  );
  document.addEventListener("visibilitychange", wakeUp);
  window.addEventListener("online", () => reconnect());
  for (const name of ["online", "offline"]) window.addEventListener(name, showState);
}

/** Opens the socket; to be called once there is a shopper token. */
export function connect() {
  if (document.getElementById("live")) return reconnect();
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
  if (current instanceof WebSocket) current.close();
  pending.clear();
  wrapper = current = null;
  open = false;
  clearTimeout(lostTimer);
  showState();
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
    open = true;
    clearTimeout(lostTimer);
    lostTimer = 0;
    showState();
  } catch {
    if (mine instanceof WebSocket) mine.close(4401);
  }
}

/** @param {HtmxSocketEvent} detail */
function closed({ event }) {
  if (current !== null && event.target !== current) return;
  open = false;
  watchForLoss();
  const code = event.code ?? 1006;
  if (!RECONNECTS_ITSELF.includes(code)) {
    const wait = code >= 4000 ? LONGEST_BACKOFF_MS : BACKOFF_MS;
    setTimeout(() => reconnect(), wait * (0.5 + Math.random()));
  }
}

function reconnect() {
  if (wrapper !== null && !open && navigator.onLine) wrapper.reconnect();
}

/** A phone that slept keeps a socket that nobody holds at the other end. */
function wakeUp() {
  if (document.hidden) {
    hiddenAt = Date.now();
    return;
  }
  if (hiddenAt && Date.now() - hiddenAt > SLEEP_MS) open = false;
  reconnect();
}

function watchForLoss() {
  if (!lostTimer) lostTimer = window.setTimeout(showState, PATIENCE_MS);
}

function showState() {
  const live = document.getElementById("live") !== null;
  const banners = { offline: !navigator.onLine, reconnecting: navigator.onLine && live && !open };
  for (const [id, shown] of Object.entries(banners)) {
    const banner = document.getElementById(id);
    if (banner) banner.hidden = !shown;
  }
}
