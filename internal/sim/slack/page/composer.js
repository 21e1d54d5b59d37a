// The composer: messages, mentions and slash commands, with completion.
import { api, h, toast } from "./dom.js";
import { glyph, glyphs } from "./icons.js";

let ids = 0;

// composer makes the composer of a channel or, where thread is set, of a thread.
export function composer(ctx, { channel, thread }) {
  const me = ctx.user(ctx.me);
  const listId = "completions-" + ++ids;
  const id = thread ? "thread-composer" : "composer";
  const where = channel.with ? ctx.appName() : "#" + channel.name;
  let options = [], active = -1;

  const box = h("textarea", {
    id, rows: 1, placeholder: thread ? "Reply…" : `Message ${where}, or type / for commands`, "aria-label": thread ? "Reply in the thread" : `Message to ${where}`,
    role: "combobox", "aria-expanded": "false", "aria-controls": listId, "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false",
    oninput: () => { grow(); complete(); },
    onkeydown: key,
    onblur: () => setTimeout(() => show([]), 150),
  });
  const list = h("div", { id: listId, class: "completions", role: "listbox", "aria-label": "Completions", hidden: true });
  const send = h("button", { type: "submit", class: "send", "aria-label": "Send", disabled: true }, glyph(glyphs.send));
  const form = h("form", { class: "composer", onsubmit: (ev) => { ev.preventDefault(); submit(); } },
    list, h("div", { class: "composer-box" }, box,
      h("div", { class: "composer-foot" }, !thread && shortcuts(ctx), acting(ctx, me), send)));
  form.compose = (text) => {
    box.value = text;
    grow();
    box.focus();
    show([]);
  };

  function grow() {
    send.disabled = !box.value.trim();
    box.style.height = "auto";
    box.style.height = Math.min(box.scrollHeight, 180) + "px";
  }

  function complete() {
    const text = box.value;
    const at = /(?:^|\s)@([\w.-]*)$/.exec(text);
    if (text.startsWith("/") && !text.includes("\n")) return show(thread ? [] : [...commands(ctx, text), ...named(ctx, text)]);
    if (at) {
      return show(ctx.workspace.users.filter((u) => u.name.startsWith(at[1])).map((u) => ({
        name: "@" + u.name, does: u.real_name, text: text.slice(0, text.length - at[1].length) + u.name + " ",
      })));
    }
    show([]);
  }

  function show(os) {
    options = os;
    active = os.length ? 0 : -1;
    list.replaceChildren(...os.map((o, i) => h("div", {
      id: listId + "-" + i, class: "completion", role: "option", "aria-selected": String(i === active),
      onmousedown: (ev) => ev.preventDefault(), // the focus stays in the composer
      onclick: () => take(i),
    }, h("code", {}, o.name), h("span", {}, o.does))));
    list.hidden = !os.length;
    mark();
  }

  function mark() {
    [...list.children].forEach((c, i) => c.setAttribute("aria-selected", String(i === active)));
    box.setAttribute("aria-expanded", String(!list.hidden));
    if (active >= 0) box.setAttribute("aria-activedescendant", listId + "-" + active);
    else box.removeAttribute("aria-activedescendant");
    list.children[active]?.scrollIntoView({ block: "nearest" });
  }

  function take(i) {
    if (options[i].start) {
      options[i].start();
      form.compose("");
      return;
    }
    box.value = options[i].text;
    grow();
    box.focus();
    complete();
  }

  function key(ev) {
    if (options.length && (ev.key === "ArrowDown" || ev.key === "ArrowUp")) {
      ev.preventDefault();
      active = (active + (ev.key === "ArrowDown" ? 1 : -1) + options.length) % options.length;
      return mark();
    }
    const o = options[active];
    // Enter completes what is half typed, and sends what stands for itself, such as the bare command or a question without a name.
    const whole = ctx.workspace.app.commands.some((c) => c.name === box.value.trim());
    const useful = o?.start ? box.value.length > 1 : o && !whole && o.text.trim().length > box.value.trim().length && o.text.startsWith(box.value);
    if (ev.key === "Tab" && !ev.shiftKey && o) {
      ev.preventDefault();
      return take(active);
    }
    if (ev.key === "Escape" && options.length) {
      ev.preventDefault();
      ev.stopPropagation();
      return show([]);
    }
    if (ev.key === "Enter" && !ev.shiftKey && !ev.isComposing) {
      ev.preventDefault();
      if (useful) return take(active);
      submit();
    }
  }

  async function submit() {
    const text = box.value.trim();
    if (!text) return;
    show([]);
    box.value = "";
    grow();
    if (text.startsWith("/")) {
      if (thread) {
        box.value = text;
        grow();
        return toast(`${text.split(" ")[0]} is not supported in threads. Sorry! Type it in the channel, or mention @${ctx.appName()} here.`);
      }
      await api("slash", { user: ctx.me, channel: channel.id, text }); // what went wrong stands in the channel
      return;
    }
    const r = await api("say", { user: ctx.me, channel: channel.id, thread, text });
    if (!r.ok) toast(r.error);
  }
  return form;
}

// start starts a global shortcut of the app.
async function start(ctx, s) {
  const r = await api("shortcut", { user: ctx.me, callback: s.callback });
  if (!r.ok) toast(`${ctx.appName()} did not answer (${r.error}). Try again?`);
}

// shortcuts is the menu of what can be started from anywhere.
function shortcuts(ctx) {
  const all = ctx.workspace.app.shortcuts.filter((s) => !s.message);
  if (!all.length) return null;
  const menu = h("details", { class: "overflow upward" },
    h("summary", { "aria-label": "Shortcuts", title: "Shortcuts" }, glyph(glyphs.plus)),
    h("div", { class: "menu", role: "menu" }, all.map((s) => h("button", {
      type: "button", role: "menuitem", onclick: () => { menu.open = false; start(ctx, s); },
    }, s.name, h("small", {}, s.description || ctx.appName())))));
  return menu;
}

// named finds shortcuts by their names, as typing a slash does.
function named(ctx, text) {
  const typed = text.slice(1).toLowerCase();
  return ctx.workspace.app.shortcuts.filter((s) => !s.message && s.name.toLowerCase().includes(typed))
    .map((s) => ({ name: s.name, does: "Shortcut · " + (s.description || ctx.appName()), text: "", start: () => start(ctx, s) }));
}

// acting says as whom one writes, and lets the next person sit down.
function acting(ctx, me) {
  const players = ctx.workspace.players;
  const next = ctx.user(players[(players.indexOf(ctx.me) + 1) % players.length]);
  return h("button", {
    type: "button", class: "acting", title: `Switch to ${next?.real_name || next?.name}`, onclick: () => ctx.become(next.id),
  }, "as ", h("strong", {}, me?.real_name || me?.name), me?.title && `, ${me.title}`);
}

// commands completes a line that starts with a slash.
function commands(ctx, text) {
  const all = ctx.workspace.app.commands.flatMap((c) => [
    ...(c.uses.length ? [] : [{ name: c.name, does: c.description, text: c.name + " " }]),
    ...c.uses.map((u) => ({ name: `${c.name} ${u.text}`, does: u.does, text: `${c.name} ${u.text.replace(/\s*[<[].*$/, "")}` + (/[<[]/.test(u.text) ? " " : "") })),
  ]);
  all.push({ name: `/invite @${ctx.appName()}`, does: "Add the app to this channel", text: `/invite @${ctx.appName()}` });
  return all.filter((o) => o.text.startsWith(text) || text.startsWith(o.text));
}
