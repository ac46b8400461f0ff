package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/pelletier/go-toml/v2"

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

// projectDir is where the project is looked for.
func (a *app) projectDir() string {
	if a.global.Project == "" {
		return "."
	}
	return a.global.Project
}

// openProject reads the project with the settings of the command line, the
// environment and the user's file applied.
func (a *app) openProject(flags project.Flags) (*project.Project, error) {
	if flags.Store == "" {
		flags.Store = a.global.Store
	}
	p, err := project.Open(a.projectDir(), project.Options{Flags: flags, Lookup: a.lookup, UserFile: userFile()})
	if err != nil {
		return nil, err
	}
	for _, n := range p.Notes {
		a.ui.Note("%s", n)
	}
	return p, nil
}

// setting is a value with where it came from.
type setting struct {
	Name   string `json:"name"`
	Env    string `json:"env,omitempty"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

// storeSetting decides where the store is, for verbs that need no project:
// flag, environment, user's file, default. p may be nil; if not, what it found
// counts, because it has asked all of these and espalier.toml.
func (a *app) storeSetting(p *project.Project) (setting, error) {
	s := setting{Name: "store.dir", Env: "ESPALIER_STORE"}
	if p != nil && p.Espalier.Store.V != "" {
		s.Value, s.Origin = p.Espalier.Store.V, p.Espalier.Store.Origin.String()
		return s, nil
	}
	if a.global.Store != "" {
		s.Value, s.Origin = a.global.Store, "flag --store"
		return s, nil
	}
	if v, ok := a.lookup("ESPALIER_STORE"); ok && v != "" {
		s.Value, s.Origin = v, "environment ESPALIER_STORE"
		return s, nil
	}
	if v, origin, err := userStore(userFile()); err != nil {
		return s, err
	} else if v != "" {
		s.Value, s.Origin = v, origin
		return s, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return s, fault.Wrap(fault.Usage, err, "choosing a place for the store", "export ESPALIER_STORE=/path/to/store")
	}
	s.Value, s.Origin = filepath.Join(cache, "espalier"), "default"
	return s, nil
}

// userStore reads [store] dir of the user's file; a missing file has none.
func userStore(path string) (dir, origin string, err error) {
	if path == "" {
		return "", "", nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", nil
	}
	if err != nil {
		return "", "", fault.Wrap(fault.Usage, err, "reading the user's configuration")
	}
	var v struct {
		Store struct {
			Dir string `toml:"dir"`
		} `toml:"store"`
	}
	if err := toml.Unmarshal(b, &v); err != nil {
		var de *toml.DecodeError
		if errors.As(err, &de) {
			line, col := de.Position()
			return "", "", fault.New(fault.Usage, fmt.Sprintf("%s:%d:%d: %s", path, line, col, de.Error()))
		}
		return "", "", fault.Wrap(fault.Usage, err, "reading "+path)
	}
	if v.Store.Dir == "" {
		return "", "", nil
	}
	dir = v.Store.Dir
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(filepath.Dir(path), dir)
	}
	return dir, path, nil
}

// openStore opens the store; p may be nil.
func (a *app) openStore(ctx context.Context, p *project.Project) (*store.Store, error) {
	s, err := a.storeSetting(p)
	if err != nil {
		return nil, err
	}
	a.ui.Debugf("store: %s (%s)", s.Value, s.Origin)
	return store.Open(ctx, s.Value)
}

func itoa[T ~int | ~int64 | ~uint32](n T) string { return strconv.FormatInt(int64(n), 10) }
