package debian

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// mergedDirs are the top-level directories that are symlinks into usr on every
// current Debian; packages may still have files below them.
var mergedDirs = []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32", "libo32"}

// entryPath cleans the name of a tar entry: no leading "./", usr-merged. It is
// "" for the root. Names that leave the root are errors and not corrected.
func entryPath(name string) (string, error) {
	if strings.HasPrefix(name, "/") {
		return "", fmt.Errorf("entry %q has an absolute path", name)
	}
	if strings.ContainsRune(name, 0) {
		return "", errors.New("the path of an entry contains a NUL byte")
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

// merge moves a clean path below a merged directory into usr.
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

// linkTarget returns a symlink's target as stored: relative, and correct after
// the usr-merge. name is the entry's clean name before merging. A target that
// goes above the root ends at the root, as on a real file system.
func linkTarget(name, target string) (string, error) {
	if target == "" {
		return "", fmt.Errorf("symlink %q without a target", name)
	}
	from := path.Dir(merge(name)) // directory of the link in the tree
	if !path.IsAbs(target) && from == path.Dir(name) {
		// Not moved: the target is unchanged unless it leaves the root.
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

// relative returns the relative path from a directory to a path, both clean and
// relative to the root.
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
