// Takes a photo with the device's camera, with a self-timer so that she can step back. If the
// browser gives no camera to an iframe, the phone's own camera app does it (`<input capture>`).

import { Unusable } from "./photo.js";

const TIMER_S = 5;

/** @type {MediaStream | null} */
let stream = null;
let countdown = 0;

/** Whether this page may ask for the camera: the shop's page must allow it (Permissions-Policy). */
export function isOffered() {
  const policy = /** @type {{ allowsFeature(name: string): boolean } | undefined} */ (
    /** @type {any} */ (document).featurePolicy
  );
  return Boolean(navigator.mediaDevices?.getUserMedia) && policy?.allowsFeature("camera") !== false;
}

/**
 * Shows the camera in a card. Throws `Unusable` if there is none or she refused.
 * @param {HTMLElement} card
 */
export async function open(card) {
  const video = { facingMode: "user", width: { ideal: 1920 }, height: { ideal: 1920 } };
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
  } catch (error) {
    const refused = error instanceof DOMException && error.name === "NotAllowedError";
    throw new Unusable(refused ? "camera_refused" : "camera_missing");
  }
  if (!card.isConnected) return close();
  const screen = /** @type {HTMLVideoElement} */ (card.querySelector("video"));
  screen.srcObject = stream;
  await screen.play();
  turn(card, "aiming");
}

/**
 * Counts down, then freezes the picture.
 * @param {HTMLElement} card
 */
export function shoot(card) {
  const said = /** @type {HTMLElement} */ (card.querySelector("[data-countdown]"));
  clearInterval(countdown);
  let left = TIMER_S;
  said.textContent = String(left);
  countdown = window.setInterval(() => {
    left -= 1;
    said.textContent = left > 0 ? String(left) : "";
    if (left > 0) return;
    clearInterval(countdown);
    freeze(card);
  }, 1000);
}

/** @param {HTMLElement} card */
export function aim(card) {
  turn(card, "aiming");
}

/** The frozen picture of a card. @param {HTMLElement} card */
export function shot(card) {
  return /** @type {HTMLCanvasElement} */ (card.querySelector("canvas[data-shot]"));
}

export function close() {
  clearInterval(countdown);
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
}

/** @param {HTMLElement} card */
function freeze(card) {
  const screen = /** @type {HTMLVideoElement} */ (card.querySelector("video"));
  const canvas = shot(card);
  canvas.width = screen.videoWidth;
  canvas.height = screen.videoHeight;
  canvas.getContext("2d")?.drawImage(screen, 0, 0);
  turn(card, "taken");
}

/**
 * @param {HTMLElement} card
 * @param {"aiming" | "taken"} now
 */
function turn(card, now) {
  for (const part of card.querySelectorAll("[data-while]")) {
    /** @type {HTMLElement} */ (part).hidden = part.getAttribute("data-while") !== now;
  }
  shot(card).hidden = now !== "taken";
  /** @type {HTMLElement} */ (card.querySelector("video")).hidden = now === "taken";
  const next = card.querySelector(`.actions[data-while="${now}"] .primary`);
  if (next instanceof HTMLElement) next.focus();
}
