package debian

import (
	"strings"

	"espalier.dev/espalier/internal/lock"
)

// PruneVersion is the version of the rules that make a tree from packages: the
// omitted files (pruned), the rewriting of paths (linkTarget) and the added
// files (fixUp). The tree's digest depends on them, so the version is in the
// lock.
const PruneVersion = lock.DebianPrune

// prunedDirs contain nothing that a compiler reads.
var prunedDirs = []string{
	"usr/share/doc/", "usr/share/doc-base/", "usr/share/man/", "usr/share/info/", "usr/share/locale/",
	"usr/share/lintian/", "usr/share/bug/", "usr/share/gdb/", "usr/share/zsh/", "usr/share/bash-completion/",
	"usr/share/fish/", "usr/share/menu/", "usr/share/applications/", "usr/share/icons/", "usr/share/pixmaps/",
	"usr/share/metainfo/", "usr/share/emacs/", "usr/share/vim/",
	"usr/lib/debug/",
}

// pruned reports whether rule 1 omits a merged path. Directories have a
// trailing slash.
func pruned(p string) bool {
	for _, d := range prunedDirs {
		if strings.HasPrefix(p, d) {
			return true
		}
	}
	if rest, ok := strings.CutPrefix(p, "usr/src/rustc-"); ok {
		return prunedRustSource(rest)
	}
	if rest, ok := strings.CutPrefix(p, "usr/bin/"); ok {
		// A reader of gcc's own bytecode (31 MB) and a profiler.
		return strings.Contains(rest, "lto-dump") || strings.Contains(rest, "gprofng") || strings.HasPrefix(rest, "gp-")
	}
	return false
}

// prunedRustSource reports whether a file of the compiler's source is omitted.
// Kept are the standard library with its lock: library/ (with its own
// Cargo.lock since 1.82), the outer Cargo.lock (std's lock before) and
// manifest, and the licences. rest is "1.96.0/library/core/…".
func prunedRustSource(rest string) bool {
	_, below, ok := strings.Cut(rest, "/")
	if !ok || below == "" {
		return false
	}
	// Since 1.97 the library has a configuration that makes cargo read its crates
	// in its own vendor directory, and cargo fetch then fetches nothing. From an
	// empty store no lock could be made with that file, so leaving it out needs
	// no new PruneVersion.
	if strings.HasPrefix(below, "library/.cargo/") {
		return true
	}
	if strings.HasPrefix(below, "library/") || strings.HasPrefix(below, "LICENSE") {
		return false
	}
	switch below {
	case "Cargo.lock", "Cargo.toml", "COPYRIGHT", "version", "git-commit-hash", "git-commit-info", "vendor/":
		return false
	}
	return !strings.HasPrefix(below, "vendor/")
}
