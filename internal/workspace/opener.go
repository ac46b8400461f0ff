package workspace

import (
	"context"
	"os"
	"path/filepath"

	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/crates"
	"espalier.dev/espalier/internal/supply/hostcargo"
	"espalier.dev/espalier/internal/ui"
)

// Opener opens what is around a directory: configuration, store, the chip's
// files, the project.
type Opener struct {
	Dir     string                      // the project is here or above; "" is the working directory
	Store   string                      // of the command line; "": as configured
	Offline bool                        // nothing is fetched
	Lookup  func(string) (string, bool) // the environment
	UI      *ui.UI                      // shows notes and progress
}

func (o Opener) dir() string {
	if o.Dir == "" {
		return "."
	}
	return o.Dir
}

// Options are the options of project.Open with the settings of the command line,
// the environment and the user's file.
func (o Opener) Options(flags project.Flags) project.Options {
	if flags.Store == "" {
		flags.Store = o.Store
	}
	return project.Options{Flags: flags, Lookup: o.Lookup, UserFile: userFile(), CacheDir: cacheDir()}
}

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

// Settings opens the configuration without the files of the project, for verbs
// that need no project: espalier.toml counts when there is one, and a broken
// one is an error.
func (o Opener) Settings(flags project.Flags) (*project.Project, error) {
	p, err := project.Settings(o.dir(), o.Options(flags))
	if err != nil {
		return nil, err
	}
	for _, n := range p.Notes {
		o.UI.Debugf("%s", n)
	}
	return p, nil
}

// OpenStore opens the store of a configuration.
func (o Opener) OpenStore(ctx context.Context, c project.Config) (*store.Store, error) {
	if c.Store.V == "" {
		return nil, fault.New(fault.Usage, "choosing a place for the store: this machine has no cache directory", "export ESPALIER_STORE=/path/to/store")
	}
	o.UI.Debugf("store: %s (%s)", c.Store.V, c.Store.Origin)
	return store.Open(ctx, c.Store.V)
}

// ChipFiles finds mask ROM, bootloader and stub: the named files, those of the
// environment, or what the nearest espalier.lock pins, else this version of
// espalier. What the store lacks is brought by the user's own cargo, since there
// may be no project and no sandbox. readFile reads a named file; nil is
// chipfiles.ReadFile.
func (o Opener) ChipFiles(named chipfiles.Paths, readFile func(context.Context, string) ([]byte, error)) chipfiles.Finder {
	f := chipfiles.Finder{
		Paths: named.WithEnvironment(o.Lookup),
		Dir:   o.dir(),
		OpenStore: func(ctx context.Context) (*store.Store, error) {
			p, err := o.Settings(project.Flags{})
			if err != nil {
				return nil, err
			}
			return o.OpenStore(ctx, p.Espalier)
		},
		ReadFile: readFile,
	}
	if !o.Offline {
		f.Bring = func(ctx context.Context, st *store.Store, pins []lock.Blob) error {
			cargo := hostcargo.Fetcher{Store: st, Home: hostcargo.Home(o.Lookup), Report: o.UI}
			return crates.Blobs(ctx, st, pins, cargo.One)
		}
	}
	return f
}
