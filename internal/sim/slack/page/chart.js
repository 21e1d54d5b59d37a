// Slack's data_visualization block: bars, areas, lines and pies, drawn small and with the figures beside them.
import { h } from "./dom.js";
import { plain } from "./text.js";

const colours = ["#0f766e", "#d97706", "#7c3aed", "#2563eb", "#d92d20", "#6b7280"];

export function chart(b) {
  const c = b.chart ?? {};
  const title = b.title && h("figcaption", {}, plain(typeof b.title === "string" ? b.title : b.title.text));
  if (c.type === "pie") {
    const total = c.segments.reduce((n, s) => n + s.value, 0) || 1;
    return h("figure", { class: "chart" }, title, c.segments.map((s, i) => bar(s.label, s.value, s.value / total, colours[i % 6])));
  }
  const top = Math.max(1, ...(c.series ?? []).flatMap((s) => s.data.map((d) => d.value)));
  if (c.type === "bar") {
    return h("figure", { class: "chart" }, title, (c.axis_config?.categories ?? []).map((name) =>
      h("div", { class: "bars", role: "group", "aria-label": name }, (c.series ?? []).map((s, i) => {
        const d = s.data.find((p) => p.label === name);
        return d && bar(c.series.length > 1 ? `${name} · ${s.name}` : name, d.value, d.value / top, colours[i % 6]);
      }))));
  }
  return h("figure", { class: "chart" }, title,
    h("svg", { class: "lines", viewBox: "0 0 300 90", role: "img", "aria-label": (c.series ?? []).map((s) => s.name + ": " + s.data.map((d) => d.label + " " + d.value).join(", ")).join("; ") },
      (c.series ?? []).map((s, i) => {
        const at = s.data.map((d, j) => [5 + (290 * j) / Math.max(1, s.data.length - 1), 85 - (78 * d.value) / top]);
        const points = at.map((p) => p.map((n) => n.toFixed(1)).join(",")).join(" ");
        return [
          c.type === "area" && h("polygon", { points: `5,85 ${points} 295,85`, fill: colours[i % 6], opacity: 0.25 }),
          h("polyline", { points, fill: "none", stroke: colours[i % 6], "stroke-width": 2 }),
        ];
      })),
    h("div", { class: "legend" }, (c.series ?? []).map((s, i) => h("span", {}, h("i", { style: { background: colours[i % 6] } }), s.name))));
}

function bar(label, value, share, colour) {
  return h("div", { class: "bar" },
    h("span", { class: "bar-label" }, label),
    h("span", { class: "bar-track" }, h("i", { style: { width: Math.max(0, Math.min(1, share)) * 100 + "%", background: colour } })),
    h("span", { class: "bar-value" }, value.toLocaleString()));
}
