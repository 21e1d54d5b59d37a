// The middle column: a channel, or the conversation with the app and its Home tab.
import { api, fill, h, hash, keyed } from "./dom.js";
import { glyph, glyphs } from "./icons.js";
import { avatar, item, stick } from "./message.js";
import { blocks } from "./blocks.js";
import { composer } from "./composer.js";

let parts = null;

export function showMain(el, ctx) {
  const { view, state } = ctx;
  const c = ctx.channel(view.channel);
  if (!c) return;
  const frame = [view.me, c.id].join();
  if (el.dataset.frame !== frame) {
    el.dataset.frame = frame;
    parts = {
      head: h("header", { class: "head" }), home: h("div", { class: "home", tabindex: -1 }),
      list: h("div", { class: "list", role: "log", "aria-live": "polite", "aria-label": "Messages", tabindex: 0 }),
      composer: composer(ctx, { channel: c, thread: null }),
      away: h("p", { class: "away", role: "status" }),
    };
    fill(el, parts.head, parts.home, parts.list, parts.away, parts.composer);
  }
  parts.away.textContent = state.sockets ? "" : `${ctx.appName()} is not connected. It is starting, or it was stopped; what you type now does not reach it.`;
  head(parts.head, ctx, c);
  const home = Boolean(c.with) && view.tab === "home";
  parts.home.hidden = !home;
  parts.list.hidden = parts.composer.hidden = home;
  if (home) return showHome(parts.home, ctx);
  parts.list.dataset.for = c.id + view.me;
  stick(parts.list, () => keyed(parts.list, [intro(ctx, c), ...entries(c, state, ctx)]));
}

function head(el, ctx, c) {
  const { view, workspace, state } = ctx;
  const sig = hash([c.id, c.name, c.topic, c.members, view.tab, view.world, state.sockets > 0]);
  if (el.dataset.sig === sig) return;
  el.dataset.sig = sig;
  const tab = (name, label) => h("button", {
    type: "button", role: "tab", "aria-selected": String(view.tab === name), class: "tab",
    onclick: () => {
      ctx.go({ tab: name, channel: c.id, thread: view.thread });
      api(name, { user: view.me }); // the app is told every time
    },
  }, label);
  fill(el,
    h("button", { type: "button", class: "icon-button menu-button", "aria-label": "Channels and people", onclick: () => ctx.go({ menu: !view.menu }) }, glyph(glyphs.menu)),
    h("div", { class: "head-title" },
      h("h1", {}, c.with ? workspace.app.name : [c.private ? glyph(glyphs.lock, "side-glyph") : h("span", { class: "hash" }, "#"), c.name]),
      h("p", {}, c.with ? (state.sockets ? "connected" : "not connected") : [c.topic || "", c.topic && " · ", `${c.members} members`])),
    c.with && h("div", { class: "tabs", role: "tablist", "aria-label": "App" }, tab("home", "Home"), tab("messages", "Messages")),
    workspace.panel && h("button", { type: "button", class: "button quiet world-button", "aria-pressed": String(view.world), onclick: () => ctx.go({ world: !view.world }) }, glyph(glyphs.world), h("span", {}, "World")));
}

function entries(c, state, ctx) {
  const all = [
    ...c.messages.filter((m) => !m.thread_ts || m.thread_ts === m.ts || m.subtype === "thread_broadcast").map((m) => ({ m })),
    ...state.notes.filter((n) => n.channel === c.id && !n.message.thread_ts).map((n) => ({ m: n.message, note: true })),
  ].sort((a, b) => (a.m.ts < b.m.ts ? -1 : 1));
  return all.map(({ m, note }) => item(m, ctx, { place: "channel", note }));
}

// intro stands above the first message, and tells a newcomer what to type.
function intro(ctx, c) {
  const { workspace } = ctx;
  return {
    key: "intro", sig: hash([c.id, c.app, ctx.me]),
    make: () => h("div", { class: "intro" },
      c.with ? avatar(ctx.user(workspace.app.user), ctx, "large") : h("span", { class: "intro-hash", "aria-hidden": "true" }, "#"),
      h("h2", {}, c.with ? workspace.app.name : `Welcome to #${c.name}`),
      c.with && h("p", {}, `This is your direct conversation with ${workspace.app.name}.`),
      !c.with && !c.app && h("p", {}, `${workspace.app.name} is not in this channel. Type /invite @${workspace.app.name} to add it.`),
      !c.with && c.app && steps(ctx)),
  };
}

// steps tells what to do first, second and third.
function steps(ctx) {
  const { workspace } = ctx;
  const other = ctx.user(workspace.players.find((id) => id !== ctx.me));
  return h("ol", { class: "steps" },
    h("li", {}, `Ask ${workspace.app.name} what is wrong:`, h("div", { class: "hints" }, workspace.hints.map((line) =>
      h("button", { type: "button", class: "hint-line", onclick: () => document.querySelector("#main .composer")?.compose(line) }, h("code", {}, line))))),
    h("li", {}, "Open the thread under its answer: what is wrong, the evidence, the fixes."),
    other && h("li", {}, "Switch to ", h("strong", {}, other.real_name || other.name), ", and approve a fix: what someone asked for, someone else lets happen."));
}

function showHome(el, ctx) {
  const v = ctx.state.home;
  const sig = hash([v?.hash, ctx.me]);
  if (el.dataset.sig === sig) return;
  el.dataset.sig = sig;
  fill(el, v ? blocks(v.blocks, { ...ctx.at({ view: v.id }), values: v.state.values }) : h("p", { class: "empty" }, `${ctx.appName()} has not published a Home tab yet.`));
}
