package exithook

import (
	"errors"
	"testing"
	"time"
)

func TestHooks(t *testing.T) {
	var h Hooks
	undone := map[string]int{}
	add := func(name string) func() {
		release, ok, err := h.Add(func() (func(), error) { return func() { undone[name]++ }, nil })
		if !ok || err != nil {
			t.Fatalf("%s: %v, %v", name, ok, err)
		}
		return release
	}
	released := add("released")
	add("pending")
	released()
	released()
	if _, ok, err := h.Add(func() (func(), error) { return nil, errors.ErrUnsupported }); ok || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a failed acquire: %v, %v", ok, err)
	}
	h.Run()
	h.Run()
	if undone["released"] != 1 || undone["pending"] != 1 {
		t.Errorf("undone %v, each wants 1", undone)
	}
	release, ok, err := h.Add(func() (func(), error) { t.Error("acquired after Run"); return func() {}, nil })
	if ok || err != nil {
		t.Errorf("after Run: %v, %v", ok, err)
	}
	release()
}

// A function that hangs does not keep the process from ending.
func TestRunIsBounded(t *testing.T) {
	var h Hooks
	hang := make(chan struct{})
	defer close(hang)
	if _, ok, err := h.Add(func() (func(), error) { return func() { <-hang }, nil }); !ok || err != nil {
		t.Fatal(ok, err)
	}
	done := make(chan struct{})
	go func() { h.Run(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * timeout):
		t.Error("Run waits for a function that hangs")
	}
}
