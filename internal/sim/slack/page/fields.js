// The fields of forms: text, selects, checkboxes, radio buttons, dates.
import { h } from "./dom.js";
import { textObject } from "./text.js";

const textual = { plain_text_input: "text", email_text_input: "email", url_text_input: "url", number_input: "number", datepicker: "date", timepicker: "time", datetimepicker: "datetime-local" };

// field makes the control of an element. Outside of an input block, or where the block says so, a change is told at once.
export function field(b, e, ctx, { id, label, invalid, describedby }) {
  const name = b.block_id + "/" + e.action_id;
  const tell = (picks, node) => {
    if (b.type !== "input" || b.dispatch_action) ctx.act(b, e, picks, node);
  };
  const about = {
    id, "data-field": name, "data-focus": name, "aria-label": label, "aria-invalid": invalid ? "true" : null, "aria-describedby": describedby,
    autofocus: Boolean(e.focus_on_load), required: b.type === "input" && !b.optional ? true : null,
  };
  e = filled(b, e, ctx);
  if (e.type in textual) return text(e, about, tell);
  if (e.type === "checkboxes" || e.type === "radio_buttons") return choices(e, name, ctx, tell);
  if (e.type.endsWith("external_select")) return search(b, e, ctx, about, tell);
  return select(e, ctx, about, tell);
}

// filled is an element that starts with what the form holds already: what Slack chose itself, or what stayed of the view before.
function filled(b, e, ctx) {
  const held = ctx.values?.[b.block_id]?.[e.action_id];
  if (!held) return e;
  const initial = Object.entries(held).filter(([k, v]) => k !== "type" && v !== null)
    .map(([k, v]) => [k === "value" ? "initial_value" : k.replace("selected_", "initial_"), v]);
  return { ...e, ...Object.fromEntries(initial) };
}

function text(e, about, tell) {
  const initial = e.initial_value ?? e.initial_date ?? e.initial_time ?? "";
  const el = h(e.multiline ? "textarea" : "input", {
    ...about, type: e.multiline ? null : textual[e.type], placeholder: e.placeholder?.text, maxlength: e.max_length, minlength: e.min_length,
    rows: e.multiline ? 4 : null, autocomplete: "off", value: initial,
    onchange: () => tell(el.value ? [el.value] : [], el),
  });
  return el;
}

function choices(e, name, ctx, tell) {
  const one = e.type === "radio_buttons";
  const initial = one ? [e.initial_option] : (e.initial_options ?? []);
  const el = h("div", { class: "choices", "data-field": name }, e.options.map((o) => h("label", { class: "choice" },
    h("input", {
      type: one ? "radio" : "checkbox", name, value: o.value, checked: initial.some((i) => i?.value === o.value),
      onchange: () => tell(picks(el), el),
    }),
    h("span", {}, textObject(o.text, ctx), o.description && h("small", {}, textObject(o.description, ctx))))));
  return el;
}

function options(e, ctx) {
  const option = (o) => h("option", { value: o.value, selected: [e.initial_option, ...(e.initial_options ?? [])].some((i) => i?.value === o.value) }, o.text.text);
  if (e.type.includes("users_select")) return ctx.people().map((u) => h("option", { value: u.id, selected: u.id === e.initial_user || e.initial_users?.includes(u.id) }, u.real_name || u.name));
  if (e.type.includes("channels_select") || e.type.includes("conversations_select")) {
    return ctx.channels().map((c) => h("option", { value: c.id, selected: [e.initial_channel, e.initial_conversation, ...(e.initial_channels ?? []), ...(e.initial_conversations ?? [])].includes(c.id) }, "#" + c.name));
  }
  if (e.option_groups) return e.option_groups.map((g) => h("optgroup", { label: g.label.text }, g.options.map(option)));
  return (e.options ?? []).map(option);
}

function select(e, ctx, about, tell) {
  const many = e.type.startsWith("multi_");
  const el = h("select", { ...about, class: "select", multiple: many, onchange: () => tell(picks(el), el) },
    !many && h("option", { value: "" }, e.placeholder?.text ?? "Choose…"), options(e, ctx));
  return el;
}

// search is a select whose options the app finds while one types.
function search(b, e, ctx, about, tell) {
  const listId = about.id + "-list";
  const list = h("div", { id: listId, class: "suggestions", role: "listbox", hidden: true });
  let active = -1, asked = 0;
  const show = (os) => {
    active = -1;
    list.replaceChildren(...os.map((o, i) => h("div", {
      id: listId + i, role: "option", "aria-selected": "false", "data-value": o.value,
      onmousedown: (ev) => ev.preventDefault(), // the focus stays in the field
      onclick: () => take(o.value, o.text.text),
    }, o.text.text)));
    list.hidden = os.length === 0;
    el.setAttribute("aria-expanded", String(!list.hidden));
  };
  const take = (value, shown) => {
    el.value = shown;
    el.dataset.picked = value;
    show([]);
    tell([value], el);
  };
  const ask = async () => {
    delete el.dataset.picked;
    const turn = ++asked;
    if (el.value.length < (e.min_query_length ?? 1)) return show([]);
    const os = await ctx.suggest(b, e, el.value);
    if (turn === asked) show(os);
  };
  const move = (step) => {
    const n = list.children.length;
    if (!n) return;
    list.children[active]?.setAttribute("aria-selected", "false");
    active = (active + step + n) % n;
    list.children[active].setAttribute("aria-selected", "true");
    el.setAttribute("aria-activedescendant", list.children[active].id);
  };
  const el = h("input", {
    ...about, type: "text", role: "combobox", "aria-autocomplete": "list", "aria-controls": listId, "aria-expanded": "false", autocomplete: "off",
    placeholder: e.placeholder?.text ?? "Type to search…", value: e.initial_option?.text.text ?? "", "data-external": true, "data-picked": e.initial_option?.value,
    oninput: ask, onfocus: ask, onblur: () => show([]),
    onkeydown: (ev) => {
      if (ev.key === "ArrowDown") { ev.preventDefault(); move(1); }
      else if (ev.key === "ArrowUp") { ev.preventDefault(); move(-1); }
      else if (ev.key === "Escape" && !list.hidden) { ev.stopPropagation(); ev.preventDefault(); show([]); }
      else if (ev.key === "Enter" && active >= 0) {
        ev.preventDefault();
        take(list.children[active].dataset.value, list.children[active].textContent);
      }
    },
  });
  return h("div", { class: "search" }, el, list);
}

// picks is what is chosen or typed in a control.
export function picks(el) {
  if (el.classList.contains("choices")) return [...el.querySelectorAll("input:checked")].map((i) => i.value);
  if (el.tagName === "SELECT") return [...el.selectedOptions].map((o) => o.value).filter(Boolean);
  if (el.dataset.external !== undefined) return el.dataset.picked ? [el.dataset.picked] : [];
  return el.value ? [el.value] : [];
}

// values is what a whole form holds: field → picks, one a line.
export function values(form) {
  return Object.fromEntries([...form.querySelectorAll("[data-field]")].map((el) => [el.dataset.field, picks(el).join("\n")]));
}
