// The two dialogs: the question before a dangerous button, and the app's modal.
import { api, fill, h, hash } from "./dom.js";
import { glyph, glyphs } from "./icons.js";
import { blocks } from "./blocks.js";
import { picks, values } from "./fields.js";
import { plain, textObject } from "./text.js";

// ask shows a confirm dialog and answers whether the person confirmed.
export function ask(c, ctx) {
  const dialog = document.getElementById("confirm");
  const before = document.activeElement;
  return new Promise((done) => {
    let yes = false;
    fill(dialog,
      h("h2", { id: "confirm-title" }, plain(c.title.text)),
      h("div", { class: "dialog-text" }, textObject(c.text, ctx)),
      h("div", { class: "dialog-buttons" },
        h("button", { type: "button", class: "button", "data-deny": true, onclick: () => dialog.close() }, plain(c.deny.text)),
        h("button", { type: "button", class: "button " + (c.style ?? "primary"), "data-confirm": true, autofocus: true, onclick: () => { yes = true; dialog.close(); } }, plain(c.confirm.text))));
    dialog.addEventListener("close", () => {
      if (before?.isConnected) before.focus();
      done(yes);
    }, { once: true });
    dialog.showModal();
  });
}

let shown = "";

// showModal shows the modal that the app has put before the person, or closes it.
export function showModal(state, ctx) {
  const dialog = document.getElementById("modal");
  const m = state.modal;
  if (!m) {
    shown = "";
    if (dialog.open) dialog.close();
    return;
  }
  const sig = hash([m.view.id, m.view.hash, m.errors, state.user]);
  if (sig === shown) return;
  const same = shown && dialog.dataset.view === m.view.id;
  const kept = same ? controls(dialog) : new Map();
  shown = sig;
  dialog.dataset.view = m.view.id;
  const close = () => api("close", { user: state.user });
  const trouble = h("p", { class: "error", role: "alert", hidden: true });
  const form = h("form", {
    method: "dialog", novalidate: true,
    onsubmit: async (ev) => {
      ev.preventDefault();
      const submit = form.querySelector("[data-submit]");
      if (submit?.getAttribute("aria-busy") === "true") return; // it is sent already
      submit?.setAttribute("aria-busy", "true");
      trouble.hidden = true;
      const r = await api("submit", { user: state.user, values: values(form) });
      submit?.removeAttribute("aria-busy");
      if (!r.ok) {
        trouble.textContent = `We had some trouble connecting (${r.error}). Try again?`;
        trouble.hidden = false;
      }
    },
  },
    h("header", { class: "dialog-head" },
      h("h2", { id: "modal-title" }, plain(m.view.title.text)),
      h("button", { type: "button", class: "icon-button", "aria-label": "Close", onclick: close }, glyph(glyphs.close))),
    h("div", { class: "dialog-body" }, blocks(m.view.blocks, { ...ctx, errors: m.errors, values: m.view.state.values, surface: "modal", view: m.view.id })),
    trouble,
    h("footer", { class: "dialog-buttons" },
      h("span", { class: "dialog-from" }, ctx.appName()),
      h("button", { type: "button", class: "button", onclick: close }, m.view.close ? plain(m.view.close.text) : "Cancel"),
      m.view.submit && h("button", { type: "submit", class: "button primary", "data-submit": true }, plain(m.view.submit.text))));
  fill(dialog, form);
  restore(dialog, kept);
  dialog.oncancel = (ev) => { ev.preventDefault(); close(); };
  if (!dialog.open) dialog.showModal();
  (dialog.querySelector("[aria-invalid=true]") ?? dialog.querySelector("[autofocus], .dialog-body [data-field]"))?.focus();
}

const controls = (dialog) => new Map([...dialog.querySelectorAll("[data-field]")].map((el) => [el.dataset.field, { picks: picks(el), value: el.value }]));

function restore(dialog, kept) {
  for (const el of dialog.querySelectorAll("[data-field]")) {
    const k = kept.get(el.dataset.field);
    if (!k) continue;
    if (el.classList.contains("choices")) el.querySelectorAll("input").forEach((i) => { i.checked = k.picks.includes(i.value); });
    else if (el.tagName === "SELECT") [...el.options].forEach((o) => { o.selected = k.picks.includes(o.value); });
    else {
      el.value = k.value;
      if (el.dataset.external !== undefined && k.picks[0]) el.dataset.picked = k.picks[0];
    }
  }
}
