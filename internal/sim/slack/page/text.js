// Slack's two kinds of text, as nodes: mrkdwn, and the rich_text block. What comes from a cluster is text in them and
// stays text.
import { h } from "./dom.js";
import { emoji, withEmoji } from "./icons.js";

const entities = { "&lt;": "<", "&gt;": ">", "&amp;": "&" };
const decode = (s) => s.replace(/&(?:lt|gt|amp);/g, (e) => entities[e]);

// plain shows a plain_text: nothing in it means anything but emoji names.
export function plain(text, names = true) {
  return withEmoji(text ?? "", names);
}

// textObject shows a text object of either kind.
export function textObject(t, ctx) {
  if (!t) return null;
  return t.type === "mrkdwn" ? mrkdwn(t.text, ctx) : plain(t.text, t.emoji !== false);
}

// mrkdwn shows Slack's markup: *bold*, _italic_, ~struck~, `code`, ```block```, > quote, <links>.
export function mrkdwn(text, ctx) {
  const out = [];
  const parts = (text ?? "").split("```");
  parts.forEach((part, i) => {
    if (i % 2 === 1 && i < parts.length - 1) {
      out.push(h("pre", {}, decode(part.replace(/^\n/, "").replace(/\n$/, ""))));
      return;
    }
    if (i % 2 === 1) part = "```" + part; // never closed
    if (i > 0) part = part.replace(/^\n/, "");
    if (part) out.push(...lines(part, ctx));
  });
  return out;
}

function lines(text, ctx) {
  const out = [];
  let quote = null;
  text.split("\n").forEach((line, i, all) => {
    const quoted = /^(?:&gt;|>) ?(.*)$/s.exec(line);
    if (quoted) {
      if (!quote) out.push((quote = h("blockquote")));
      else quote.append(h("br"));
      quote.append(...nodes(inline(quoted[1], ctx)));
      return;
    }
    quote = null;
    out.push(...inline(line, ctx));
    if (i < all.length - 1 && !/^(?:&gt;|>)/.test(all[i + 1])) out.push(h("br"));
  });
  return out;
}

const nodes = (list) => list.map((n) => (n instanceof Node ? n : document.createTextNode(n)));

