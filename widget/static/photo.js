// Turns any picture into an upright, bounded JPEG without metadata, in her browser, before anything
// is sent; and shows her own photo on the page meanwhile. Knows no network.

const QUALITY = 0.92;

/**
 * What a photo may be, by the server's settings. `types`: what it reads.
 * @typedef {{ maxSidePx: number, minSidePx: number, maxBytes: number, types: string[] }} Limits
 */

/**
 * The limits in the document's data attributes.
 * @param {DOMStringMap} page
 * @returns {Limits}
 */
export function limitsOf(page) {
  return {
    maxSidePx: Number(page.maxSidePx),
    minSidePx: Number(page.minSidePx),
    maxBytes: Number(page.maxBytes),
    types: (page.types ?? "").split(" "),
  };
}

/** Why a file cannot become a photo: a code of the server's words. */
export class Unusable extends Error {
  /** @param {string} code */
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/** @type {HTMLCanvasElement | null} */
let latest = null;

/**
 * @param {Blob} file
 * @param {Limits} limits
 * @returns {Promise<Blob>} what to send
 */
export async function prepare(file, limits) {
  latest = null;
  if (file.size === 0) throw new Unusable("empty_file");
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(
    () => null,
  );
  if (bitmap === null) return asItIs(file, limits);
  try {
    return await fromPicture(bitmap, bitmap.width, bitmap.height, limits);
  } finally {
    bitmap.close();
  }
}

/**
 * @param {CanvasImageSource} picture
 * @param {number} width px
 * @param {number} height px
 * @param {Limits} limits
 */
export async function fromPicture(picture, width, height, limits) {
  if (Math.min(width, height) < limits.minSidePx) throw new Unusable("image_too_small");
  const canvas = document.createElement("canvas");
  const size = bounded(width, height, limits.maxSidePx);
  canvas.width = size.width;
  canvas.height = size.height;
  const pen = canvas.getContext("2d", { alpha: false });
  if (pen === null) throw new Unusable("unreadable_photo");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, size.width, size.height);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(picture, 0, 0, size.width, size.height);
  latest = canvas;
  return fitting(await toJpeg(canvas), limits);
}

/**
 * Fits a size into the longest side, never enlarging.
 * @param {number} width
 * @param {number} height
 * @param {number} maxSidePx
 */
export function bounded(width, height, maxSidePx) {
  const scale = Math.min(1, maxSidePx / Math.max(width, height));
  return { width: Math.round(width * scale), height: Math.round(height * scale) };
}

/** Draws her photo into every canvas for it. */
export function show(/** @type {ParentNode} */ root = document) {
  for (const place of root.querySelectorAll("canvas[data-your-photo]")) {
    const canvas = /** @type {HTMLCanvasElement} */ (place);
    canvas.hidden = latest === null;
    if (latest === null) continue;
    canvas.width = latest.width;
    canvas.height = latest.height;
    canvas.getContext("2d")?.drawImage(latest, 0, 0);
  }
}

export function forget() {
  latest = null;
}

/** @param {HTMLCanvasElement} canvas @returns {Promise<Blob>} */
function toJpeg(canvas) {
  return new Promise((resolve, reject) => {
    const done = (/** @type {Blob | null} */ blob) =>
      blob ? resolve(blob) : reject(new Unusable("unreadable_photo"));
    canvas.toBlob(done, "image/jpeg", QUALITY);
  });
}

/**
 * A picture that the browser cannot decode is sent unchanged: the server cleans it anyway.
 * @param {Blob} file
 * @param {Limits} limits
 */
function asItIs(file, limits) {
  if (!limits.types.includes(file.type)) throw new Unusable("unreadable_photo");
  return fitting(file, limits);
}

/** @param {Blob} file @param {Limits} limits */
function fitting(file, { maxBytes }) {
  if (file.size > maxBytes) throw new Unusable("file_too_large");
  return file;
}
