//go:build unix

package shell

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// shell runs lists in this process's directory and environment.
type shell struct {
	files   [3]*os.File // standard streams of commands
	status  int         // of the last pipeline
	exiting bool
}

// Statuses of XCU 2.8.2.
const (
	statusUsage      = 2
	statusCannotExec = 126
	statusNotFound   = 127
	statusInterrupt  = 128 + int(unix.SIGINT)
)

func (s *shell) complain(format string, args ...any) {
	fmt.Fprintf(s.files[2], "shell: "+format+"\n", args...)
}

// run runs a list. A pipeline that ended by Ctrl-C ends the list.
func (s *shell) run(l list) {
	for _, p := range l {
		if p.when == "&&" && s.status != 0 || p.when == "||" && s.status == 0 {
			continue
		}
		s.status = s.pipeline(p)
		if s.exiting || s.status == statusInterrupt {
			return
		}
		if p.not {
			if s.status == 0 {
				s.status = 1
			} else {
				s.status = 0
			}
		}
	}
}

func (s *shell) pipeline(p pipeline) int {
	if len(p.commands) == 1 {
		return s.simple(p.commands[0])
	}
	files := s.files
	var running []*exec.Cmd
	status := 0
	for i, c := range p.commands {
		out := s.files[1]
		var next *os.File
		if i < len(p.commands)-1 {
			r, w, err := os.Pipe()
			if err != nil {
				s.complain("%v", err)
				return 1
			}
			next, out = r, w
		}
		files[1] = out
		cmd, code := s.start(c, files)
		running, status = append(running, cmd), code
		if files[0] != s.files[0] {
			files[0].Close()
		}
		if out != s.files[1] {
			out.Close()
		}
		files[0] = next
	}
	for _, cmd := range running {
		if cmd != nil {
			status = wait(cmd)
		}
	}
	return status
}

// simple runs one command in the foreground; builtins change the shell itself.
func (s *shell) simple(c command) int {
	argv := s.expand(c.words)
	if len(argv) == 0 {
		for _, a := range c.assign {
			os.Setenv(a.name, s.text(a.value))
		}
		_, closing, err := s.redirected(c, s.files) // they make their files
		closing()
		if err != nil {
			s.complain("%v", err)
			return 1
		}
		return 0
	}
	if status, ok := s.builtin(argv); ok {
		return status
	}
	cmd, status := s.start(c, s.files)
	if cmd == nil {
		return status
	}
	return wait(cmd)
}

// builtin runs a command that changes the shell.
func (s *shell) builtin(argv []string) (status int, ok bool) {
	args := argv[1:]
	switch argv[0] {
	case "cd":
		dir := os.Getenv("HOME")
		if len(args) > 0 {
			dir = args[0]
		}
		if err := os.Chdir(dir); err != nil {
			s.complain("cd: %v", err)
			return 1, true
		}
		if wd, err := os.Getwd(); err == nil {
			os.Setenv("PWD", wd)
		}
		return 0, true
	case "export":
		for _, a := range args {
			if name, value, ok := strings.Cut(a, "="); ok && isName(name) {
				os.Setenv(name, value)
			}
		}
		return 0, true
	case "unset":
		for _, a := range args {
			os.Unsetenv(a)
		}
		return 0, true
	case "exit":
		s.exiting = true
		if len(args) == 0 {
			return s.status, true
		}
		n, err := strconv.Atoi(args[0])
		if err != nil {
			s.complain("exit: %q is not a number", args[0])
			return statusUsage, true
		}
		return n & 0xff, true
	}
	return 0, false
}

// start starts a program; without one the status says why.
func (s *shell) start(c command, files [3]*os.File) (*exec.Cmd, int) {
	argv := s.expand(c.words)
	if len(argv) == 0 {
		return nil, 0
	}
	files, closing, err := s.redirected(c, files)
	defer closing()
	if err != nil {
		s.complain("%v", err)
		return nil, 1
	}
	program, err := find(argv[0])
	switch {
	case err == nil:
	case utility(argv[0]) != nil:
		// A process of its own, which Ctrl-C ends while it reads the terminal.
		program, argv = self, append([]string{self, UtilityArg}, argv...)
	case errors.Is(err, fs.ErrPermission):
		s.complain("%s: not executable", argv[0])
		return nil, statusCannotExec
	default:
		s.complain("%s: not found", argv[0])
		return nil, statusNotFound
	}
	cmd := &exec.Cmd{Path: program, Args: argv, Stdin: files[0], Stdout: files[1], Stderr: files[2], Env: os.Environ()}
	for _, a := range c.assign {
		cmd.Env = append(cmd.Env, a.name+"="+s.text(a.value))
	}
	if err := cmd.Start(); err != nil {
		s.complain("%s: %v", argv[0], errors.Unwrap(err))
		return nil, statusCannotExec
	}
	return cmd, 0
}

