// Speaks with the shop's page, and listens to nobody else: origin first, then source, then
// nonce, then shape. Knows nothing of what the messages are for.

import { DOWN, isMessage, VERSION } from "./messages.js";

/** @typedef {import("./messages.js").Down} Down */
/** @typedef {{ origin: string, source: unknown, data: unknown }} Arrived */
/** @typedef {{ origins: string[], host: unknown, nonce: string }} Expected */

/**
 * Whether a message is the shop page's own.
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
 * The shop's page as the widget sees it.
 * @param {string[]} origins that may show this widget
 * @param {(message: Down) => void} onMessage
 */
export function connect(origins, onMessage) {
  const expected = { origins, host: window.parent, nonce: window.name };
  // Only a page of an allowed origin can frame this document (frame-ancestors), and `ready`
  // holds no secret: until the page has spoken its exact origin is not known.
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
