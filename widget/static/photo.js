// Any picture -> an upright, bounded JPEG without metadata, made in her browser before anything
// is sent; and her own photo on the page meanwhile. Knows no network.

const LONGEST_SIDE_PX = 2048;
const SHORTEST_SIDE_PX = 256;
const MOST_BYTES = 10_485_760;
const QUALITY = 0.92;
const READ_BY_SERVER = ["image/jpeg", "image/png", "image/webp"];

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
 * @returns {Promise<Blob>} what to send
 */
export async function prepare(file) {
  latest = null;
  if (file.size === 0) throw new Unusable("empty_file");
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" }).catch(
    () => null,
  );
  if (bitmap === null) return asItIs(file);
  try {
    return await fromPicture(bitmap, bitmap.width, bitmap.height);
  } finally {
    bitmap.close();
  }
}

/**
 * @param {CanvasImageSource} picture
 * @param {number} width px
 * @param {number} height px
 */
export async function fromPicture(picture, width, height) {
  if (Math.min(width, height) < SHORTEST_SIDE_PX) throw new Unusable("image_too_small");
  const canvas = document.createElement("canvas");
  const size = bounded(width, height);
  canvas.width = size.width;
  canvas.height = size.height;
  const pen = canvas.getContext("2d", { alpha: false });
  if (pen === null) throw new Unusable("unreadable_photo");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, size.width, size.height);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(picture, 0, 0, size.width, size.height);
  latest = canvas;
  return toJpeg(canvas);
}

/**
 * Fits a size into the longest side, never enlarging.
 * @param {number} width
 * @param {number} height
 */
export function bounded(width, height) {
  const scale = Math.min(1, LONGEST_SIDE_PX / Math.max(width, height));
  return { width: Math.round(width * scale), height: Math.round(height * scale) };
}

/** Draws her photo wherever a card has a place for it. */
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
 * A browser that cannot open a picture leaves it to the server, which cleans it all the same.
 * @param {Blob} file
 */
function asItIs(file) {
  if (!READ_BY_SERVER.includes(file.type)) throw new Unusable("unreadable_photo");
  if (file.size > MOST_BYTES) throw new Unusable("file_too_large");
  return file;
}
