package sandbox

import (
	"errors"

	"golang.org/x/sync/errgroup"

	"espalier.dev/espalier/internal/store"
)

// A step's input trees have tens of thousands of files, and comparing all of
// them with their seals takes longer than everything else that happens before
// the command starts. So the command starts at once, and the seals are compared
// while it loads its first libraries. Until all of them match, its output is held
// back, and nothing that it writes leaves its temporary directory.

// errUnverified ends a run that was started on a damaged tree.
var errUnverified = errors.New("an input tree does not match its seal")

// verification is the comparison of unverified trees with their seals.
type verification struct {
	settled chan struct{} // closed when the result is known
	good    bool
}

// confirm compares trees with their seals, and calls stop as soon as one
// does not match.
func confirm(st *store.Store, trees []store.Digest, stop func(error)) *verification {
	b := &verification{settled: make(chan struct{})}
	go func() {
		defer close(b.settled)
		var work errgroup.Group
		for _, t := range trees {
			work.Go(func() error {
				if !st.Confirm(t) {
					stop(errUnverified)
					return errUnverified
				}
				return nil
			})
		}
		b.good = work.Wait() == nil
	}()
	return b
}

// verified waits for the result.
func (b *verification) verified() bool {
	<-b.settled
	return b.good
}
