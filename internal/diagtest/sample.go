package diagtest

import (
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

// Sample lists the seeds and every twenty-fourth of the other worlds below dir.
func Sample(dir string) ([]string, error) {
	dirs, err := world.Find(dir)
	if err != nil {
		return nil, err
	}
	var some []string
	for i, d := range dirs {
		if i%24 == 0 || filepath.Base(filepath.Dir(d)) == "seeds" {
			some = append(some, d)
		}
	}
	return some, nil
}
