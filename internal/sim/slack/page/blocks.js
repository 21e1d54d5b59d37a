// Block Kit as nodes.
import { h } from "./dom.js";
import { glyph, glyphs } from "./icons.js";
import { markdown, plain, richText, textObject } from "./text.js";
import { chart } from "./chart.js";
import { field } from "./fields.js";

// blocks shows a list of blocks. ctx says who looks and what happens when something is used:
// {me, user(id), channel(id), act(block, element, picks, node), suggest(block, element, typed), errors, surface}.
export function blocks(list, ctx) {
  return (list ?? []).map((b) => h("div", { class: "block b-" + b.type, "data-block": b.block_id }, block(b, ctx)));
}

function block(b, ctx) {
  switch (b.type) {
    case "header": return h("h" + (2 + Math.min(b.level ?? 1, 3)), { class: "header" }, plain(b.text.text));
    case "divider": return h("hr");
    case "section": return section(b, ctx);
    case "context": return h("div", { class: "context" }, b.elements.map((e) => (e.type === "image" ? picture(e, "context-image") : h("span", {}, textObject(e, ctx)))));
    case "actions": return h("div", { class: "actions" }, b.elements.map((e) => element(b, e, ctx)));
    case "image": return image(b);
    case "rich_text": return richText(b, ctx);
    case "table": return table(b, ctx);
    case "data_table": return h("figure", {}, h("figcaption", {}, b.caption), table(b, ctx));
    case "data_visualization": return chart(b);
    case "markdown": return markdown(b.text);
    case "input": return input(b, ctx);
    case "container": return container(b, ctx);
    case "alert": return h("div", { class: "alert " + (b.level ?? ""), role: "note" }, textObject(b.text, ctx));
  }
  return h("div", { class: "unknown" }, `This page can't show a block of type “${b.type}”.`);
}

function section(b, ctx) {
  return [
    h("div", { class: "section" },
      b.text && h("div", { class: "text" }, textObject(b.text, ctx)),
      b.fields && h("div", { class: "fields" }, b.fields.map((f) => h("div", {}, textObject(f, ctx)))),
    ),
    b.accessory && h("div", { class: "accessory" }, b.accessory.type === "image" ? picture(b.accessory, "thumb") : element(b, b.accessory, ctx)),
  ];
}

function container(b, ctx) {
  const title = b.title ? plain(b.title.text) : richText(b.rich_text_title ?? {}, ctx);
  const head = [h("strong", {}, title), b.subtitle && h("span", { class: "sub" }, textObject(b.subtitle, ctx))];
  if (b.is_collapsible) return h("details", { class: "container", open: !b.default_collapsed }, h("summary", {}, head), blocks(b.child_blocks, ctx));
  return h("div", { class: "container" }, h("div", { class: "container-head" }, head), blocks(b.child_blocks, ctx));
}

// picture shows an image of this workspace; one from elsewhere is not loaded, and its alternative text stands there.
function picture(b, cls) {
  const url = b.image_url ?? b.slack_file?.url ?? "";
  if (url.startsWith("/") || url.startsWith(location.origin + "/") || url.startsWith("data:image/")) {
    return h("img", { class: cls, src: url, alt: b.alt_text ?? "" });
  }
  return h("span", { class: "no-image", role: "img", "aria-label": b.alt_text }, b.alt_text);
}

function image(b) {
  return h("figure", {}, b.title && h("figcaption", {}, plain(b.title.text)), picture(b, "image"));
}

function table(b, ctx) {
  const align = (i) => ({ textAlign: b.column_settings?.[i]?.align ?? null, whiteSpace: b.column_settings?.[i]?.is_wrapped ? "normal" : null });
  const cell = (c) => {
    if (!c) return "";
    if (c.type === "rich_text") return richText(c, ctx);
    if (c.type === "action_cell") return element(b, c.element, ctx);
    return c.text ?? String(c.value ?? "");
  };
  const [head, ...rows] = b.rows;
  return h("div", { class: "table-scroll", tabindex: 0, role: "region", "aria-label": b.caption ?? "Table" },
    h("table", {},
      h("thead", {}, h("tr", {}, head.map((c, i) => h("th", { scope: "col", style: align(i) }, cell(c))))),
      h("tbody", {}, rows.map((r) => h("tr", {}, r.map((c, i) => h("td", { style: align(i) }, cell(c))))))));
}

let ids = 0;

function input(b, ctx) {
  const id = "field-" + ++ids;
  const error = ctx.errors?.[b.block_id];
  const many = ["checkboxes", "radio_buttons"].includes(b.element.type);
  const label = [plain(b.label.text), b.optional && h("span", { class: "optional" }, " (optional)")];
  const about = [b.hint && h("p", { class: "hint", id: id + "-hint" }, plain(b.hint.text)), error && h("p", { class: "error", id: id + "-error" }, error)];
  const el = field(b, b.element, ctx, { id, invalid: Boolean(error), describedby: [b.hint && id + "-hint", error && id + "-error"].filter(Boolean).join(" ") || null });
  return many
    ? h("fieldset", { class: "input" }, h("legend", {}, label), el, about)
    : h("div", { class: "input" }, h("label", { for: id }, label), el, about);
}

// element shows an interactive element of a section or an actions block.
export function element(b, e, ctx) {
  if (e.type === "button" || e.type === "workflow_button") return button(b, e, ctx);
  if (e.type === "overflow") return overflow(b, e, ctx);
  return field(b, e, ctx, { id: "field-" + ++ids, label: e.placeholder?.text ?? e.action_id });
}

function button(b, e, ctx) {
  const el = h("button", {
    type: "button", class: "button " + (e.style ?? ""), "aria-label": e.accessibility_label, "data-action": e.action_id,
    "data-focus": b.block_id + "/" + e.action_id,
    onclick: () => {
      if (e.url && /^https?:/i.test(e.url)) window.open(e.url, "_blank", "noopener");
      ctx.act(b, e, [], el);
    },
  }, plain(e.text.text));
  return el;
}

function overflow(b, e, ctx) {
  const menu = h("details", { class: "overflow" },
    h("summary", { "aria-label": "More actions" }, glyph(glyphs.dots)),
    h("div", { class: "menu", role: "menu" }, e.options.map((o) => h("button", {
      type: "button", role: "menuitem",
      onclick: () => { menu.open = false; ctx.act(b, e, [o.value], menu); },
    }, textObject(o.text, ctx)))));
  return menu;
}
