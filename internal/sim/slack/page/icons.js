// The emoji that bots use most, drawn here so that they look the same on a machine without an emoji font; others are
// shown as characters, and unknown names stay as they were typed.
import { h } from "./dom.js";

const red = "#d92d20", amber = "#d97706", green = "#1a7f4b", blue = "#2563eb", grey = "#6b7280", violet = "#7c3aed";

const disc = (c) => [["circle", { cx: 10, cy: 10, r: 7.5, fill: c }]];
const line = (d, c, w = 2.2) => ["path", { d, fill: "none", stroke: c, "stroke-width": w, "stroke-linecap": "round", "stroke-linejoin": "round" }];
const solid = (d, c) => ["path", { d, fill: c }];
const box = (c) => ["rect", { x: 1.5, y: 1.5, width: 17, height: 17, rx: 4, fill: c }];

const drawn = {
  white_check_mark: ["✅", [box(green), line("M5.5 10.5l3 3 6-7", "#fff", 2.4)]],
  heavy_check_mark: ["✔", [line("M4 10.5l4 4 8-9", green, 2.8)]],
  x: ["❌", [line("M4.5 4.5l11 11M15.5 4.5l-11 11", red, 3)]],
  negative_squared_cross_mark: ["❎", [box(green), line("M6.5 6.5l7 7M13.5 6.5l-7 7", "#fff", 2.4)]],
  warning: ["⚠", [solid("M10 1.8l9 15.8H1z", "#f59e0b"), line("M10 7.5v4.6", "#1f2937", 2), ["circle", { cx: 10, cy: 14.9, r: 1.2, fill: "#1f2937" }]]],
  rotating_light: ["🚨", [solid("M4 14V10a6 6 0 0112 0v4z", red), solid("M2.5 14.5h15V18h-15z", grey), line("M10 1v1.4M3 3.4l1 1M17 3.4l-1 1", red, 1.6)]],
  no_entry: ["⛔", [["circle", { cx: 10, cy: 10, r: 8.5, fill: red }], line("M5.5 10h9", "#fff", 3)]],
  no_entry_sign: ["🚫", [["circle", { cx: 10, cy: 10, r: 7.3, fill: "none", stroke: red, "stroke-width": 2.6 }], line("M5 5l10 10", red, 2.6)]],
  octagonal_sign: ["🛑", [solid("M6.5 1.5h7l5 5v7l-5 5h-7l-5-5v-7z", red)]],
  red_circle: ["🔴", disc(red)],
  large_orange_circle: ["🟠", disc("#f97316")],
  large_yellow_circle: ["🟡", disc("#f5b301")],
  large_green_circle: ["🟢", disc("#22a06b")],
  large_blue_circle: ["🔵", disc(blue)],
  white_circle: ["⚪", [["circle", { cx: 10, cy: 10, r: 6.8, fill: "none", stroke: grey, "stroke-width": 1.8 }]]],
  mag: ["🔍", [line("M12.5 12.5L17.5 17.5", grey, 2.8), ["circle", { cx: 8, cy: 8, r: 5.4, fill: "#bfdbfe55", stroke: blue, "stroke-width": 2 }]]],
  eyes: ["👀", [["circle", { cx: 5.5, cy: 10, r: 4.3, fill: "#fff", stroke: grey, "stroke-width": 1.3 }], ["circle", { cx: 14.5, cy: 10, r: 4.3, fill: "#fff", stroke: grey, "stroke-width": 1.3 }], ["circle", { cx: 6.6, cy: 10.6, r: 1.9, fill: "#111827" }], ["circle", { cx: 15.6, cy: 10.6, r: 1.9, fill: "#111827" }]]],
  hourglass_flowing_sand: ["⏳", [line("M5 2.5h10M5 17.5h10", grey, 2), solid("M6 3h8c0 4-2.5 5-3 7 .5 2 3 3 3 7H6c0-4 2.5-5 3-7C8.5 8 6 7 6 3z", "#f5b301")]],
  hourglass: ["⌛", [line("M5 2.5h10M5 17.5h10", grey, 2), solid("M6 3h8c0 4-2.5 5-3 7 .5 2 3 3 3 7H6c0-4 2.5-5 3-7C8.5 8 6 7 6 3z", "#f5b301")]],
  stopwatch: ["⏱", [["circle", { cx: 10, cy: 11.5, r: 6.5, fill: "none", stroke: grey, "stroke-width": 2 }], line("M10 11.5V8M8 2.2h4M10 2.2V5", grey, 2)]],
  arrows_counterclockwise: ["🔄", [line("M16 8.5A6.5 6.5 0 004.6 6.5M4 11.5a6.5 6.5 0 0011.4 2", blue, 2.2), line("M4.3 3v3.6h3.6M15.7 17v-3.6h-3.6", blue, 2.2)]],
  wrench: ["🔧", [line("M4 16l7-7", grey, 3.4), line("M16.5 5.5a4 4 0 11-3-3l-2 2.5 2.5 2z", grey, 2)]],
  hammer_and_wrench: ["🛠", [line("M4 16l9-9", grey, 3), line("M4 5l11 11", amber, 2.6), line("M12 3.5l4.5 4.5", grey, 3)]],
  bulb: ["💡", [solid("M10 1.8a5.7 5.7 0 00-3.3 10.3c.6.5.8 1.2.8 1.9h5c0-.7.2-1.4.8-1.9A5.7 5.7 0 0010 1.8z", "#f5b301"), line("M8 16h4M8.7 18.2h2.6", grey, 1.6)]],
  lock: ["🔒", [line("M6.5 9V6.5a3.5 3.5 0 017 0V9", grey, 2.2), ["rect", { x: 4, y: 8.5, width: 12, height: 9, rx: 2, fill: "#f5b301" }]]],
  closed_lock_with_key: ["🔐", [line("M6.5 9V6.5a3.5 3.5 0 017 0V9", grey, 2.2), ["rect", { x: 4, y: 8.5, width: 12, height: 9, rx: 2, fill: "#f5b301" }]]],
  information_source: ["ℹ", [box(blue), line("M10 9v5", "#fff", 2.4), ["circle", { cx: 10, cy: 5.8, r: 1.3, fill: "#fff" }]]],
  question: ["❓", [line("M6.5 7a3.5 3.5 0 117 0c0 2.5-3.5 2.6-3.5 5.5", red, 2.6), ["circle", { cx: 10, cy: 16.6, r: 1.6, fill: red }]]],
  grey_question: ["❔", [line("M6.5 7a3.5 3.5 0 117 0c0 2.5-3.5 2.6-3.5 5.5", grey, 2.6), ["circle", { cx: 10, cy: 16.6, r: 1.6, fill: grey }]]],
  heavy_minus_sign: ["➖", [line("M4 10h12", grey, 3)]],
  memo: ["📝", [["rect", { x: 3.5, y: 2, width: 11, height: 16, rx: 1.5, fill: "#fff", stroke: grey, "stroke-width": 1.5 }], line("M6 6.5h6M6 9.5h6M6 12.5h3", grey, 1.4), line("M11 15l6.5-6.5", amber, 2.4)]],
  clipboard: ["📋", [["rect", { x: 3.5, y: 3, width: 13, height: 15.5, rx: 1.5, fill: "#c08457" }], ["rect", { x: 5.5, y: 5.5, width: 9, height: 11, fill: "#fff" }], ["rect", { x: 7, y: 1.5, width: 6, height: 3.4, rx: 1, fill: grey }]]],
  link: ["🔗", [line("M8.5 11.5l3-3M9 6l2-2a3.5 3.5 0 015 5l-2 2M11 14l-2 2a3.5 3.5 0 01-5-5l2-2", grey, 2)]],
  shield: ["🛡", [solid("M10 1.5l7 2.5v5c0 5-3.5 8-7 9.5C6.5 17 3 14 3 9V4z", blue)]],
  busts_in_silhouette: ["👥", [["circle", { cx: 7, cy: 7, r: 3.2, fill: grey }], ["circle", { cx: 13.5, cy: 7.5, r: 2.8, fill: "#9ca3af" }], solid("M1.5 17c0-4 2.5-6 5.5-6s5.5 2 5.5 6z", grey), solid("M13.8 17h4.7c0-3.5-1.8-5.5-4.5-5.5-.6 0-1 .1-1.5.3 1 1.3 1.3 3 1.3 5.2z", "#9ca3af")]],
  bust_in_silhouette: ["👤", [["circle", { cx: 10, cy: 6.5, r: 3.8, fill: grey }], solid("M3 18c0-5 3-7 7-7s7 2 7 7z", grey)]],
  package: ["📦", [solid("M2 6l8-4 8 4v9l-8 4-8-4z", "#c08457"), line("M2.5 6.3l7.5 3.7 7.5-3.7M10 10v8.5", "#7c4a21", 1.3)]],
  globe_with_meridians: ["🌐", [["circle", { cx: 10, cy: 10, r: 7.7, fill: "none", stroke: blue, "stroke-width": 1.8 }], line("M2.5 10h15M10 2.5c-5 4.5-5 10.5 0 15M10 2.5c5 4.5 5 10.5 0 15", blue, 1.5)]],
  zap: ["⚡", [solid("M11.5 1L3.5 11.5H9L7.5 19l9-11H11z", "#f5b301")]],
  fire: ["🔥", [solid("M10.5 1c.5 4-4.5 5.5-4.5 11 0 4 2.5 6.5 5 6.5s5-2 5-6c0-2.5-1.5-4-2-5.5-.5 1-1 1.7-2 2C12.5 6 12 3 10.5 1z", "#f97316")]],
  bar_chart: ["📊", [["rect", { x: 2.5, y: 9, width: 4, height: 9, fill: green }], ["rect", { x: 8, y: 3, width: 4, height: 15, fill: blue }], ["rect", { x: 13.5, y: 6.5, width: 4, height: 11.5, fill: red }]]],
  black_square_for_stop: ["⏹", [box(blue), ["rect", { x: 6, y: 6, width: 8, height: 8, fill: "#fff" }]]],
  arrow_right: ["➡", [box(blue), line("M5.5 10h8.5M10.5 6.5L14 10l-3.5 3.5", "#fff", 2)]],
  leftwards_arrow_with_hook: ["↩", [box(blue), line("M8 6.5L5 9.5l3 3M5.5 9.5h6a3 3 0 010 6H9.5", "#fff", 1.9)]],
  tada: ["🎉", [solid("M2 18.5L7 6l7 7z", violet), line("M12 5l1-3M15 8.5l3-1M14 5.5l2.5-2.5", amber, 1.8)]],
};

