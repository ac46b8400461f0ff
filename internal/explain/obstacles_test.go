package explain

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestObstacle: the message of each obstacle of docs/obstacles.md that has one
// finds its rule first, in each of its logs, and the rule names the obstacle.
func TestObstacle(t *testing.T) {
	logs := samples(t)
	for _, name := range []string{
		"04-nix-untracked", "05-nix-cargo-hash", "07-nix-git-hash", "08-nix-hash-mismatch", "09-rust-src-missing", "10-rust-src-missing",
		"11-std-crates-not-vendored", "12-version-locked-away", "13-yanked", "15-host-triple", "16-no-atomics", "18-missing-env",
		"20-duplicate-lang-item", "21-no-std-for-target", "23-artifact-path", "28-linker-flavour", "29-host-linker", "30-no-linkall",
		"32-no-atomics", "33-portable-atomic-twice", "38-offline-git", "39-no-workspace-root", "40-rustc-does-not-start", "41-no-home",
		"42-user-namespaces",
	} {
		t.Run(name, func(t *testing.T) {
			number, rule, _ := strings.Cut(name, "-")
			r, ok := Find(rule)
			if !ok || !slices.Contains(regexp.MustCompile(`\d+`).FindAllString(r.Source, -1), strings.TrimPrefix(number, "0")) {
				t.Fatalf("rule %s has the source %q", rule, r.Source)
			}
			n := 0
			for _, s := range logs {
				if s.name != rule {
					continue
				}
				n++
				if got := scan(s.text).Result(); len(got) == 0 || got[0].Rule.Name != rule || got[0].Rule.Cause == "" || len(got[0].Rule.Cure) == 0 {
					t.Errorf("%v for\n%s", names(got), s.text)
				}
			}
			if n == 0 {
				t.Error("no log")
			}
		})
	}
}
