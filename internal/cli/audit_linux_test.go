package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest/registry"
	"espalier.dev/espalier/internal/fault"
)

// TestAuditYanked: the pinned cargo asks the index of a served registry, and what it marks
// as yanked since the lock was made is a finding, also below other crates.
func TestAuditYanked(t *testing.T) {
	b := newUpdateBench(t)
	db := filepath.Join(t.TempDir(), "db")
	if err := os.MkdirAll(filepath.Join(db, "crates", "none"), 0o777); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(db, "crates", "none", "EX-2026-0001.md"), "```toml\n[advisory]\nid = \"EX-2026-0001\"\npackage = \"none\"\ndate = \"2026-01-02\"\n[versions]\npatched = []\n```\n\n# Title\n")
	if out, errs := b.run(0, "audit", "--db", db); out != "" || !strings.Contains(errs, "6 crates and the compiler, 1 advisory, ") {
		t.Errorf("nothing is yanked:\n%s%s", out, errs)
	}
	b.reg.Publish(t, registry.Crate{Name: "below", Version: "1.0.0", Yanked: true})
	out, errs := b.run(fault.Program, "audit", "--db", db)
	if !strings.HasPrefix(out, "below 1.0.0: yanked") || !strings.Contains(errs, "1 finding in espalier.lock") {
		t.Errorf("yanked:\n%s%s", out, errs)
	}
	if out, _ := b.run(0, "audit", "--db", db, "--no-yanked"); out != "" {
		t.Errorf("the index is not asked:\n%s", out)
	}
}