// A marker opens where no word is before it and no space after it, and closes the other way round.
const spans = [
  [/`([^`\n]+)`/u, (m) => h("code", {}, decode(m[1]))],
  [/<([^<>\n]+)>/u, (m, ctx) => angle(m[1], ctx)],
  [/(?<![\p{L}\p{N}*])\*(?=\S)([^*\n]*[^\s*])\*(?![\p{L}\p{N}*])/u, (m, ctx) => h("strong", {}, inline(m[1], ctx))],
  [/(?<![\p{L}\p{N}_])_(?=\S)([^_\n]*[^\s_])_(?![\p{L}\p{N}_])/u, (m, ctx) => h("em", {}, inline(m[1], ctx))],
  [/(?<![\p{L}\p{N}~])~(?=\S)([^~\n]*[^\s~])~(?![\p{L}\p{N}~])/u, (m, ctx) => h("s", {}, inline(m[1], ctx))],
];

function inline(text, ctx) {
  let first = null;
  for (const [re, make] of spans) {
    const m = re.exec(text);
    if (m && (!first || m.index < first.m.index)) first = { m, make };
  }
  if (!first) return withEmoji(decode(text));
  const { m, make } = first;
  return [...withEmoji(decode(text.slice(0, m.index))), make(m, ctx), ...inline(text.slice(m.index + m[0].length), ctx)].flat();
}

// angle shows what stands in angle brackets: a mention, a channel, a date or a link.
function angle(body, ctx) {
  const [target, label] = [body.split("|")[0], body.includes("|") ? body.slice(body.indexOf("|") + 1) : ""];
  if (/^@[UW]/.test(target)) return mention(target.slice(1), ctx);
  if (target.startsWith("#C")) return h("span", { class: "mention" }, "#" + (ctx.channel(target.slice(1))?.name || decode(label) || "channel"));
  if (target.startsWith("!date^")) return date(target.split("^"), label);
  if (target.startsWith("!subteam^")) return h("span", { class: "mention" }, decode(label) || "@group");
  if (target.startsWith("!")) return h("span", { class: "mention loud" }, "@" + (decode(label) || target.slice(1)).replace(/^@/, ""));
  return link(decode(target), decode(label));
}

export function mention(id, ctx) {
  const u = ctx.user(id);
  return h("span", { class: "mention" + (id === ctx.me ? " me" : "") }, "@" + (u?.name ?? id));
}

export function link(url, label) {
  if (!/^(https?:|mailto:)/i.test(url)) return label || url;
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, label || url.replace(/^mailto:/, ""));
}

function date([, seconds, format], fallback) {
  const at = new Date(Number(seconds) * 1000);
  if (Number.isNaN(at.getTime())) return decode(fallback);
  const pad = (n) => String(n).padStart(2, "0");
  const time = pad(at.getHours()) + ":" + pad(at.getMinutes());
  const day = at.toLocaleDateString(undefined, { year: "numeric", month: "short", day: "numeric" });
  return h("time", { datetime: at.toISOString() }, (format ?? "")
    .replaceAll("{time_secs}", time + ":" + pad(at.getSeconds())).replaceAll("{time}", time)
    .replace(/\{date_num\}/g, at.toISOString().slice(0, 10)).replace(/\{date[a-z_]*\}/g, day));
}

// richText shows a rich_text block or a cell of that kind.
export function richText(block, ctx) {
  return (block.elements ?? []).map((e) => {
    switch (e.type) {
      case "rich_text_section": return h("div", { class: "rt" }, runs(e, ctx));
      case "rich_text_preformatted": return h("pre", {}, (e.elements ?? []).map((r) => r.text ?? r.url ?? ""));
      case "rich_text_quote": return h("blockquote", {}, runs(e, ctx));
      case "rich_text_list":
        return h(e.style === "ordered" ? "ol" : "ul", { class: "indent" + (e.indent ?? 0), start: e.offset ? e.offset + 1 : null },
          (e.elements ?? []).map((item) => h("li", {}, runs(item, ctx))));
    }
    return h("div", { class: "unknown" }, `[${e.type}]`);
  });
}

function runs(section, ctx) {
  return (section.elements ?? []).map((r) => styled(run(r, ctx), r.style));
}

function run(r, ctx) {
  switch (r.type) {
    case "text": return r.text.split("\n").flatMap((l, i) => (i ? [h("br"), ...withEmoji(l, false)] : withEmoji(l, false)));
    case "link": return link(r.url, r.text);
    case "emoji": return emoji(r.name) ?? `:${r.name}:`;
    case "user": return mention(r.user_id, ctx);
    case "channel": return h("span", { class: "mention" }, "#" + (ctx.channel(r.channel_id)?.name ?? r.channel_id));
    case "usergroup": return h("span", { class: "mention" }, "@" + r.usergroup_id);
    case "broadcast": return h("span", { class: "mention loud" }, "@" + r.range);
    case "date": return date(["", r.timestamp, r.format], r.fallback ?? "");
    case "color": return r.value;
    case "tag": return h("span", { class: "tag" }, r.text);
  }
  return `[${r.type}]`;
}

function styled(node, style) {
  if (!style) return node;
  for (const [k, tag] of [["code", "code"], ["bold", "strong"], ["italic", "em"], ["strike", "s"], ["underline", "u"]]) {
    if (style[k]) node = h(tag, {}, node);
  }
  return node;
}

// markdown shows the markdown block: headings, lists, code, bold, italic, links.
export function markdown(text) {
  const out = [];
  let list = null;
  const parts = text.split(/^```.*$/m);
  parts.forEach((part, i) => {
    if (i % 2) return out.push(h("pre", {}, part.trim()));
    for (const line of part.split("\n")) {
      const head = /^#{1,6} (.*)/.exec(line), item = /^\s*[-*] (.*)/.exec(line);
      if (item) {
        if (!list) out.push((list = h("ul")));
        list.append(h("li", {}, mdInline(item[1])));
        continue;
      }
      list = null;
      if (head) out.push(h("h4", {}, mdInline(head[1])));
      else if (line.trim()) out.push(h("div", { class: "rt" }, mdInline(line)));
    }
  });
  return out;
}

function mdInline(text) {
  const m = /`([^`]+)`|\*\*(.+?)\*\*|\[([^\]]+)\]\(([^)\s]+)\)/.exec(text);
  if (!m) return withEmoji(text);
  const node = m[1] ? h("code", {}, m[1]) : m[2] ? h("strong", {}, mdInline(m[2])) : link(m[4], m[3]);
  return [...withEmoji(text.slice(0, m.index)), node, ...mdInline(text.slice(m.index + m[0].length))].flat();
}
