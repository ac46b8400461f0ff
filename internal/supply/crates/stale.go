package crates

import (
	"errors"
	"strings"
)

// ErrStale is in the error when Cargo.lock is not what the manifests need.
var ErrStale = errors.New("Cargo.lock does not match the manifests")

// IsStale recognises in cargo's output that a Cargo.lock cannot be used as it
// is with --locked: it would have to be written, or the crates that it names
// do not contain what the manifests ask for.
func IsStale(log string) bool {
	for _, s := range []string{"--locked was passed", "cannot update the lock file", "failed to select a version for", "no matching package"} {
		if strings.Contains(log, s) {
			return true
		}
	}
	return false
}
