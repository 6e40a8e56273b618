// Before/after slider: a range input slides her own photo over the picture. Sizes are set by the
// CSSOM, because the content-security policy allows no inline style.

const MOST_CROPPED = 0.14; // of the picture's width: it is cropped if that avoids margins
const START_AT = 12; // percent: the handle is noticed, and her photo hides almost nothing

/** @param {ParentNode} root */
export function install(root) {
  for (const found of root.querySelectorAll("[data-compare]")) {
    const figure = /** @type {HTMLElement} */ (found);
    const { width, height } = figure.dataset;
    const ratio = Number(width) / Number(height);
    if (ratio > 0) figure.style.setProperty("--ratio", String(ratio));
    if (ratio > 0 && !figure.dataset.fits)
      new ResizeObserver(() => fit(figure, ratio)).observe(figure);
    const range = figure.querySelector("input");
    if (range === null || range.dataset.ready) continue;
    range.dataset.ready = "yes";
    range.value = String(START_AT);
    const slide = () => {
      figure.style.setProperty("--at", `${range.value}%`);
      range.setAttribute("aria-valuetext", `${range.value} %`);
    };
    range.addEventListener("input", slide);
    slide();
  }
}

/**
 * Lets the picture fill the figure if that crops little of its sides.
 * @param {HTMLElement} figure
 * @param {number} ratio the picture's width / height
 */
function fit(figure, ratio) {
  const cropped = 1 - figure.clientWidth / figure.clientHeight / ratio;
  figure.dataset.fits = cropped > 0 && cropped <= MOST_CROPPED ? "cover" : "contain";
}
