package kube_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/internal/kube"
	simkube "github.com/netdiag/netdiag/internal/sim/kube"
)

// write puts text into a new file.
func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	good := write(t, string(simkube.Kubeconfig("http://127.0.0.1:1", "netdiag")))
	missing := filepath.Join(t.TempDir(), "nothing")
	for name, c := range map[string]struct{ env, file, context, want string }{
		"explicit":        {missing, good, "", ""},
		"environment":     {good, "", "", ""},
		"context":         {good, "", "simulated", ""},
		"no such file":    {good, missing, "", "can't be read"},
		"no such context": {good, "", "staging", `context "staging" does not exist`},
		"none at all":     {missing, "", "", "There is no cluster to talk to"},
		"broken":          {missing, write(t, "kind: [\n"), "", "can't be used"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KUBECONFIG", c.env)
			cfg, err := kube.Config(c.file, c.context)
			var refusal diagnostics.Refusal
			switch {
			case c.want == "" && (err != nil || cfg.Host != "http://127.0.0.1:1/as/netdiag"):
				t.Errorf("%v, %v", cfg, err)
			case c.want != "" && (!errors.As(err, &refusal) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n")):
				t.Errorf("%v, want a refusal in one line with %q", err, c.want)
			}
		})
	}
}

func TestCredentialsThatCannotBeHadAreARefusal(t *testing.T) {
	w := small()
	s := simkube.New(w, simkube.Options{})
	h := httptest.NewTLSServer(s)
	t.Cleanup(h.Close)
	t.Cleanup(s.Close)
	for name, c := range map[string]struct{ text, want string }{
		"exec": {`{"apiVersion":"v1","kind":"Config","current-context":"c","contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}],
			"clusters":[{"name":"c","cluster":{"server":"` + h.URL + `","insecure-skip-tls-verify":true}}],
			"users":[{"name":"u","user":{"exec":{"apiVersion":"client.authentication.k8s.io/v1","command":"no-such-program","interactiveMode":"Never"}}}]}`, "no-such-program"},
		"certificate": {string(simkube.Kubeconfig(h.URL, "netdiag")), "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, err := kube.Config(write(t, c.text), "")
			if err != nil {
				t.Fatal(err)
			}
			client, err := kube.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.Reader().Namespaces(context.Background())
			var refusal diagnostics.Refusal
			if !errors.As(err, &refusal) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want a refusal with %q", err, c.want)
			}
		})
	}
}
