// Saves or shares her picture as a file. If it cannot be fetched, a banner says so and the card
// stays.

import * as session from "./session.js";
import * as stage from "./stage.js";

/** Fetches her picture by a new presigned URL: the one on the page may have expired. */
async function fetched(/** @type {HTMLElement} */ button) {
  const found = await session.get(`/v1/try-ons/${stage.card()?.dataset.tryOn}`);
  const answer = await fetch(found.result_url, { credentials: "omit" });
  if (!answer.ok) throw new session.Refused("gone");
  const name = button.dataset.name ?? "picture.jpg";
  return new File([await answer.blob()], name, { type: "image/jpeg" });
}

/** The same; null and a banner if the network fails. */
async function file(/** @type {HTMLElement} */ button) {
  const banner = /** @type {HTMLElement} */ (document.getElementById("not-saved"));
  banner.hidden = true;
  try {
    return await fetched(button);
  } catch (error) {
    if (error instanceof session.Refused && error.code !== "unavailable") throw error;
    banner.hidden = false;
    return null;
  }
}

/** @param {HTMLElement} button */
export async function save(button) {
  const found = await file(button);
  if (found === null) return;
  const address = URL.createObjectURL(found);
  const link = document.createElement("a");
  link.href = address;
  link.download = button.dataset.name ?? "picture.jpg";
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** @param {HTMLElement} button */
export async function share(button) {
  const found = await file(button);
  if (found !== null) await navigator.share({ files: [found] }).catch(() => {});
}
