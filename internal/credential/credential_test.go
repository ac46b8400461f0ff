package credential

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/gitconfig"
)

func source(t *testing.T, config, netrc string, env map[string]string) Source {
	t.Helper()
	home := t.TempDir()
	for name, text := range map[string]string{".gitconfig": config, ".netrc": netrc} {
		if text == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(home, name), []byte(strings.ReplaceAll(text, "HOME", home)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lookup := func(k string) (string, bool) {
		if k == "GIT_CONFIG_NOSYSTEM" {
			return "1", true
		}
		v, ok := env[k]
		return v, ok
	}
	c, err := gitconfig.Read(gitconfig.Source{Lookup: lookup, Home: home})
	if err != nil {
		t.Fatal(err)
	}
	return Source{Config: c, Lookup: lookup, Home: home}
}

func TestNetrc(t *testing.T) {
	const text = "machine a.invalid login ann password one\nmachine b.invalid\n\tlogin bob\n\tpassword two\ndefault login any password three\n"
	for host, want := range map[string]string{"a.invalid": "ann one", "b.invalid:8443": "bob two", "c.invalid": "any three"} {
		l, ok, err := source(t, "", text, nil).Find(t.Context(), "https://"+host+"/x")
		if err != nil || !ok || l.User+" "+l.Password != want {
			t.Errorf("%s: %q, %v, %v", host, l.User, ok, err)
		}
	}
	if _, ok, err := source(t, "", "machine a.invalid login x\n", nil).Find(t.Context(), "https://z.invalid/x"); ok || err != nil {
		t.Errorf("a login for an unknown host: %v, %v", ok, err)
	}
}

// A helper of each form answers, learns whether the login worked, and meets
// git's own store helper in its file.
func TestHelpers(t *testing.T) {
	git := devtest.Tool(t, "git")
	for name, config := range map[string]string{
		"shell":    "[credential]\n\thelper = \"!f() { test \\\"$1\\\" = get && echo username=me && echo password=secret; }; f\"\n",
		"username": "[credential]\n\thelper = \"!f() { grep -q username=me && echo password=secret; }; f\"\n\tusername = me\n",
		"store":    "[credential]\n\thelper = store --file HOME/logins\n",
		"second":   "[credential]\n\thelper = \"!false\"\n\thelper = store --file HOME/logins\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := source(t, config, "", nil)
			logins := filepath.Join(s.Home, "logins")
			if err := os.WriteFile(logins, []byte("https://me:secret@git.invalid\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			l, ok, err := s.Find(t.Context(), "https://git.invalid/x.git")
			if err != nil || !ok || l.Password != "secret" || l.User != "me" && name != "username" {
				t.Fatalf("%+v, %v, %v", l, ok, err)
			}
			if !strings.Contains(config, "store") {
				return
			}
			s.Report(t.Context(), "https://git.invalid/x.git", l, false)
			if b, _ := os.ReadFile(logins); len(b) > 0 {
				t.Errorf("a login that was refused is kept: %s", b)
			}
			s.Report(t.Context(), "https://git.invalid/x.git", l, true)
			cmd := exec.Command(git, "credential-store", "--file", logins, "get")
			cmd.Stdin = strings.NewReader("protocol=https\nhost=git.invalid\n\n")
			if out, err := cmd.Output(); err != nil || !strings.Contains(string(out), "password=secret") {
				t.Errorf("git finds %q: %v", out, err)
			}
		})
	}
}

func TestAskpass(t *testing.T) {
	ask := filepath.Join(t.TempDir(), "ask")
	if err := os.WriteFile(ask, []byte("#!/bin/sh\ncase \"$1\" in Username*) echo me;; Password*me@git.invalid*) echo secret;; esac\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := source(t, "", "", map[string]string{"GIT_ASKPASS": ask})
	if l, ok, err := s.Find(t.Context(), "https://git.invalid/x"); err != nil || !ok || l.User != "me" || l.Password != "secret" {
		t.Errorf("%+v, %v, %v", l, ok, err)
	}
}

// What a helper says about a failure may repeat a password, so it is not part
// of the error.
func TestHelperErrors(t *testing.T) {
	for _, helper := range []string{"!echo hunter2 >&2; exit 3; :", "!head -c 100000 /dev/zero; :", "/nonexistent/helper"} {
		s := source(t, fmt.Sprintf("[credential]\n\thelper = %q\n", helper), "", nil)
		_, ok, err := s.Find(t.Context(), "https://git.invalid/x")
		if ok || err == nil {
			t.Errorf("%s: %v, %v", helper, ok, err)
		}
		if err != nil && strings.Contains(strings.TrimPrefix(err.Error(), "credential helper "+helper), "hunter2") {
			t.Errorf("%s: the error repeats what the helper printed: %v", helper, err)
		}
	}
}
