// The widget's entry point: what each button does, and what happens when a card arrives. The only
// module that knows all the others.

import * as camera from "./camera.js";
import * as compare from "./compare.js";
import * as host from "./host.js";
import * as live from "./live.js";
import * as people from "./people.js";
import * as photo from "./photo.js";
import * as picture from "./picture.js";
import * as session from "./session.js";
import * as stage from "./stage.js";
import * as upload from "./upload.js";

// The sizes that the widget asks the shop's page for, px; on a smaller screen it scrolls.
const NARROW = { width: 440, height: 680 };
const WIDE = { width: 880, height: 720 };
const DONE_MS = 3_000; // how long a button confirms

const page = document.body.dataset;
const isSample = Boolean(page.sample);
const limits = photo.limitsOf(page);
const shop = host.connect(JSON.parse(page.origins ?? "[]"), heard);
const asking = /** @type {HTMLDialogElement} */ (document.getElementById("ask-delete"));

/** @type {unknown} what the shop's page says is chosen there: size, colour */
let variant = null;
let sending = new AbortController();
/** @type {Blob | null} her photo made ready to send, kept for another try */
let prepared = null;
let reported = "";
let remembered = false;
/** @type {HTMLElement | null} what to return to when the question is answered */
let askedBy = null;

// --- the shop's page -------------------------------------------------------------------------------

/** @param {import("./messages.js").Down} message */
function heard(message) {
  if (message.type === "variant") variant = message.variant ?? null;
  if (message.type === "closed") leaveCamera();
  if (message.type === "init") begin(message);
}

/** @param {import("./messages.js").Down} message */
async function begin(message) {
  const { theme } = message;
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  try {
    await session.begin(String(message.boot_token));
    live.connect();
    await start();
  } catch (error) {
    fail(error);
  } finally {
    stage.stage.removeAttribute("data-starting");
  }
}

function garment() {
  return { garment: page.garment ?? "" };
}

// --- her photo -------------------------------------------------------------------------------------

/** Whether she has agreed; asks for it where the card has the question. */
function agreed() {
  const box = document.getElementById("consent");
  if (!(box instanceof HTMLInputElement) || box.checked) return true;
  const missing = /** @type {HTMLElement} */ (document.getElementById("consent-missing"));
  missing.hidden = false;
  box.setAttribute("aria-invalid", "true");
  box.focus();
  return false;
}

/** @param {() => Promise<Blob>} prepare */
async function give(prepare) {
  sending.abort();
  sending = new AbortController();
  const { signal } = sending;
  const card = stage.show("#sending-view"); // a large photo takes a while to prepare
  try {
    const blob = await prepare();
    signal.throwIfAborted();
    prepared = blob;
    photo.show();
    const key = await send(blob, signal, card?.querySelector("[data-sent]"));
    const values = { key, consent_version: page.consentVersion ?? "", ...garment() };
    if (!signal.aborted) await htmx.ajax("POST", "photos", { target: "#stage", values });
  } catch (error) {
    if (!signal.aborted) fail(error);
  }
}

/**
 * @param {Blob} blob
 * @param {AbortSignal} signal
 * @param {Element | null | undefined} bar
 */
async function send(blob, signal, bar) {
  const onProgress = (/** @type {number} */ share) => bar?.setAttribute("value", String(share));
  try {
    return await upload.send(blob, { onProgress, signal });
  } catch (error) {
    const isAway = error instanceof session.Refused && error.code === "unavailable";
    throw isAway ? new session.Refused("upload_failed") : error; // whose button sends it again
  }
}

function sendAgain() {
  const blob = prepared;
  return blob ? give(async () => blob) : start();
}

/** @param {string} id */
function pick(id) {
  const input = /** @type {HTMLInputElement} */ (document.getElementById(id));
  if (agreed()) input.click();
}

async function openCamera() {
  if (!agreed()) return;
  if (!camera.isOffered()) return pick("camera-file");
  const card = stage.show("#camera-view");
  if (card === null) return;
  try {
    await camera.open(card);
  } catch (error) {
    fail(error);
  }
}

function useShot() {
  const shot = camera.shot(/** @type {HTMLElement} */ (stage.card()));
  camera.close();
  give(() => photo.fromPicture(shot, shot.width, shot.height, limits));
}

