// Every message between the widget and the shop's page, down and up, and the shape of each.
// Each also carries `proteus: 1`, `type` and `nonce`. Knows no window; host.js sends and checks.

export const VERSION = 1;

/** Shop's page -> widget. A field ending in `?` may be missing. */
export const DOWN = /** @type {const} */ ({
  init: { boot_token: "string", "locale?": "string", "theme?": "string" },
  variant: { "variant?": "any" },
  closed: {},
});

/** Widget -> shop's page. */
export const UP = /** @type {const} */ ({
  ready: {},
  resize: { height: "number", "width?": "number" },
  close: {},
  status: { try_on_id: "string", status: "string" },
  result: { try_on_id: "string", "url?": "string" },
  add_to_cart: { garment: "string", "variant?": "any" },
  error: { code: "string" },
});

/** @typedef {keyof typeof DOWN} DownType */
/** @typedef {keyof typeof UP} UpType */
/** @typedef {{ proteus: 1, type: DownType, nonce: string } & Record<string, unknown>} Down */

/**
 * Whether `data` is a message of this direction, with every field of the right type.
 * @param {unknown} data
 * @param {Record<string, Record<string, string>>} direction DOWN or UP
 */
export function isMessage(data, direction) {
  if (typeof data !== "object" || data === null) return false;
  const message = /** @type {Record<string, unknown>} */ (data);
  if (message.proteus !== VERSION || typeof message.type !== "string") return false;
  if (!Object.hasOwn(direction, message.type)) return false;
  return Object.entries(direction[message.type]).every(([field, type]) => {
    const value = message[field.replace("?", "")];
    if (value === undefined) return field.endsWith("?");
    return type === "any" || typeof value === type;
  });
}
