package devtest

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

//go:embed peers.txt
var peersList string

// peer is one line of peers.txt.
type peer struct {
	name string // of a program, or of a directory with a slash at its end
	from string // host, apt, testing, cargo, pip, module, python, go, crate, wheel
	pkg  string
	dir  string // of a wheel, the directory inside
}

// peers parses the list.
func peers() (map[string]peer, error) {
	all := map[string]peer{}
	for i, line := range strings.Split(peersList, "\n") {
		text, _, _ := strings.Cut(line, "#")
		f := strings.Fields(text)
		if len(f) == 0 {
			continue
		}
		want := 3
		if len(f) > 1 && f[1] == "wheel" {
			want = 4
		}
		if len(f) != want {
			return nil, fmt.Errorf("peers.txt:%d: want %d columns: %q", i+1, want, line)
		}
		p := peer{name: f[0], from: f[1], pkg: f[2]}
		if want == 4 {
			p.dir = f[3]
		}
		isDir := strings.HasSuffix(p.name, "/")
		switch p.from {
		case "host", "apt", "testing", "cargo", "pip", "module", "python", "go":
			if isDir {
				return nil, fmt.Errorf("peers.txt:%d: %s gives programs, not directories: %q", i+1, p.from, line)
			}
		case "crate", "wheel":
			if !isDir {
				return nil, fmt.Errorf("peers.txt:%d: %s gives directories, whose names end with a slash: %q", i+1, p.from, line)
			}
		default:
			return nil, fmt.Errorf("peers.txt:%d: unknown installer %q", i+1, p.from)
		}
		if _, twice := all[p.name]; twice {
			return nil, fmt.Errorf("peers.txt:%d: %s is listed twice", i+1, p.name)
		}
		all[p.name] = p
	}
	return all, nil
}

// listed returns the line for a name and fails the test when there is none: then
// scripts/peers would not install it.
func listed(t testing.TB, name string) peer {
	t.Helper()
	all, err := peers()
	if err != nil {
		t.Fatal(err)
	}
	p, ok := all[name]
	if !ok {
		t.Fatalf("%s is not in internal/devtest/peers.txt: add it with the package that brings it", name)
	}
	return p
}

func (p peer) String() string {
	return fmt.Sprintf("%s, which scripts/peers installs (%s %s)", p.name, p.from, p.pkg)
}

// Tool returns the path of a peer program: from bin in Peers, else from PATH.
// The program must be in peers.txt; one that is not installed skips the test, or
// fails it in CI.
func Tool(t testing.TB, name string) string {
	t.Helper()
	p := listed(t, name)
	own := filepath.Join(Peers(t), "bin", name)
	if st, err := os.Stat(own); err == nil && !st.IsDir() {
		return own
	}
	found, err := exec.LookPath(name)
	if err != nil {
		Missing(t, "the program "+p.String())
	}
	return found
}

// Data returns the path of a directory of peers.txt, such as "riscv-tests". One
// that is not installed skips the test, or fails it in CI.
func Data(t testing.TB, name string) string {
	t.Helper()
	p := listed(t, name+"/")
	dir := filepath.Join(Peers(t), name)
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		Missing(t, "the directory "+p.String())
	}
	return dir
}

// Peers returns the directory that scripts/peers fills: $ESPALIER_PEERS, else
// espalier-peers in the user's cache directory.
func Peers(t testing.TB) string {
	t.Helper()
	return cacheDir(t, "ESPALIER_PEERS", "espalier-peers")
}
