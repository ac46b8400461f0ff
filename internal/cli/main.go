package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ui"
)

// Main runs the command line of this process and returns its exit status.
func Main(args []string) int {
	return Run(context.Background(), args, os.Stdin, os.Stdout, os.Stderr, os.LookupEnv)
}

// Run is Main with everything given. The first interrupt ends the verb's
// context, so that it can leave things as they should be; the second one ends
// the process at once, with the terminal restored.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, lookup func(string) (string, bool)) int {
	return execute(ctx, args, stdin, stdout, stderr, lookup, verbs())
}

// execute is Run for a table of verbs.
func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, lookup func(string) (string, bool), table []verb) int {
	a := newApp(args, stdin, stdout, stderr, lookup)
	a.verbs = table
	defer a.ui.Close()

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as nohup wants it
		signal.Notify(signals, syscall.SIGHUP)
	}
	defer signal.Stop(signals)
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-signals:
			cancel(errInterrupted)
		case <-done:
			return
		}
		first := time.Now()
		for patience := time.After(2 * time.Second); ; {
			select {
			case <-signals:
				if time.Since(first) < sameInterrupt {
					continue
				}
				a.hooks.Run()
				a.ui.Close()
				os.Exit(int(fault.Interrupted))
			case <-patience:
				a.ui.Note("stopping; interrupt again to end at once")
			case <-done:
				return
			}
		}
	}()

	err := a.guard(ctx, args)
	a.ui.Close()
	if err != nil && context.Cause(ctx) == errInterrupted {
		// Whatever the verb says about it, this is why it ended.
		err = errInterrupted
	}
	if err == nil && a.ui.Err() != nil {
		err = fault.Wrap(fault.Usage, a.ui.Err(), "writing standard output")
	}
	a.ui.Error(err)
	return int(fault.KindOf(err))
}

// sameInterrupt is how soon another signal is the same interrupt: programs such
// as timeout send one to the process and one to its group.
const sameInterrupt = 250 * time.Millisecond

var errInterrupted = fault.New(fault.Interrupted, "interrupted")

// guard is the boundary at which a bug is caught.
func (a *app) guard(ctx context.Context, args []string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = a.bug(r, debug.Stack())
		}
	}()
	return a.run(ctx, args)
}

// bug makes the error of a panic: what, where, and with -v the whole stack.
func (a *app) bug(value any, stack []byte) error {
	hints := []string{"this is a bug in espalier: please report it together with the command that caused it"}
	if a.ui.Verbose() {
		a.ui.Close()
		fmt.Fprintf(a.ui.Writer(ui.Stderr), "%s\n", stack)
	} else {
		hints = append(hints, "the same command with -v prints the whole stack")
	}
	text := fmt.Sprintf("internal error: %v", value)
	if at := panicSite(string(stack)); at != "" {
		text += " (" + at + ")"
	}
	return fault.New(fault.Bug, strings.ReplaceAll(text, "\n", " "), hints...)
}

// panicSite finds the place of a panic in a stack trace: the first frame of
// this module below runtime's panic, as a path within the module.
func panicSite(stack string) string {
	_, here, _, _ := runtime.Caller(0)
	root := strings.TrimSuffix(here, "internal/cli/main.go")
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
