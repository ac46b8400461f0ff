// Package exithook runs what must be undone before the process ends, also when
// it ends at once: the terminal's mode is restored, a chip's reset line is
// released. It is given functions and calls each of them once.
package exithook

import (
	"sync"
	"time"
)

// Hooks are the functions to call at exit. The zero value is ready to use; all
// methods are safe for concurrent use.
type Hooks struct {
	mu    sync.Mutex
	hooks []*hook
	ended bool
}

type hook struct {
	once sync.Once
	undo func()
}

func (h *hook) run() { h.once.Do(h.undo) }

// Add calls acquire and registers the undo function that it returns. The
// returned release calls undo now, once; otherwise Run does. After Run, acquire
// is not called and ok is false, so that nothing is acquired that no one undoes.
func (h *Hooks) Add(acquire func() (undo func(), err error)) (release func(), ok bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return func() {}, false, nil
	}
	undo, err := acquire()
	if err != nil {
		return func() {}, false, err
	}
	next := &hook{undo: undo}
	h.hooks = append(h.hooks, next)
	return next.run, true, nil
}

// timeout bounds Run: the port to be released may be what hangs.
const timeout = 500 * time.Millisecond

// Run calls the functions that have not been called yet, concurrently, and
// waits until they have returned, for at most half a second.
func (h *Hooks) Run() {
	h.mu.Lock()
	h.ended = true
	hooks := h.hooks
	h.mu.Unlock()
	var all sync.WaitGroup
	for _, next := range hooks {
		all.Go(next.run)
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(timeout):
	}
}
