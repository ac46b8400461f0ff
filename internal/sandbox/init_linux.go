package sandbox

import (
	"os"

	"espalier.dev/espalier/internal/shell"
)

// Unsupported is why no step can run on this system; nil on Linux.
func Unsupported() error { return nil }

// Init must be the first call of main and of TestMain: it turns a re-executed
// process into the runner, or the shell of a step, and does not return then.
func Init() {
	if len(os.Args) > 2 && os.Args[0] == selfProgram && os.Args[1] == shell.UtilityArg {
		os.Exit(shell.Utility(os.Args[2:]))
	}
	if len(os.Args) != 1 {
		return
	}
	switch os.Args[0] {
	case runnerName:
		runnerMain()
	case weakRunnerName:
		weakRunnerMain()
	case shellName:
		os.Exit(shell.Main())
	}
}
