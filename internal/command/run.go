package command

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"espalier.dev/espalier/internal/exithook"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ui"
)

// Process is one run of a verb, from its start to the exit code.
type Process struct {
	UI    *ui.UI
	Hooks *exithook.Hooks // run when the process ends at once
	// Explain may add hints to the error of the verb before it is printed; nil: none.
	Explain func(error) error
}

// Run calls f, prints its error and returns the exit code. The first interrupt
// cancels the context of f, so that it can clean up; the second one ends the
// process at once, after the exit hooks. A panic becomes a fault.Bug.
func (p Process) Run(ctx context.Context, f func(context.Context) error) int {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	defer close(done)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it for us
		signal.Notify(signals, syscall.SIGHUP)
	}
	defer func() {
		// After an interrupt, signals stay caught until the process ends: the second
		// signal of timeout(1) could otherwise end it with another status.
		if context.Cause(ctx) != errInterrupted {
			signal.Stop(signals)
		}
	}()
	go p.handleSignals(signals, done, func() { cancel(errInterrupted) })

	err := Classify(p.recovered(func() error { return f(ctx) }))
	p.UI.Close()
	if err != nil && context.Cause(ctx) == errInterrupted {
		err = errInterrupted // the cause of whatever the verb reports
	}
	if err == nil && p.UI.Err() != nil {
		err = fault.Wrap(fault.Usage, p.UI.Err(), "writing standard output")
	}
	if p.Explain != nil {
		err = p.Explain(err)
	}
	p.UI.Error(err)
	return int(fault.KindOf(err))
}

// sameInterrupt is how soon another signal counts as the same interrupt:
// timeout(1) signals its child and then the child's process group.
const sameInterrupt = 250 * time.Millisecond

var errInterrupted = fault.New(fault.Interrupted, "interrupted")

// handleSignals calls cancel at the first signal and ends the process at the
// second, unless done is closed before.
func (p Process) handleSignals(signals <-chan os.Signal, done <-chan struct{}, cancel func()) {
	select {
	case <-signals:
		cancel()
	case <-done:
		return
	}
	first := time.Now()
	for slow := time.After(2 * time.Second); ; {
		select {
		case <-signals:
			if time.Since(first) < sameInterrupt {
				continue
			}
			p.Hooks.Run()
			p.UI.Close()
			os.Exit(int(fault.Interrupted))
		case <-slow:
			p.UI.Note("stopping; interrupt again to end at once")
		case <-done:
			return
		}
	}
}

// recovered calls f and turns a panic, which is a bug, into an error.
func (p Process) recovered(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = bug(p.UI, r, debug.Stack())
		}
	}()
	return f()
}

// bug is the error of a panic: its value and place, with -v the whole stack.
func bug(u *ui.UI, value any, stack []byte) error {
	hints := []string{"this is a bug in espalier: please report it together with the command that caused it"}
	if u.Verbose() {
		u.Close()
		fmt.Fprintf(u.Writer(ui.Stderr), "%s\n", stack)
	} else {
		hints = append(hints, "the same command with -v prints the whole stack")
	}
	text := fmt.Sprintf("internal error: %v", value)
	if at := panicSite(string(stack)); at != "" {
		text += " (" + at + ")"
	}
	return fault.New(fault.Bug, strings.ReplaceAll(text, "\n", " "), hints...)
}

// panicSite finds the place of a panic in a stack trace: the first frame of this
// module below runtime's panic, as a path within the module.
func panicSite(stack string) string {
	_, here, _, _ := runtime.Caller(0)
	root := strings.TrimSuffix(here, "internal/command/run.go")
	lines := strings.Split(stack, "\n")
	below := false
	for i, l := range lines {
		if strings.HasPrefix(l, "panic(") {
			below = true
		}
		if below && strings.HasPrefix(l, "espalier.dev/espalier/") && i+1 < len(lines) {
			site, _, _ := strings.Cut(strings.TrimSpace(lines[i+1]), " ")
			return strings.TrimPrefix(site, root)
		}
	}
	return ""
}
