package build

import (
	"fmt"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

func TestUserPaths(t *testing.T) {
	for in, want := range map[string]string{
		" --> /src/other/src/lib.rs:3:5":                         " --> /home/me/p/other/src/lib.rs:3:5",
		" --> crates/app/src/main.rs:3:5":                        " --> crates/app/src/main.rs:3:5",
		" --> src/main.rs:3:5":                                   " --> src/main.rs:3:5",
		" ::: /usr/src/rustc-1.96.0/library/core/src/option.rs":  " ::: /usr/src/rustc-1.96.0/library/core/src/option.rs",
		" ::: /cargo/registry/src/v/esp-hal-1.2.2/src/gpio.rs:1": " ::: /cargo/registry/src/v/esp-hal-1.2.2/src/gpio.rs:1",
		"\x1b[94m--> \x1b[0m/src/a.rs:1":                         "\x1b[94m--> \x1b[0m/home/me/p/a.rs:1",
		"couldn't read `/src/x`: \"/src/y\" (/src/z) -L=/src/w":  "couldn't read `/home/me/p/x`: \"/home/me/p/y\" (/home/me/p/z) -L=/home/me/p/w",
		"/src/a\n/src/b":                                         "/home/me/p/a\n/home/me/p/b",
		"/srcs/a /src":                                           "/srcs/a /src",
	} {
		if got := userPaths(in, "/home/me/p"); got != want {
			t.Errorf("%q\ngot  %q\nwant %q", in, got, want)
		}
	}
	if got := userPaths("/src/a", "/"); got != "/a" {
		t.Errorf("a project in the root: %q", got)
	}
	if got := userPaths("/src/a", "/p$1x"); got != "/p$1x/a" {
		t.Errorf("unusual directory: %q", got)
	}
}

// The messages are those of cargo 1.96, one per line.
func TestMessages(t *testing.T) {
	const diagnostic = `{"reason":"compiler-message","package_id":"p","message":{"rendered":"%s","level":"%s","code":{"code":"E0425"},"spans":[]}}`
	for name, c := range map[string]struct {
		in        []string
		shown     string
		artifacts int
		errors    int
	}{
		"artifacts": {in: []string{`{"reason":"compiler-artifact","fresh":false}`, `{"reason":"compiler-artifact","fresh":true}`, `{"reason":"build-finished","success":true}`}, artifacts: 1},
		"warning":   {in: []string{fmt.Sprintf(diagnostic, `warning: x\n --> /src/a.rs\n\n`, "warning")}, shown: "warning: x\n --> /src/a.rs\n\n"},
		"errors": {in: []string{fmt.Sprintf(diagnostic, `\u001b[91merror\u001b[0m: x\n`, "error"), fmt.Sprintf(diagnostic, `\u001b[91merror\u001b[0m: aborting due to 1 previous error\n`, "error")},
			shown: "\x1b[91merror\x1b[0m: x\n\x1b[91merror\x1b[0m: aborting due to 1 previous error\n", errors: 1},
		"plain words":    {in: []string{"ld: hello", "", "  "}, shown: "ld: hello\n"},
		"broken JSON":    {in: []string{`{"reason":`}, shown: "{\"reason\":\n"},
		"no message":     {in: []string{`{"reason":"compiler-message"}`, `{"reason":"compiler-message","message":null}`}},
		"other reasons":  {in: []string{`{"reason":"build-script-executed","out_dir":"/x"}`, `{}`}},
		"carriage ends":  {in: []string{"{\"reason\":\"compiler-artifact\"}\r"}, artifacts: 1},
		"unfinished end": {in: []string{`{"reason":"compiler-artifact"}`, `{"reason":"compiler-art`}, artifacts: 1, shown: ""},
	} {
		text := strings.Join(c.in, "\n")
		if name != "unfinished end" {
			text += "\n"
		}
		for _, size := range []int{1, 7, len(text)} {
			var shown strings.Builder
			m := &messages{task: progress.Discard.Start("", "", 0), show: func(s string) { shown.WriteString(s) }}
			for rest := text; rest != ""; {
				n := min(size, len(rest))
				m.Write([]byte(rest[:n]))
				rest = rest[n:]
			}
			if shown.String() != c.shown || m.artifacts != c.artifacts || m.errors != c.errors {
				t.Errorf("%s in pieces of %d: shown %q, %d artifacts, %d errors", name, size, shown.String(), m.artifacts, m.errors)
			}
		}
	}
}

// The fault of a failed step: the compiler's errors have been shown already;
// cargo's own errors are shown and are the cause.
func TestFailures(t *testing.T) {
	st, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	full := "compiling app in the store " + st.Dir() + ": no space left on device"
	for name, c := range map[string]struct {
		stdout, stderr string
		code           int
		kind           fault.Kind // fault.Build when 0
		want, shown    string
	}{
		"compiler":   {stdout: `{"reason":"compiler-message","message":{"rendered":"error: x\n","level":"error"}}` + "\n", stderr: "error: could not compile `app`\n", code: 101, want: "compiling app failed: 1 error", shown: "error: x\n"},
		"cargo":      {stderr: "\x1b[1m\x1b[91merror\x1b[0m: the package 'app' does not contain this feature: x\nhelp: y\n", code: 101, want: "compiling app failed: the package 'app' does not contain this feature: x", shown: "\x1b[1m\x1b[91merror\x1b[0m: the package 'app' does not contain this feature: x\nhelp: y\n"},
		"stale lock": {stderr: "error: failed to select a version for the requirement `cfg-if = \"^2\"`\nlocation searched: directory source\n", code: 101, kind: fault.Pins, want: "Cargo.lock does not match the manifests: failed to select a version for the requirement `cfg-if = \"^2\"`"},
		"script":     {stderr: "error: failed to run custom build command for `app v0.1.0 (/src/app)`\n\nCaused by:\n  process didn't exit successfully: `/target/x` (exit status: 1)\n", code: 101, want: "compiling app failed: failed to run custom build command for `app v0.1.0 (/home/me/app)`", shown: "error: failed to run custom build command for `app v0.1.0 (/home/me/app)`\n\nCaused by:\n  process didn't exit successfully: `/target/x` (exit status: 1)\n"},
		"script says": {stderr: "error: app@0.1.0: choose one of two features\nerror: app@0.1.0: a or b\nerror: build script logged errors\n", code: 101, want: "compiling app failed: app@0.1.0: choose one of two features",
			shown: "error: app@0.1.0: choose one of two features\nerror: app@0.1.0: a or b\nerror: build script logged errors\n"},
		"killed":     {code: 137, want: "compiling app failed: killed by signal 9"},
		"disk full":  {stdout: `{"reason":"compiler-message","message":{"rendered":"error: failed to write to ` + "`/target/x.rmeta`" + `: No space left on device (os error 28)\n","level":"error"}}` + "\n", code: 101, kind: fault.Usage, want: full, shown: "error: failed to write to `/target/x.rmeta`: No space left on device (os error 28)\n"},
		"cargo full": {stderr: "error: failed to write `/target/y`\n\nCaused by:\n  No space left on device (os error 28)\n", code: 101, kind: fault.Usage, want: full},
		"LLVM full":  {stderr: "LLVM ERROR: IO failure on output stream: No space left on device\nerror: could not compile `x`\n", code: 101, kind: fault.Usage, want: full},
		"exit code":  {code: 3, want: "compiling app failed: exit status 3"},
	} {
		var shown strings.Builder
		r := Runner{Store: st, Messages: func(s string) { shown.WriteString(s) }}
		task := progress.Discard.Start("", "", 0)
		pl := Plan{root: "/home/me"}
		out := &messages{task: task, show: r.show(pl)}
		said := &status{task: task}
		out.Write([]byte(c.stdout))
		said.Write([]byte(c.stderr))
		err := r.failed(pl, "compiling app", action.Result{ExitCode: c.code}, out, said)
		if c.kind == 0 {
			c.kind = fault.Build
		}
		if fault.KindOf(err) != c.kind || err.Error() != c.want {
			t.Errorf("%s: %v (kind %d), want %s", name, err, fault.KindOf(err), c.want)
		}
		if shown.String() != c.shown {
			t.Errorf("%s: shown %q, want %q", name, shown.String(), c.shown)
		}
	}
}

func TestLineBuffer(t *testing.T) {
	var l lineBuffer
	var got []int
	fn := func(b []byte) { got = append(got, len(b)) }
	l.write([]byte("ab"), fn)
	l.write([]byte("c\n\nd\n"), fn)
	long := make([]byte, longestLine/2+1)
	for range 3 {
		l.write(long, fn)
	}
	l.write([]byte("tail of the long one\nnext\n"), fn)
	if fmt.Sprint(got) != "[3 0 1 4]" {
		t.Errorf("lines of %v bytes", got)
	}
}

type items struct {
	progress.Task
	names []string
}

func (i *items) Item(n string) { i.names = append(i.names, n) }

func TestStatus(t *testing.T) {
	task := &items{Task: progress.Discard.Start("", "", 0)}
	s := &status{task: task}
	s.Write([]byte("\x1b[1m\x1b[92m   Compiling\x1b[0m cfg-if v1.0.5\n   Compiling app v0.1.0 (/src/app)\n    Finished `release` profile\n"))
	if fmt.Sprint(task.names) != "[cfg-if v1.0.5 app v0.1.0]" {
		t.Errorf("%q", task.names)
	}
}

func FuzzMessages(f *testing.F) {
	f.Add([]byte("{\"reason\":\"compiler-message\",\"message\":{\"rendered\":\"x\",\"level\":\"error\"}}\n"), []byte("error: x\n"))
	f.Add([]byte("{\"message\":[]}\n{\"message\":{\"code\":3}}\n"), []byte("\x1b[\x1b[m\n   Compiling \n"))
	f.Fuzz(func(t *testing.T, stdout, stderr []byte) {
		task := progress.Discard.Start("", "", 0)
		m := &messages{task: task, show: func(s string) { userPaths(s, "/p") }}
		s := &status{task: task}
		m.Write(stdout)
		s.Write(stderr)
		if len(plain(string(stderr))) > len(stderr) {
			t.Errorf("%q grew", stderr)
		}
	})
}
