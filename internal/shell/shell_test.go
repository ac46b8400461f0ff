//go:build linux

package shell

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"espalier.dev/espalier/internal/devtest"
)

// The test program is also the shell and its utilities, as espalier is.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 2 && os.Args[1] == UtilityArg:
		os.Exit(Utility(os.Args[2:]))
	case len(os.Args) == 2 && os.Args[1] == "shell":
		os.Exit(Main())
	}
	os.Exit(m.Run())
}

func start(t *testing.T, dir, text string, env ...string) (cmd *exec.Cmd, stdout, stderr *bytes.Buffer) {
	t.Helper()
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	cmd = exec.Command("/proc/self/exe", "shell")
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = dir, strings.NewReader(text), stdout, stderr, append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, stdout, stderr
}

// TestScript compares scripts with the system's shell: output and exit status.
func TestScript(t *testing.T) {
	posix := devtest.Tool(t, "sh")
	dir := t.TempDir()
	for name, text := range map[string]string{"f 1": "one\ntwo\n", "a.rs": "", "b.rs": "", ".hidden.rs": "", "x*y": "star\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"echo a b; exit 7", "false", "false; true", "true && echo yes || echo no", "false && echo yes || echo no; echo $?",
		"! true; echo $?", "! false; echo $?", "false || false && echo x; echo $?",
		"X=3; echo $X ${X}y \"$X\" '$X' \\$X $", "X='a  b'; echo $X; echo \"$X\"; ls $X 2>/dev/null; echo $?",
		"X=1 sh -c 'echo $X'; echo \"<$X>\"", "X=' lead'; printf '<%s>' a$X b; echo", "X='tail '; printf '<%s>' ${X}x; echo",
		"X='  '; printf '<%s>' $X a\"$X\"; echo", "X=; printf '<%s>' $X \"$X\" ''; echo", "X='a b'; printf '<%s>' x${X}y\"$X\"z; echo",
		"cat 'f 1' | cat | sh -c 'read a; echo got $a'", "cat absent 2>/dev/null; echo $?", "exit 3 | cat; echo $?", "echo x | false; echo $?",
		"echo one > out; echo two >> out; cat < out", "sh -c 'echo e >&2' 2>&1 | cat", "cat absent > all 2>&1; test -s all; echo $?",
		"echo *.rs", "echo \"*\".rs '*'.rs \\*.rs", "echo x*y \"x*y\" x\\*y", "echo .h*", "echo nothing*here", "echo sub/../*.rs", "X='*.rs'; echo $X \"$X\"", "echo [ab].rs ?.rs",
		"cd sub && pwd | sh -c 'read p; basename $p'; cd ..; basename $PWD", "cd absent 2>/dev/null || echo not there", "cd sub; echo ../[a-b].rs",
		"nosuchcommand 2>/dev/null; echo $?", "./a.rs 2>/dev/null; echo $?", "./sub 2>/dev/null; echo $?", "sh -c 'exit 5'", "sh -c 'kill -TERM $$'; echo $?",
		"export Y=2; sh -c 'echo $Y'; unset Y; sh -c 'echo [$Y]'", "echo a # comment\n# another\necho b", "echo a \\\n  b", "echo \"a\nb\"", "echo a;\n\n  echo b\n",
		"true &&\n echo next", "echo x |\n cat", "echo a#b '#' \"#\"", "HOME=/h; echo ~ ~/x x~ '~'", "> made; test -f made; echo $?", "printf %s \"a\\\"b\\\\c\\d\\$e\"",
	} {
		sh := exec.Command(posix)
		sh.Dir, sh.Stdin = dir, strings.NewReader(text)
		want, _ := sh.Output()
		cmd, out, errs := start(t, dir, text)
		_ = cmd.Wait()
		if out.String() != string(want) || cmd.ProcessState.ExitCode() != sh.ProcessState.ExitCode() {
			t.Errorf("%s:\n%q, status %d, sh has\n%q, status %d; %s", text, out, cmd.ProcessState.ExitCode(), want, sh.ProcessState.ExitCode(), errs)
		}
	}
}

