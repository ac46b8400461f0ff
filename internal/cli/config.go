package cli

import (
	"context"
	"os"
	"path/filepath"
	"strconv"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
)

// userFile is the user's own configuration: $XDG_CONFIG_HOME/espalier/config.toml
// or its equivalent elsewhere; "" when the machine has no such place.
func userFile() string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "espalier", "config.toml")
}

// cacheDir is where the user's caches are; "" when the machine has no such
// place.
func cacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return dir
}

// projectDir is where the project is looked for.
func (a *app) projectDir() string {
	if a.global.Project == "" {
		return "."
	}
	return a.global.Project
}

// projectOptions are the options of project.Open with the settings of the
// command line, the environment and the user's file.
func (a *app) projectOptions(flags project.Flags) project.Options {
	if flags.Store == "" {
		flags.Store = a.global.Store
	}
	return project.Options{Flags: flags, Lookup: a.lookup, UserFile: userFile(), CacheDir: cacheDir()}
}

// settings opens the configuration without the files of the project, for verbs
// that need no project: espalier.toml counts when there is one, and a broken
// one is an error.
func (a *app) settings(flags project.Flags) (*project.Project, error) {
	p, err := project.Settings(a.projectDir(), a.projectOptions(flags))
	if err != nil {
		return nil, err
	}
	for _, n := range p.Notes {
		a.ui.Debugf("%s", n)
	}
	return p, nil
}

// openStore opens the store of a configuration.
func (a *app) openStore(ctx context.Context, c project.Config) (*store.Store, error) {
	if c.Store.V == "" {
		return nil, fault.New(fault.Usage, "choosing a place for the store: this machine has no cache directory", "export ESPALIER_STORE=/path/to/store")
	}
	a.ui.Debugf("store: %s (%s)", c.Store.V, c.Store.Origin)
	return store.Open(ctx, c.Store.V)
}

func itoa[T ~int | ~int64 | ~uint32](n T) string { return strconv.FormatInt(int64(n), 10) }
