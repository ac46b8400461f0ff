package project

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/fault"
)

// Single patterns against git check-ignore: every pattern is asked about every
// path.
func TestIgnoreAgainstGit(t *testing.T) {
	git := devtest.Tool(t, "git")
	patterns := []string{"target", "/target", "target/", "*.log", "a/b", "a/**", "**/b", "a/**/b", "**", "*", "a*", "?", "[ab]", "[!a]b", "[a-c]x", "[]x]", "a\\*",
		"\\#x", "#x", "\\!x", "!a", "a ", "a\\ ", "/", "//", "a//b", "*/b", "/*/b", "a/*", "**/", "/**", "a**b", "a/**b", "[[:alpha:]]x", "[[:digit:]x]", "b/", "/a/b/", "*.{a,b}", "[a", "a\\", "x/../a", "./a", "**/a/**", "**/*.log", "a/**/**/b", "***", "a/***/b", "[a\\-c]x", "é*"}
	words := []string{"a", "b", "ab", "x", "ax", "cx", "]x", "target", "x.log", "a*", "#x", "!x", "1x", "éa", "-x", "a ", "x.a"}
	rng := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"a", "b", "*", "**", "/", "/", "?", "[ab]", "[!b]", "x", ".log", "\\*", "**/", "/**"}
	random := 120
	if testing.Short() {
		random = 20
	}
	for range random {
		p := ""
		for range 1 + rng.IntN(5) {
			p += pieces[rng.IntN(len(pieces))]
		}
		patterns = append(patterns, p)
	}
	dir := t.TempDir()
	if out, err := run(t, dir, git, "init", "-q"); err != nil {
		t.Fatal(out)
	}
	var dirs, files []string
	for _, w := range words {
		files = append(files, "f-"+w, w)
		for _, v := range words[:6] {
			if w != v {
				files = append(files, "d/"+w+"/"+v, "a/"+w+"/"+v)
			}
		}
	}
	// Names are made once as files and once as directories below roots of
	// their own, so that nothing is both.
	for _, f := range files {
		dirs = append(dirs, f+"/leaf")
	}
	for _, f := range files {
		p := filepath.Join(dir, "asfile", f)
		if config.Exists(p) {
			continue
		}
		if os.MkdirAll(filepath.Dir(p), 0o777) != nil || os.WriteFile(p, nil, 0o666) != nil {
			continue
		}
	}
	for _, f := range dirs {
		if err := os.MkdirAll(filepath.Join(dir, "asdir", f), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for _, sub := range []string{"asfile", "asdir"} {
		top := filepath.Join(dir, sub)
		for _, p := range patterns {
			if err := os.WriteFile(filepath.Join(top, ".gitignore"), []byte(p+"\n"), 0o666); err != nil {
				t.Fatal(err)
			}
			var ask []string
			for _, f := range files {
				if st, err := os.Stat(filepath.Join(top, f)); err == nil && st.IsDir() == (sub == "asdir") {
					ask = append(ask, f)
				}
			}
			rules := parseIgnore("", "", []byte(p+"\n"))
			// git answers for the whole way down; ask the same way.
			var got []string
			for _, f := range ask {
				parts := strings.Split(f, "/")
				for i := range parts {
					isDir := i < len(parts)-1 || sub == "asdir"
					if on, _, _ := rules.match(strings.Join(parts[:i+1], "/"), isDir); on {
						got = append(got, f)
						break
					}
				}
			}
			if err := os.WriteFile(filepath.Join(dir, "ask"), []byte(strings.Join(ask, "\x00")+"\x00"), 0o666); err != nil {
				t.Fatal(err)
			}
			out, err := run(t, top, "sh", "-c", git+" check-ignore --no-index -z --stdin < ../ask")
			if err != nil && !strings.Contains(err.Error(), "status 1") {
				t.Fatal(out)
			}
			var want []string
			for _, f := range strings.Split(out, "\x00") {
				if f != "" {
					want = append(want, f)
				}
			}
			sort.Strings(want)
			sort.Strings(got)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s: pattern %q: git (-) and we (+):\n%s", sub, p, d)
			}
		}
	}
}