// What the shell does not have is refused by name, before anything runs.
func TestUnsupported(t *testing.T) {
	for text, want := range map[string]string{
		"echo a; if true; then echo b; fi": "if is not supported", "for i in 1; do :; done": "for is not supported", "sleep 1 &": "no job control",
		"echo $(date)": "$( is not supported", "echo `date`": "` is not supported", "(true)": "( is not supported", "cat <<E": "<< is not supported",
		"echo ${X:-y}": "${X:-y} is not supported", "a ;; b": "syntax error", "| cat": "syntax error", "echo >": "> without a file", "&& a": "syntax error",
	} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	for _, text := range []string{"echo 'a", "echo \"a", "echo a &&", "echo a |", "echo a \\", "echo ${X", "a ||\n"} {
		if _, err := parse(text); !errors.Is(err, errIncomplete) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A utility takes the place of a missing program only.
func TestUtilities(t *testing.T) {
	dir := t.TempDir()
	run := func(text string) (string, string, int) {
		cmd, out, errs := start(t, dir, text, "PATH="+dir)
		_ = cmd.Wait()
		return out.String(), errs.String(), cmd.ProcessState.ExitCode()
	}
	if err := os.WriteFile(filepath.Join(dir, "-n x"), []byte("text\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("-n x", filepath.Join(dir, ".link")); err != nil {
		t.Fatal(err)
	}
	if out, errs, status := run("ls; cat './-n x'"); status != 0 || out != "-n x\ntext\n" {
		t.Errorf("%q %q %d", out, errs, status)
	}
	if out, errs, status := run("ls -la"); status != 0 || !strings.Contains(out, "5 -n x\n") || !strings.Contains(out, ".link -> -n x\n") {
		t.Errorf("%q %q %d", out, errs, status)
	}
	if _, errs, status := run("cat absent"); status != 1 || !strings.Contains(errs, "absent: no such file") {
		t.Errorf("%q %d", errs, status)
	}
	if _, errs, status := run("ls -R"); status != 1 || !strings.Contains(errs, "unknown option -R") {
		t.Errorf("%q %d", errs, status)
	}
	if err := os.WriteFile(filepath.Join(dir, "ls"), []byte("#!/bin/sh\necho mine\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	if out, _, status := run("ls"); status != 0 || out != "mine\n" {
		t.Errorf("%q %d", out, status)
	}
}

// The interrupt that a terminal sends to the process group ends the program and
// the list, not the shell.
func TestInterrupt(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command("/proc/self/exe", "shell")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader("sh -c 'echo ready; exec sleep 60'; echo after")
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(time.Minute, func() { _ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) })
	said := make([]byte, 100)
	n, err := out.Read(said)
	if err != nil || string(said[:n]) != "ready\n" {
		t.Fatalf("%q, %v", said[:n], err)
	}
	if err := unix.Kill(-cmd.Process.Pid, unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	var rest bytes.Buffer
	_, _ = rest.ReadFrom(out)
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 || rest.Len() > 0 {
		t.Errorf("status %d, %q", code, rest.String())
	}
}

func TestKeys(t *testing.T) {
	var got bytes.Buffer
	if _, err := got.ReadFrom(keys{strings.NewReader("ab\x03c")}); err != nil || got.String() != "ab\x05\x15^C\rc" {
		t.Errorf("%q, %v", got.String(), err)
	}
}

// FuzzParse: the parser ends, and what it accepts can be expanded.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"echo 'a' \"$X\" ${Y} | cat > f 2>&1 && ! x; y # z", "a \\\n b", "X=~/a y", "\"", "$"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parse(text)
		if err != nil {
			return
		}
		s := &shell{}
		for _, p := range l {
			if len(p.commands) == 0 {
				t.Errorf("%q: an empty pipeline", text)
			}
			for _, c := range p.commands {
				for _, w := range c.words {
					s.fields(w)
				}
			}
		}
	})
}
