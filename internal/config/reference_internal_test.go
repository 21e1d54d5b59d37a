package config

import "testing"

// Every setting is described in the reference, and nothing else is.
func TestEverySettingIsDescribed(t *testing.T) {
	for _, wrong := range undescribed() {
		t.Errorf("%s: see abouts in reference.go", wrong)
	}
}
