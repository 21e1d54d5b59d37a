package check

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The flags that the Dockerfile gives the linker make the program say what it is: a name that the code no longer has would
// be ignored in silence.
func TestDockerfileStampsTheVersion(t *testing.T) {
	_, text := stages(t)
	found := regexp.MustCompile(`-ldflags="([^"]+)"`).FindSubmatch(text)
	if found == nil {
		t.Fatal("no -ldflags in the Dockerfile")
	}
	flags := strings.NewReplacer("$VERSION", "v1.2.3", "$REVISION", "0123abc").Replace(string(found[1]))
	bot := filepath.Join(t.TempDir(), "bot")
	run(t, "go", "build", "-buildvcs=false", "-ldflags", flags, "-o", bot, "./cmd/bot")
	said, err := exec.CommandContext(t.Context(), bot, "version").Output()
	if got, want := string(said), "netdiag v1.2.3 0123abc\n"; err != nil || got != want {
		t.Errorf("bot version says %q (%v), want %q", got, err, want)
	}
}
