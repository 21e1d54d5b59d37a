package slack_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	slackgo "github.com/slack-go/slack"
)

// A page that lies below another server's path finds its files there, and permalinks lead to it.
func TestPageBelowAPath(t *testing.T) {
	front := http.NewServeMux()
	h := httptest.NewServer(front)
	t.Cleanup(h.Close)
	o := workspace()
	o.Page = h.URL + "/w/one/"
	s, direct := serve(t, o)
	front.Handle("/w/one/", http.StripPrefix("/w/one", s))

	api := client(direct)
	_, ts, err := api.PostMessage(ops, message("hello"))
	if err != nil {
		t.Fatal(err)
	}
	link, err := api.GetPermalink(&slackgo.PermalinkParameters{Channel: ops, Ts: ts})
	if err != nil || link != o.Page+"archives/C0OPS/p"+strings.ReplaceAll(ts, ".", "") {
		t.Errorf("permalink = %q, %v", link, err)
	}
	page := get(t, link)
	for _, file := range []string{"app.js", "layout.css", "icon.svg"} {
		path := `"/w/one/page/` + file + `"`
		if !strings.Contains(page, path) {
			t.Errorf("the page does not ask for %s:\n%s", path, page)
		}
		if text := get(t, h.URL+strings.Trim(path, `"`)); text == "" {
			t.Errorf("%s is empty", path)
		}
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", url, resp.Status, err)
	}
	return string(data)
}
