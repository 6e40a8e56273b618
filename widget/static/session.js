// The shopper's token: got with a boot token or the resume cookie, renewed in time, and kept
// nowhere but in this module's memory. Touches no storage: it throws in a cross-site frame.

const RENEW_BEFORE_MS = 120_000;
const ENDED = ["no_shopper", "bad_token", "bad_boot_token", "not_authenticated"];

let token = "";
let expiresAt = 0;
/** @type {Promise<void> | null} */
let renewing = null;
let renewal = 0;

/** A refusal of the server, by its code. */
export class Refused extends Error {
  /** @param {string} code */
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/** Whether an error says that there is nobody to go on with. @param {unknown} error */
export function hasEnded(error) {
  return error instanceof Refused && ENDED.includes(error.code);
}

/**
 * A JSON request to the API, with the shopper's token.
 * @param {string} path
 * @param {object} body
 */
export async function post(path, body) {
  await fresh();
  return request(path, body, token);
}

/** What the API says of something of hers. @param {string} path */
export async function get(path) {
  await fresh();
  return request(path, null, token);
}

/**
 * @param {string} path
 * @param {object | null} body null asks only
 * @param {string} [bearer]
 * @returns {Promise<Record<string, any>>}
 */
async function request(path, body, bearer) {
  /** @type {Record<string, string>} */
  const headers = { "Content-Type": "application/json" };
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  const options = body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers };
  const answer = await fetch(path, options).catch(() => {
    throw new Refused("unavailable");
  });
  const found = await answer.json().catch(() => ({ code: "unavailable" }));
  if (!answer.ok) throw new Refused(String(found.code ?? "internal"));
  return found;
}

/**
 * @param {object} proof
 * @param {string} [bearer] the token so far
 */
async function renew(proof, bearer) {
  const found = await request("/v1/shopper-tokens", proof, bearer);
  token = found.shopper_token;
  const lasts = found.expires_in_s * 1000;
  expiresAt = Date.now() + lasts;
  clearTimeout(renewal);
  // While the page is open she stays, also where the browser has refused our cookie.
  renewal = window.setTimeout(() => fresh().catch(() => {}), lasts - RENEW_BEFORE_MS + 1000);
}

/** @param {string} bootToken */
export async function begin(bootToken) {
  await renew({ boot_token: bootToken });
}

export function isFresh() {
  return Date.now() < expiresAt - RENEW_BEFORE_MS;
}

/** Makes sure that the token lasts for another request. */
export async function fresh() {
  if (isFresh()) return;
  renewing ??= resume().finally(() => {
    renewing = null;
  });
  await renewing;
}

/** A new token by the old one while it lasts, else by the resume cookie. */
async function resume() {
  const lasts = Date.now() < expiresAt;
  try {
    await renew({}, lasts ? token : undefined);
  } catch (error) {
    if (Date.now() < expiresAt) return;
    throw error;
  }
}

/** Whether a page load would find her again: false where the browser refused our cookie. */
export async function isRemembered() {
  try {
    await renew({});
    return true;
  } catch (error) {
    return !(error instanceof Refused && error.code === "no_shopper");
  }
}

export function forget() {
  clearTimeout(renewal);
  token = "";
  expiresAt = 0;
}

/** Every htmx request carries the token, and waits for a new one where it is about to end. */
export function signRequests(/** @type {() => void} */ onEnded) {
  document.body.addEventListener("htmx:confirm", (event) => {
    if (isFresh()) return;
    event.preventDefault();
    const { issueRequest } = /** @type {CustomEvent<HtmxConfirm>} */ (event).detail;
    fresh().then(() => issueRequest(true), onEnded);
  });
  document.body.addEventListener("htmx:configRequest", (event) => {
    const { headers } = /** @type {CustomEvent<HtmxConfigRequest>} */ (event).detail;
    headers.Authorization = `Bearer ${token}`;
  });
}
