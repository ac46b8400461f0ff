package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest/registry"
	"espalier.dev/espalier/internal/fault"
)

// TestObstacle13Yanked: a version that Cargo.lock has and that its registry has
// withdrawn is pinned again from nothing, because no resolver is asked for it; the
// pin is named as one that may vanish. Without Cargo.lock it is cargo's error.
func TestObstacle13Yanked(t *testing.T) {
	b := newUpdateBench(t)
	b.reg.Publish(t, registry.Crate{Name: "below", Version: "1.0.0", Yanked: true})
	if err := os.Remove(filepath.Join(b.dir, "espalier.lock")); err != nil {
		t.Fatal(err)
	}
	b.run(0, "lock")
	b.run(0, "fetch", "--check")
	if out, errs := b.run(0, "outdated"); !strings.Contains(out+errs, "may vanish: below 1.0.0") {
		t.Errorf("outdated\n%s%s", out, errs)
	}
	for _, name := range []string{"espalier.lock", "Cargo.lock"} {
		if err := os.Remove(filepath.Join(b.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, errs := b.run(fault.Pins, "lock"); !strings.Contains(errs, "below") || !strings.Contains(errs, "yanked") {
		t.Errorf("without Cargo.lock\n%s", errs)
	}
}