func wait(cmd *exec.Cmd) int {
	_ = cmd.Wait()
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return cmd.ProcessState.ExitCode()
}

// find looks a program up in PATH.
func find(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, executable(name)
	}
	err := fs.ErrNotExist
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		file := filepath.Join(dir, name)
		switch e := executable(file); {
		case e == nil:
			return file, nil
		case errors.Is(e, fs.ErrPermission):
			err = e
		}
	}
	return "", err
}

func executable(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return fs.ErrPermission
	}
	return nil
}

// redirected applies redirections in their order.
func (s *shell) redirected(c command, files [3]*os.File) (_ [3]*os.File, closing func(), err error) {
	var opened []*os.File
	closing = func() {
		for _, f := range opened {
			f.Close()
		}
	}
	for _, r := range c.redirects {
		to := s.text(r.to)
		if r.op == ">&" {
			n, err := strconv.Atoi(to)
			if err != nil || n < 0 || n > 2 {
				return files, closing, fmt.Errorf(">&%s: want 0, 1 or 2", to)
			}
			files[r.fd] = files[n]
			continue
		}
		flags := map[string]int{"<": os.O_RDONLY, ">": os.O_WRONLY | os.O_CREATE | os.O_TRUNC, ">>": os.O_WRONLY | os.O_CREATE | os.O_APPEND}
		f, err := os.OpenFile(to, flags[r.op], 0o666)
		if err != nil {
			return files, closing, err
		}
		opened = append(opened, f)
		files[r.fd] = f
	}
	return files, closing, nil
}

// value is a variable's value.
func (s *shell) value(p part) string {
	switch {
	case !p.param:
		return p.text
	case p.text == "?":
		return strconv.Itoa(s.status)
	}
	return os.Getenv(p.text)
}

// text expands a word to one string, without splitting and patterns.
func (s *shell) text(w word) string {
	var b strings.Builder
	for i, p := range w {
		b.WriteString(s.tilde(i, w, p))
	}
	return b.String()
}

func (s *shell) tilde(i int, w word, p part) string {
	v := s.value(p)
	if i == 0 && !p.quoted && !p.param && (v == "~" && len(w) == 1 || strings.HasPrefix(v, "~/")) {
		return os.Getenv("HOME") + v[1:]
	}
	return v
}

// expand expands words: variables, fields of unquoted variables, patterns.
func (s *shell) expand(words []word) []string {
	var out []string
	for _, w := range words {
		for _, f := range s.fields(w) {
			if f.pattern != "" {
				if found := match(f.pattern); len(found) > 0 {
					out = append(out, found...)
					continue
				}
			}
			out = append(out, f.text)
		}
	}
	return out
}

// match returns the files of a pattern, sorted; hidden ones only when the
// pattern names the dot.
func match(pattern string) []string {
	dir, base := filepath.Split(pattern)
	var found []string
	if plain, ok := literal(dir); ok { // kept as it was written
		entries, _ := os.ReadDir(cmp.Or(plain, "."))
		for _, e := range entries {
			if ok, _ := filepath.Match(base, e.Name()); ok {
				found = append(found, plain+e.Name())
			}
		}
	} else {
		found, _ = filepath.Glob(pattern)
	}
	if !strings.HasPrefix(base, ".") {
		found = slices.DeleteFunc(found, func(name string) bool { return strings.HasPrefix(filepath.Base(name), ".") })
	}
	slices.Sort(found)
	return found
}

// literal removes the escapes of a pattern; ok is false when it has wildcards.
func literal(pattern string) (text string, ok bool) {
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '*', '?', '[':
			return "", false
		case '\\':
			i++
		}
		if i < len(pattern) {
			text += pattern[i : i+1]
		}
	}
	return text, true
}

// field is an argument with its pattern, "" when nothing in it is one.
type field struct{ text, pattern string }

func (s *shell) fields(w word) []field {
	var out []field
	var cur field
	open, meta := false, false
	add := func(text string, quoted bool) {
		cur.text += text
		for _, r := range text {
			if strings.ContainsRune(`*?[\`, r) {
				if quoted || r == '\\' {
					cur.pattern += `\`
				} else {
					meta = true
				}
			}
			cur.pattern += string(r)
		}
	}
	end := func() {
		if !open {
			return
		}
		if !meta {
			cur.pattern = ""
		}
		out, cur, open, meta = append(out, cur), field{}, false, false
	}
	for i, p := range w {
		v := s.tilde(i, w, p)
		if !p.param || p.quoted {
			add(v, p.quoted)
			open = open || p.quoted || v != ""
			continue
		}
		for j, f := range strings.FieldsFunc(" "+v+" ", func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' }) {
			if j > 0 || strings.IndexAny(v, " \t\n") == 0 {
				end()
			}
			add(f, false)
			open = true
		}
		if n := len(v); n > 0 && strings.ContainsRune(" \t\n", rune(v[n-1])) {
			end()
		}
	}
	end()
	return out
}
