package world

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	kyaml "sigs.k8s.io/yaml"

	"github.com/netdiag/netdiag/diagnostics"
)

// Vacant reports whether a world may be saved at dir: there is no such folder, or nothing in it. Its error is a
// diagnostics.Refusal.
func Vacant(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return diagnostics.Refusal(fmt.Sprintf("%s can't be the folder of a world: %v", dir, err))
	case len(entries) > 0:
		return diagnostics.Refusal(fmt.Sprintf("%s is not empty: name a folder that is not there yet", dir))
	}
	return nil
}

// Save writes the world to dir, all or nothing, and makes it the world's Dir. Comments go to the head of world.yaml, a line
// each. What is there already is not overwritten: see Vacant.
func (w *World) Save(dir string, comments ...string) error {
	if err := Vacant(dir); err != nil {
		return err
	}
	dir = filepath.Clean(dir)
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+"-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }() // it is gone where all went well
	files, err := w.files(comments)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(tmp, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, files[name], 0o600); err != nil {
			return err
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) { // it is empty, or not there
		return err
	}
	if err := os.Rename(tmp, dir); err != nil {
		return err
	}
	w.Dir = dir
	return nil
}

// files gives the content of the files of a complete world, by their path below its folder.
func (w *World) files(comments []string) (map[string][]byte, error) {
	out := map[string][]byte{}
	for key, text := range w.Logs {
		out[filepath.Join("logs", filepath.FromSlash(key)+".log")] = []byte(text)
	}
	for key, text := range w.Metrics {
		out[filepath.Join("metrics", filepath.FromSlash(key)+".prom")] = []byte(text)
	}
	var err error
	if out["world.yaml"], err = w.metaFile(comments); err != nil {
		return nil, err
	}
	if out["cluster.yaml"], err = w.objectsFile(); err != nil {
		return nil, err
	}
	all := w.AWS
	if all == nil {
		all = AWS{}
	}
	aws, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("aws.json: %w", err)
	}
	out["aws.json"] = append(aws, '\n')
	return out, nil
}

func (w *World) metaFile(comments []string) ([]byte, error) {
	var b bytes.Buffer
	for _, c := range comments {
		fmt.Fprintln(&b, "# "+strings.ReplaceAll(c, "\n", "\n# "))
	}
	m := w.Meta
	m.Base, m.Changes = "", nil // what is saved is the whole world
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("world.yaml: %w", err)
	}
	return b.Bytes(), nil
}

func (w *World) objectsFile() ([]byte, error) {
	var b bytes.Buffer
	for i, u := range w.Objects {
		if i > 0 {
			b.WriteString("---\n")
		}
		doc, err := kyaml.Marshal(u.Object)
		if err != nil {
			return nil, fmt.Errorf("cluster.yaml: %s %s: %w", u.GetKind(), u.GetName(), err)
		}
		b.Write(doc)
	}
	return b.Bytes(), nil
}
