package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netdiag/netdiag/internal/config"
	"github.com/netdiag/netdiag/internal/policy"
)

func TestReadExecutor(t *testing.T) {
	read := func(text string) (config.Executor, error) {
		file := filepath.Join(t.TempDir(), "f.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return config.ReadExecutor(file)
	}
	got, err := read("approvers:\n- users: [U0123ABCD]\n  risks: [low]\n  namespaces: [shop]\n")
	want := config.Executor{Approvers: policy.Approvers{{Users: []string{"U0123ABCD"}, Risks: []string{"low"}, Namespaces: []string{"shop"}}}, Operation: config.DefaultOperation()}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	for text, want := range map[string]string{
		"approvers:\n- groups: [S0123ABCD]":    "f.yaml:2: approvers[0].groups: bot execute holds no Slack token, so it can't know who is in S0123ABCD: name users",
		"approvers:\n- users: [alice]":         `"alice" is no user id`,
		"approvers:\n- user: [U0123ABCD]":      "user",
		"health: 8080":                         `f.yaml:1: health: "8080" is no address such as :8080, and not none`,
		"logLevel: loud":                       `f.yaml:1: logLevel: "loud" is none of`,
		"health: :http-alt":                    `f.yaml:1: health: ":http-alt" is no address`,
		"approver:\n- users: [U0123ABCD]":      "approver",
		"approvers:\n- fixes: [alb/edit-nacl]": "no fix that can be carried out",
	} {
		if _, err := read(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
