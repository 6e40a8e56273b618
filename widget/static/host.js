// The postMessage channel to the shop's page. Accepts a message only if its origin, source window,
// nonce and shape are right. Knows nothing of what the messages are for.

import { DOWN, isMessage, VERSION } from "./messages.js";

/** @typedef {import("./messages.js").Down} Down */
/** @typedef {{ origin: string, source: unknown, data: unknown }} Arrived */
/** @typedef {{ origins: string[], host: unknown, nonce: string }} Expected */

/**
 * Whether a message comes from the shop's page.
 * @param {Arrived} event
 * @param {Expected} expected
 */
export function isFromHost(event, expected) {
  if (!expected.origins.some((origin) => event.origin === origin)) return false;
  if (event.source !== expected.host) return false;
  const data = /** @type {Record<string, unknown> | null} */ (event.data);
  if (typeof data !== "object" || data === null) return false;
  if (expected.nonce === "" || data.nonce !== expected.nonce) return false;
  return isMessage(data, DOWN);
}

/**
 * Opens the channel.
 * @param {string[]} origins that may show this widget
 * @param {(message: Down) => void} onMessage
 */
export function connect(origins, onMessage) {
  const expected = { origins, host: window.parent, nonce: window.name };
  // Until the first message the page's exact origin is not known. That is safe: only a page of an
  // allowed origin can frame this document (frame-ancestors), and `ready` holds no secret.
  let target = "*";

  /**
   * @param {import("./messages.js").UpType} type
   * @param {Record<string, unknown>} [fields]
   */
  function send(type, fields = {}) {
    if (target === "*" && type !== "ready" && type !== "close") return;
    window.parent.postMessage(
      { proteus: VERSION, type, nonce: expected.nonce, ...fields },
      { targetOrigin: target },
    );
  }

  window.addEventListener("message", (event) => {
    if (!isFromHost(event, expected)) return;
    target = event.origin;
    onMessage(/** @type {Down} */ (event.data));
  });

  return { send, isFramed: window.parent !== window };
}
