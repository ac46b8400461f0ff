package trial

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/sandbox"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/internal/updating"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	os.Exit(m.Run())
}

// TestAPIMoves compiles programs for esp-hal 0.23.1 (testdata/moves) with the
// crates of the template hello: the cause names esp-hal, the release that changed,
// and the line.
func TestAPIMoves(t *testing.T) {
	devtest.Long(t, "the crates of the template hello")
	dir := t.TempDir()
	from := filepath.Join(devtest.Store(t), "projects", "hello")
	if _, err := os.Stat(filepath.Join(from, lock.FileName)); err != nil {
		devtest.Missing(t, "projects/hello in the test store (scripts/firmware)")
	}
	for _, name := range []string{"Cargo.toml", "Cargo.lock", lock.FileName, "build.rs", "rust-toolchain.toml", ".cargo/config.toml"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, name), b)
	}
	put(t, filepath.Join(dir, "src/main.rs"), nil)
	st, err := store.Open(t.Context(), devtest.Store(t))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	pins, err := lock.Read(filepath.Join(dir, lock.FileName))
	if err != nil {
		t.Fatal(err)
	}
	out := ui.New(ui.Options{Stdout: t.Output(), Stderr: t.Output(), Lookup: func(string) (string, bool) { return "", false }})
	defer out.Close()
	e := Env{Store: st, Executor: sandbox.Local{}, UI: out, Lookup: os.LookupEnv, Now: time.Now, Host: lock.Host()}
	var moves []updating.Move
	for _, c := range pins.Crates {
		if old, ok := map[string]string{"esp-hal": "0.23.1", "esp-hal-procmacros": "0.16.0", "esp-println": "0.13.1", "esp-backtrace": "0.15.1"}[c.Name]; ok {
			moves = append(moves, updating.Move{Kind: updating.KindCrate, Name: c.Name, From: old, To: c.Version})
		}
	}
	for _, c := range []struct{ bin, code, source string }{
		{"output", "E0061", "let mut led = Output::new(p.GPIO8, Level::Low);"}, // OutputConfig is new
		{"input", "E0308", "let button = Input::new(p.GPIO9, Pull::Up);"},      // InputConfig instead of Pull
		{"now", "E0603", "let start = esp_hal::time::now();"},                  // Instant::now
		{"rng", "E0061", "let mut rng = Rng::new(p.RNG);"},                     // without the peripheral
		{"reset", "E0433", "esp_hal::reset::software_reset();"},                // it is in module system
	} {
		text, err := os.ReadFile("../../testdata/moves/src/bin/" + c.bin + ".rs")
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, "src/main.rs"), text)
		p, err := project.Open(dir, project.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := e.side(t.Context(), p, pins)
		if err != nil {
			t.Fatal(err)
		}
		got := FindCause(t.Context(), st, s, moves, nil)
		switch {
		case s.Stage != StageBuild || got == nil || got.Crate == nil:
			t.Errorf("%s: ends at %s (%s), %+v", c.bin, s.Stage, s.Error, got)
		case got.Code != c.code || got.Crate.Name != "esp-hal" || got.Crate.From != "0.23.1" || len(got.Crate.Commit) != 40 || got.Crate.Repository == "":
			t.Errorf("%s: %+v of %+v", c.bin, got, got.Crate)
		case !slices.ContainsFunc(got.Lines, func(l CodeLine) bool { return l.File == "src/main.rs" && l.Source == c.source }):
			t.Errorf("%s: %+v", c.bin, got.Lines)
		}
	}
}

func put(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o666); err != nil {
		t.Fatal(err)
	}
}
