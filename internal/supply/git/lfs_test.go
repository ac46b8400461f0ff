package git

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/fault"
)

func pointerText(content string) string {
	return fmt.Sprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%x\nsize %d\n", sha256.Sum256([]byte(content)), len(content))
}

// lfsRepo is a repository with two files in LFS, one of them outside the
// member's directory.
func lfsRepo(t *testing.T, root string) (r *repo, commit string) {
	t.Helper()
	r = newRepo(t, filepath.Join(root, "driver"))
	r.write("Cargo.toml", "[workspace]\nmembers = [\"driver\"]\n")
	r.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
	r.write("driver/Cargo.toml", "[package]\nname = \"driver\"\nversion = \"0.1.0\"\n")
	r.write("driver/src/lib.rs", "#![no_std]\n")
	r.write("driver/firmware.bin", pointerText("the firmware of a radio"))
	r.write("doc/picture.bin", pointerText("a picture"))
	return r, r.commit("first")
}

// lfsServer answers the batch API in front of a git server, for the objects
// given; without any, it has no LFS at all.
func lfsServer(t *testing.T, upstream string, objects map[string]string) string {
	t.Helper()
	u, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(u)
	var srv *httptest.Server
	srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		oid, isObject := strings.CutPrefix(r.URL.Path, "/objects/")
		switch {
		case isObject && r.Header.Get("X-Ticket") == "one":
			fmt.Fprint(w, objects[oid])
		case r.URL.Path == "/driver.git/info/lfs/objects/batch" && objects != nil:
			var ask lfsRequest
			if err := json.NewDecoder(r.Body).Decode(&ask); err != nil || r.Header.Get("Accept") != lfsMedia || ask.Operation != "download" {
				http.Error(w, "bad request", http.StatusBadRequest)
				return
			}
			var out []map[string]any
			for _, o := range ask.Objects {
				one := map[string]any{"oid": o.OID, "size": o.Size}
				if _, ok := objects[o.OID]; ok {
					one["actions"] = map[string]any{"download": map[string]any{"href": srv.URL + "/objects/" + o.OID, "header": map[string]string{"X-Ticket": "one"}}}
				} else {
					one["error"] = map[string]any{"code": 404, "message": "Object does not exist"}
				}
				out = append(out, one)
			}
			w.Header().Set("Content-Type", lfsMedia)
			if err := json.NewEncoder(w).Encode(map[string]any{"objects": out}); err != nil {
				t.Error(err)
			}
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestLFS(t *testing.T) {
	root := t.TempDir()
	r, commit := lfsRepo(t, root)
	plain := serve(t, root)
	const content = "the firmware of a radio"
	oid := fmt.Sprintf("%x", sha256.Sum256([]byte(content)))
	members := []Member{{"driver", "0.1.0"}}

	local := filepath.Join(r.dir, ".git", "lfs", "objects", oid[:2], oid[2:4])
	var trees []string
	for _, c := range []struct{ name, address, lacks string }{
		{"server", lfsServer(t, plain, map[string]string{oid: content}) + "/driver", ""},
		{"no LFS", lfsServer(t, plain, nil) + "/driver", "the server has no LFS for this repository"},
		{"no object", lfsServer(t, plain, map[string]string{}) + "/driver", "LFS object " + oid + ": Object does not exist"},
		{"wrong object", lfsServer(t, plain, map[string]string{oid: "the firmware of a robot"}) + "/driver", "mismatch"},
		{"directory without it", "file://" + r.dir, "the repository has no LFS object " + oid},
		{"directory", "file://" + r.dir, ""},
	} {
		if c.name == "directory" {
			if err := os.MkdirAll(local, 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(local, oid), []byte(content), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		f := newFetcher(t)
		pin, err := f.Fetch(t.Context(), Source{URL: c.address, Commit: commit}, members)
		if c.lacks != "" {
			if fault.KindOf(err) != fault.Pins || !strings.Contains(err.Error(), "driver/firmware.bin is an LFS pointer, and its object cannot be fetched: ") ||
				!strings.Contains(err.Error(), c.lacks) || len(fault.Hints(err)) == 0 {
				t.Errorf("%s: %v", c.name, err)
			}
			// A resolver needs manifests only.
			if _, _, err := f.FetchAll(t.Context(), Source{URL: c.address, Commit: commit}); err != nil {
				t.Errorf("%s: all packages: %v", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := text(t, f.Store, pin.Tree, "driver/firmware.bin"); got != content {
			t.Errorf("%s: %q", c.name, got)
		}
		if got := text(t, f.Store, pin.Tree, "doc/picture.bin"); got != pointerText("a picture") {
			t.Errorf("%s: a file of no member: %q", c.name, got)
		}
		trees = append(trees, pin.Tree.String())
	}
	if len(trees) != 2 || trees[0] != trees[1] {
		t.Errorf("trees of one commit: %q", trees)
	}
}

func TestParsePointer(t *testing.T) {
	good := pointerText("x")
	if d, ok := parsePointer([]byte(good)); !ok || d.Size != 1 || d.Hash != fmt.Sprintf("%x", sha256.Sum256([]byte("x"))) {
		t.Errorf("%v %v", d, ok)
	}
	for name, text := range map[string]string{
		"empty": "", "text": "hello\n", "no size": strings.Replace(good, "size 1\n", "", 1), "no oid": "version https://git-lfs.github.com/spec/v1\nsize 1\n",
		"negative": strings.Replace(good, "size 1", "size -1", 1), "short": strings.Replace(good, "sha256:", "sha256:00", 1),
		"long": good + strings.Repeat("ext-0-x sha256:0\n", 100), "other version": strings.Replace(good, "spec/v1", "spec/v2", 1),
	} {
		if d, ok := parsePointer([]byte(text)); ok {
			t.Errorf("%s: %v", name, d)
		}
	}
}

func FuzzParsePointer(f *testing.F) {
	f.Add([]byte(pointerText("x")))
	f.Add([]byte("version https://git-lfs.github.com/spec/v1\noid sha256:\nsize 9999999999999999999\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, ok := parsePointer(b); ok && (len(d.Hash) != 64 || d.Size < 0) {
			t.Errorf("%q: %v", b, d)
		}
	})
}

// A repository that the user's configuration has at several places is read from
// the first that has the commit.
func TestLocations(t *testing.T) {
	real, r, first := workspace(t)
	old := newRepo(t, filepath.Join(t.TempDir(), "family")) // a mirror that is behind
	old.write("Cargo.toml", "")
	old.commit("other")
	gone := "file://" + t.TempDir() + "/"
	config := func(bases ...string) string {
		out := ""
		for _, b := range bases {
			out += "[url \"" + b + "\"]\n\tinsteadOf = https://git.invalid/\n"
		}
		return out
	}
	behind := "file://" + filepath.Dir(old.dir) + "/"
	src := Source{URL: "https://git.invalid/family", Commit: first}
	members := []Member{{"one", "1.2.3"}}
	f := configured(t, config(gone, behind, strings.TrimSuffix(real, "family")), "")
	if _, err := f.Fetch(t.Context(), src, members); err != nil {
		t.Error(err)
	}
	_, err := configured(t, config(gone, behind), "").Fetch(t.Context(), src, members)
	if fault.KindOf(err) != fault.Pins || !strings.Contains(err.Error(), gone+"family: ") || !strings.HasSuffix(err.Error(), behind+"family: the server has no commit "+first) {
		t.Error(err)
	}
	if head, err := configured(t, config(gone, "file://"+filepath.Dir(r.dir)+"/"), "").Head(t.Context(), src.URL, "tag=v1"); err != nil || head != first {
		t.Errorf("head %s, %v", head, err)
	}
}
