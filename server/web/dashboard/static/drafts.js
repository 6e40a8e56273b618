// Adds garments: each chosen picture goes to the store at once and gets a form of its own, so that
// the merchant writes titles while pictures are on their way. htmx posts the forms.
import { csrf } from "./live.js";
import { say } from "./say.js";
import { has, said } from "./words.js";
import { Refused } from "/w/static/session.js";
import { put } from "/w/static/upload.js";

const drop = /** @type {HTMLElement} */ (document.querySelector("[data-drop]"));
const list = /** @type {HTMLElement} */ (document.querySelector("[data-drafts]"));
const template = /** @type {HTMLTemplateElement} */ (document.getElementById("draft"));
const TYPES = ["image/jpeg", "image/png", "image/webp"];
const AT_ONCE = 3;

/** @type {Map<string, string>} object URLs of pictures that are not added yet, by draft */
const pictures = new Map();
/** @type {(() => Promise<void>)[]} */
const waiting = [];
const left = new AbortController(); // `put` wants one; leaving the page ends all of them
let running = 0;
let count = 0;

// --- choosing -------------------------------------------------------------------------------------

const input = /** @type {HTMLInputElement} */ (drop.querySelector("[data-files]"));
input.addEventListener("change", () => {
  take([...(input.files ?? [])]);
  input.value = ""; // the same file may be chosen again after it was removed
});

for (const name of ["dragenter", "dragover"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const name of ["dragleave", "drop"]) {
  drop.addEventListener(name, () => drop.classList.remove("over"));
}
drop.addEventListener("drop", (event) => {
  const dropped = [...(event.dataTransfer?.files ?? [])];
  take(input.multiple ? dropped : dropped.slice(0, 1));
});
for (const name of ["dragover", "drop"]) {
  // A picture that misses the place would be opened instead of this page.
  document.addEventListener(name, (event) => event.preventDefault());
}

/** @param {File[]} files */
function take(files) {
  sayRefused(files.filter(refused).map((file) => `${file.name}: ${said(refused(file))}`));
  for (const file of files) {
    if (refused(file)) continue;
    const draft = add(file);
    waiting.push(() => send(draft, file));
  }
  next();
}

/** The reason why a file cannot be sent, if there is one. @param {File} file */
function refused(file) {
  if (!TYPES.includes(file.type)) return "unsupported_format";
  if (file.size === 0) return "empty_file";
  if (file.size > Number(drop.dataset.maxBytes)) return "file_too_large";
  return "";
}

/** Stays until files are chosen again: of several that are refused each is named. @param {string[]} lines */
function sayRefused(lines) {
  const notice = /** @type {HTMLElement} */ (document.querySelector("[data-refused]"));
  const paragraphs = lines.map((line) => {
    const paragraph = document.createElement("p");
    paragraph.textContent = line;
    return paragraph;
  });
  notice.querySelector("[data-refused-lines]")?.replaceChildren(...paragraphs);
  notice.hidden = lines.length === 0;
}

// --- one draft ------------------------------------------------------------------------------------

/** A form for one picture, filled with what the file's name tells. @param {File} file */
function add(file) {
  const name = `draft-${++count}`;
  const copy = /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
  for (const element of copy.querySelectorAll("[id], [for], [aria-describedby]"))
    rename(element, name);
  copy.dataset.draft = name;
  field(copy, "draft").value = name;
  const stem = file.name.replace(/\.[^.]*$/, "");
  field(copy, "title").value ||= sentence(stem);
  field(copy, "sku").value ||= stem.trim().replace(/\s+/g, "-").slice(0, 100);
  pictures.set(name, URL.createObjectURL(file));
  list.append(copy);
  htmx.process(copy);
  if (list.children.length === 1) field(copy, "title").focus();
  return name;
}

/** @param {Element} element @param {string} name */
function rename(element, name) {
  for (const attribute of ["id", "for", "aria-describedby"]) {
    const old = element.getAttribute(attribute);
    if (old) element.setAttribute(attribute, old.replaceAll("draft-", `${name}-`));
  }
}

/** "red_summer-dress 02" -> "Red summer dress 02" @param {string} stem */
function sentence(stem) {
  const words = stem.replace(/[_-]+/g, " ").replace(/\s+/g, " ").trim().slice(0, 200);
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The picture stands in its form again, also after the server answered with errors. @param {Element} form */
function show(form) {
  const url = pictures.get(/** @type {HTMLElement} */ (form).dataset.draft ?? "");
  const place = form.querySelector("[data-shot]");
  if (!url || !place || place.querySelector("img")) return;
  const picture = new Image();
  picture.onload = () => place.replaceChildren(picture); // what is no picture leaves the drawing
  picture.src = url;
  picture.alt = "";
}

/** @param {string} name */
function find(name) {
  return /** @type {HTMLElement | null} */ (list.querySelector(`[data-draft="${name}"]`));
}

/** @param {Element} form @param {string} name */
function field(form, name) {
  return /** @type {HTMLInputElement} */ (form.querySelector(`[name="${name}"]`));
}

// --- sending --------------------------------------------------------------------------------------

function next() {
  while (running < AT_ONCE) {
    const job = waiting.shift();
    if (!job) return;
    running += 1;
    job().finally(() => {
      running -= 1;
      next();
    });
  }
}

/** @param {string} name @param {File} file */
async function send(name, file) {
  if (!find(name)) return; // removed while it waited
  try {
    const upload = await announce(file);
    const told = (/** @type {number} */ share) => progress(name, share);
    await put(upload.url, upload.headers, file, told, left.signal);
    arrived(name, upload.key);
  } catch (error) {
    failed(name, file, error instanceof Refused ? error.code : "upload_failed");
  }
}

/** @param {File} file */
async function announce(file) {
  const answer = await fetch(drop.dataset.uploads ?? "", {
    method: "POST",
    headers: { ...csrf(), "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({
      site_id: drop.dataset.site,
      content_type: file.type,
      size_bytes: file.size,
    }),
  });
  const found = await answer.json();
  if (!answer.ok) throw new Refused(String(found.code));
  return found;
}

/** @param {string} name @param {number} share from 0 to 1 */
function progress(name, share) {
  const bar = find(name)?.querySelector("progress");
  if (bar) bar.value = share * 100;
}

/** @param {string} name @param {string} key */
function arrived(name, key) {
  const form = find(name);
  if (!form) return;
  field(form, "image_key").value = key;
  form.querySelector("[data-progress]")?.setAttribute("hidden", "");
  form.querySelector("[data-add]")?.removeAttribute("disabled");
  word(form, said("uploaded"));
}

/** @param {string} name @param {File} file @param {string} code */
function failed(name, file, code) {
  const form = find(name);
  if (!form) return;
  word(form, said(has(code) ? code : "upload_failed"));
  const again = document.createElement("button");
  again.type = "button";
  again.className = "button";
  again.textContent = said("try_again");
  again.addEventListener("click", () => {
    word(form, "");
    waiting.push(() => send(name, file));
    next();
  });
  form.querySelector("[data-upload-word]")?.append(" ", again);
}

/** @param {Element} form @param {string} words */
function word(form, words) {
  const place = form.querySelector("[data-upload-word]");
  if (place) place.textContent = words;
}

// --- adding and removing --------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  if (!(event.target instanceof Element)) return;
  if (event.target.closest("[data-drops-draft]")) {
    event.target.closest("[data-draft]")?.remove();
    input.focus();
  }
  if (event.target.closest("[data-add-all]")) {
    addAll([...list.querySelectorAll("form")]);
  }
});

