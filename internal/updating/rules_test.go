package updating

import (
	"slices"
	"testing"
)

// TestRules: each rule has a set of versions that breaks it and one that looks
// alike and does not.
func TestRules(t *testing.T) {
	type set map[string][]string
	tests := map[string]struct {
		broken, fine set
		flags        string
	}{
		"descriptor-section": {
			broken: set{"esp-hal": {"1.0.0"}, "esp-bootloader-esp-idf": {"0.5.0"}},
			fine:   set{"esp-hal": {"1.1.0"}, "esp-bootloader-esp-idf": {"0.5.0"}},
		},
		"descriptor-missing": {
			broken: set{"esp-hal": {"1.0.0"}},
			fine:   set{"esp-hal": {"1.0.0"}, "esp-bootloader-esp-idf": {"0.4.0"}},
		},
		"descriptor-date":          {broken: set{"esp-bootloader-esp-idf": {"0.5.0"}}, fine: set{"esp-bootloader-esp-idf": {"0.6.0"}}},
		"bootloader-chip-revision": {broken: set{"bootloader": {"3.3.0"}}, fine: set{"bootloader": {"4.7.0"}}},
		"two-hals":                 {broken: set{"esp-hal": {"0.23.1", "1.0.0"}}, fine: set{"esp-hal": {"1.0.0"}}},
		"atomics-flag":             {broken: set{"portable-atomic": {"1.11.0"}}, fine: set{"heapless": {"0.8.0"}}, flags: "-C target-feature=+a"},
	}
	for _, r := range Rules() {
		c, ok := tests[r.Name]
		if !ok {
			t.Errorf("%s has no test", r.Name)
			continue
		}
		has := func(v set, flags string) bool {
			return slices.ContainsFunc(Check(Facts{Versions: v, Flags: flags}), func(b Broken) bool { return b.Rule == r.Name && len(b.Versions) > 0 })
		}
		if !has(c.broken, c.flags) {
			t.Errorf("%s does not match %v", r.Name, c.broken)
		}
		if has(c.fine, c.flags) {
			t.Errorf("%s matches %v", r.Name, c.fine)
		}
		if r.Flag != "" && has(c.broken, "-C target-feature=+m") {
			t.Errorf("%s matches without its flag", r.Name)
		}
		if r.Source == "" || r.Cure == "" || r.Title == "" {
			t.Errorf("%s is incomplete", r.Name)
		}
	}
}

func TestFamilies(t *testing.T) {
	for crate, want := range map[string]string{"esp-hal": "esp-hal", "esp-wifi-sys-esp32c3": "esp-hal", "embassy-time-driver": "embassy",
		"embassy-timer": "", "smoltcp": "", "defmt-test-macros": "defmt", "esp-metadata-generated": "esp-hal"} {
		if f, _ := familyOf(crate); f.Name != want {
			t.Errorf("%s is of %q, want %q", crate, f.Name, want)
		}
	}
}

// TestObstacle43DescriptorDate: a version of esp-bootloader-esp-idf that writes
// 1970 into the descriptor is named with what to do, a later one is not.
func TestObstacle43DescriptorDate(t *testing.T) {
	for version, want := range map[string]bool{"0.5.0": true, "0.6.0": false} {
		got := slices.ContainsFunc(Check(Facts{Versions: map[string][]string{"esp-bootloader-esp-idf": {version}}}), func(b Broken) bool {
			return b.Rule == "descriptor-date" && b.Cure != ""
		})
		if got != want {
			t.Errorf("%s: %v", version, got)
		}
	}
}
