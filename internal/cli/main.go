package cli

import (
	"context"
	"io"
	"os"

	"espalier.dev/espalier/internal/command"
)

// Main runs the command line of this process and returns its exit code.
func Main(args []string) int {
	return Run(context.Background(), args, os.Stdin, os.Stdout, os.Stderr, os.LookupEnv)
}

// Run is Main with explicit streams and environment.
func Run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, lookup func(string) (string, bool)) int {
	return execute(ctx, args, stdin, stdout, stderr, lookup, verbs())
}

// execute is Run for a table of verbs.
func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, lookup func(string) (string, bool), table []verb) int {
	a := newApp(args, stdin, stdout, stderr, lookup)
	a.verbs = table
	defer a.ui.Close()
	p := command.Process{UI: a.ui, Hooks: &a.hooks, Explain: a.output.Explain}
	return p.Run(ctx, func(ctx context.Context) error { return dispatch(ctx, a, args) })
}
