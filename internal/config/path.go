package config

import (
	"os"
	"path/filepath"
	"strings"
)

// IsFile reports whether path is a regular file, after links.
func IsFile(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}

// IsDir reports whether path is a directory, after links.
func IsDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// Exists reports whether path exists, after links.
func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Within reports whether path is dir or below it. Both are clean and absolute;
// the comparison is lexical, as cargo's is.
func Within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// Parents returns dir and its parents up to the file system's root.
func Parents(dir string) []string {
	var out []string
	for {
		out = append(out, dir)
		up := filepath.Dir(dir)
		if up == dir {
			return out
		}
		dir = up
	}
}

// Rel is filepath.Rel, or path itself when there is no relative path.
func Rel(base, path string) string {
	if rel, err := filepath.Rel(base, path); err == nil {
		return rel
	}
	return path
}

// Join is the absolute path of a path as it is written in a file of base.
func Join(base, path string) string {
	path = filepath.FromSlash(path)
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(base, path)
}
