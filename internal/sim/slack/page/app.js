// The page: who looks, where, and what the workspace says. Everything shown comes from one stream of server-sent events.
import { api, base, h, toast } from "./dom.js";
import { ask, showModal } from "./dialogs.js";
import { showSidebar } from "./sidebar.js";
import { showMain } from "./main.js";
import { showThread } from "./thread.js";
import { showWorld } from "./world.js";

const root = document.getElementById("app");
let workspace = null, state = null, panel = null, stream = null, waiting = false;

// view is what this person looks at; it is in the address, so that a reload shows the same.
const view = { me: null, channel: null, thread: null, tab: "messages", world: window.innerWidth >= 1280, menu: false };

const ctx = {
  view,
  get me() { return view.me; },
  get workspace() { return workspace; },
  get state() { return state; },
  user: (id) => workspace.users.find((u) => u.id === id) ?? (id === "USLACKBOT" ? { id, name: "slackbot", real_name: "Slackbot", bot: true } : undefined),
  channel: (id) => state.channels.find((c) => c.id === id),
  people: () => workspace.users.filter((u) => !u.bot),
  channels: () => state.channels.filter((c) => !c.with),
  appName: () => workspace.app.name,
  go, become,
};

// place says where an element stands: in a message or in a view.
const place = (at) => (at?.view ? { view: at.view } : { channel: at?.channel, ts: at?.ts });

// at is the context of the elements of one message or view.
ctx.at = (where) => ({
  ...ctx, me: view.me, surface: where,
  act: (b, e, picks, node) => act(where, b, e, picks, node),
  suggest: async (b, e, typed) => (await api("suggest", { user: view.me, ...place(where), block_id: b.block_id, action_id: e.action_id, text: typed })).options ?? [],
});

async function act(where, b, e, picks, node) {
  if (node.getAttribute("aria-busy") === "true") return; // it is pressed already
  if (e.confirm && !(await ask(e.confirm, ctx))) return;
  node.setAttribute("aria-busy", "true");
  const r = await api("act", { user: view.me, ...place(where), block_id: b.block_id, action_id: e.action_id, picks });
  node.removeAttribute("aria-busy");
  const old = node.parentElement?.querySelector(":scope > .act-error");
  old?.remove();
  if (r.ok) return;
  const said = ["operation_timeout", "dispatch_failed"].includes(r.error)
    ? `${ctx.appName()} did not answer (${r.error}). Try again?` : r.error;
  if (node.isConnected) node.after(h("span", { class: "act-error", role: "alert" }, said));
  else toast(said);
}

// go changes what is looked at and remembers it in the address.
function go(change) {
  Object.assign(view, change, { menu: change.menu ?? false });
  if (change.channel && change.thread === undefined) view.thread = null;
  if (change.thread && window.innerWidth < 1280) view.world = false; // they lie on one another there
  if (change.channel && change.tab === undefined) view.tab = "messages";
  history.replaceState(null, "", base + "#/" + [view.channel, view.thread].filter(Boolean).join("/"));
  render();
}

// become makes another person sit before the page.
function become(user) {
  if (user === view.me) return;
  const c = state && ctx.channel(view.channel);
  Object.assign(view, { me: user, channel: c?.with ? null : view.channel, thread: c?.with ? null : view.thread, tab: "messages", menu: false });
  sessionStorage.setItem("me", user);
  connect();
}

function connect() {
  stream?.close();
  stream = new EventSource(base + "client/stream?user=" + encodeURIComponent(view.me ?? ""));
  stream.addEventListener("workspace", (ev) => {
    workspace = JSON.parse(ev.data);
    if (view.me && workspace.players.includes(view.me)) return;
    view.me = workspace.players[0] ?? null;
    if (view.me) connect();
  });
  stream.addEventListener("state", (ev) => {
    const fresh = JSON.parse(ev.data);
    if (fresh.user !== view.me) return;
    state = fresh;
    later();
  });
  stream.addEventListener("panel", (ev) => { panel = JSON.parse(ev.data); later(); });
  stream.addEventListener("open", () => { root.classList.remove("offline"); });
  stream.addEventListener("error", () => { root.classList.add("offline"); });
}

function later() {
  if (waiting) return;
  waiting = true;
  queueMicrotask(() => {
    waiting = false;
    if (pressed) stale = true;
    else render();
  });
}

// While a button is held down nothing is drawn anew: the browser gives no click where the element that was pressed is gone.
let pressed = false, stale = false;
document.addEventListener("mousedown", () => { pressed = true; }, true);
window.addEventListener("mouseup", () => setTimeout(() => { // the click comes after mouseup
  pressed = false;
  if (stale) later();
  stale = false;
}), true);

function render() {
  if (!workspace || !state || !view.me) return;
  if (!ctx.channel(view.channel)) Object.assign(view, { channel: state.channels.find((c) => !c.with)?.id ?? state.channels[0]?.id, thread: null });
  root.dataset.player = String(Math.max(0, workspace.players.indexOf(view.me)));
  root.classList.toggle("with-thread", Boolean(view.thread));
  root.classList.toggle("with-world", Boolean(view.world && workspace.panel));
  root.classList.toggle("with-menu", view.menu);
  showSidebar(document.getElementById("sidebar"), ctx);
  showMain(document.getElementById("main"), ctx);
  showThread(document.getElementById("thread"), ctx);
  showWorld(document.getElementById("world"), ctx, panel);
  showModal(state, { ...ctx.at({ view: state.modal?.view.id }) });
  root.dataset.ready = "true";
  root.dataset.me = view.me;
}

function readAddress() {
  const link = /^archives\/([^/]+)\/p(\d+)(\d{6})$/.exec(location.pathname.slice(base.length));
  if (link) {
    const thread = new URLSearchParams(location.search).get("thread_ts") ?? `${link[2]}.${link[3]}`;
    return Object.assign(view, { channel: link[1], thread });
  }
  const [channel, thread] = location.hash.replace(/^#\//, "").split("/");
  if (/^[CDG]/.test(channel)) Object.assign(view, { channel, thread: thread || null });
}

// inMenu moves through an open menu with the arrow keys, and closes it with Escape.
function inMenu(menu, ev) {
  const items = [...menu.querySelectorAll("[role=menuitem]")];
  const step = { ArrowDown: 1, ArrowUp: -1 }[ev.key];
  if (ev.key === "Escape") {
    menu.open = false;
    menu.querySelector("summary").focus();
  } else if (step) {
    const at = items.indexOf(document.activeElement);
    items[at < 0 ? (step > 0 ? 0 : items.length - 1) : (at + step + items.length) % items.length]?.focus();
  } else return;
  ev.preventDefault();
}

readAddress();
view.me = sessionStorage.getItem("me");
document.addEventListener("keydown", (ev) => {
  const menu = ev.target.closest?.("details.overflow[open]");
  if (menu) return inMenu(menu, ev);
  if (ev.key === "Escape" && view.thread && !document.querySelector("dialog[open]") && !ev.defaultPrevented) go({ thread: null });
});
document.addEventListener("click", (ev) => {
  if (view.menu && !ev.target.closest("#sidebar, .menu-button")) go({ menu: false });
  document.querySelectorAll("details.overflow[open]").forEach((d) => { if (!d.contains(ev.target)) d.open = false; });
});
connect();
