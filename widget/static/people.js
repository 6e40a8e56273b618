// Places a button over each person of a photo with several people. Boxes are fractions of the
// upright photo. Sizes are set by the CSSOM: the content-security policy allows no inline style.

/**
 * Where an image lies inside its element under `object-fit: contain`, in px.
 * @param {{ width: number, height: number }} image
 * @param {{ width: number, height: number }} room
 */
export function contained(image, room) {
  const scale = Math.min(room.width / image.width, room.height / image.height);
  const width = image.width * scale;
  const height = image.height * scale;
  return { left: (room.width - width) / 2, top: (room.height - height) / 2, width, height };
}

/** @param {ParentNode} root */
export function install(root) {
  for (const found of root.querySelectorAll("[data-people]")) {
    const form = /** @type {HTMLElement} */ (found);
    const image = form.querySelector("img");
    if (image === null || form.dataset.ready) continue;
    form.dataset.ready = "yes";
    const put = () => place(form, image);
    image.addEventListener("load", put);
    new ResizeObserver(put).observe(form);
    put();
  }
}

/**
 * @param {HTMLElement} form
 * @param {HTMLImageElement} image
 */
function place(form, image) {
  if (!image.naturalWidth) return;
  const size = { width: image.naturalWidth, height: image.naturalHeight };
  form.style.setProperty("--ratio", String(size.width / size.height));
  form.toggleAttribute("data-sized", true);
  const drawn = contained(size, { width: form.clientWidth, height: form.clientHeight });
  for (const found of form.querySelectorAll("[data-box]")) {
    const button = /** @type {HTMLElement} */ (found);
    const [x, y, width, height] = (button.dataset.box ?? "").split(" ").map(Number);
    button.style.left = `${drawn.left + x * drawn.width}px`;
    button.style.top = `${drawn.top + y * drawn.height}px`;
    button.style.width = `${width * drawn.width}px`;
    button.style.height = `${height * drawn.height}px`;
  }
}
