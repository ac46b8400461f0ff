package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/exithook"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ui"
)

// runVerb runs a function as a verb and returns its exit code and what it printed.
func runVerb(ctx context.Context, verbose bool, f func(context.Context) error) (int, string) {
	var out strings.Builder
	p := Process{UI: ui.New(ui.Options{Stdout: &out, Stderr: &out, Verbose: verbose}), Hooks: &exithook.Hooks{}}
	code := p.Run(ctx, f)
	return code, out.String()
}

func TestKinds(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	tests := []struct {
		name string
		ctx  context.Context
		f    func(context.Context) error
		code int
		text string
	}{
		{"success", context.Background(), func(context.Context) error { return nil }, 0, ""},
		{"fault", context.Background(), func(context.Context) error { return fault.New(fault.Differ, "they differ", "look here") }, 8, "espalier: they differ\nhint: look here\n"},
		{"wrapped fault", context.Background(), func(context.Context) error {
			return fmt.Errorf("verifying: %w", fault.New(fault.Sandbox, "no"))
		}, 7, "espalier: verifying: no\n"},
		{"error of a public package", context.Background(), func(context.Context) error { return &image.SegmentsError{Count: 20} }, 2, "espalier: the image has 20 segments; the boot chain loads at most 16\nhint: let the linker"},
		{"public error with a kind", context.Background(), func(context.Context) error {
			return fault.Wrap(fault.Build, &image.SegmentsError{Count: 20}, "hello")
		}, 3, "hint: let the linker"},
		{"context", cancelled, func(ctx context.Context) error { return ctx.Err() }, 130, "espalier: context canceled\n"},
		{"deadline", context.Background(), func(context.Context) error { return context.DeadlineExceeded }, 124, ""},
		{"unclassified", context.Background(), func(context.Context) error { return fs.ErrClosed }, 2, "espalier: file already closed\n"},
		{"panic", context.Background(), func(context.Context) error { panic("index out\nof range") }, 9, "espalier: internal error: index out of range (internal/command/run_test.go:"},
		{"index", context.Background(), func(ctx context.Context) error { return []error{}[len(ctx.Done())] }, 9, "espalier: internal error: runtime error: index out of range [0] with length 0 (internal/command/run_test.go:"},
		{"joined", context.Background(), func(context.Context) error {
			return errors.Join(fault.New(fault.Pins, "one"), fault.New(fault.Pins, "two"))
		}, 6, "espalier: one\nespalier: two\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, text := runVerb(tt.ctx, false, tt.f)
			if code != tt.code || !strings.Contains(text, tt.text) {
				t.Errorf("exit %d, want %d; printed:\n%s\nwant:\n%s", code, tt.code, text, tt.text)
			}
			if strings.Contains(text, "goroutine ") {
				t.Errorf("a stack trace without -v:\n%s", text)
			}
		})
	}
	if _, text := runVerb(context.Background(), true, func(context.Context) error { panic("x") }); !strings.Contains(text, "goroutine ") {
		t.Errorf("no stack trace with -v:\n%s", text)
	}
}

// What a verb hints at its end is printed with its error.
func TestExplain(t *testing.T) {
	var out strings.Builder
	p := Process{UI: ui.New(ui.Options{Stdout: &out, Stderr: &out}), Explain: func(err error) error {
		return fault.Wrap(fault.KindOf(err), err, "", "espalier explain rule")
	}}
	code := p.Run(t.Context(), func(context.Context) error { return fault.New(fault.Build, "no") })
	if code != 3 || out.String() != "espalier: no\nhint: espalier explain rule\n" {
		t.Errorf("exit %d: %s", code, out.String())
	}
}
