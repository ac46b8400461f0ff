// Package credential finds the login for an HTTPS address as git does: in
// netrc, from the helpers that the user has configured (gitcredentials(7)),
// from the program in GIT_ASKPASS. It is the one place besides the sandbox that
// starts programs of the host, and it starts only those that the user named.
//
// A login is never printed, stored or written to a log. It exists in memory
// until the fetch ends.
package credential

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"espalier.dev/espalier/internal/gitconfig"
)

// Login is a user name and a password or token.
type Login struct {
	User, Password string
	helpers        []string // informed of the result
}

// Source says where logins may come from.
type Source struct {
	Config *gitconfig.Config
	Lookup func(string) (string, bool) // the environment
	Home   string                      // "" when the user has none
}

// timeout bounds a helper: one that asks on a terminal has none.
const timeout = 60 * time.Second

// maxAnswer bounds what a helper may print.
const maxAnswer = 64 << 10

// Find returns the login for an address, in git's order: netrc, which is
// libcurl's part there, then the helpers, then GIT_ASKPASS. Without any, ok is
// false. The error is that of a configured program that cannot be run.
func (s Source) Find(ctx context.Context, address string) (_ Login, ok bool, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return Login{}, false, err
	}
	if l, ok, err := s.netrc(u.Hostname()); ok || err != nil {
		return l, ok, err
	}
	set := s.Config.Credential(address)
	var failed error
	for _, h := range set.Helpers {
		l, err := s.helper(ctx, h, "get", s.describe(u, set, Login{User: set.Username}))
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		if l.Password != "" {
			l.helpers = set.Helpers
			return l, true, nil
		}
	}
	if ask, _ := s.Lookup("GIT_ASKPASS"); ask != "" {
		l := Login{User: set.Username}
		if l.User == "" {
			if l.User, err = s.ask(ctx, ask, fmt.Sprintf("Username for '%s://%s': ", u.Scheme, u.Host)); err != nil {
				return Login{}, false, err
			}
		}
		if l.Password, err = s.ask(ctx, ask, fmt.Sprintf("Password for '%s://%s@%s': ", u.Scheme, l.User, u.Host)); err != nil {
			return Login{}, false, err
		}
		l.helpers = set.Helpers
		return l, l.Password != "", nil
	}
	return Login{}, false, failed
}

// Report informs the helpers whether the server accepted a login, so that they
// keep it or forget it. Their errors do not matter to a fetch.
func (s Source) Report(ctx context.Context, address string, l Login, accepted bool) {
	u, err := url.Parse(address)
	if err != nil {
		return
	}
	operation := "erase"
	if accepted {
		operation = "store"
	}
	for _, h := range l.helpers {
		_, _ = s.helper(ctx, h, operation, s.describe(u, s.Config.Credential(address), l))
	}
}

// describe writes what helpers read: git-credential(1), "INPUT/OUTPUT FORMAT".
func (s Source) describe(u *url.URL, set gitconfig.Credential, l Login) string {
	var b strings.Builder
	fmt.Fprintf(&b, "protocol=%s\nhost=%s\n", u.Scheme, u.Host)
	if set.UseHTTPPath {
		fmt.Fprintf(&b, "path=%s\n", strings.TrimPrefix(u.Path, "/"))
	}
	if l.User == "" && u.User != nil {
		l.User = u.User.Username()
	}
	if l.User != "" {
		fmt.Fprintf(&b, "username=%s\n", l.User)
	}
	if l.Password != "" {
		fmt.Fprintf(&b, "password=%s\n", l.Password)
	}
	return b.String() + "\n"
}

// helper runs one helper: "!COMMAND" is for the shell, an absolute path is a
// program, anything else is git-credential-NAME.
func (s Source) helper(ctx context.Context, helper, operation, input string) (Login, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var cmd *exec.Cmd
	switch {
	case strings.HasPrefix(helper, "!"):
		cmd = exec.CommandContext(ctx, "sh", "-c", helper[1:]+` "$@"`, helper[1:], operation)
	case filepath.IsAbs(strings.Fields(helper + " ")[0]):
		cmd = exec.CommandContext(ctx, "sh", "-c", helper+` "$@"`, helper, operation)
	default:
		// git finds its own helpers in a directory that only it knows.
		words := strings.Fields(helper)
		if _, err := exec.LookPath("git-credential-" + words[0]); err == nil {
			cmd = exec.CommandContext(ctx, "git-credential-"+words[0], append(words[1:], operation)...)
		} else {
			cmd = exec.CommandContext(ctx, "git", append([]string{"credential-" + words[0]}, append(words[1:], operation)...)...)
		}
	}
	cmd.Stdin = strings.NewReader(input)
	out, err := run(cmd)
	if err != nil {
		return Login{}, fmt.Errorf("credential helper %s: %w", helper, err)
	}
	var l Login
	for line := range strings.Lines(string(out)) {
		switch key, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), "="); key {
		case "username":
			l.User = value
		case "password":
			l.Password = value
		}
	}
	return l, nil
}

func (s Source) ask(ctx context.Context, program, prompt string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	out, err := run(exec.CommandContext(ctx, program, prompt))
	if err != nil {
		return "", fmt.Errorf("GIT_ASKPASS %s: %w", program, err)
	}
	return strings.TrimRight(string(out), "\r\n"), nil
}

// run collects what a program prints. Its error output is not shown: it may
// repeat the login.
func run(cmd *exec.Cmd) ([]byte, error) {
	var out bytes.Buffer
	cmd.Stdout = &bounded{w: &out, left: maxAnswer}
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

type bounded struct {
	w    *bytes.Buffer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	if len(p) > b.left {
		return 0, errors.New("it prints too much")
	}
	b.left -= len(p)
	return b.w.Write(p)
}

// netrc looks a host up in $NETRC or ~/.netrc: machine, login, password and
// default, as in ftp(1). Macros end the file's part that is read.
func (s Source) netrc(host string) (Login, bool, error) {
	name, ok := s.Lookup("NETRC")
	if !ok || name == "" {
		if s.Home == "" {
			return Login{}, false, nil
		}
		name = filepath.Join(s.Home, ".netrc")
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Login{}, false, nil
	}
	if err != nil {
		return Login{}, false, fmt.Errorf("reading netrc: %w", err)
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Split(bufio.ScanWords)
	var l Login
	matches, found := false, false
	word := func() string { in.Scan(); return in.Text() }
	for in.Scan() {
		switch in.Text() {
		case "machine":
			if found {
				return l, l.Password != "", nil
			}
			matches = word() == host
			found = matches
		case "default":
			if found {
				return l, l.Password != "", nil
			}
			matches, found = true, true
		case "login":
			if v := word(); matches {
				l.User = v
			}
		case "password":
			if v := word(); matches {
				l.Password = v
			}
		case "account":
			word()
		case "macdef":
			return l, found && l.Password != "", nil
		}
	}
	return l, found && l.Password != "", in.Err()
}
