package debian

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// mergedDirs are the top-level folders that are symlinks into usr on every
// present-day Debian; packages may still carry files below them.
var mergedDirs = []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32", "libo32"}

// entryPath cleans the name of a tar entry: no leading "./", usr-merged. It
// is "" for the root itself. Names that leave the root are refused, not
// repaired: no honest package has them.
func entryPath(name string) (string, error) {
	if strings.HasPrefix(name, "/") {
		return "", fmt.Errorf("entry %q has an absolute path", name)
	}
	if strings.ContainsRune(name, 0) {
		return "", errors.New("an entry's path holds a NUL byte")
	}
	for _, part := range strings.Split(name, "/") {
		if part == ".." {
			return "", fmt.Errorf("entry %q leaves the package", name)
		}
	}
	p := path.Clean(name)
	if p == "." {
		return "", nil
	}
	return merge(p), nil
}

// merge moves a clean path below a merged folder into usr.
func merge(p string) string {
	top, _, below := strings.Cut(p, "/")
	if below && isMerged(top) {
		return "usr/" + p
	}
	return p
}

func isMerged(top string) bool {
	for _, d := range mergedDirs {
		if d == top {
			return true
		}
	}
	return false
}

// linkTarget gives a symlink's target as it must be stored: relative, and
// right after the usr-merge. name is the entry's name before merging, clean.
// A target that climbs above the root ends at the root, as in a real one.
func linkTarget(name, target string) (string, error) {
	if target == "" {
		return "", fmt.Errorf("symlink %q without a target", name)
	}
	from := path.Dir(merge(name)) // where the link will be
	if !path.IsAbs(target) && from == path.Dir(name) {
		// Not moved: the target stays as written unless it leaves the root.
		if clean := path.Join(from, target); clean != ".." && !strings.HasPrefix(clean, "../") {
			return target, nil
		}
	}
	abs := target
	if !path.IsAbs(target) {
		abs = path.Join("/", path.Dir(name), target)
	}
	to := strings.TrimPrefix(path.Clean(abs), "/")
	if isMerged(to) {
		to = "usr/" + to
	}
	return relative(from, merge(to)), nil
}

// relative writes the way from a folder to a path, both clean and relative to
// the root.
func relative(from, to string) string {
	split := func(p string) []string {
		if p == "." || p == "" {
			return nil
		}
		return strings.Split(p, "/")
	}
	f, t := split(from), split(to)
	for len(f) > 0 && len(t) > 0 && f[0] == t[0] {
		f, t = f[1:], t[1:]
	}
	var parts []string
	for range f {
		parts = append(parts, "..")
	}
	parts = append(parts, t...)
	if len(parts) == 0 {
		return "."
	}
	return strings.Join(parts, "/")
}
