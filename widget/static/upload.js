// Uploads a photo to the object store by a presigned URL. XMLHttpRequest, because fetch reports no
// progress. The store's XML errors are translated to our codes.

import { post, Refused } from "./session.js";

/** S3's error codes that she can act on. */
const STORE_CODES = /** @type {Record<string, string>} */ ({
  EntityTooLarge: "file_too_large",
  EntityTooSmall: "empty_file",
  SignatureDoesNotMatch: "type_mismatch",
  RequestTimeTooSkewed: "upload_expired",
  ExpiredToken: "upload_expired",
  RequestTimeout: "upload_failed",
  SlowDown: "unavailable",
  ServiceUnavailable: "unavailable",
});

/**
 * Our error code for an answer of the store.
 * @param {number} status
 * @param {string} xml
 */
export function codeOf(status, xml) {
  const code = /<Code>([^<]*)<\/Code>/.exec(xml)?.[1] ?? "";
  if (code === "AccessDenied" && /expired/i.test(xml)) return "upload_expired";
  if (STORE_CODES[code]) return STORE_CODES[code];
  return status >= 500 ? "unavailable" : "upload_failed";
}

/**
 * Announces and sends a photo.
 * @param {Blob} photo
 * @param {{ onProgress: (share: number) => void, signal: AbortSignal }} options
 * @returns {Promise<string>} the upload's key
 */
export async function send(photo, { onProgress, signal }) {
  const announced = { purpose: "photo", content_type: photo.type, size_bytes: photo.size };
  const upload = await post("/v1/uploads", announced);
  signal.throwIfAborted();
  await put(upload.url, upload.headers, photo, onProgress, signal);
  return upload.key;
}

/**
 * @param {string} url
 * @param {Record<string, string>} headers
 * @param {Blob} photo
 * @param {(share: number) => void} onProgress
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
export function put(url, headers, photo, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 0);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve();
      else reject(new Refused(codeOf(request.status, request.responseText)));
    };
    request.onerror = () => reject(new Refused("upload_failed"));
    request.onabort = () => reject(signal.reason);
    signal.addEventListener("abort", () => request.abort());
    request.send(photo);
  });
}
