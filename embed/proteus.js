// @ts-check
// Proteus embed v1: a fitting room on a product page.
//
//   <script async src="https://…/embed/v1/proteus.js" data-site="pk_live_…"></script>
//   <button type="button" data-proteus-garment="SKU">Try it on</button>
//   <proteus-tryon garment="SKU"></proteus-tryon>
//
// Until a click it only listens: no request, cookie or storage. Photo and picture stay in the
// iframe, on the server's origin.
(() => {
  const script = document.currentScript ?? document.querySelector("script[data-site]");
  if (!(script instanceof HTMLScriptElement && script.dataset.site))
    return console.error("Proteus: data-site is missing");
  const server = new URL(script.src).origin;
  const site = `${server}/v1/sites/${script.dataset.site}`;

  // Loaded again: the first one goes on.
  const first = /** @type {any} */ (customElements.get("proteus-tryon"));
  if (first?.site === site) return;
  if (first) return report(script, "two_sites", "one page, one data-site");

  // What the widget may say, with the fields that it must have.
  const UP = /** @type {Record<string, string[]>} */ ({
    ready: [],
    resize: ["height"], // and width, in CSS pixels
    close: [],
    status: ["try_on_id", "status"],
    result: ["try_on_id"], // and url, where merchant and shopper both allow it
    add_to_cart: ["garment"], // and variant
    error: ["code"],
  });
  // What it is told: init {boot_token, locale, theme}, variant {variant}, closed.

  // Constructed, for shadow roots: a strict CSP allows it.
  const sheet = new CSSStyleSheet();
  const scrollLock = new CSSStyleSheet();
  sheet.replaceSync(`
    dialog { overflow: hidden; padding: 0; border: 0;
      width: min(var(--width), 100vw - 48px); height: min(var(--height), 100dvh - 48px);
      max-width: none; max-height: none; border-radius: 16px; font: 16px/1.5 system-ui }
    dialog::backdrop { background: #101113a0 }
    iframe { width: 100%; height: 100%; border: 0 }
    div { position: absolute; inset: 0; display: grid; place-content: center; gap: 12px;
      padding: 24px; background: Canvas; text-align: center }
    @media (max-width: 640px), (max-height: 480px) {
      dialog { width: 100vw; height: 100dvh; border-radius: 0 } }
    button { width: 100%; min-height: 44px; padding: 0 24px; border: 1px solid;
      border-radius: 8px; background: none; color: inherit; font: inherit; cursor: pointer }
    :host { display: inline-block }
    :host(proteus-room) { display: contents !important }
    [hidden], :host([hidden]) { display: none }`);

  class TryOnButton extends HTMLElement {
    static site = site;

    constructor() {
      super();
      const button = document.createElement("button");
      button.part.add("button");
      const label = document.createElement("slot");
      label.textContent = "Try it on";
      button.append(label);
      shadow(this, button);
    }
  }
  customElements.define("proteus-tryon", TryOnButton);

  // The room: a dialog with the widget's iframe, under a panel until the widget is ready.
  const room = document.createElement("proteus-room");
  const dialog = document.createElement("dialog");
  const panel = document.createElement("div");
  const words = document.createElement("p");
  const again = document.createElement("button");
  const leave = document.createElement("button");
  shadow(room, dialog);
  dialog.append(panel);
  dialog.ariaLabel = "Fitting room";
  dialog.onclose = closed;
  panel.append(words, again, leave);
  words.role = "status";
  again.textContent = "Try again";
  again.onclick = start;
  leave.textContent = "Close";
  leave.onclick = () => dialog.close();

  let opener = room; // what was clicked; events are dispatched on it
  let garment = "";
  let frame = document.createElement("iframe");
  let nonce = ""; // only the widget in this frame knows it
  let token = ""; // good for one init
  let timer = 0;

  // One listener for all buttons, also later ones.
  document.addEventListener(
    "click",
    (event) => {
      const clicked = /** @type {HTMLElement[]} */ (event.composedPath()).find((node) =>
        node.matches?.("[data-proteus-garment], proteus-tryon"),
      );
      if (!clicked) return;
      event.preventDefault(); // a button without type="button" would send its form
      open(clicked);
    },
    true,
  );

  addEventListener("message", ({ origin, source, data }) => {
    if (origin !== server || !source || source !== frame.contentWindow) return;
    if (data?.proteus !== 1 || data.nonce !== nonce || !Object.hasOwn(UP, data.type)) return;
    for (const field of UP[data.type])
      if (typeof data[field] !== (field === "height" ? "number" : "string")) return;
    hear(data);
  });

  /** @param {any} message - one of UP, checked */
  function hear({ proteus, nonce, type, ...fields }) {
    if (type === "ready") ready();
    else if (type === "close") dialog.close();
    else if (type === "resize") resize(fields.height, fields.width);
    else emit(opener, type.replaceAll("_", "-"), fields);
  }

  /** The same garment again: she finds it as she left it.
   * @param {HTMLElement} clicked */
  function open(clicked) {
    const { isConnected } = room; // not at first, or if the page has thrown it away
    if (isConnected && dialog.open) return;
    const sku = attribute(clicked, "garment");
    const canGoOn = isConnected && panel.hidden && sku === garment;
    opener = clicked;
    garment = sku;
    dialog.open = false;
    if (!isConnected) {
      document.body.append(room);
      document.adoptedStyleSheets.push(scrollLock);
    }
    room.setAttribute("open", "");
    lockScroll();
    dialog.showModal();
    emit(opener, "open", { garment });
    if (canGoOn) enter();
    else start();
  }

  async function start() {
    frame.remove();
    nonce = crypto.getRandomValues(new Uint32Array(4)).join("-");
    frame = document.createElement("iframe");
    frame.name = nonce;
    frame.title = "Fitting room";
    frame.allow = "camera; web-share";
    say("Opening the fitting room…");
    resize();
    const booted = await boot();
    if (!booted) return;
    token = booted.boot_token;
    frame.src = booted.widget_url;
    dialog.prepend(frame);
    timer = setTimeout(() => fail("widget_silent"), 20_000);
  }

  /** Nothing if it was refused, or if she has left meanwhile. */
  async function boot() {
    const mine = nonce;
    try {
      const answer = await fetch(`${site}/boot`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ garment }),
        signal: AbortSignal.timeout(15_000),
      });
      const body = await answer.json();
      if (mine !== nonce || !dialog.open) return;
      if (answer.ok && new URL(body.widget_url).origin === server) return body;
      fail(body.code ?? "bad_answer", body.detail, answer.status);
    } catch (error) {
      // Also after a wrong key or origin: then the page may not read the answer.
      const why = `${error}. Key, origin: ${server}/dashboard/install`;
      if (mine === nonce && dialog.open) fail(navigator.onLine ? "unreachable" : "offline", why);
    }
  }

  /** Also after the widget has reloaded. */
  async function ready() {
    clearTimeout(timer);
    const boot_token = token || (await boot())?.boot_token;
    token = "";
    panel.hidden = !!boot_token;
    if (!boot_token) return;
    const locale = document.documentElement.lang || navigator.language;
    // By the color-scheme of the page or of proteus-room.
    const theme = getComputedStyle(dialog).color === "rgb(0, 0, 0)" ? "light" : "dark";
    post("init", { boot_token, locale, theme });
    enter();
  }

  function enter() {
    const variant = attribute(opener, "variant");
    if (variant) post("variant", { variant });
    frame.focus();
  }

  /** Within the screen, as the sheet has it.
   * @param {number} [height] @param {number} [width] */
  function resize(height = 680, width = 440) {
    const { style } = /** @type {CSSStyleRule} */ (sheet.cssRules[0]);
    style.cssText += `; --height: ${height}px; --width: ${width}px`;
  }

  function closed() {
    if (dialog.open) return; // opened again: the event is a frame late
    clearTimeout(timer);
    if (panel.hidden) post("closed");
    room.removeAttribute("open");
    opener.focus({ preventScroll: true });
    emit(opener, "close", { garment });
  }

  /** @param {string} type @param {object} [fields] */
  function post(type, fields) {
    frame.contentWindow?.postMessage({ proteus: 1, nonce, type, ...fields }, server);
  }

  /** @param {string} code @param {unknown} [why] @param {number} [status] */
  function fail(code, why, status = 0) {
    const isFinal = status >= 400 && status < 429;
    if (isFinal) say("The fitting room isn't available for this item.");
    else say("The fitting room can't be reached. Check your connection, then try again.");
    again.hidden = isFinal;
    report(opener, code, why);
  }

  /** @param {string} sentence */
  function say(sentence) {
    words.textContent = sentence;
    again.hidden = true;
    panel.hidden = false;
  }

  /** The page stays where it is; the place of its scrollbar stays empty. */
  function lockScroll() {
    const root = document.documentElement;
    const isOpen = ":root:has(proteus-room[open])";
    const scroller = getComputedStyle(root).overflowY === "visible" ? "body" : "";
    const gutter = innerWidth > root.clientWidth ? "stable" : "auto";
    scrollLock.replaceSync(`${isOpen} { scrollbar-gutter: ${gutter} }
      ${isOpen} ${scroller} { overflow: hidden !important }`);
  }

  /** @param {HTMLElement} element @param {string} name */
  function attribute(element, name) {
    return element.getAttribute(`data-proteus-${name}`) ?? element.getAttribute(name) ?? "";
  }

  /** @param {HTMLElement} element @param {string} code @param {unknown} why */
  function report(element, code, why) {
    console.warn(`Proteus: ${code}:`, why);
    emit(element, "error", { code });
  }

  /** @param {HTMLElement} element @param {string} name @param {object} detail */
  function emit(element, name, detail) {
    const event = new CustomEvent(`proteus:${name}`, { detail, bubbles: true, composed: true });
    (element.isConnected ? element : document).dispatchEvent(event);
  }

  /** @param {HTMLElement} host @param {HTMLElement} child */
  function shadow(host, child) {
    const root = host.attachShadow({ mode: "open", delegatesFocus: true });
    root.adoptedStyleSheets = [sheet];
    root.append(child);
  }
})();
