package handlers_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/sim/slack"
)

// answered is a rig with an answer that has its buttons, told in full.
func answered(t *testing.T) (r *rig, root, verdict slack.Message) {
	r = newRig(t)
	r.start(r.config())
	r.ask(maya, ops, "/netdiag pending backend")
	root = r.root(0, "root cause found")
	verdict = r.reply(root, says("asked for this."))
	r.told(1)
	return r, root, verdict
}

// told waits until n questions need nothing more.
func (r *rig) told(n int) {
	r.t.Helper()
	ctx := r.context()
	all, err := r.book.Store.Investigations.Watch(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	done := map[string]bool{}
	for inv := range all {
		done[inv.Name] = inv.Status.Posted["told"] != ""
		ready := 0
		for _, d := range done {
			if d {
				ready++
			}
		}
		if ready >= n {
			return
		}
	}
	r.t.Fatalf("not told of:\n%s", r.Transcript())
}

func (r *rig) press(user string, m slack.Message, button string) {
	r.t.Helper()
	if err := r.Click(r.context(), user, ops, m.TS, button); err != nil {
		r.t.Fatal(err)
	}
}

// count counts the messages of a thread that say something.
func (r *rig) count(root slack.Message, text string) (n int) {
	for _, m := range r.thread(root) {
		if strings.Contains(m.Plain(), text) {
			n++
		}
	}
	return n
}

// Evidence and commands are in the thread once they are asked for, and once only.
func TestMoreOnDemand(t *testing.T) {
	r, root, verdict := answered(t)
	for _, folded := range []string{"AvailableIpAddressCount", "aws eks update-addon"} {
		if r.count(root, folded) != 0 {
			t.Errorf("%q is shown before anybody asked:\n%s", folded, r.Transcript())
		}
	}
	r.press(jonas, verdict, "Show evidence")
	r.reply(root, says("AvailableIpAddressCount"))
	r.press(maya, verdict, "Show commands")
	r.reply(root, says("aws eks update-addon"))
	r.wanted("evidence", "commands")
	r.press(aisha, verdict, "Show evidence")
	r.whisper(aisha, ops, "The evidence is in this thread already. Go there")
	if a, b := r.count(root, "Evidence\n"), r.count(root, "Fixes by hand\n"); a != 1 || b != 1 {
		t.Errorf("evidence %d times, commands %d times", a, b)
	}
}

// wanted waits until what was asked for is noted as posted.
func (r *rig) wanted(keys ...string) {
	r.t.Helper()
	ctx := r.context()
	all, err := r.book.Store.Investigations.Watch(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	for inv := range all {
		missing := 0
		for _, k := range keys {
			if inv.Status.Posted[k] == "" {
				missing++
			}
		}
		if missing == 0 {
			return
		}
	}
	r.t.Fatalf("%v is not posted:\n%s", keys, r.Transcript())
}

// Twenty people press at once: one of them gets it posted, the others are answered.
func TestManyPressAtOnce(t *testing.T) {
	r, root, verdict := answered(t)
	const times = 20
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range times {
		wg.Go(func() {
			<-start
			p := payload(verdict, jonas)
			r.deliver(i, p)
		})
	}
	close(start)
	wg.Wait()
	r.whispers(jonas, times-1)
	r.wanted("evidence")
	if n := r.count(root, "AvailableIpAddressCount"); n != 1 {
		t.Errorf("posted %d times:\n%s", n, r.Transcript())
	}
}

// A button of an answer outlives the process that posted it.
func TestMoreAfterARestart(t *testing.T) {
	r := newRig(t)
	stop := r.start(r.config())
	r.ask(maya, ops, "/netdiag pending backend")
	root := r.root(0, "root cause found")
	verdict := r.reply(root, says("asked for this."))
	r.told(1)
	stop()
	inv := r.only()
	if _, err := r.book.ChangeInvestigation(t.Context(), inv.Name, func(s *casebook.InvestigationStatus) error {
		s.Wanted = map[string]string{"evidence": jonas} // recorded, and then the process died
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	c := r.config()
	c.Holder = "bot-2"
	r.start(c)
	r.reply(root, says("AvailableIpAddressCount"))
	r.press(jonas, verdict, "Report as file")
	m := r.reply(root, func(m slack.Message) bool { return len(m.Files) > 0 })
	if len(m.Files) != 2 || !strings.Contains(m.Text, "no longer kept") {
		t.Errorf("%d files with %q", len(m.Files), m.Text)
	}
}

func (r *rig) only() casebook.Investigation {
	r.t.Helper()
	all, err := r.book.Store.Investigations.List(r.t.Context())
	if err != nil || len(all) != 1 {
		r.t.Fatalf("%d investigations, %v", len(all), err)
	}
	return all[0]
}

func TestReportAsFile(t *testing.T) {
	r := newRig(t)
	r.world.secret = " AKIAIOSFODNN7EXAMPLE"
	r.world.snapshot = `{"pods":[{"env":[{"name":"DB_PASSWORD","value":"hunter2"}]}]}`
	r.start(r.config())
	r.ask(maya, ops, "/netdiag pending backend")
	root := r.root(0, "root cause found")
	verdict := r.reply(root, says("asked for this."))
	r.told(1)
	r.press(jonas, verdict, "Report as file")
	m := r.reply(root, func(m slack.Message) bool { return len(m.Files) > 0 })
	want := map[string]string{".md": "# ", ".json": `"apiVersion"`, "-snapshot.json": `"kind":"Snapshot"`}
	if len(m.Files) != len(want) || !strings.Contains(m.Text, "bot replay") {
		t.Fatalf("%d files with %q", len(m.Files), m.Text)
	}
	for i, suffix := range []string{".md", ".json", "-snapshot.json"} {
		f := m.Files[i]
		if f.Name != "netdiag-"+r.only().Name+suffix || !strings.Contains(string(f.Data), want[suffix]) || strings.Contains(string(f.Data), "hunter2") || strings.Contains(string(f.Data), "AKIAIOSF") {
			t.Errorf("%s: %.300s", f.Name, f.Data)
		}
	}
	if _, err := diagnostics.ReadSaved(m.Files[2].Data); err != nil {
		t.Error(err)
	}
	if kept := r.only().Status.Report.Summary; !strings.HasSuffix(kept, "AKIAREDACTED") {
		t.Errorf("stored: %s", kept)
	}
	r.wanted("file")
	r.press(maya, verdict, "Report as file")
	r.whisper(maya, ops, "in this thread already, as files")
}

func TestFilesThatSlackRefuses(t *testing.T) {
	r, _, verdict := answered(t)
	r.Fault("files.getUploadURLExternal", slack.Fault{Error: "missing_scope", Times: 2})
	r.press(jonas, verdict, "Report as file")
	r.whisper(jonas, ops, "needs the scope files:write")
	r.wanted("file")
	r.press(maya, verdict, "Report as file")
	r.whisper(maya, ops, "needs the scope files:write")
}

// Asking again is a new question of whoever pressed, in the same thread, and one for each answer.
func TestAskAgain(t *testing.T) {
	r, root, verdict := answered(t)
	r.press(jonas, verdict, "Ask again")
	again := r.reply(root, func(m slack.Message) bool { return strings.Contains(m.Plain(), "Asked by <@"+jonas+">") })
	r.reply(root, func(m slack.Message) bool { return m.TS == again.TS && strings.Contains(m.Plain(), "root cause found") })
	r.told(2)
	second := r.reply(root, func(m slack.Message) bool { return strings.Contains(m.Plain(), "<@"+jonas+"> asked for this.") })
	r.press(aisha, verdict, "Ask again")
	r.whisper(aisha, ops, "This was asked again already.")
	if n := r.world.questions(); n != 2 {
		t.Errorf("diagnosed %d times", n)
	}
	r.press(aisha, second, "Ask again")
	r.told(3)
	if n := r.world.questions(); n != 3 {
		t.Errorf("diagnosed %d times", n)
	}
	r.until(func(s *slack.State) bool {
		if n := len(s.Messages(ops)); n != 1 {
			t.Errorf("%d messages outside of the thread", n)
		}
		return true
	})
}

// A question that failed can be asked again from its own message.
func TestAskAgainAfterAFault(t *testing.T) {
	r := newRig(t)
	r.start(r.config())
	r.world.meanwhile(func(_ context.Context, _ diagnostics.Target) error {
		return diagnostics.Refusal("The cluster did not answer.")
	})
	r.ask(maya, ops, "/netdiag pending backend")
	root := r.root(0, "The cluster did not answer.")
	r.told(1)
	r.world.meanwhile(nil)
	r.press(maya, root, "Ask again")
	r.reply(root, says("root cause found"))
}

func TestForgedAsks(t *testing.T) {
	r, _, verdict := answered(t)
	other, _, err := r.book.Open(t.Context(), casebook.Person{Team: team, Home: team, User: jonas},
		casebook.Question{Command: "pending x", Diagnosis: "pending", Team: team, User: jonas, Channel: quiet, At: r.clock.Now()}, "other")
	if err != nil {
		t.Fatal(err)
	}
	action := func(k, v string) func(object) {
		return func(p object) { p["actions"].([]any)[0].(object)[k] = v }
	}
	in := func(name, k string, v any) func(object) {
		return func(p object) { p[name].(object)[k] = v }
	}
	seen := map[string]int{}
	for i, f := range []struct {
		name string
		do   func(object)
		want string
	}{
		{"another message", in("container", "message_ts", "1.000001"), "none of mine"},
		{"an ephemeral message", in("container", "is_ephemeral", true), "none of mine"},
		{"another channel's question", action("value", "v1:"+other.Name), "none of mine"},
		{"a question that is gone", action("value", "v1:inv-none"), "no record of this question"},
		{"nonsense", action("value", "<!channel>"), "none of mine"},
		{"another button", action("action_id", "netdiag_all"), "none of mine"},
		{"another app", func(p object) { p["api_app_id"] = "A0EVIL" }, "none of mine"},
		{"a stranger", in("user", "team_id", "T0EVIL"), "Only full members"},
		{"a guest", in("user", "id", guest), "Only full members"},
	} {
		p := payload(verdict, jonas)
		for k, v := range p {
			if o, ok := v.(object); ok {
				p[k] = maps.Clone(o)
			}
		}
		f.do(p)
		r.deliver(i, p)
		who := p["user"].(object)["id"].(string)
		seen[who]++
		if told := r.whispers(who, seen[who]); !strings.Contains(told[seen[who]-1], f.want) {
			t.Errorf("%s: told %q, want %q", f.name, told[seen[who]-1], f.want)
		}
		if n := r.logs.FilterMessage("a button under an answer refused").Len(); n != i+1 {
			t.Errorf("%s: %d lines in the log, want %d", f.name, n, i+1)
		}
	}
	if inv, err := r.book.Store.Investigations.Get(t.Context(), r.named(maya).Name); err != nil || len(inv.Status.Wanted) != 0 {
		t.Errorf("wanted: %v, %v", inv.Status.Wanted, err)
	}
	// Facts about the person that can't be had count against them.
	r.clock.advance(2 * time.Minute)
	r.Fault("users.info", slack.Fault{Error: "internal_error"})
	r.deliver(100, payload(verdict, jonas))
	r.whisper(jonas, ops, "Slack did not tell me who you are")
}

// named is the question that user asked.
func (r *rig) named(user string) casebook.Investigation {
	r.t.Helper()
	all, err := r.book.Store.Investigations.List(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, inv := range all {
		if inv.Question.User == user {
			return inv
		}
	}
	r.t.Fatal("nobody asked")
	return casebook.Investigation{}
}

// A workspace without charts gets a picture that says in words what it shows; and is not asked a second time.
func TestChartAsAPicture(t *testing.T) {
	r := newRig(t)
	r.world.name = "seed-pending"
	refused := r.refuse("data_visualization")
	r.start(r.config())
	for i := range 2 {
		r.ask(maya, ops, "/netdiag pending backend")
		root := r.root(i, "root cause found")
		m := r.reply(root, func(m slack.Message) bool { return len(m.Files) > 0 })
		if f := m.Files[0]; !strings.Contains(f.AltText, "251 in use, 0 available") || http.DetectContentType(f.Data) != "image/png" {
			t.Errorf("%q %s", f.AltText, http.DetectContentType(f.Data))
		}
		r.reply(root, says("us-west-2a | 10.0.1.0/24 | 0 | 251"))
		r.told(i + 1)
	}
	if n := refused.Load(); n != 1 {
		t.Errorf("Slack refused %d messages", n)
	}
}

// refuse makes this Slack one that doesn't know a kind of block, and counts what it refused.
func (r *rig) refuse(kind string) *atomic.Int32 {
	var refused atomic.Int32
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if strings.HasSuffix(q.URL.Path, "/chat.postMessage") {
			body, err := io.ReadAll(q.Body)
			if err != nil {
				r.t.Error(err)
			}
			if bytes.Contains(body, []byte(kind)) {
				refused.Add(1)
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, `{"ok":false,"error":"invalid_blocks"}`)
				return
			}
			q.Body = io.NopCloser(bytes.NewReader(body))
		}
		r.ServeHTTP(w, q)
	}))
	r.t.Cleanup(h.Close)
	r.url = h.URL
	return &refused
}