const characters = {
  rocket: "🚀", wave: "👋", "+1": "👍", thumbsup: "👍", "-1": "👎", raised_hand: "✋", point_right: "👉", thread: "🧵", gear: "⚙️",
  stethoscope: "🩺", electric_plug: "🔌", construction: "🚧", speech_balloon: "💬", calendar: "📅", books: "📚", bell: "🔔",
};

const byCharacter = new Map(Object.entries(drawn).map(([name, [ch]]) => [ch, name]));

// emoji is the picture for a name, or null where there is none.
export function emoji(name) {
  const d = drawn[name];
  if (d) {
    return h("svg", { class: "emoji", viewBox: "0 0 20 20", role: "img", "aria-label": name.replaceAll("_", " ") }, d[1].map(([t, p]) => h(t, p)));
  }
  return characters[name] ? h("span", { class: "emoji", role: "img", "aria-label": name.replaceAll("_", " ") }, characters[name]) : null;
}

const known = new RegExp(`(:[a-z0-9_+-]+:|(?:${[...byCharacter.keys()].join("|")})\\uFE0F?)`, "u");

// withEmoji splits text into strings and pictures.
export function withEmoji(text, names = true) {
  return text.split(known).map((part, i) => {
    if (i % 2 === 0) return part;
    const name = byCharacter.get(part.replace("\uFE0F", ""));
    if (name) return emoji(name);
    return (names && emoji(part.slice(1, -1))) || part;
  });
}

