// Slack's data_visualization block: pies, bars, areas and lines, with the figures beside them for who can't see or tell colours.
import { h } from "./dom.js";
import { plain } from "./text.js";

const colours = ["#0f766e", "#d97706", "#7c3aed", "#2563eb", "#d92d20", "#6b7280"];
const colour = (i) => colours[i % colours.length];
const number = (v) => v.toLocaleString(undefined, { maximumFractionDigits: 2 });

export function chart(b) {
  const c = b.chart ?? {};
  const title = typeof b.title === "string" ? b.title : b.title?.text;
  const draw = { pie, bar, line: lines, area: lines }[c.type];
  return h("figure", { class: "chart" }, title && h("figcaption", {}, plain(title)), draw ? draw(c) : "(no chart)");
}

// pie is a ring; its legend has what each part is and how much of the whole.
function pie(c) {
  const total = c.segments.reduce((n, s) => n + s.value, 0) || 1;
  const around = 2 * Math.PI * 38;
  let before = 0;
  const parts = c.segments.map((s, i) => {
    const share = s.value / total;
    const part = h("circle", {
      cx: 50, cy: 50, r: 38, fill: "none", stroke: colour(i), "stroke-width": 20,
      "stroke-dasharray": `${share * around} ${around}`, "stroke-dashoffset": -before * around, transform: "rotate(-90 50 50)",
    });
    before += share;
    return part;
  });
  return h("div", { class: "pie" },
    h("svg", { viewBox: "0 0 100 100", "aria-hidden": "true" }, parts),
    h("ul", { class: "legend" }, c.segments.map((s, i) => entry(i, s.label, `${number(s.value)} · ${Math.round((100 * s.value) / total)} %`))));
}

const entry = (i, name, value) => h("li", {}, h("i", { style: { background: colour(i) } }), name, value && h("b", {}, value));

// scale is what the axis shows: from nothing, or from below it, to the largest value.
function scale(c) {
  const values = (c.series ?? []).flatMap((s) => s.data.map((d) => d.value));
  const low = Math.min(0, ...values), high = Math.max(1, ...values);
  return { low, high, at: (v) => (v - low) / (high - low) };
}

const said = (c) => (c.series ?? []).map((s) => s.name + ": " + s.data.map((d) => d.label + " " + number(d.value)).join(", ")).join("; ");

// bar is a group of bars for each category, lying, so that long names can be read on a phone too.
function bar(c) {
  const { at } = scale(c);
  const many = c.series.length > 1;
  return [
    h("div", { class: "bars", role: "img", "aria-label": said(c) }, (c.axis_config?.categories ?? []).map((name) => h("div", { class: "bar-group" },
      h("span", { class: "bar-label" }, name),
      h("span", { class: "bar-tracks" }, c.series.map((s, i) => {
        const d = s.data.find((p) => p.label === name);
        return d && h("span", { class: "bar" },
          h("span", { class: "bar-track" }, h("i", { style: { width: Math.max(0, at(d.value)) * 100 + "%", background: colour(i) } })),
          h("span", { class: "bar-value" }, number(d.value)));
      }))))),
    axis(c), many && h("ul", { class: "legend" }, c.series.map((s, i) => entry(i, s.name))),
  ];
}

function axis(c) {
  const names = [c.axis_config?.x_label, c.axis_config?.y_label].filter(Boolean);
  return names.length > 0 && h("p", { class: "axis" }, names.join(" · "));
}

// lines are lines, or areas down to nothing.
function lines(c) {
  const { low, high, at } = scale(c);
  const x = (j, n) => 40 + (355 * j) / Math.max(1, n - 1), y = (v) => 125 - 112 * at(v);
  const names = c.axis_config?.categories ?? [];
  const every = Math.ceil(names.length / 6);
  return [
    h("svg", { class: "lines", viewBox: "0 0 400 145", role: "img", "aria-label": said(c) },
      [low, (low + high) / 2, high].map((v) => [
        h("line", { x1: 40, x2: 395, y1: y(v), y2: y(v), class: "grid" }),
        h("text", { x: 34, y: y(v) + 3.5, "text-anchor": "end" }, number(v)),
      ]),
      names.map((name, j) => j % every === 0 && h("text", { x: x(j, names.length), y: 141, "text-anchor": j === 0 ? "start" : "middle" }, name)),
      (c.series ?? []).map((s, i) => {
        const points = s.data.map((d, j) => `${x(j, s.data.length).toFixed(1)},${y(d.value).toFixed(1)}`).join(" ");
        return [
          c.type === "area" && h("polygon", { points: `40,${y(0)} ${points} ${x(s.data.length - 1, s.data.length)},${y(0)}`, fill: colour(i), opacity: 0.25 }),
          h("polyline", { points, fill: "none", stroke: colour(i), "stroke-width": 2 }),
        ];
      })),
    axis(c), h("ul", { class: "legend" }, (c.series ?? []).map((s, i) => entry(i, s.name))),
  ];
}
