package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"espalier.dev/espalier/internal/fault"
)

// exitStatus is one line of the table of exit statuses.
type exitStatus struct {
	kind    fault.Kind
	meaning string
}

// exitStatuses is the whole contract; docs/exit-codes.md says the same, and a
// test compares.
func exitStatuses() []exitStatus {
	return []exitStatus{
		{fault.OK, "success"},
		{fault.Program, "the firmware failed: panic, failed test, text of --fail, expected text missing"},
		{fault.Usage, "usage, configuration, or an input that cannot be used"},
		{fault.Build, "the build failed"},
		{fault.Port, "no board, port busy, or no permission"},
		{fault.Chip, "the chip did not answer, or flash verification failed"},
		{fault.Pins, "pins: wrong hash, missing while offline, lock out of date"},
		{fault.Sandbox, "the sandbox is not available on this machine"},
		{fault.Differ, "two builds differ"},
		{fault.Bug, "a bug in espalier"},
		{fault.Timeout, "timeout"},
		{fault.Interrupted, "interrupted"},
	}
}

// exits is the section of a verb's help that lists its exit statuses. 0, 2, 9
// and 130 belong to every verb.
func exits(kinds ...fault.Kind) string {
	wanted := map[fault.Kind]bool{fault.OK: true, fault.Usage: true, fault.Bug: true, fault.Interrupted: true}
	for _, k := range kinds {
		wanted[k] = true
	}
	var b strings.Builder
	b.WriteString("\n\nExit status:")
	for _, s := range exitStatuses() {
		if wanted[s.kind] {
			fmt.Fprintf(&b, "\n%5d  %s", s.kind, s.meaning)
		}
	}
	return b.String()
}

// hinter is an error of a public package that knows what to do about itself.
// Those packages know no faults, so this is where their errors get a kind.
type hinter interface {
	error
	Hints() []string
}

// classify gives an error its kind. Faults keep theirs. An error of a public
// package is about an input, so it is Usage. What is left over is a bug.
func classify(err error) error {
	if err == nil {
		return nil
	}
	var f *fault.Error
	known := errors.As(err, &f)
	var h hinter
	if errors.As(err, &h) {
		kind := fault.Usage
		if known {
			kind = f.Kind
		}
		return fault.Wrap(kind, err, "", h.Hints()...)
	}
	switch {
	case known:
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return fault.Wrap(fault.Timeout, err, "")
	case errors.Is(err, context.Canceled):
		return fault.Wrap(fault.Interrupted, err, "")
	}
	return fault.Wrap(fault.Bug, err, "", "nobody expected this error: please report it together with the command that caused it")
}
