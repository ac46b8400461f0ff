package cli

import (
	"sync"
	"time"
)

// wayOut is what must be done before the process ends, also when it ends at
// once: the terminal's mode is put back, a chip is let out of reset.
type wayOut struct {
	mu    sync.Mutex
	steps []*exitStep
	ended bool
}

type exitStep struct {
	once sync.Once
	do   func()
}

func (s *exitStep) run() { s.once.Do(s.do) }

// add calls take and, when that returns a function, sees to it that this is
// called: by done, or when the process ends. It reports false, and takes
// nothing, when it is too late for that.
func (w *wayOut) add(take func() (back func(), err error)) (done func(), ok bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return func() {}, false, nil
	}
	back, err := take()
	if err != nil {
		return func() {}, false, err
	}
	s := &exitStep{do: back}
	w.steps = append(w.steps, s)
	return s.run, true, nil
}

// wayOutPatience bounds what is done at the end: a port may be the reason why
// nothing moves.
const wayOutPatience = 500 * time.Millisecond

// leave does what is left to do, the latest first.
func (w *wayOut) leave() {
	w.mu.Lock()
	w.ended = true
	steps := w.steps
	w.mu.Unlock()
	var all sync.WaitGroup
	for i := len(steps) - 1; i >= 0; i-- {
		all.Go(steps[i].run)
	}
	over := make(chan struct{})
	go func() { all.Wait(); close(over) }()
	select {
	case <-over:
	case <-time.After(wayOutPatience):
	}
}
