package crates

import (
	"errors"
	"strings"
)

// ErrStale is in the chain of an error when Cargo.lock does not match the
// manifests.
//
//lint:ignore ST1005 the message begins with the name of a file
var ErrStale = errors.New("Cargo.lock does not match the manifests")

// IsStale reports whether cargo's output says that Cargo.lock cannot be used
// with --locked: it would have to be updated, or the locked crates do not
// provide what the manifests require.
func IsStale(log string) bool {
	for _, s := range []string{"--locked was passed", "cannot update the lock file", "failed to select a version for", "no matching package"} {
		if strings.Contains(log, s) {
			return true
		}
	}
	return false
}
