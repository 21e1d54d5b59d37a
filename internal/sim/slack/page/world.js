// The panel beside Slack: the state of the world behind the bot, and how to look at it from a shell.
import { fill, h, hash, toast } from "./dom.js";
import { glyph, glyphs } from "./icons.js";

export function showWorld(el, ctx, panel) {
  el.hidden = !(ctx.view.world && panel);
  if (el.hidden) return;
  const sig = hash(panel);
  if (el.dataset.sig === sig) return;
  const was = new Map([...el.querySelectorAll("td[data-at]")].map((td) => [td.dataset.at, td.textContent]));
  const top = el.querySelector(".world-scroll")?.scrollTop ?? 0;
  el.dataset.sig = sig;
  fill(el,
    h("header", { class: "head" },
      h("div", { class: "head-title" }, h("h2", {}, panel.title || "World"), h("p", {}, "what is really there, live")),
      h("button", { type: "button", class: "icon-button", "aria-label": "Close the world", onclick: () => ctx.go({ world: false }) }, glyph(glyphs.close))),
    h("div", { class: "world-scroll", tabindex: 0 },
      (panel.tables ?? []).map((t, i) => table(t, i, was)),
      panel.commands?.length > 0 && h("section", { class: "commands" }, h("h3", {}, "Look for yourself"), panel.commands.map(command))));
  el.querySelector(".world-scroll").scrollTop = top;
}

function table(t, i, was) {
  return h("section", {}, h("h3", {}, t.title),
    h("div", { class: "table-scroll" }, h("table", {},
      h("thead", {}, h("tr", {}, t.columns.map((c) => h("th", { scope: "col" }, c)))),
      h("tbody", {}, (t.rows ?? []).map((r) => h("tr", {}, r.map((c, k) => cell(c, `${i}/${r[0]}/${k}`, was))))))));
}

// cell shows trouble in red and good news in green, and flashes where it changed.
function cell(c, at, was) {
  const mood = { "!": "bad", "+": "good" }[c[0]];
  const text = mood ? c.slice(1) : c;
  const changed = was.has(at) && was.get(at) !== text;
  return h("td", { "data-at": at, class: [mood, changed && "changed"].filter(Boolean).join(" ") || null }, text);
}

function command(line) {
  return h("div", { class: "command" }, h("code", {}, line), h("button", {
    type: "button", class: "icon-button", "aria-label": "Copy: " + line,
    onclick: async () => {
      try {
        await navigator.clipboard.writeText(line);
        toast("Copied.");
      } catch {
        toast("This browser does not let the page copy.");
      }
    },
  }, glyph(glyphs.copy)));
}
