package sandbox

import (
	"errors"

	"golang.org/x/sync/errgroup"

	"espalier.dev/espalier/internal/store"
)

// A step's input trees have tens of thousands of files, and comparing all of
// them with their seals takes longer than everything else that happens before
// the command starts. So the command starts at once, and the seals are compared
// while it loads its first libraries. Until all of them hold, nobody sees what
// it prints, and nothing that it writes leaves its scratch folder.

// errDoubt ends a run that began on a damaged tree.
var errDoubt = errors.New("an input tree is not what it was presumed to be")

// belief is what is known of presumed trees: nothing until it is settled.
type belief struct {
	settled chan struct{}
	good    bool
}

// confirm compares trees with their seals, and calls stop as soon as one does
// not hold.
func confirm(st *store.Store, trees []store.Digest, stop func(error)) *belief {
	b := &belief{settled: make(chan struct{})}
	go func() {
		defer close(b.settled)
		var work errgroup.Group
		for _, t := range trees {
			work.Go(func() error {
				if !st.Confirm(t) {
					stop(errDoubt)
					return errDoubt
				}
				return nil
			})
		}
		b.good = work.Wait() == nil
	}()
	return b
}

// holds waits until the belief is settled.
func (b *belief) holds() bool {
	<-b.settled
	return b.good
}
