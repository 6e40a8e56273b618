// Before and after: a range slides her own photo over the picture. Sizes go through the CSSOM,
// since the page's policy allows no inline style.

const START_AT = 12; // percent: enough of a handle to be noticed, little enough to hide nothing

/** @param {ParentNode} root */
export function install(root) {
  for (const found of root.querySelectorAll("[data-compare]")) {
    const figure = /** @type {HTMLElement} */ (found);
    const { width, height } = figure.dataset;
    if (Number(width) && Number(height)) figure.style.aspectRatio = `${width} / ${height}`;
    const range = figure.querySelector("input");
    if (range === null || range.dataset.ready) continue;
    range.dataset.ready = "yes";
    range.value = String(START_AT);
    const slide = () => figure.style.setProperty("--at", `${range.value}%`);
    range.addEventListener("input", slide);
    slide();
  }
}
