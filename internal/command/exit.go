package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"espalier.dev/espalier/internal/fault"
)

// ExitCode is one line of the table of exit codes.
type ExitCode struct {
	Kind    fault.Kind
	Meaning string
}

// ExitCodes is the whole contract. A test compares docs/exit-codes.md with it.
func ExitCodes() []ExitCode {
	return []ExitCode{
		{fault.OK, "success"},
		{fault.Program, "the firmware failed: panic, failed test, text of --fail, expected text missing"},
		{fault.Usage, "usage, configuration, or a file that cannot be used, read or written"},
		{fault.Build, "the build failed, or its result is over a budget"},
		{fault.Port, "no board, port busy, or no permission"},
		{fault.Chip, "the chip did not answer, or flash verification failed"},
		{fault.Pins, "pins: wrong hash, missing while offline, lock out of date"},
		{fault.Sandbox, "the sandbox is not available on this machine"},
		{fault.Differ, "two builds, a build and its golden result, two compared files, or a run and its recording, differ"},
		{fault.Bug, "a bug in espalier"},
		{fault.Timeout, "timeout"},
		{fault.Interrupted, "interrupted"},
	}
}

// Exits is the end of a verb's Long text: the exit codes of the verb. 0, 2, 9
// and 130 belong to every verb.
func Exits(kinds ...fault.Kind) string {
	wanted := map[fault.Kind]bool{fault.OK: true, fault.Usage: true, fault.Bug: true, fault.Interrupted: true}
	for _, k := range kinds {
		wanted[k] = true
	}
	var b strings.Builder
	for _, c := range ExitCodes() {
		if wanted[c.Kind] {
			fmt.Fprintf(&b, "\n%5d  %s", c.Kind, c.Meaning)
		}
	}
	return exitCodes + strings.TrimPrefix(b.String(), "\n")
}

// hinter is an error of a public package with hints. Public packages do not
// import fault, so their errors get a kind here.
type hinter interface {
	error
	Hints() []string
}

// Classify gives an error its kind. Errors with a kind keep it. Others are about
// an input, a file or the machine: fault.Usage. A bug is a panic, or an error
// that the code itself calls fault.Bug.
func Classify(err error) error {
	if err == nil {
		return nil
	}
	var f *fault.Error
	kind := fault.Usage
	known := errors.As(err, &f)
	if known {
		kind = f.Kind
	}
	var h hinter
	switch {
	case errors.As(err, &h):
		return fault.Wrap(kind, err, "", h.Hints()...)
	case known:
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return fault.Wrap(fault.Timeout, err, "")
	case errors.Is(err, context.Canceled):
		return fault.Wrap(fault.Interrupted, err, "")
	}
	return fault.Wrap(fault.Usage, err, "")
}
