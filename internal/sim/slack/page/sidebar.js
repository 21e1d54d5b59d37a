// The left column: the workspace, its channels, the app, and who is acting.
import { api, fill, h, hash, toast } from "./dom.js";
import { glyph, glyphs } from "./icons.js";
import { avatar } from "./message.js";

const seen = new Map(); // person and channel → the last ts that was on the screen

export function showSidebar(el, ctx) {
  const { view, workspace, state } = ctx;
  const open = state.channels.find((c) => c.id === view.channel);
  if (open) seen.set(view.me + open.id, last(open));
  const sig = hash([view.me, view.channel, view.menu, state.sockets, state.channels.map((c) => [c.id, fresh(view.me, c)])]);
  if (el.dataset.sig === sig) return;
  el.dataset.sig = sig;
  const focus = el.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  fill(el,
    h("header", { class: "team" }, h("span", { class: "team-name" }, workspace.team.name), h("span", { class: "team-note" }, "simulated workspace")),
    h("div", { class: "side-scroll" },
      workspace.places.length > 1 && h("h2", {}, "Worlds"),
      workspace.places.length > 1 && h("ul", {}, workspace.places.map(place)),
      h("h2", {}, "Channels"),
      h("ul", {}, state.channels.filter((c) => !c.with).map((c) => row(ctx, c, c.private ? glyph(glyphs.lock, "side-glyph") : h("span", { class: "hash", "aria-hidden": "true" }, "#"), c.name))),
      h("h2", {}, "Apps"),
      h("ul", {}, state.channels.filter((c) => c.with).map((c) => row(ctx, c, h("span", { class: "presence " + (state.sockets ? "on" : "off"), role: "img", "aria-label": state.sockets ? "connected" : "not connected" }), workspace.app.name)),
        !state.sockets && h("li", { class: "side-note" }, "not connected"))),
    people(ctx));
  if (focus) el.querySelector(`[data-focus="${CSS.escape(focus)}"]`)?.focus();
}

const last = (c) => c.messages.at(-1)?.ts ?? "";
const fresh = (me, c) => c.messages.length > 0 && last(c) > (seen.get(me + c.id) ?? "");

function row(ctx, c, sign, name) {
  const here = c.id === ctx.view.channel;
  return h("li", {}, h("button", {
    type: "button", class: "side-row" + (fresh(ctx.view.me, c) && !here ? " fresh" : ""), "aria-current": here ? "page" : null, "data-channel": c.id, "data-focus": c.id,
    onclick: () => {
      ctx.go({ channel: c.id });
      if (c.with) api("messages", { user: ctx.view.me });
    },
  }, sign, h("span", {}, name)));
}

function place(p) {
  return h("li", {}, h("a", { class: "side-row place", href: p.url, "aria-current": p.here ? "page" : null, onclick: () => { if (!p.here) toast("Going to “" + p.title + "”. A world that nobody has looked at yet is started first."); } }, h("span", {}, p.title)));
}

// people is the switch between those whom one can play.
function people(ctx) {
  const { workspace, view } = ctx;
  return h("div", { class: "people", role: "radiogroup", "aria-label": "You are acting as" },
    h("h2", {}, "You are acting as"),
    workspace.players.map((id, i) => {
      const u = ctx.user(id);
      const me = id === view.me;
      return h("button", {
        type: "button", role: "radio", "aria-checked": String(me), tabindex: me ? 0 : -1, class: "person player-" + i, "data-user": id, "data-focus": id,
        onclick: () => ctx.become(id),
        onkeydown: (ev) => {
          const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[ev.key];
          if (!step) return;
          ev.preventDefault();
          const n = workspace.players.length;
          ctx.become(workspace.players[(i + step + n) % n]);
        },
      }, avatar(u, ctx, "small"), h("span", { class: "person-name" }, u.real_name || u.name, u.title && h("small", {}, u.title)), h("span", { class: "person-mark", "aria-hidden": "true" }, me ? "acting" : "switch"));
    }));
}
