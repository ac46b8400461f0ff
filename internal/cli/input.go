package cli

import (
	"context"

	"espalier.dev/espalier/internal/command"
)

// readInput reads a file that the user named; "-" is standard input.
func (a *app) readInput(ctx context.Context, name string) ([]byte, error) {
	if name != "-" {
		return command.ReadFile(name)
	}
	a.ui.Debugf("reading standard input")
	return command.ReadAll(ctx, a.stdin, "standard input")
}
