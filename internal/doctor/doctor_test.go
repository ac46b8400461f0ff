package doctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
)

func subject(t *testing.T) Subject {
	t.Helper()
	dir, cache := t.TempDir(), t.TempDir()
	o := project.Options{CacheDir: cache}
	return Subject{
		Dir: dir, Options: o,
		Settings:  func() (*project.Project, error) { return project.Settings(dir, o) },
		OpenStore: func(ctx context.Context, c project.Config) (*store.Store, error) { return store.Open(ctx, c.Store.V) },
	}
}

// A store that can be used is described; what keeps it from being opened is the
// finding, not an error of the checks.
func TestStore(t *testing.T) {
	s := subject(t)
	if f := s.checkStore(t.Context()); !f.OK || f.Err != nil || !strings.Contains(f.Text, s.Options.CacheDir) || !strings.Contains(f.Text, " used") {
		t.Errorf("%+v", f)
	}
	broken := errors.New("broken")
	s.OpenStore = func(context.Context, project.Config) (*store.Store, error) { return nil, broken }
	if f := s.checkStore(t.Context()); f.OK || !errors.Is(f.Err, broken) {
		t.Errorf("%+v", f)
	}
	s.Settings = func() (*project.Project, error) { return nil, broken }
	if f := s.checkStore(t.Context()); f.OK || !errors.Is(f.Err, broken) {
		t.Errorf("%+v", f)
	}
}

// A project without a lock is a finding with the command that makes one; a
// cancelled check is an error.
func TestCheck(t *testing.T) {
	s := subject(t)
	for name, text := range map[string]string{"Cargo.toml": "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n", "src/main.rs": ""} {
		name = filepath.Join(s.Dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	f := s.checkProject(t.Context())
	if f.OK || f.Err == nil || !strings.Contains(f.Err.Error()+strings.Join(f.Hints, " "), "espalier lock") {
		t.Errorf("%+v", f)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Check(ctx, s); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled check: %v", err)
	}
}