/** Adds what is complete, then leads to the first that is not. @param {HTMLFormElement[]} forms */
function addAll(forms) {
  const uploaded = forms.filter((form) => !form.querySelector("[data-add][disabled]"));
  for (const form of uploaded) if (form.checkValidity()) form.requestSubmit();
  const incomplete = uploaded.find((form) => !form.checkValidity());
  if (incomplete) incomplete.reportValidity();
  else if (uploaded.length < forms.length) say(said("still_uploading"));
}

// What htmx swapped, whichever way: a form that came back with errors, one that is done, a new row.
const added = /** @type {HTMLElement} */ (document.getElementById("rows"));
const watcher = new MutationObserver(refresh);
watcher.observe(list, { childList: true });
watcher.observe(added, { childList: true });

function refresh() {
  for (const form of list.children) show(form);
  const card = document.querySelector("[data-shown-when-filled]");
  card?.toggleAttribute("hidden", added.children.length === 0);
  for (const [name, url] of pictures) {
    if (find(name)) continue;
    URL.revokeObjectURL(url);
    pictures.delete(name);
  }
  countDrafts();
}

document.addEventListener("htmx:oobAfterSwap", () => say(said("added")));
document.addEventListener("htmx:responseError", () => say(said("failed")));
document.addEventListener("htmx:sendError", () => say(said("away")));

function countDrafts() {
  const drafts = list.children.length;
  document.querySelector("[data-drafts-part]")?.toggleAttribute("hidden", drafts === 0);
  const all = document.querySelector("[data-add-all]");
  all?.toggleAttribute("hidden", drafts < 2);
  if (all) all.textContent = said("add_all", { count: drafts });
}

window.addEventListener("beforeunload", (event) => {
  if (list.children.length) event.preventDefault(); // what was typed would be lost
});
