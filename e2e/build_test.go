package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// version is that of the control plane. Without it in the binary, discovery reports v0.0.0, which clients refuse to read.
const version = "v1.37.2"

// A module below e2e pins programs, each with its package. All of one module are built by one call of go build: they share
// most of what they import, and one is linked while another compiles.
type module struct {
	flags    string
	programs map[string]string
}

var modules = map[string]module{
	"controlplane": {"-s -w -X k8s.io/component-base/version.gitVersion=" + version, map[string]string{
		"etcd":                    "go.etcd.io/etcd/server/v3",
		"kube-apiserver":          "k8s.io/kubernetes/cmd/kube-apiserver",
		"kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
		"kube-scheduler":          "k8s.io/kubernetes/cmd/kube-scheduler",
		"kwok":                    "sigs.k8s.io/kwok/cmd/kwok",
	}},
	"render": {"-s -w", map[string]string{"render": "."}},
}

// builtAs is how go build calls a program whose package has another name.
var builtAs = map[string]string{"etcd": "server"}

// tool finds a program, or builds its module once into the user's cache folder: KUBEBUILDER_ASSETS comes first, as envtest has it.
func tool(ctx context.Context, name string) (string, error) {
	if p := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), name); os.Getenv("KUBEBUILDER_ASSETS") != "" && exists(p) {
		return p, nil
	}
	for folder, m := range modules {
		if m.programs[name] == "" {
			continue
		}
		built, err := m.build(ctx, folder)
		return filepath.Join(built, name), err
	}
	return "", fmt.Errorf("no module below e2e has the program %s", name)
}

// build builds the programs of the module in a folder, if they aren't there yet, and says where they are.
func (m module) build(ctx context.Context, folder string) (string, error) {
	key, err := fingerprint(folder, fmt.Sprint(m))
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	to := filepath.Join(cache, "netdiag", "e2e", key)
	if exists(to) {
		return to, nil
	}
	half := fmt.Sprintf("%s.%d", to, os.Getpid()) // a build that is broken off leaves nothing that looks finished
	if err := os.MkdirAll(half, 0o755); err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(half) }()
	fmt.Fprintf(os.Stderr, "building %s; the first time takes minutes\n", folder)
	began := time.Now()
	args := []string{"build", "-ldflags", m.flags, "-o", half + string(filepath.Separator)}
	for _, pkg := range m.programs {
		args = append(args, pkg)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", folder, err, out)
	}
	fmt.Fprintf(os.Stderr, "built %s in %s\n", folder, time.Since(began).Round(time.Second))
	for name := range m.programs {
		if as := builtAs[name]; as != "" {
			if err := os.Rename(filepath.Join(half, as), filepath.Join(half, name)); err != nil {
				return "", err
			}
		}
	}
	return to, os.Rename(half, to)
}

// fingerprint changes whenever a build would give something else.
func fingerprint(folder, how string) (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version(), runtime.GOARCH, how)
	names, err := filepath.Glob(filepath.Join(folder, "*"))
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return "", err
		}
		sum.Write(b)
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
