// One message, as everyone or one person sees it.
import { api, base, h, hash, toast } from "./dom.js";
import { emoji, glyph, glyphs } from "./icons.js";
import { blocks } from "./blocks.js";
import { mention, mrkdwn } from "./text.js";

// avatar is a person's picture: initials on the person's colour; for the app its mark.
export function avatar(u, ctx, size = "") {
  const player = ctx.workspace.players.indexOf(u?.id);
  if (u?.id === ctx.workspace.app.user) return h("img", { class: "avatar " + size, src: base + "page/icon.svg", alt: "" });
  const initials = (u?.real_name || u?.name || "?").split(/\s+/).map((w) => w[0]).slice(0, 2).join("").toUpperCase();
  return h("span", { class: `avatar ${size} ` + (player >= 0 ? "player-" + player : "other"), "aria-hidden": "true" }, initials);
}

export function clock(ts) {
  const at = new Date(Number(ts) * 1000);
  return h("time", { class: "time", datetime: at.toISOString(), title: at.toLocaleString() }, at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }));
}

// item is a message as an entry of a keyed list. place is "channel" or "thread".
export function item(m, ctx, { place, note, before }) {
  const follows = before && !note && before.user === m.user && !before.note && m.ts - before.ts < 300 && !m.subtype && !before.reply_count && place === "thread" && before.thread_ts !== before.ts;
  return {
    key: (note ? "n" : "m") + m.ts,
    sig: hash([m, ctx.me, place, follows, note]),
    make: () => show(m, ctx, place, note, follows),
  };
}

function show(m, ctx, place, note, follows) {
  const u = ctx.user(m.user);
  const where = { channel: ctx.view.channel, ts: m.ts };
  return h("article", { class: "message" + (note ? " note" : "") + (follows ? " follows" : ""), "data-ts": m.ts, "aria-label": `${u?.real_name ?? m.user}` },
    note && h("div", { class: "only-you" }, glyph(glyphs.eye), "Only visible to you"),
    h("div", { class: "gutter" }, follows ? clock(m.ts) : avatar(u, ctx)),
    h("div", { class: "content" },
      !follows && h("div", { class: "who" }, h("strong", {}, u?.real_name || u?.name || m.user), u?.bot && h("span", { class: "app-badge" }, "APP"), clock(m.ts)),
      body(m, ctx.at(where), ctx),
      m.reactions && h("div", { class: "reactions" }, m.reactions.map((r) => h("span", { class: "reaction" }, emoji(r.name) ?? `:${r.name}:`, " ", r.count))),
      place === "channel" && m.reply_count > 0 && replies(m, ctx),
      note && h("button", { type: "button", class: "link-button", onclick: () => api("dismiss", { user: ctx.me, ts: m.ts }) }, "Dismiss message")),
    !note && tools(m, ctx, place));
}

// tools is what can be done with a message: answer it in a thread, or give it to the app.
function tools(m, ctx, place) {
  const shortcuts = m.subtype ? [] : ctx.workspace.app.shortcuts.filter((s) => s.message);
  if (place !== "channel" && !shortcuts.length) return null;
  const menu = h("details", { class: "overflow" },
    h("summary", { "aria-label": "More actions", title: "More actions", "data-focus": "more" + m.ts }, glyph(glyphs.dots)),
    h("div", { class: "menu", role: "menu" }, shortcuts.map((s) => h("button", {
      type: "button", role: "menuitem", onclick: async () => {
        menu.open = false;
        const r = await api("shortcut", { user: ctx.me, channel: ctx.view.channel, ts: m.ts, callback: s.callback });
        if (!r.ok) toast(`${ctx.appName()} did not answer (${r.error}). Try again?`);
      },
    }, s.name, h("small", {}, ctx.appName())))));
  return h("div", { class: "tools" },
    place === "channel" && h("button", {
      type: "button", class: "icon-button", "aria-label": "Reply in thread", title: "Reply in thread", "data-focus": "reply" + m.ts,
      onclick: () => ctx.go({ thread: m.thread_ts ?? m.ts, channel: ctx.view.channel }),
    }, glyph(glyphs.thread)),
    shortcuts.length > 0 && menu);
}

function body(m, at, ctx) {
  if (m.subtype === "channel_join") return h("div", { class: "text used" }, "was added to the channel", m.inviter && [" by ", mention(m.inviter, at)], ".");
  if (m.subtype === "slash_command") return h("div", { class: "text used" }, h("code", {}, m.text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&")));
  return [
    m.blocks?.length ? h("div", { class: "blocks" }, blocks(m.blocks, at)) : m.text && h("div", { class: "text" }, mrkdwn(m.text, at)),
    m.edited && h("span", { class: "edited" }, "(edited)"),
    m.files?.map((f) => f.mimetype?.startsWith("image/")
      ? h("figure", {}, h("figcaption", {}, f.title), h("img", { class: "image", src: fileURL(f), alt: f.alt_txt || f.title }))
      : h("a", { class: "file", href: fileURL(f), download: f.name }, h("strong", {}, f.title), h("small", {}, `${f.name} · ${f.size.toLocaleString()} bytes`))),
  ];
}

// fileURL is where the page itself finds a file.
const fileURL = (f) => base + new URL(f.url_private).pathname.slice(1);

function replies(m, ctx) {
  const people = (m.reply_users ?? []).slice(0, 3).map((id) => avatar(ctx.user(id), ctx, "tiny"));
  return h("button", {
    type: "button", class: "replies" + (ctx.view.thread === m.ts ? " open" : ""), "data-thread": m.ts, "data-focus": "replies" + m.ts,
    onclick: () => ctx.go({ thread: m.ts, channel: ctx.view.channel }),
  }, people, h("span", { class: "count" }, m.reply_count === 1 ? "1 reply" : `${m.reply_count} replies`), h("span", { class: "latest" }, "last at ", clock(m.latest_reply)), h("span", { class: "view-thread" }, "View thread"));
}

// stick keeps a list at its end while someone reads there.
export function stick(list, update) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  update();
  if (atEnd || list.dataset.for !== list.dataset.was) list.scrollTop = list.scrollHeight;
  list.dataset.was = list.dataset.for;
}
