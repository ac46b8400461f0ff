package cli

import (
	"context"
	"strconv"

	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/workspace"
)

// projectDir is where the project is looked for.
func (a *app) projectDir() string {
	if a.global.Project == "" {
		return "."
	}
	return a.global.Project
}

// opener opens what is around the project's directory.
func (a *app) opener() workspace.Opener {
	return workspace.Opener{Dir: a.projectDir(), Store: a.global.Store, Offline: a.global.Offline, Lookup: a.lookup, UI: a.ui}
}

// open opens the project and the store. The caller closes it.
func (a *app) open(ctx context.Context, o workOptions) (*workspace.Workspace, error) {
	return a.opener().Open(ctx, o.Selection)
}

// settings opens the configuration, for verbs that need no project.
func (a *app) settings(flags project.Flags) (*project.Project, error) {
	return a.opener().Settings(flags)
}

// chipFiles finds mask ROM, bootloader and stub.
func (a *app) chipFiles(named chipfiles.Paths) chipfiles.Finder {
	return a.opener().ChipFiles(named, a.readInput)
}

func itoa[T ~int | ~int64 | ~uint32](n T) string { return strconv.FormatInt(int64(n), 10) }