// glyph is a line drawing of the page itself.
export function glyph(d, cls = "glyph") {
  return h("svg", { class: cls, viewBox: "0 0 20 20", "aria-hidden": "true" }, h("path", { d, fill: "none", stroke: "currentColor", "stroke-width": 1.7, "stroke-linecap": "round", "stroke-linejoin": "round" }));
}

export const glyphs = {
  close: "M5 5l10 10M15 5L5 15",
  send: "M3 10l14-6.5-4.5 13.5L9.5 11z",
  eye: "M2 10s3-5 8-5 8 5 8 5-3 5-8 5-8-5-8-5zM10 12.2a2.2 2.2 0 100-4.4 2.2 2.2 0 000 4.4z",
  menu: "M3 5.5h14M3 10h14M3 14.5h14",
  world: "M10 2.5a7.5 7.5 0 100 15 7.5 7.5 0 000-15zM2.5 10h15M10 2.5c-4.5 4.5-4.5 10.5 0 15M10 2.5c4.5 4.5 4.5 10.5 0 15",
  copy: "M7.5 7.5h9v9h-9zM12.5 7.5v-4h-9v9h4",
  lock: "M5 9h10v8H5zM7 9V6.5a3 3 0 016 0V9",
  down: "M5 8l5 5 5-5",
  thread: "M3 4h14v9H9l-4 3.5V13H3z",
  plus: "M10 4v12M4 10h12",
  dots: "M5 10h.01M10 10h.01M15 10h.01",
};
