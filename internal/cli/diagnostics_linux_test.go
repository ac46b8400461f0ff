package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest/mini"
)

// What cargo and the compiler say appears as they print it: in colour on a
// terminal unless they are turned off, and with the user's own paths.
func TestDiagnosticsOnTerminal(t *testing.T) {
	dir, env := miniProject(t)
	mini.Edit(t, dir, "app/src/main.rs", "transmute(PRINTF)", "transmute(x)")
	mini.Edit(t, dir, "cfg/build.rs", "println!(", "println!(\"cargo:warning=look at {}/notes.txt\", std::env::current_dir().unwrap().display());\n    println!(")
	sgr := regexp.MustCompile("\x1b\\[[0-9;]*m")
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env   []string
		args  []string
		color bool
	}{
		"colour":     {nil, []string{"build"}, true},
		"again":      {nil, []string{"build"}, true},
		"NO_COLOR":   {[]string{"NO_COLOR=1"}, []string{"build"}, false},
		"--no-color": {nil, []string{"build", "--no-color"}, false},
		"TERM=dumb":  {[]string{"TERM=dumb"}, []string{"build"}, false},
	} {
		s := onTerminal(t, append(append([]string{}, env...), c.env...), append([]string{"-C", dir}, c.args...)...)
		if code := s.end(); code != 3 {
			t.Errorf("%s: exit %d", name, code)
		}
		s.waitFor("compiling app failed: 1 error")
		text := s.text()
		if sgr.MatchString(text) != c.color {
			t.Errorf("%s: colours %v:\n%q", name, !c.color, text)
		}
		if c.color && !strings.Contains(text, "\x1b[1m\x1b[91merror[E0425]\x1b[0m") {
			t.Errorf("%s: the error is not as rustc paints it:\n%q", name, text)
		}
		plain := sgr.ReplaceAllString(text, "")
		for _, want := range []string{
			"error[E0425]: cannot find value `x` in this scope",
			"--> app/src/main.rs:",
			"look at " + filepath.Join(real, "cfg", "notes.txt"),
		} {
			if !strings.Contains(plain, want) {
				t.Errorf("%s: want %q in\n%s", name, want, plain)
			}
		}
		if strings.Contains(plain, "/src/cfg/notes.txt") && !strings.Contains(real, "/src/cfg") {
			t.Errorf("%s: a path inside the sandbox is shown:\n%s", name, plain)
		}
	}
}

// Ctrl-C while bars are on the terminal: the terminal is as it was, and the
// last line says so.
func TestBuildInterruptedOnTerminal(t *testing.T) {
	dir, env := miniProject(t)
	mini.Edit(t, dir, "macros/src/lib.rs", `"42"`, `{ println!("asleep"); loop { std::thread::sleep(std::time::Duration::from_secs(1)) } "42" }`)
	s := onTerminal(t, env, "-C", dir, "build")
	s.waitFor("asleep")
	s.press("\x03")
	if code := s.end(); code != 130 {
		t.Errorf("exit %d", code)
	}
	s.waitFor("interrupted\r\n")
	text := s.text()
	if !strings.HasSuffix(text, "interrupted\r\n") {
		t.Errorf("after the interrupt: %q", text)
	}
	if hide, show := strings.LastIndex(text, "\x1b[?25l"), strings.LastIndex(text, "\x1b[?25h"); hide > show {
		t.Errorf("the cursor stays hidden: %q", text)
	}
	if _, err := os.Stat(filepath.Join(dir, "target", "espalier", "app.elf")); err == nil {
		t.Error("an ELF was written")
	}
}
