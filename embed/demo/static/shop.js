// @ts-check
// The shop's own script: the chosen colour and size, and the cart. Of Proteus it knows only the DOM
// events, and the variant attribute of the try-on button (docs/embedding.md).

/** @typedef {{ sku: string, variant: string, count: number }} Line */

const KEY = "cart";

/** @returns {Line[]} */
function lines() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "[]");
  } catch {
    return [];
  }
}

/** @param {Line[]} next */
function keep(next) {
  localStorage.setItem(KEY, JSON.stringify(next));
  showCount();
  showCart();
}

/** @param {string} sku @param {string} variant */
function add(sku, variant) {
  const next = lines();
  const known = next.find((line) => line.sku === sku && line.variant === variant);
  if (known) known.count += 1;
  else next.push({ sku, variant, count: 1 });
  keep(next);
  say(variant ? `In your cart: ${variant}` : "In your cart");
}

function showCount() {
  const count = lines().reduce((sum, line) => sum + line.count, 0);
  for (const badge of document.querySelectorAll("[data-cart-count]")) {
    badge.textContent = String(count);
    badge.toggleAttribute("hidden", count === 0);
    badge
      .closest("a")
      ?.setAttribute("aria-label", `Cart, ${count} ${count === 1 ? "piece" : "pieces"}`);
  }
}

let hiding = 0;

/** @param {string} sentence */
function say(sentence) {
  const toast = document.querySelector("[data-toast]");
  if (!toast) return;
  toast.textContent = sentence;
  clearTimeout(hiding);
  hiding = setTimeout(() => toast.replaceChildren(), 4000);
}

// --- the product page ----------------------------------------------------------------------------

const form = document.querySelector("[data-buy]");

/** @param {HTMLFormElement} chosenIn */
function variantOf(chosenIn) {
  const chosen = new FormData(chosenIn);
  return `${chosen.get("colour")}, ${chosen.get("size")}`;
}

if (form instanceof HTMLFormElement) {
  form.addEventListener("change", (event) => {
    if (!(event.target instanceof HTMLInputElement)) return;
    const shown = form.querySelector(`[data-chosen="${event.target.name}"]`);
    if (shown) shown.textContent = event.target.value;
    // The widget sends this back in proteus:add-to-cart.
    const button = form.querySelector("[data-proteus-garment]");
    button?.setAttribute("data-proteus-variant", variantOf(form));
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    add(form.dataset.sku ?? "", variantOf(form));
  });
}

document.addEventListener("proteus:add-to-cart", (event) => {
  const { garment, variant } = /** @type {CustomEvent} */ (event).detail;
  add(garment, typeof variant === "string" ? variant : "");
});

// --- the cart ------------------------------------------------------------------------------------

const cart = document.querySelector("[data-cart]");
const euros = new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR" });

function showCart() {
  if (!cart) return;
  let total = 0;
  const shown = lines().flatMap((line) => {
    const template = cart.querySelector(`[data-line="${CSS.escape(line.sku)}"]`);
    if (!(template instanceof HTMLTemplateElement)) return [];
    const price = Number(template.dataset.price) * line.count;
    total += price;
    return [draw(template, line, price)];
  });
  cart.querySelector("[data-cart-lines]")?.replaceChildren(...shown);
  cart.querySelector("[data-cart-empty]")?.toggleAttribute("hidden", shown.length > 0);
  cart.querySelector("[data-cart-full]")?.toggleAttribute("hidden", shown.length === 0);
  const sum = cart.querySelector("[data-cart-total]");
  if (sum) sum.textContent = euros.format(total);
}

/** @param {HTMLTemplateElement} template @param {Line} line @param {number} price */
function draw(template, line, price) {
  const drawn = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
  const words = [line.variant, line.count > 1 ? `× ${line.count}` : ""].filter(Boolean).join(" ");
  /** @type {Element} */ (drawn.querySelector("[data-variant]")).textContent = words;
  /** @type {Element} */ (drawn.querySelector("[data-line-price]")).textContent =
    euros.format(price);
  drawn.querySelector("[data-remove]")?.addEventListener("click", () => {
    keep(lines().filter((one) => one.sku !== line.sku || one.variant !== line.variant));
  });
  return drawn;
}

addEventListener("storage", () => {
  showCount();
  showCart();
});
showCount();
showCart();
