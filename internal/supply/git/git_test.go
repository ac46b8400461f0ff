package git

import (
	"context"
	"io"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/store"
)

// repo is a repository made by the real git, served by its own HTTP backend.
type repo struct {
	t   *testing.T
	git string
	dir string
}

func newRepo(t *testing.T, dir string) *repo {
	t.Helper()
	r := &repo{t: t, git: devtest.Tool(t, "git"), dir: dir}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	r.run("init", "-q", "-b", "main")
	return r
}

func (r *repo) run(args ...string) string {
	r.t.Helper()
	cmd := exec.Command(r.git, append([]string{"-C", r.dir, "-c", "user.name=t", "-c", "user.email=t@localhost",
		"-c", "protocol.file.allow=always", "-c", "commit.gpgsign=false"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_DATE=2024-01-01T00:00:00Z", "GIT_COMMITTER_DATE=2024-01-01T00:00:00Z", "GIT_CONFIG_GLOBAL=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *repo) write(name, text string) {
	r.t.Helper()
	p := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o666); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repo) commit(message string) string {
	r.t.Helper()
	r.run("add", "-A")
	r.run("commit", "-q", "-m", message)
	return r.run("rev-parse", "HEAD")
}

// serve answers for all repositories below root, as a forge does.
func serve(t *testing.T, root string) string {
	t.Helper()
	backend := filepath.Join(gitExecPath(t), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		devtest.Missing(t, "git-http-backend")
	}
	srv := httptest.NewServer(&cgi.Handler{
		Stderr: io.Discard,
		Path:   backend,
		Env:    []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_GLOBAL=/dev/null"},
	})
	t.Cleanup(srv.Close)
	return srv.URL
}

func gitExecPath(t *testing.T) string {
	out, err := exec.Command(devtest.Tool(t, "git"), "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func newFetcher(t *testing.T) *Fetcher {
	t.Helper()
	st, err := store.Open(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return &Fetcher{Store: st, Report: progress.Discard, TempDir: t.TempDir()}
}

func workspace(t *testing.T) (url string, r *repo, first string) {
	root := t.TempDir()
	lib := newRepo(t, filepath.Join(root, "submodule"))
	lib.write("data.txt", "from the submodule\n")
	lib.commit("data")

	r = newRepo(t, filepath.Join(root, "family"))
	r.write("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n[workspace.package]\nversion = \"1.2.3\"\nedition = \"2021\"\n")
	r.write("crates/one/Cargo.toml", "[package]\nname = \"one\"\nversion.workspace = true\nedition.workspace = true\n")
	r.write("crates/one/src/lib.rs", "pub const TEXT: &str = include_str!(\"../../../shared/text\");\n")
	r.write("shared/text", "shared\n")
	r.write("run.sh", "#!/bin/sh\n")
	if err := os.Chmod(filepath.Join(r.dir, "run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("shared/text", filepath.Join(r.dir, "link")); err != nil {
		t.Fatal(err)
	}
	r.write("nested/Cargo.toml", "[workspace]\nmembers = [\"two\"]\n[workspace.package]\nversion = \"9.0.0\"\nedition = \"2024\"\n")
	r.write("nested/two/Cargo.toml", "[package] # the second\nname = \"two\"\nversion.workspace = true\nedition.workspace = true\n")
	r.write("nested/two/src/lib.rs", "")
	r.write("tests/broken/Cargo.toml", "[package\n")
	r.run("submodule", "add", "-q", "../submodule", "vendor/sub")
	first = r.commit("first")
	r.run("tag", "-a", "v1", "-m", "one")
	r.write("shared/text", "changed\n")
	r.commit("second")
	return serve(t, root) + "/family", r, first
}

func text(t *testing.T, st *store.Store, tree store.Digest, name string) string {
	t.Helper()
	dir, err := st.TreePath(context.Background(), tree)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFetch(t *testing.T) {
	url, _, first := workspace(t)
	f := newFetcher(t)
	pin, err := f.Fetch(context.Background(), Source{URL: url, Ref: "tag=v1", Commit: first},
		[]Member{{"one", "1.2.3"}, {"two", "9.0.0"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"shared/text":                    "shared\n", // of the tagged commit, not of the branch
		"link":                           "shared\n",
		"vendor/sub/data.txt":            "from the submodule\n",
		".espalier/one-1.2.3/src/lib.rs": "pub const TEXT: &str = include_str!(\"../../../shared/text\");\n",
		".espalier/one-1.2.3/.cargo-checksum.json": `{"files":{},"package":null}`,
		"nested/two/Cargo.toml":                    "[package] # the second\nworkspace = \"../nested\"\nname = \"two\"\nversion.workspace = true\nedition.workspace = true\n",
	} {
		if got := text(t, f.Store, pin.Tree, name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	e, err := f.Store.Lookup(context.Background(), pin.Tree, "run.sh")
	if err != nil || !e.Executable {
		t.Errorf("run.sh: %+v, %v; want executable", e, err)
	}
	again, err := newFetcher(t).Fetch(context.Background(), Source{URL: url, Ref: "tag=v1", Commit: first},
		[]Member{{"one", "1.2.3"}, {"two", "9.0.0"}})
	if err != nil || again.Tree != pin.Tree {
		t.Errorf("fetched again: %v, %v; want %v", again.Tree, err, pin.Tree)
	}
}

func TestHead(t *testing.T) {
	url, r, first := workspace(t)
	second := r.run("rev-parse", "HEAD")
	f := newFetcher(t)
	for ref, want := range map[string]string{
		"":                 second,
		"branch=main":      second,
		"tag=v1":           first, // an annotated tag means its commit
		"rev=" + first:     first,
		"rev=" + first[:8]: first,
	} {
		got, err := f.Head(context.Background(), url, ref)
		if err != nil || got != want {
			t.Errorf("Head(%q) = %q, %v; want %q", ref, got, err, want)
		}
	}
	_, err := f.Head(context.Background(), url, "branch=gone")
	if fault.KindOf(err) != fault.Pins || !strings.Contains(err.Error(), "there is no branch gone") {
		t.Errorf("missing branch: %v", err)
	}
}

func TestFetchErrors(t *testing.T) {
	url, _, first := workspace(t)
	f := newFetcher(t)
	for name, c := range map[string]struct {
		src     Source
		members []Member
		want    string
	}{
		"absent commit":  {Source{URL: url, Commit: strings.Repeat("12", 20)}, nil, "git " + url},
		"absent package": {Source{URL: url, Commit: first}, []Member{{"three", "1.0.0"}}, "no package three 1.0.0 in the commit"},
		"absent repo":    {Source{URL: url + "x", Commit: first}, nil, "git " + url + "x"},
	} {
		_, err := f.Fetch(context.Background(), c.src, c.members)
		if fault.KindOf(err) != fault.Pins || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v (kind %d); want a pins fault with %q", name, err, fault.KindOf(err), c.want)
		}
	}
	f.Offline = true
	_, err := f.Fetch(context.Background(), Source{URL: url, Commit: first}, nil)
	if fault.KindOf(err) != fault.Pins || len(fault.Hints(err)) == 0 {
		t.Errorf("offline: %v", err)
	}
}

func TestSources(t *testing.T) {
	got := Sources([]lock.Git{
		{URL: "https://forge.invalid/a.git", Ref: "branch=dev", Commit: "c1"},
		{URL: "https://forge.invalid/a.git", Commit: "c1"},
		{URL: "https://forge.invalid/b", Ref: "rev=abc", Commit: "c2"},
	}, "/cargo/git/checkouts")
	// The numbers in the directories' names are the first 8 bytes of the SHA-256 of
	// the source's name: printf %s 'git+https://forge.invalid/b?rev=abc' | sha256sum
	want := `[source.espalier-git-1]
directory = "/cargo/git/checkouts/a-1167b2bf41ce57e3/c1/.espalier"

[source."git+https://forge.invalid/a.git?branch=dev"]
git = "https://forge.invalid/a.git"
branch = "dev"
replace-with = "espalier-git-1"

[source.espalier-git-2]
directory = "/cargo/git/checkouts/a-14771ba20e34063a/c1/.espalier"

[source."git+https://forge.invalid/a.git"]
git = "https://forge.invalid/a.git"
replace-with = "espalier-git-2"

[source.espalier-git-3]
directory = "/cargo/git/checkouts/b-75faa15d3b17d61c/c2/.espalier"

[source."git+https://forge.invalid/b?rev=abc"]
git = "https://forge.invalid/b"
rev = "abc"
replace-with = "espalier-git-3"

`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
