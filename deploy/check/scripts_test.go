package check

import (
	"bytes"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// shellcheck is the program that reads scripts. actionlint passes over them in silence where there is none, so there has to be one.
func shellcheck(t *testing.T) string {
	t.Helper()
	at, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Fatal("shellcheck is missing, so nobody reads the scripts: install it (Debian package shellcheck; as root, make packages does)")
	}
	return at
}

// scriptErrors gives what shellcheck says of a script of a shell.
func scriptErrors(t *testing.T, shell string, script []byte) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), shellcheck(t), "--norc", "--severity=warning", "--format=gcc", "--shell="+shell, "-")
	cmd.Stdin = bytes.NewReader(script)
	said, err := cmd.CombinedOutput()
	if err != nil && len(said) == 0 {
		t.Fatal(tell(cmd, err))
	}
	return string(said)
}

// Every script of the repository, and what make gives the shell.
func TestScripts(t *testing.T) {
	scripts := strings.Fields(string(run(t, "git", "grep", "-lIE", `^#!.*\b(ba|da)?sh\b`)))
	if len(scripts) == 0 {
		t.Fatal("not even .ci/run is found")
	}
	for _, file := range scripts {
		if said := scriptErrors(t, "bash", run(t, "cat", file)); said != "" {
			t.Errorf("%s:\n%s", file, said)
		}
	}
	args := []string{"--no-print-directory", "-n", "-s", "VERSION=1.2.3", "CHARTS=oci://example.com/charts"}
	for _, target := range regexp.MustCompile(`(?m)^\.PHONY: (\S+)$`).FindAllSubmatch(run(t, "cat", "Makefile"), -1) {
		args = append(args, string(target[1]))
	}
	if said := scriptErrors(t, "sh", run(t, "make", args...)); said != "" {
		t.Errorf("make %s:\n%s", strings.Join(args, " "), said)
	}
}

func TestScriptComplaints(t *testing.T) {
	if got := scriptErrors(t, "bash", []byte("cd $1\nrm -r build\n")); !strings.Contains(got, "SC2164") {
		t.Errorf("shellcheck says only %q", got)
	}
}
