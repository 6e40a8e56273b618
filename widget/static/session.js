// The shopper's bearer token: obtained with a boot token or the resume cookie, renewed before it
// expires, kept only in this module's memory. No storage: that throws in a cross-site iframe.

const RENEW_BEFORE_MS = 120_000;
const ENDED = ["no_shopper", "bad_token", "bad_boot_token", "not_authenticated"];

let token = "";
let expiresAt = 0;
/** @type {Promise<void> | null} */
let renewing = null;
let renewal = 0;

/** The server refused a request; `code` is its error code. */
export class Refused extends Error {
  /** @param {string} code */
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/** Whether an error means that the session has ended. @param {unknown} error */
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

/** A GET request to the API, with the shopper's token. @param {string} path */
export async function get(path) {
  await fresh();
  return request(path, null, token);
}

/**
 * @param {string} path
 * @param {object | null} body null: a GET request
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
  // While the page is open the session goes on, even if the browser refused our cookie.
  renewal = window.setTimeout(() => fresh().catch(() => {}), lasts - RENEW_BEFORE_MS + 1000);
}

/** @param {string} bootToken */
export async function begin(bootToken) {
  await renew({ boot_token: bootToken });
}

export function isFresh() {
  return Date.now() < expiresAt - RENEW_BEFORE_MS;
}

/** Renews the token if it is about to expire. */
export async function fresh() {
  if (isFresh()) return;
  renewing ??= resume().finally(() => {
    renewing = null;
  });
  await renewing;
}

/** Gets a new token: with the old one while it is valid, else with the resume cookie. */
async function resume() {
  const lasts = Date.now() < expiresAt;
  try {
    await renew({}, lasts ? token : undefined);
  } catch (error) {
    if (Date.now() < expiresAt) return;
    throw error;
  }
}

/** Whether the session survives a page load: false if the browser refused our cookie. */
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

/** Adds the token to every htmx request. One that is about to expire is renewed first. */
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