const repo = app + `
-- .gitignore --
/target
*.log
!keep.log
/build/
*.bin
secret.txt
generated/
/vendor/
/cfg.toml
-- src/.gitignore --
local.rs
-- src/local.rs --
-- src/names.rs --
static A: &[u8] = include_bytes!("../assets/logo.bin");
const B: &str = "nothing";
// include_bytes!("../assets/commented.bin")
-- src/build.log --
-- src/keep.log --
-- target/debug/x --
-- build/out.txt --
-- assets/logo.bin --
-- assets/commented.bin --
-- assets/tracked.bin --
-- assets/other.bin --
-- secret.txt --
-- generated/a.rs --
-- generated/deep/tracked.rs --
-- vendor/own/Cargo.toml --
[package]
name = "own"
version = "0.1.0"
-- vendor/own/src/lib.rs --
-- vendor/foreign/x --
-- cfg.toml --
-- Cargo.lock --
version = 4

[[package]]
name = "app"
version = "0.1.0"
-- espalier.lock --
-- .espalier-tmp-123 --
-- notes.txt --
-- .main.rs.swp --
-- .DS_Store --
-- link -> --
`

// The rule of the input tree: .gitignore leaves out, but not what git tracks,
// what cargo reads by name, own packages, or what sources name.
func TestInputTree(t *testing.T) {
	git := devtest.Tool(t, "git")
	files := strings.Replace(repo, "edition = \"2021\"\n", "edition = \"2021\"\n[dependencies]\nown = { path = \"vendor/own\" }\n", 1)
	files = strings.Replace(files, "-- link -> --\n", "-- link --\n-> src/main.rs\n", 1)
	dir := unpack(t, files)
	for _, args := range [][]string{{"init", "-q"}, {"add", "Cargo.toml", "src/main.rs", ".gitignore"},
		{"add", "-f", "assets/tracked.bin", "generated/deep/tracked.rs"}, {"commit", "-q", "-m", "x"}} {
		if out, err := run(t, dir, git, args...); err != nil {
			t.Fatal(out)
		}
	}
	p := open(t, dir)
	want := []string{".gitignore", "Cargo.lock", "Cargo.toml", "assets/logo.bin", "assets/tracked.bin", "cfg.toml", "generated/deep/tracked.rs", "link", "notes.txt",
		"src/.gitignore", "src/keep.log", "src/main.rs", "src/names.rs", "vendor/own/Cargo.toml", "vendor/own/src/lib.rs"}
	if d := cmp.Diff(want, paths(p.Files)); d != "" {
		t.Errorf("input tree:\n%s", d)
	}
	var ignored []string
	for _, i := range p.Ignored {
		ignored = append(ignored, fmt.Sprintf("%s by %s", i.Path, i.By))
	}
	if d := cmp.Diff([]string{"assets/commented.bin by .gitignore:5", "assets/other.bin by .gitignore:5", "build/ by .gitignore:4", "generated/ by .gitignore:7", "secret.txt by .gitignore:6",
		"src/build.log by .gitignore:2", "src/local.rs by src/.gitignore:1", "target/ by cargo", "vendor/ by .gitignore:8"}, ignored); d != "" {
		t.Errorf("ignored:\n%s", d)
	}
	if d := cmp.Diff([]string{"Cargo.lock", "assets/logo.bin", "cfg.toml", "link", "notes.txt", "src/.gitignore", "src/keep.log", "src/names.rs", "vendor/own/Cargo.toml", "vendor/own/src/lib.rs"}, p.Untracked); d != "" {
		t.Errorf("untracked:\n%s", d)
	}
	out, err := run(t, dir, git, "rev-parse", "HEAD")
	if err != nil || strings.TrimSpace(out) != p.Head.Commit || p.Head.Time.Unix() != 1700000000 {
		t.Errorf("head %+v, git says %s", p.Head, out)
	}
	for _, f := range p.Files {
		if (f.Path == "link") != (f.Target == "src/main.rs") {
			t.Errorf("%+v", f)
		}
	}

	// build.include brings ignored files back.
	if err := os.WriteFile(filepath.Join(dir, FileName), []byte("[build]\ninclude = [\"secret.txt\", \"/build/*.txt\"]\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(paths(open(t, dir).Files), " ")
	if !strings.Contains(got, "secret.txt") || !strings.Contains(got, "build/out.txt") || strings.Contains(got, "generated/a.rs") {
		t.Errorf("with build.include: %s", got)
	}

	// The same tree without git: only what tracking had brought is gone.
	if err := os.RemoveAll(filepath.Join(dir, ".git")); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(dir, FileName))
	p = open(t, dir)
	var less []string
	for _, f := range want {
		if f != "assets/tracked.bin" && f != "generated/deep/tracked.rs" {
			less = append(less, f)
		}
	}
	if d := cmp.Diff(less, paths(p.Files)); d != "" || len(p.Untracked) != 0 || p.Head.Commit != "" {
		t.Errorf("without git:\n%s untracked %v, head %v", d, p.Untracked, p.Head)
	}
}

// A project in a directory that the repository around it ignores is read as if
// it stood alone.
func TestProjectInIgnoredDirectory(t *testing.T) {
	for _, pattern := range []string{"scratch/", "/scratch/**", "*", "/scratch/*"} {
		dir := unpack(t, strings.ReplaceAll(app, "-- ", "-- scratch/demo/")+"-- scratch/demo/notes.txt --\n-- .gitignore --\n"+pattern+"\n-- .git/HEAD --\nref: refs/heads/main\n")
		p := open(t, filepath.Join(dir, "scratch", "demo"))
		if d := cmp.Diff([]string{"Cargo.toml", "notes.txt", "src/main.rs"}, paths(p.Files)); d != "" {
			t.Errorf("%s:\n%s", pattern, d)
		}
	}
}

// A linked work tree and a packed repository are read as git reads them.
func TestHeadInLinkedWorkTree(t *testing.T) {
	git := devtest.Tool(t, "git")
	dir := unpack(t, app)
	main := filepath.Join(t.TempDir(), "linked")
	for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-q", "-m", "x"}, {"gc", "-q"}, {"pack-refs", "--all"}, {"worktree", "add", "-q", "-b", "side", main}} {
		if out, err := run(t, dir, git, args...); err != nil {
			t.Fatal(out)
		}
	}
	if out, err := run(t, main, git, "commit", "-q", "--allow-empty", "-m", "y"); err != nil {
		t.Fatal(out)
	}
	for _, d := range []string{dir, main} {
		want, _ := run(t, d, git, "rev-parse", "HEAD")
		p := open(t, d)
		if p.Head.Commit != strings.TrimSpace(want) || len(p.Untracked) != 0 {
			t.Errorf("%s: head %q, git says %q; untracked %v", d, p.Head.Commit, want, p.Untracked)
		}
	}
}

