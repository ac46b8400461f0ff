package gitconfig

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/fault"
)

// world is a home directory with configuration files.
func world(t *testing.T, files map[string]string) (home string) {
	t.Helper()
	home = t.TempDir()
	for name, text := range files {
		p := filepath.Join(home, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(strings.ReplaceAll(text, "HOME", home)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return home
}

func read(t *testing.T, home, gitDir string, env map[string]string) *Config {
	t.Helper()
	c, err := Read(Source{Home: home, GitDir: gitDir, Lookup: func(k string) (string, bool) {
		if k == "GIT_CONFIG_NOSYSTEM" {
			return "1", true
		}
		v, ok := env[k]
		return v, ok
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Every way in which git finds a url.<base>.insteadOf, compared with git
// itself.
func TestRewriteAsGit(t *testing.T) {
	git := devtest.Tool(t, "git")
	home := world(t, map[string]string{
		".gitconfig": `[url "ssh://git@own.invalid/"]
	insteadOf = own:
[url "https://mirror.invalid/long/"]
	insteadOf = https://git.invalid/long/
[url "https://mirror.invalid/"]
	insteadOf = https://git.invalid/
	insteadOf = "gi:"
[include]
	path = more.config
	path = ~/absent.config
[includeIf "gitdir:~/work/"]
	path = work.config
[includeIf "gitdir/i:**/UPPER/.git"]
	path = upper.config
`,
		".config/git/config": "[url \"https://xdg.invalid/\"]\n\tinsteadOf = https://x.invalid/\n",
		"more.config":        "[url \"https://included.invalid/\"]\n\tinsteadOf = https://i.invalid/ ; a comment\n",
		"work.config":        "[url \"https://work.invalid/\"]\n\tinsteadOf = https://w.invalid/\n",
		"upper.config":       "[URL \"https://upper.invalid/\"]\n\tINSTEADOF = https://u.invalid/\n",
	})
	for _, repo := range []string{"work/p", "upper", "elsewhere"} {
		dir := filepath.Join(home, repo)
		if out, err := exec.Command(git, "init", "-q", dir).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, env := range []map[string]string{
			nil,
			{"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "url.https://counted.invalid/.insteadOf", "GIT_CONFIG_VALUE_0": "https://c.invalid/"},
			{"GIT_CONFIG_PARAMETERS": "'url.https://dashc.invalid/.insteadof'='https://d.invalid/' 'user.name=O'\\''Hara'"},
			{"GIT_CONFIG_GLOBAL": filepath.Join(home, "more.config")},
		} {
			c := read(t, home, filepath.Join(dir, ".git"), env)
			for _, address := range []string{
				"own:a/b.git", "https://git.invalid/a", "https://git.invalid/long/a", "gi:a", "https://x.invalid/a", "https://i.invalid/a",
				"https://w.invalid/a", "https://u.invalid/a", "https://c.invalid/a", "https://d.invalid/a", "https://other.invalid/a",
			} {
				cmd := exec.Command(git, "-C", dir, "ls-remote", "--get-url", address)
				cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1"}
				for k, v := range env {
					cmd.Env = append(cmd.Env, k+"="+v)
				}
				out, err := cmd.Output()
				if err != nil {
					t.Fatal(err)
				}
				if want, got := strings.TrimSpace(string(out)), c.Rewrite(address); got != want {
					t.Errorf("%s with %v: %s is %s, for git %s", repo, env, address, got, want)
				}
			}
		}
	}
}

// http.<url>.* and credential.<url>.*, compared with git config --get-urlmatch.
func TestURLMatchAsGit(t *testing.T) {
	git := devtest.Tool(t, "git")
	home := world(t, map[string]string{".gitconfig": `[http]
	proxy = all
[http "https://git.invalid"]
	proxy = host
[http "https://*.invalid"]
	proxy = wildcard
[http "https://git.invalid/group"]
	proxy = path
[http "https://git.invalid:8443"]
	proxy = port
[http "https://me@git.invalid/group"]
	proxy = user
`})
	c := read(t, home, "", nil)
	for _, address := range []string{
		"https://git.invalid/x", "https://git.invalid/group/x", "https://git.invalid/groups/x", "https://me@git.invalid/group/x",
		"https://other.invalid/x", "https://a.b.invalid/x", "http://git.invalid/x", "https://git.invalid:8443/x", "https://git.invalid:443/group",
	} {
		cmd := exec.Command(git, "config", "--get-urlmatch", "http.proxy", address)
		cmd.Dir = home
		cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1"}
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if want, got := strings.TrimSpace(string(out)), c.HTTP(address).Proxy; got != want {
			t.Errorf("%s: proxy %s, for git %s", address, got, want)
		}
	}
}

func TestLists(t *testing.T) {
	home := world(t, map[string]string{".gitconfig": `[http "https://git.invalid/"]
	extraHeader = "A: 1"
	extraHeader = "B: 2"
	sslVerify = false
	sslCAInfo = /ca.pem
[credential]
	helper = store
[credential "https://git.invalid"]
	helper =
	helper = "!f() { echo; }; f"
	username = me
	useHttpPath = true
`})
	c := read(t, home, "", nil)
	h := c.HTTP("https://git.invalid/x")
	if !slices.Equal(h.Headers, []string{"A: 1", "B: 2"}) || !h.Insecure || h.CAFile != "/ca.pem" {
		t.Errorf("%+v", h)
	}
	if cr := c.Credential("https://git.invalid/x"); !slices.Equal(cr.Helpers, []string{"!f() { echo; }; f"}) || cr.Username != "me" || !cr.UseHTTPPath {
		t.Errorf("%+v", cr)
	}
	if cr := c.Credential("https://other.invalid/x"); !slices.Equal(cr.Helpers, []string{"store"}) {
		t.Errorf("%+v", cr)
	}
}

func TestBadConfiguration(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"syntax":     {"GIT_CONFIG_GLOBAL": "bad"},
		"loop":       {"GIT_CONFIG_GLOBAL": "loop"},
		"count":      {"GIT_CONFIG_COUNT": "x"},
		"name":       {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "x", "GIT_CONFIG_VALUE_0": "y"},
		"parameters": {"GIT_CONFIG_PARAMETERS": "a=b"},
	} {
		home := world(t, map[string]string{"bad": "[url \"x\n", "loop": "[include]\n\tpath = HOME/loop\n"})
		_, err := Read(Source{Home: home, Lookup: func(k string) (string, bool) {
			v, ok := env[k]
			if k == "GIT_CONFIG_GLOBAL" && ok {
				v = filepath.Join(home, v)
			}
			return v, ok
		}})
		if fault.KindOf(err) != fault.Usage {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParameters(f *testing.F) {
	f.Add("'a.b'='c' 'd.e=f'\\''g'")
	f.Fuzz(func(t *testing.T, text string) {
		r := &reader{config: &Config{}}
		r.parameters(text)
	})
}

func FuzzFile(f *testing.F) {
	f.Add([]byte("[url \"a\"]\n\tinsteadOf = b\n[include]\n\tpath = c\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if bytes.Contains(b, []byte("path")) {
			t.Skip("names other files")
		}
		name := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		r := &reader{config: &Config{}}
		r.file(name, 0)
		r.config.Rewrite("https://a.invalid/")
		r.config.HTTP("https://a.invalid/")
	})
}
