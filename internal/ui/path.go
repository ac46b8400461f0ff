package ui

import (
	"os"
	"path/filepath"
)

// Path shows a path as the user would type it here: relative when it is below the
// working directory, else absolute.
func Path(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(wd, abs); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return abs
}
