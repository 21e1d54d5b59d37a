package browsertest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

// WaitText waits until the page shows the text.
func (b *Browser) WaitText(text string) {
	b.t.Helper()
	b.until("wait for "+text, `(text) => document.body.innerText.includes(text)`, text)
}

// WaitGone waits until the page does not show the text.
func (b *Browser) WaitGone(text string) {
	b.t.Helper()
	b.until("wait until gone: "+text, `(text) => !document.body.innerText.includes(text)`, text)
}

// Text is the visible text of the first element that the selector finds.
func (b *Browser) Text(selector string) string {
	b.t.Helper()
	return run(b, "text of "+selector, chromedp.PollFunction[string](`(s) => document.querySelector(s)?.innerText`,
		chromedp.WithPollingInterval(30*time.Millisecond), chromedp.WithPollingTimeout(Patience), chromedp.WithPollingArgs(selector)))
}

// Eval runs JavaScript on the page and gives its result; a promise is waited for.
func Eval[T any](b *Browser, script string) T {
	b.t.Helper()
	return run(b, "evaluate "+script, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// Key presses a key, such as kb.Tab or "\r".
func (b *Browser) Key(key string) {
	b.t.Helper()
	run(b, "key "+key, chromedp.KeyEvent(key))
}

// Screenshot writes what the window shows as PNG and makes the folder where it is missing.
func (b *Browser) Screenshot(path string) {
	b.t.Helper()
	png := run(b, "screenshot", chromedp.CaptureScreenshot())
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// until waits until the function holds, looking again every frame or two.
func (b *Browser) until(what, function string, args ...any) {
	b.t.Helper()
	run(b, what, chromedp.PollFunction[bool](function, chromedp.WithPollingInterval(30*time.Millisecond), chromedp.WithPollingTimeout(Patience), chromedp.WithPollingArgs(args...)))
}

// press clicks with the mouse on the element that the function finds, once it is there, enabled, in sight and at rest. Where
// the page moved it away in the instant between the look and the click, it looks again, as a person would.
func (b *Browser) press(what, function string, args ...any) {
	b.t.Helper()
	for !b.pressOnce(what, function, args...) {
	}
}

func (b *Browser) pressOnce(what, function string, args ...any) (hit bool) {
	b.t.Helper()
	at := b.aim(what, function, args...)
	run(b, what, chromedp.MouseClickXY(at[0], at[1]))
	return run(b, what, chromedp.Evaluate[bool](`window.browsertestHit`))
}

// aim waits until the element that the function finds can be clicked, and gives where.
func (b *Browser) aim(what, function string, args ...any) []float64 {
	b.t.Helper()
	script := `(...args) => {
		const el = (` + function + `)(...args);
		if (!el || el.disabled || el.getAttribute("aria-busy") === "true") return null;
		el.scrollIntoView({ block: "nearest", behavior: "instant" });
		const r = el.getBoundingClientRect();
		const x = r.x + r.width / 2, y = r.y + r.height / 2;
		const hit = document.elementFromPoint(x, y);
		if (!hit || !el.contains(hit)) return null;
		const before = window.browsertestAt; // what still moves is not clicked yet
		window.browsertestAt = [x, y].join();
		if (before !== window.browsertestAt) return null;
		window.browsertestAt = null;
		window.browsertestHit = false;
		document.addEventListener("click", (ev) => {
			window.browsertestHit = el.contains(ev.target) || Boolean((` + function + `)(...args)?.contains(ev.target));
		}, { once: true, capture: true });
		return [x, y];
	}`
	return run(b, what, chromedp.PollFunction[[]float64](script, chromedp.WithPollingInterval(30*time.Millisecond), chromedp.WithPollingTimeout(Patience), chromedp.WithPollingArgs(args...)))
}

func (b *Browser) visible() string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return strings.TrimSpace(text)
}
