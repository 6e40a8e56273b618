// The sentences that scripts say, in the reader's language: the page brings them along.

const page = /** @type {HTMLElement | null} */ (document.querySelector("[data-words]"));
/** @type {Record<string, string>} */
const sentences = JSON.parse(page?.dataset.words ?? "{}");

/** Whether the page brought a sentence of this name. @param {string} name */
export function has(name) {
  return Object.hasOwn(sentences, name);
}

/** @param {string} name @param {Record<string, string | number>} values of its placeholders */
export function said(name, values = {}) {
  return (sentences[name] ?? "").replace(/%\((\w+)\)s/g, (_, key) => String(values[key]));
}
