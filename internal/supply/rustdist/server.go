package rustdist

import (
	"bufio"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Servers lists the distribution servers that a machine knows, without
// duplicates, in the order in which they are asked:
//
//   - configured ones ([supply] rust-dist in espalier.toml),
//   - RUSTUP_DIST_SERVER and, as older versions of rustup had it,
//     RUSTUP_DIST_ROOT,
//   - the server that a rustup installation of this machine was filled from:
//     its channel manifests name it in every address.
//
// lookup reads the environment; home is the user's home directory, "" when
// there is none.
func Servers(lookup func(string) (string, bool), home string, configured []string) []string {
	var out []string
	add := func(s string) {
		if s = strings.TrimSpace(s); s == "" {
			return
		}
		if s = strings.TrimSuffix(s, "/") + "/"; !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	for _, s := range configured {
		add(s)
	}
	if v, ok := lookup("RUSTUP_DIST_SERVER"); ok {
		add(v)
	}
	if v, ok := lookup("RUSTUP_DIST_ROOT"); ok {
		add(strings.TrimSuffix(strings.TrimSuffix(v, "/"), "/dist"))
	}
	rustup := filepath.Join(home, ".rustup")
	if v, ok := lookup("RUSTUP_HOME"); ok && v != "" {
		rustup = v
	} else if home == "" {
		return out
	}
	manifests, _ := filepath.Glob(filepath.Join(rustup, "toolchains", "*", "lib", "rustlib", "multirust-channel-manifest.toml"))
	slices.Sort(manifests)
	for _, name := range manifests {
		add(serverOf(name))
	}
	return out
}

// serverOf reads the server out of the first address in a channel manifest.
func serverOf(manifest string) string {
	f, err := os.Open(manifest)
	if err != nil {
		return ""
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	for range 1000 {
		if !in.Scan() {
			return ""
		}
		address, ok := strings.CutPrefix(in.Text(), `url = "`)
		if !ok {
			continue
		}
		u, err := url.Parse(strings.TrimSuffix(address, `"`))
		if err != nil || u.Scheme != "https" {
			return ""
		}
		if i := strings.LastIndex(u.Path, "/dist/"); i >= 0 {
			return u.Scheme + "://" + u.Host + u.Path[:i]
		}
		return ""
	}
	return ""
}
