package git

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/gitconfig"
)

// configured is a fetcher of a user with this git configuration and netrc.
func configured(t *testing.T, config, netrc string) *Fetcher {
	t.Helper()
	home := t.TempDir()
	for name, text := range map[string]string{".gitconfig": config, ".netrc": netrc} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lookup := func(k string) (string, bool) {
		if k == "GIT_CONFIG_NOSYSTEM" {
			return "1", true
		}
		return "", false
	}
	c, err := gitconfig.Read(gitconfig.Source{Lookup: lookup, Home: home})
	if err != nil {
		t.Fatal(err)
	}
	f := newFetcher(t)
	f.Access = Access{Config: c, Lookup: lookup, Home: home}
	return f
}

func TestInsteadOf(t *testing.T) {
	real, _, first := workspace(t)
	f := configured(t, "[url \""+strings.TrimSuffix(real, "family")+"\"]\n\tinsteadOf = https://git.invalid/\n", "")
	written := "https://git.invalid/family"
	if head, err := f.Head(t.Context(), written, "tag=v1"); err != nil || head != first {
		t.Errorf("head %s, %v", head, err)
	}
	pin, err := f.Fetch(t.Context(), Source{URL: written, Commit: first}, []Member{{"one", "1.2.3"}})
	if err != nil {
		t.Fatal(err)
	}
	if pin.URL != written {
		t.Errorf("the pin names %s", pin.URL)
	}
}

// private is a server that wants a login, in front of the real one.
func private(t *testing.T, upstream, user, password string) (string, *[]string) {
	t.Helper()
	u, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: u.Scheme, Host: u.Host})
	var mu sync.Mutex
	var seen []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, pass, ok := r.BasicAuth()
		mu.Lock()
		seen = append(seen, r.Header.Get("X-Team"))
		mu.Unlock()
		if !ok || name != user || pass != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "login", http.StatusUnauthorized)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL + u.Path, &seen
}

func TestLogin(t *testing.T) {
	upstream, _, first := workspace(t)
	address, seen := private(t, upstream, "me", "hunter2")
	src := Source{URL: address, Commit: first}
	members := []Member{{"one", "1.2.3"}}
	log := filepath.Join(t.TempDir(), "helper")
	helper := "[credential]\n\thelper = \"!f() { echo $1 >> " + log + "; test $1 = get && echo username=me && echo password=hunter2; }; f\"\n[http]\n\textraHeader = X-Team: ours\n"
	for name, f := range map[string]*Fetcher{
		"helper": configured(t, helper, ""),
		"netrc":  configured(t, "", "machine 127.0.0.1 login me password hunter2\n"),
	} {
		// A submodule of the repository is at the same server and wants a
		// login, too.
		if _, err := f.Fetch(t.Context(), src, members); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := f.Head(t.Context(), address, "tag=v1"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b, _ := os.ReadFile(log); !strings.Contains(string(b), "get\nstore\n") || strings.Contains(string(b), "erase") {
		t.Errorf("the helper was called for %q", b)
	}
	team := false
	for _, h := range *seen {
		team = team || h == "ours"
	}
	if !team {
		t.Error("http.extraHeader did not reach the server")
	}

	for name, f := range map[string]*Fetcher{
		"none":  configured(t, "", ""),
		"wrong": configured(t, strings.Replace(helper, "=hunter2", "=hunter3", 1), ""),
	} {
		_, err := f.Fetch(t.Context(), src, members)
		if fault.KindOf(err) != fault.Pins || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: %v", name, err)
		}
		if name == "none" && !strings.Contains(strings.Join(fault.Hints(err), "\n"), "credential.helper") {
			t.Errorf("%s: hints %q", name, fault.Hints(err))
		}
	}
	if b, _ := os.ReadFile(log); !strings.Contains(string(b), "erase") {
		t.Errorf("the helper was not told that its login is refused: %q", b)
	}
}

// A server that has a commit but not all of its objects is reported by what
// went wrong last, not by its refusal to send a commit alone.
func TestDamagedRepository(t *testing.T) {
	r := newRepo(t, filepath.Join(t.TempDir(), "dep"))
	r.write("src/lib.rs", "#![no_std]\n")
	r.write("Cargo.toml", "[package]\nname = \"dep\"\nversion = \"0.1.0\"\n")
	commit := r.commit("x")
	blob := r.run("rev-parse", "HEAD:src/lib.rs")
	if err := os.Remove(filepath.Join(r.dir, ".git", "objects", blob[:2], blob[2:])); err != nil {
		t.Fatal(err)
	}
	_, err := newFetcher(t).Fetch(t.Context(), Source{URL: "file://" + r.dir, Commit: commit}, []Member{{"dep", "0.1.0"}})
	if fault.KindOf(err) != fault.Pins || strings.Contains(err.Error(), "exact SHA1") {
		t.Errorf("%v", err)
	}
	t.Log(err)
}