/** Stops the camera, and leaves its card. */
async function leaveCamera() {
  camera.close();
  if (stage.card()?.dataset.state === "camera") await start();
}

/** @param {unknown} error */
function fail(error) {
  const coded = error instanceof session.Refused || error instanceof photo.Unusable;
  say(session.hasEnded(error) ? "session_ended" : coded ? error.code : "internal");
}

/** Says what is wrong, to her and to the shop's page. @param {string} code */
function say(code) {
  stage.problem(code);
  report();
}

// --- her pictures ----------------------------------------------------------------------------------

/** @param {HTMLElement} button */
function addToCart(button) {
  const sku = button.dataset.sku ?? "";
  // A picture from the strip may be of another item than the page, which knows its own sizes only.
  shop.send("add_to_cart", { garment: sku, variant: sku === page.garment ? variant : null });
  button.dataset.done = "yes";
  stage.announce(button.querySelector(".label-done")?.textContent?.trim() ?? "");
  setTimeout(() => button.removeAttribute("data-done"), DONE_MS);
}

/** @param {HTMLElement} button */
function askDelete(button) {
  askedBy = button;
  const one = /** @type {HTMLElement} */ (asking.querySelector("[data-action=delete-picture]"));
  one.hidden = !button.dataset.tryOn;
  one.dataset.tryOn = button.dataset.tryOn ?? "";
  ask();
}

/** Opens the question with the focus on the harmless answer. */
function ask() {
  asking.showModal();
  /** @type {HTMLElement} */ (asking.querySelector("[data-action=keep]")).focus();
}

function keep() {
  asking.close();
  askedBy?.focus();
}

/** @param {HTMLElement} button */
async function deletePicture(button) {
  asking.close();
  hearNoMore();
  const path = `try-ons/${button.dataset.tryOn}`;
  await htmx.ajax("DELETE", path, { target: "#stage", values: garment() });
}

/** Before its card is replaced: without an id it receives no more pushes. */
function hearNoMore() {
  stage.card()?.removeAttribute("id");
}

async function deleteEverything() {
  asking.close();
  hearNoMore();
  await htmx.ajax("DELETE", "shopper", { target: "#stage" });
  if (stage.card()?.dataset.state !== "deleted") return;
  live.disconnect();
  session.forget();
  photo.forget();
  prepared = null;
  remembered = false;
}

/** Where she left off, or the first card. */
async function start() {
  const shown = stage.card()?.dataset.state ?? "";
  await htmx.ajax("GET", "start", { target: "#stage", values: { ...garment(), shown } });
}

function restart() {
  stage.stage.toggleAttribute("data-starting", true);
  shop.send("ready");
}

// --- buttons ---------------------------------------------------------------------------------------

/** @type {Record<string, (button: HTMLElement) => unknown>} */
const ACTIONS = {
  "add-to-cart": addToCart,
  "ask-delete": askDelete,
  "delete-everything": deleteEverything,
  "delete-picture": deletePicture,
  "leave-camera": leaveCamera,
  "send-again": sendAgain,
  "shoot-again": () => camera.aim(/** @type {HTMLElement} */ (stage.card())),
  "stop-sending": () => {
    sending.abort();
    return start();
  },
  "use-shot": useShot,
  camera: openCamera,
  choose: () => pick("photo-file"),
  close: () => shop.send("close"),
  keep,
  restart,
  save: picture.save,
  share: picture.share,
  shoot: () => camera.shoot(/** @type {HTMLElement} */ (stage.card())),
  start,
};

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-action]") : null;
  if (!(button instanceof HTMLElement)) return;
  Promise.resolve(ACTIONS[button.dataset.action ?? ""]?.(button)).catch(fail);
});

document.addEventListener("change", (event) => {
  const input = event.target;
  if (!(input instanceof HTMLInputElement)) return;
  if (input.id === "consent" && input.checked) {
    input.removeAttribute("aria-invalid");
    document.getElementById("consent-missing")?.setAttribute("hidden", "");
  }
  const chosen = input.type === "file" ? input.files?.[0] : null;
  input.type === "file" && queueMicrotask(() => (input.value = ""));
  if (chosen) give(() => photo.prepare(chosen, limits));
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !asking.open) shop.send("close");
});

