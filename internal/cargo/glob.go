package cargo

import (
	"os"
	"path/filepath"
	"sort"
	"strings"

	"espalier.dev/espalier/internal/config"
)

// glob expands a pattern of workspace members: *, ? and [set] within a
// component, ** for any number of directories. Matches come sorted; a pattern
// without wildcards matches itself when it exists. Hidden directories match,
// as they do in cargo.
func glob(pattern string) []string {
	pattern = filepath.Clean(pattern)
	vol := filepath.VolumeName(pattern)
	base := vol + string(filepath.Separator)
	rest := strings.TrimPrefix(pattern[len(vol):], string(filepath.Separator))
	dirs := []string{base}
	for _, comp := range strings.Split(rest, string(filepath.Separator)) {
		var next []string
		for _, d := range dirs {
			switch {
			case comp == "**":
				next = append(next, below(d)...)
			case strings.ContainsAny(comp, "*?["):
				entries, _ := os.ReadDir(d)
				for _, e := range entries {
					if ok, err := filepath.Match(setNegation(comp), e.Name()); ok && err == nil {
						next = append(next, filepath.Join(d, e.Name()))
					}
				}
			case config.Exists(filepath.Join(d, comp)):
				next = append(next, filepath.Join(d, comp))
			}
		}
		dirs = next
	}
	sort.Strings(dirs)
	out := dirs[:0]
	for i, d := range dirs {
		if i == 0 || d != dirs[i-1] {
			out = append(out, d)
		}
	}
	return out
}

// setNegation rewrites the shell's [!x] to the [^x] of filepath.Match.
func setNegation(s string) string { return strings.ReplaceAll(s, "[!", "[^") }

// below is d and every directory under it; links are not followed.
func below(d string) []string {
	out := []string{d}
	entries, _ := os.ReadDir(d)
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, below(filepath.Join(d, e.Name()))...)
		}
	}
	return out
}
