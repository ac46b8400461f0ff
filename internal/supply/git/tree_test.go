package git

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/fault"
)

func TestParseManifest(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want manifest
	}{
		"package":        {"[package]\nname = 'a'\nversion = '1.2.3'\n", manifest{name: "a", version: "1.2.3"}},
		"inherits":       {"[package]\nname = 'a'\nversion.workspace = true\n", manifest{name: "a", inherits: true}},
		"no version":     {"[package]\nname = 'a'\n", manifest{name: "a", version: "0.0.0"}},
		"both":           {"[workspace.package]\nversion = '2.0.0'\n[package]\nname = 'a'\nversion.workspace = true\n", manifest{name: "a", inherits: true, workspace: true, wsVersion: "2.0.0"}},
		"workspace":      {"[workspace]\nmembers = ['a']\n", manifest{workspace: true}},
		"explicit root":  {"[package]\nname = 'a'\nversion = '1.0.0'\nworkspace = '..'\n", manifest{name: "a", version: "1.0.0", explicit: true}},
		"broken":         {"[package\n", manifest{}},
		"wrong types":    {"package = 5\n", manifest{}},
		"version a list": {"[package]\nname = 'a'\nversion = [1]\n", manifest{name: "a"}},
	} {
		got := parseManifest([]byte(c.text))
		if got.name != c.want.name || got.version != c.want.version || got.inherits != c.want.inherits ||
			got.workspace != c.want.workspace || got.wsVersion != c.want.wsVersion || got.explicit != c.want.explicit {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestInjectWorkspace(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"plain":         {"[package]\nname = 'a'\n", "[package]\nworkspace = \"../n\"\nname = 'a'\n"},
		"spaces":        {" [ package ] # x\nname = 'a'\n", " [ package ] # x\nworkspace = \"../n\"\nname = 'a'\n"},
		"other tables":  {"[features]\n[package]\nname = 'a'\n[lib]\n", "[features]\n[package]\nworkspace = \"../n\"\nname = 'a'\n[lib]\n"},
		"carriage":      {"[package]\r\nname = 'a'\r\n", "[package]\r\nworkspace = \"../n\"\nname = 'a'\r\n"},
		"dotted":        {"package.name = 'a'\n", "package.workspace = \"../n\"\npackage.name = 'a'\n"},
		"in a string":   {"[lib]\npath = \"\"\"\n[package]\n\"\"\"\n[package]\nname = 'a'\n", "[lib]\npath = \"\"\"\n[package]\n\"\"\"\n[package]\nworkspace = \"../n\"\nname = 'a'\n"},
		"inline table":  {"package = { name = 'a' }\n", ""},
		"no last break": {"package.name = 'a'\n[lib]", "package.workspace = \"../n\"\npackage.name = 'a'\n[lib]"},
	} {
		got, err := injectWorkspace([]byte(c.text), "../n")
		if string(got) != c.want || (err == nil) == (c.want == "") {
			t.Errorf("%s:\n%s\n(%v), want\n%s", name, got, err, c.want)
		}
	}
}

// A manifest comes from a stranger's repository: whatever it holds, the line
// that is added means what it says and changes nothing else.
func FuzzManifest(f *testing.F) {
	for _, s := range []string{
		"[package]\nname = 'a'\nversion.workspace = true\n", "package.name='a'", "[package", "[[package]]\n", "\xef\xbb\xbf[package]\nname='b'",
		"a = '''\n[package]\n'''\n[package]\nname = 'x'\n", "[workspace.package]\nversion = 1\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m := parseManifest(text)
		if m.name == "" || m.explicit {
			return
		}
		out, err := injectWorkspace(text, "../n")
		if err != nil {
			return
		}
		if got := parseManifest(out); got.name != m.name || !got.explicit || !strings.Contains(string(out), "workspace = ") {
			t.Errorf("%q became %q", text, out)
		}
	})
}

func TestSubmoduleURL(t *testing.T) {
	for _, c := range [][3]string{
		{"https://forge.invalid/a/b.git", "../c.git", "https://forge.invalid/a/c.git"},
		{"https://forge.invalid/a/b", "./c", "https://forge.invalid/a/b/c"},
		{"https://forge.invalid/a/b", "../../../../c", "https://forge.invalid/c"},
		{"https://forge.invalid/a/b", "https://other.invalid/c", "https://other.invalid/c"},
	} {
		if got, err := submoduleURL(c[0], c[1]); err != nil || got != c[2] {
			t.Errorf("%s in %s: %q, %v; want %q", c[1], c[0], got, err, c[2])
		}
	}
}

func TestErrorsShowNoPassword(t *testing.T) {
	if got := failed("https://me:hunter2@forge.invalid/a", errEOF).Error(); strings.Contains(got, "hunter2") {
		t.Error(got)
	}
}

// A server's text ends in bytes of the protocol.
func TestErrorsArePlainText(t *testing.T) {
	err := failed("https://f.invalid/a", fmt.Errorf("aborting due to possible repository corruption on the remote side.\x01\xff\n: %w", io.EOF))
	want := "git https://f.invalid/a: aborting due to possible repository corruption on the remote side. : EOF"
	if err.Error() != want || !errors.Is(err, io.EOF) || len(fault.Hints(err)) != 1 {
		t.Errorf("%q, hints %q", err, fault.Hints(err))
	}
}