asking.addEventListener("cancel", () => askedBy?.focus());

for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    const place = document.querySelector("[data-drop]");
    place?.toggleAttribute("data-drop-over", name === "dragover");
    const dropped = /** @type {DragEvent} */ (event).dataTransfer?.files[0];
    if (name === "drop" && dropped && place && agreed()) give(() => photo.prepare(dropped, limits));
  });
}

// --- cards -----------------------------------------------------------------------------------------

/** After a card has arrived, by a response or by a push. */
function settle() {
  photo.show();
  compare.install(document);
  people.install(document);
  for (const button of document.querySelectorAll("[data-action=share]")) {
    const sample = new File([], "picture.jpg", { type: "image/jpeg" });
    /** @type {HTMLElement} */ (button).hidden = !navigator.canShare?.({ files: [sample] });
  }
  shop.send("resize", stage.card()?.dataset.state === "result" ? WIDE : NARROW);
  markOpen();
  stage.entitle();
  report();
}

/** The strip shows which picture is on the stage. */
function markOpen() {
  const shown = stage.card()?.dataset.tryOn;
  for (const item of document.querySelectorAll("[data-open]")) {
    if (item.getAttribute("data-open") === shown) item.setAttribute("aria-current", "true");
    else item.removeAttribute("aria-current");
  }
}

/** Tells the shop's page how the try-on on the stage stands, or what is wrong. */
function report() {
  const shown = stage.card();
  if (shown?.dataset.code && !shown.dataset.told) {
    shown.dataset.told = "yes";
    shop.send("error", { code: shown.dataset.code });
  }
  const progress = shown?.querySelector(".progress");
  const status = progress?.getAttribute("data-status") ?? shown?.dataset.status;
  const tryOnId = shown?.dataset.tryOn;
  if (!tryOnId || !status || reported === `${tryOnId} ${status}`) return;
  reported = `${tryOnId} ${status}`;
  shop.send("status", { try_on_id: tryOnId, status });
  if (status === "succeeded") shop.send("result", { try_on_id: tryOnId });
}

/** Tells her once if the browser keeps no cookie, and so will not know her after this page. */
async function checkMemory() {
  if (remembered) return;
  remembered = true;
  const banner = /** @type {HTMLElement} */ (document.getElementById("forgets"));
  banner.hidden = await session.isRemembered();
}

document.body.addEventListener("htmx:afterSwap", (event) => {
  if (event.target === stage.stage) stage.arrived();
});
document.body.addEventListener("htmx:oobAfterSwap", (event) => {
  const { target } = /** @type {CustomEvent<{ target: Element }>} */ (event).detail;
  if (target.matches(".card")) stage.arrived();
});
document.body.addEventListener("htmx:afterSettle", settle);
document.body.addEventListener("htmx:wsAfterMessage", () => {
  settle();
  stage.sayProgress();
});
document.body.addEventListener("htmx:afterRequest", (event) => {
  const { pathInfo } = /** @type {CustomEvent<{ pathInfo: { requestPath: string } }>} */ (event)
    .detail;
  if (pathInfo.requestPath === "photos") checkMemory();
});
for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.body.addEventListener(name, () => say("unavailable"));
}
document.body.addEventListener("htmx:beforeSwap", (event) => {
  const { detail } = /** @type {CustomEvent<HtmxBeforeSwap>} */ (event);
  const type = detail.xhr.getResponseHeader("Content-Type") ?? "";
  if (detail.xhr.status < 400 || type.startsWith("text/html")) return;
  // Not our server but a proxy answered: never show its text.
  detail.shouldSwap = false;
  say(detail.xhr.status === 401 ? "session_ended" : "unavailable");
});

if (isSample) {
  document.body.addEventListener("htmx:confirm", (event) => event.preventDefault());
  settle();
  fetch(new URL("sample/photo.jpg", import.meta.url))
    .then((answer) => answer.blob())
    .then((file) => photo.prepare(file, limits))
    .then(() => photo.show());
  if (asking.hasAttribute("data-open-now")) ask();
} else {
  const ended = () => say("session_ended");
  session.signRequests(ended);
  live.install(ended);
  if (shop.isFramed) shop.send("ready");
  else stage.problem("session_ended");
}