func TestTreeFaults(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links and odd names need another system")
	}
	for _, c := range []struct {
		name string
		make func(dir string) error
		want string
	}{
		{"absolute link", func(d string) error { return os.Symlink("/etc/hosts", filepath.Join(d, "l")) }, "link l -> /etc/hosts leaves the project"},
		{"link upwards", func(d string) error { return os.Symlink("../../x", filepath.Join(d, "src", "l")) }, "link src/l -> ../../x leaves the project"},
		{"not UTF-8", func(d string) error { return os.WriteFile(filepath.Join(d, "a\xff"), nil, 0o666) }, "not UTF-8"},
		{"socket", func(d string) error { return makeFIFO(filepath.Join(d, "fifo")) }, "fifo: neither file, directory nor link"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := unpack(t, app)
			if err := c.make(dir); err != nil {
				t.Skip(err)
			}
			_, err := Open(dir, Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) || fault.KindOf(err) != fault.Usage {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	dir := unpack(t, app+"-- src/inside --\n-> main.rs\n-- README --\n-- Readme --\n")
	p := open(t, dir)
	if len(p.Notes) != 1 || !strings.Contains(p.Notes[0].Text, "differ in case only") {
		t.Errorf("notes %v", p.Notes)
	}
}

// A path dependency outside extends the tree, but not to what is between.
func TestOutsidePathDependency(t *testing.T) {
	dir := unpack(t, `
-- fw/app/Cargo.toml --
[package]
name = "app"
version = "0.1.0"
edition = "2021"
[dependencies]
lib = { path = "../../libs/lib" }
[dev-dependencies]
testkit = { path = "../../libs/testkit" }
-- fw/app/src/main.rs --
-- fw/other/huge.bin --
-- fw/.cargo/config.toml --
[build]
rustflags = ["--cfg=shared"]
-- libs/lib/Cargo.toml --
[package]
name = "lib"
version = "0.1.0"
edition = "2021"
[dependencies]
leaf = { path = "../ws/leaf" }
[dev-dependencies]
gone = { path = "../gone" }
-- libs/lib/src/lib.rs --
-- libs/testkit/Cargo.toml --
[package]
name = "testkit"
version = "0.1.0"
-- libs/testkit/src/lib.rs --
-- libs/ws/Cargo.toml --
[workspace]
members = ["leaf"]
[workspace.package]
version = "2.0.0"
-- libs/ws/leaf/Cargo.toml --
[package]
name = "leaf"
version.workspace = true
-- libs/ws/leaf/src/lib.rs --
-- libs/ws/shared.txt --
`)
	p := open(t, filepath.Join(dir, "fw", "app"))
	if p.Root != dir || p.Workspace != filepath.Join(dir, "fw", "app") {
		t.Errorf("root %s, workspace %s", p.Root, p.Workspace)
	}
	want := []string{"fw/.cargo/config.toml", "fw/app/Cargo.toml", "fw/app/src/main.rs", "libs/lib/Cargo.toml", "libs/lib/src/lib.rs",
		"libs/testkit/Cargo.toml", "libs/testkit/src/lib.rs", "libs/ws/Cargo.toml", "libs/ws/leaf/Cargo.toml", "libs/ws/leaf/src/lib.rs", "libs/ws/shared.txt"}
	if d := cmp.Diff(want, paths(p.Files)); d != "" {
		t.Error(d)
	}
	var own []string
	for _, o := range p.Own {
		own = append(own, fmt.Sprint(o.Dir, " ", o.Version, " ", o.Member))
	}
	if d := cmp.Diff([]string{"fw/app 0.1.0 true", "libs/lib 0.1.0 false", "libs/testkit 0.1.0 false", "libs/ws/leaf 2.0.0 false"}, own); d != "" {
		t.Error(d)
	}
	if !cmp.Equal(p.Cargo.Rustflags.V, []string{"--cfg=shared"}) {
		t.Errorf("rustflags %v", p.Cargo.Rustflags)
	}
	compiled := []string{}
	for _, o := range p.Compiled() {
		compiled = append(compiled, o.Name)
	}
	if d := cmp.Diff([]string{"app", "lib", "leaf"}, compiled); d != "" {
		t.Error(d)
	}
}

func FuzzIgnore(f *testing.F) {
	for _, s := range []string{"*.log\n!x\n", "a/**/b", "[a-", "\\", "**/*/**/*/**", "[[:alpha:", "a\\ \n", "!/**"} {
		f.Add(s, "a/b/c.log")
	}
	f.Fuzz(func(t *testing.T, rules, path string) {
		if len(rules) > 1000 || len(path) > 1000 {
			return
		}
		parseIgnore("f", "", []byte(rules)).match(path, false)
	})
}
