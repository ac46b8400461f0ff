//go:build linux

package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestBoardScripts specifies the verbs of a serial port: each file under
// testdata/board runs the real program against an emulated board whose port is
// shared as a pseudo-terminal, with Espressif's mask ROM at the other end.
func TestBoardScripts(t *testing.T) {
	env := testChipFiles(t)
	hello, panics := testFirmware(t, "hello.elf"), testFirmware(t, "exception.elf")
	commands := scriptCommands()
	addWaitFor(commands)
	// read-line FILE VARIABLE waits for the first line of a file that another
	// program writes, and puts it into a variable.
	commands["read-line"] = func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 2 {
			ts.Fatalf("usage: read-line file variable")
		}
		line, ended := "", false
		waitFor(ts, func() bool {
			b, _ := os.ReadFile(ts.MkAbs(args[0]))
			line, _, ended = strings.Cut(string(b), "\n")
			return ended
		}, args[0]+" has no line")
		ts.Setenv(args[1], line)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/board",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Cmds:                commands,
		Setup: func(e *testscript.Env) error {
			home := filepath.Join(e.WorkDir, "home")
			e.Setenv("HOME", home)
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(home, "config"))
			e.Setenv("XDG_CACHE_HOME", filepath.Join(home, "cache"))
			for _, v := range env {
				name, value, _ := strings.Cut(v, "=")
				e.Setenv(name, value)
			}
			e.Setenv("HELLO", hello)
			e.Setenv("PANICS", panics)
			return os.WriteFile(filepath.Join(e.WorkDir, "large"), make([]byte, 28<<10), 0o644) // 4 KiB more than nvs has
		},
	})
}

// addWaitFor adds the command wait-for FILE, which waits until a file exists, for at
// most 30 seconds.
func addWaitFor(commands map[string]func(*testscript.TestScript, bool, []string)) {
	commands["wait-for"] = func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 1 {
			ts.Fatalf("usage: wait-for file")
		}
		waitFor(ts, func() bool { _, err := os.Stat(ts.MkAbs(args[0])); return err == nil }, args[0]+" does not appear")
	}
}

func waitFor(ts *testscript.TestScript, done func() bool, text string) {
	end := time.Now().Add(30 * time.Second)
	for !done() {
		if time.Now().After(end) {
			ts.Fatalf("%s", text)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
