// Everything on the page is made of nodes and text nodes: no text ever becomes markup.

// base is the path below which this workspace lies: "/", or "/w/name/" beside others.
export const base = new URL("../", import.meta.url).pathname;

// h makes an element: h("p", {class: "x", onclick: f}, "text", node, [nodes], null).
export function h(tag, props, ...children) {
  const ns = svgTags.has(tag) ? "http://www.w3.org/2000/svg" : null;
  const el = ns ? document.createElementNS(ns, tag) : document.createElement(tag);
  for (const [k, v] of Object.entries(props ?? {})) {
    if (v === undefined || v === null || v === false) continue;
    if (k.startsWith("on")) el.addEventListener(k.slice(2), v);
    else if (k === "style") Object.assign(el.style, v);
    else if (k === "value") el.value = v;
    else el.setAttribute(k, v === true ? "" : v);
  }
  add(el, children);
  return el;
}

const svgTags = new Set(["svg", "path", "circle", "rect", "g", "line", "polyline", "polygon", "text"]);

function add(el, children) {
  for (const c of children.flat(Infinity)) {
    if (c === null || c === undefined || c === false) continue;
    el.append(c instanceof Node ? c : document.createTextNode(String(c)));
  }
}

// fill replaces what an element holds.
export function fill(el, ...children) {
  el.replaceChildren();
  add(el, children);
  return el;
}

// keyed shows items in a container and touches only those that changed, so that focus, selection and open menus of the
// others stay. An item is {key, sig, make}.
export function keyed(container, items) {
  const have = new Map([...container.children].map((c) => [c.dataset.key, c]));
  let at = container.firstElementChild;
  for (const it of items) {
    let el = have.get(it.key);
    have.delete(it.key);
    if (!el || el.dataset.sig !== it.sig) {
      const focus = el?.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
      const fresh = it.make();
      fresh.dataset.key = it.key;
      fresh.dataset.sig = it.sig;
      if (el) {
        if (at === el) at = fresh;
        el.replaceWith(fresh);
        if (focus) fresh.querySelector(`[data-focus="${CSS.escape(focus)}"]`)?.focus();
      }
      el = fresh;
    }
    if (el !== at) container.insertBefore(el, at);
    else at = at.nextElementSibling;
  }
  for (const el of have.values()) el.remove();
}

// hash makes a short signature of anything.
export function hash(v) {
  const s = JSON.stringify(v) ?? "";
  let a = 5381;
  for (let i = 0; i < s.length; i++) a = (a * 33) ^ s.charCodeAt(i);
  return (a >>> 0).toString(36) + s.length;
}

// api tells the workspace what a person did.
export async function api(deed, body) {
  try {
    const r = await fetch(base + "client/" + deed, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    return await r.json();
  } catch {
    return { ok: false, error: "the workspace does not answer" };
  }
}

let toastTimer;

// toast shows a line for a moment.
export function toast(text) {
  const el = document.getElementById("toast");
  el.textContent = text;
  el.classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => el.classList.remove("shown"), 6000);
}
