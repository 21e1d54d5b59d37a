// The right column: one thread.
import { fill, h, keyed } from "./dom.js";
import { glyph, glyphs } from "./icons.js";
import { item, stick } from "./message.js";
import { composer } from "./composer.js";

let parts = null;

export function showThread(el, ctx) {
  const { view, state } = ctx;
  const c = ctx.channel(view.channel);
  const messages = (c?.messages ?? []).filter((m) => m.ts === view.thread || m.thread_ts === view.thread);
  if (!view.thread || !messages.length) {
    el.hidden = true;
    el.dataset.frame = "";
    return;
  }
  el.hidden = false;
  const frame = [view.me, c.id, view.thread].join();
  if (el.dataset.frame !== frame) {
    el.dataset.frame = frame;
    parts = {
      list: h("div", { class: "list", role: "log", "aria-live": "polite", "aria-label": "Replies", tabindex: 0 }),
      composer: composer(ctx, { channel: c, thread: view.thread }),
    };
    fill(el,
      h("header", { class: "head" },
        h("div", { class: "head-title" }, h("h2", {}, "Thread"), h("p", {}, c.with ? ctx.appName() : "#" + c.name)),
        h("button", { type: "button", class: "icon-button", "aria-label": "Close thread", onclick: () => ctx.go({ thread: null }) }, glyph(glyphs.close))),
      parts.list, parts.composer);
  }
  const notes = state.notes.filter((n) => n.channel === c.id && n.message.thread_ts === view.thread);
  const all = [...messages.map((m) => ({ m })), ...notes.map((n) => ({ m: n.message, note: true }))].sort((a, b) => (a.m.ts < b.m.ts ? -1 : 1));
  const items = all.map(({ m, note }, i) => item(m, ctx, { place: "thread", note, before: i > 1 && !all[i - 1].note ? all[i - 1].m : null }));
  const n = messages.length - 1;
  items.splice(1, 0, { key: "count", sig: String(n), make: () => h("div", { class: "divider" }, h("span", {}, n === 0 ? "No replies yet" : n === 1 ? "1 reply" : `${n} replies`)) });
  parts.list.dataset.for = frame;
  // A thread opens at its beginning, where the verdict is; later it follows the one who reads at its end.
  if (parts.list.dataset.was === frame) stick(parts.list, () => keyed(parts.list, items));
  else {
    keyed(parts.list, items);
    parts.list.dataset.was = frame;
    parts.list.scrollTop = 0;
  }
}
