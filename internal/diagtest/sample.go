package diagtest

import (
	"os"
	"path/filepath"

	"github.com/netdiag/netdiag/internal/world"
)

// All lists every world below dir; under the race detector, which makes each more than ten times as dear, only those of Sample.
func All(dir string) ([]string, error) {
	if Race {
		return Sample(dir)
	}
	return world.Find(dir)
}

// Most lists the worlds for what takes several runs of each: all but the overlays, which differ from one another in a fact
// or two, and every third of those. With NETDIAG_WORLDS=all it lists every one; under the race detector the seeds.
func Most(dir string) ([]string, error) {
	if Race {
		return world.Find(filepath.Join(dir, "seeds"))
	}
	dirs, err := world.Find(dir)
	if err != nil || os.Getenv("NETDIAG_WORLDS") == "all" {
		return dirs, err
	}
	var some []string
	overlays := 0
	for _, d := range dirs {
		m, err := world.LoadMeta(d)
		if err != nil {
			return nil, err
		}
		if m.Base != "" {
			if overlays++; overlays%3 != 1 {
				continue
			}
		}
		some = append(some, d)
	}
	return some, nil
}

// Third lists the seeds and every third of the other worlds below dir, or with NETDIAG_WORLDS=all every one.
func Third(dir string) ([]string, error) {
	if os.Getenv("NETDIAG_WORLDS") == "all" {
		return world.Find(dir)
	}
	return every(3, dir)
}

// Sample lists the seeds and every twenty-fourth of the other worlds below dir.
func Sample(dir string) ([]string, error) { return every(24, dir) }

func every(n int, dir string) ([]string, error) {
	dirs, err := world.Find(dir)
	if err != nil {
		return nil, err
	}
	var some []string
	for i, d := range dirs {
		if i%n == 0 || filepath.Base(filepath.Dir(d)) == "seeds" {
			some = append(some, d)
		}
	}
	return some, nil
}
