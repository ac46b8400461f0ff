package pin

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/sandbox"
	"espalier.dev/espalier/internal/store"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

func session(t *testing.T) *Session {
	t.Helper()
	st, err := store.Open(context.Background(), devtest.Store(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return &Session{
		Store: st, Report: logger{t}, Host: runtime.GOOS + "/" + runtime.GOARCH,
		Tool: "test", Root: "/", Lookup: os.LookupEnv, Now: time.Now,
	}
}

type logger struct{ t *testing.T }

func (l logger) Start(phase string, _ progress.Unit, total int64) progress.Task {
	l.t.Logf("%s ...", phase)
	return task{progress.Discard.Start("", "", 0), l.t, phase}
}
func (l logger) Note(format string, args ...any) { l.t.Logf("note: "+format, args...) }

type task struct {
	progress.Task
	t     *testing.T
	phase string
}

func (k task) Detail(s string) { k.t.Logf("%s: %s", k.phase, s) }
func (k task) Done(err error)  { k.t.Logf("%s: done, %v", k.phase, err) }

// TestHello walks from the hello template's names to its ELF.
func TestHello(t *testing.T) {
	devtest.Long(t, "network, toolchain, build")
	ctx := context.Background()
	s := session(t)
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "templates", "hello"))); err != nil {
		t.Fatal(err)
	}
	p, err := project.Open(dir, project.Options{Lookup: os.LookupEnv})
	if err != nil {
		t.Fatal(err)
	}
	locked, err := s.Lock(ctx, p, Request{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(p.Workspace, lock.FileName)
	if err := lock.Write(path, locked.File); err != nil {
		t.Fatal(err)
	}
	pins, err := lock.Load(p, lock.Facts{Layout: action.Layout, Host: s.Host})
	if err != nil {
		t.Fatal(err)
	}
	m, err := build.Assemble(ctx, s.Store, p, pins, s.Host, s.Report)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := build.PlanFor(ctx, s.Store, p, pins, m)
	if err != nil {
		t.Fatal(err)
	}
	r := build.Runner{Store: s.Store, Report: s.Report, Messages: func(m string) { t.Log(m) }}
	out, err := r.Run(ctx, plan)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("ELF %v hermetic %v", out.ELF, out.Hermetic)
}
