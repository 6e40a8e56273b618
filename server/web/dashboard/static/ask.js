// Opens the question that a destructive button names (`data-opens`) and closes it again.

document.addEventListener("click", (event) => {
  if (!(event.target instanceof Element)) return;
  const opener = event.target.closest("[data-opens]");
  if (opener instanceof HTMLElement) show(opener.dataset.opens ?? "");
  if (event.target.closest("[data-closes]")) event.target.closest("dialog")?.close();
  closeMenus(event.target);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeMenus(document.body);
});

/** @param {string} id */
function show(id) {
  const dialog = document.getElementById(id);
  if (dialog instanceof HTMLDialogElement) dialog.showModal();
}

/** The account menu is a <details>; unlike a menu it would stay open. @param {Element} target */
function closeMenus(target) {
  for (const menu of document.querySelectorAll("details.account[open]")) {
    if (!menu.contains(target)) menu.removeAttribute("open");
  }
}
