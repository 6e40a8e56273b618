// Her picture as a file: saved on her device, or shared. Where it cannot be fetched she keeps what
// she sees.

import * as session from "./session.js";
import * as stage from "./stage.js";

/** Her picture as a file. Its address on the page may have run out since. */
async function fetched(/** @type {HTMLElement} */ button) {
  const found = await session.get(`/v1/try-ons/${stage.card()?.dataset.tryOn}`);
  const answer = await fetch(found.result_url, { credentials: "omit" });
  if (!answer.ok) throw new session.Refused("gone");
  const name = button.dataset.name ?? "picture.jpg";
  return new File([await answer.blob()], name, { type: "image/jpeg" });
}

/** The same, where her connection lets it come; else she is told, and keeps what she sees. */
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
