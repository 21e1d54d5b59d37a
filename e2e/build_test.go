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
)

// version is that of the control plane. Without it in the binary, discovery reports v0.0.0, which clients refuse to read.
const version = "v1.37.2"

// tools are the programs of the tests, each with the module below e2e that pins it.
var tools = map[string]struct{ module, pkg, flags string }{
	"etcd":           {"controlplane", "go.etcd.io/etcd/server/v3", "-s -w"},
	"kube-apiserver": {"controlplane", "k8s.io/kubernetes/cmd/kube-apiserver", "-s -w -X k8s.io/component-base/version.gitVersion=" + version},
	"render":         {"render", ".", "-s -w"},
}

// tool finds a program, or builds it once into the user's cache folder: KUBEBUILDER_ASSETS comes first, as envtest has it.
func tool(ctx context.Context, name string) (string, error) {
	if p := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), name); os.Getenv("KUBEBUILDER_ASSETS") != "" && exists(p) {
		return p, nil
	}
	t := tools[name]
	key, err := fingerprint(t.module, t.pkg+t.flags)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(cache, "netdiag", "e2e", key)
	p := filepath.Join(folder, name)
	if exists(p) {
		return p, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	fmt.Fprintf(os.Stderr, "building %s; the first time takes minutes\n", name)
	half := fmt.Sprintf("%s.%d", p, os.Getpid()) // a build that is broken off leaves nothing that looks finished
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags", t.flags, "-o", half, t.pkg)
	cmd.Dir = t.module
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return p, os.Rename(half, p)
}

// fingerprint changes whenever a build would give something else.
func fingerprint(module, how string) (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, runtime.Version(), runtime.GOARCH, how)
	names, err := filepath.Glob(filepath.Join(module, "*"))
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
