package browsertest

import (
	"context"
	"net/url"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// Goto opens the page and waits until it shows the workspace.
func (b *Browser) Goto(address string) {
	b.t.Helper()
	if u, err := url.Parse(address); err == nil {
		b.mu.Lock()
		b.origin = u.Host
		b.mu.Unlock()
	}
	run(b, "open "+address, chromedp.Navigate(address))
	b.until("open "+address, `() => document.getElementById("app")?.dataset.ready === "true"`)
}

// Follow clicks on the link that is labelled so, and waits until the page that it leads to shows its workspace.
func (b *Browser) Follow(label string) {
	b.t.Helper()
	Eval[bool](b, `(window.browsertestStayed = true)`)
	at := b.aim("follow "+label, `(label) => [...document.querySelectorAll("a[href]")].find((e) => e.innerText.trim() === label)`, label)
	run(b, "follow "+label, chromedp.MouseClickXY(at[0], at[1]))
	b.arrive("follow " + label)
}

// arrive waits until another page than the one that was marked shows its workspace. While the browser is on its way there
// is no page to ask, which is no reason to fail.
func (b *Browser) arrive(what string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, Patience)
	defer cancel()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		there, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`!window.browsertestStayed && document.getElementById("app")?.dataset.ready === "true"`))
		if err == nil && there {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			b.t.Fatalf("%s: not within %s (%v); the page shows:\n%s", what, Patience, err, b.visible())
		}
	}
}

// Reload loads the page anew.
func (b *Browser) Reload() {
	b.t.Helper()
	Eval[bool](b, `(window.browsertestStayed = true)`)
	run(b, "reload", chromedp.Reload())
	b.arrive("reload")
}

// Resize changes the size of the window, in CSS pixels.
func (b *Browser) Resize(width, height int64) {
	b.t.Helper()
	run(b, "resize", chromedp.EmulateViewport(width, height))
}

// Type types a line into the composer of the channel and sends it.
func (b *Browser) Type(line string) {
	b.t.Helper()
	b.write("composer", line)
}

// Reply types a line into the composer of the open thread and sends it.
func (b *Browser) Reply(line string) {
	b.t.Helper()
	b.write("thread-composer", line)
}

func (b *Browser) write(id, line string) {
	b.t.Helper()
	b.press("composer "+id, `(id) => document.getElementById(id)`, id)
	run(b, "type "+line, chromedp.KeyEvent(line))
	run(b, "send "+line, enter)
	b.until("send "+line, `(id) => document.getElementById(id).value === ""`, id)
}

// enter presses the Enter key as a keyboard does: where the page cancels its default, no line break is typed.
func enter(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
	for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeRawKeyDown, input.DispatchKeyEventTypeKeyUp} {
		if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, input.DispatchKeyEventParams{
			Type: kind, Key: "Enter", Code: "Enter", WindowsVirtualKeyCode: 13, NativeVirtualKeyCode: 13,
		}); err != nil {
			return chromedp.Void{}, err
		}
	}
	return chromedp.Void{}, nil
}

// SwitchUser lets the person whose name contains the text sit before the page.
func (b *Browser) SwitchUser(name string) {
	b.t.Helper()
	b.press("switch to "+name, `(name) => [...document.querySelectorAll("[data-user]")].find((e) => e.textContent.includes(name))`, name)
	b.until("switch to "+name, `(name) => document.querySelector('[data-user][aria-checked="true"]')?.textContent.includes(name)
		&& document.querySelector('[data-user][aria-checked="true"]').dataset.user === document.getElementById("app").dataset.me`, name)
}

// OpenChannel shows the channel or app of that name.
func (b *Browser) OpenChannel(name string) {
	b.t.Helper()
	b.press("open "+name, `(name) => [...document.querySelectorAll("[data-channel]")].find((e) => e.lastChild.textContent === name)`, name)
}

// OpenThread opens the thread of the last message in the channel that contains the text.
func (b *Browser) OpenThread(text string) {
	b.t.Helper()
	b.press("open the thread of "+text, `(text) => [...document.querySelectorAll("#main .message")]
		.filter((m) => m.innerText.includes(text)).at(-1)?.querySelector("[data-thread]")`, text)
	b.until("open the thread of "+text, `(text) => !document.getElementById("thread").hidden && document.getElementById("thread").innerText.includes(text)`, text)
}

// Hold presses the mouse button down on the first element that the selector finds, and gives what lets it go again.
func (b *Browser) Hold(selector string) (release func()) {
	b.t.Helper()
	at := run(b, "hold "+selector, chromedp.PollFunction[[]float64](`(s) => {
		const r = document.querySelector(s)?.getBoundingClientRect();
		return r ? [r.x + r.width / 2, r.y + r.height / 2] : null;
	}`, chromedp.WithPollingArgs(selector)))
	mouse := func(kind input.DispatchMouseEventType) {
		b.t.Helper()
		run(b, "hold "+selector, chromedp.MouseEvent(kind, at[0], at[1], chromedp.ButtonType(input.MouseButtonLeft), chromedp.ClickCount(1)))
	}
	mouse(input.DispatchMouseEventTypeMousePressed)
	return func() { b.t.Helper(); mouse(input.DispatchMouseEventTypeMouseReleased) }
}

// Click presses the last button that is labelled so: in the dialog if one is open, else in the open thread, else anywhere.
func (b *Browser) Click(label string) {
	b.t.Helper()
	b.press("click "+label, `(label) => {
		for (const root of ["dialog[open]", "#thread:not([hidden])", "body"]) {
			const found = [...(document.querySelector(root)?.querySelectorAll("button, summary, [role=option]") ?? [])]
				.filter((e) => [e.getAttribute("aria-label"), e.innerText.trim()].includes(label) && !e.closest("[hidden]")).at(-1);
			if (found) return found;
			if (root === "dialog[open]" && document.querySelector(root)) return null;
		}
	}`, label)
}

// ClickIn presses the button that is labelled so on the last message of the open thread that has it and contains the text.
func (b *Browser) ClickIn(text, label string) {
	b.t.Helper()
	b.press("click "+label+" of "+text, `(text, label) => [...document.querySelectorAll("#thread .message")].filter((m) => m.innerText.includes(text))
		.flatMap((m) => [...m.querySelectorAll("button")].filter((e) => e.innerText.trim() === label)).at(-1)`, text, label)
}

// Confirm says yes to the confirm dialog.
func (b *Browser) Confirm() {
	b.t.Helper()
	b.press("confirm", `() => document.querySelector("#confirm[open] [data-confirm]")`)
}

// Deny says no to the confirm dialog.
func (b *Browser) Deny() {
	b.t.Helper()
	b.press("deny", `() => document.querySelector("#confirm[open] [data-deny]")`)
}

// Fill types into the field of the modal that is labelled so, over what is there. For a select, it chooses what starts with the text.
func (b *Browser) Fill(label, text string) {
	b.t.Helper()
	b.press("field "+label, `(label) => [...document.querySelectorAll("#modal label")].find((l) => l.innerText.trim().startsWith(label))?.control`, label)
	Eval[bool](b, `(document.activeElement.select?.(), true)`)
	run(b, "fill in "+label, chromedp.KeyEvent(text))
}

// Submit presses the submit button of the modal.
func (b *Browser) Submit() {
	b.t.Helper()
	b.press("submit", `() => document.querySelector("#modal[open] [data-submit]")`)
}
