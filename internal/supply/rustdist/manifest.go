package rustdist

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"espalier.dev/espalier/internal/store"
)

// maxManifest bounds a channel manifest, in bytes: they have 1 MB in 2026.
const maxManifest = 16 << 20

// Manifest is a channel manifest, version 2, with the fields that are used
// here.
type Manifest struct {
	Version  string              `toml:"manifest-version"`
	Date     string              `toml:"date"`
	Packages map[string]Package  `toml:"pkg"`
	Renames  map[string]rename   `toml:"renames"`
	Profiles map[string][]string `toml:"profiles"`
}

type rename struct {
	To string `toml:"to"`
}

// Package is one component for all targets.
type Package struct {
	Version string            `toml:"version"` // "1.95.0 (59807616e 2026-04-14)"
	Targets map[string]Target `toml:"target"`  // by triple; "*" is for all
}

// Target is a component for one triple.
type Target struct {
	Available bool   `toml:"available"`
	URL       string `toml:"url"` // .tar.gz
	Hash      string `toml:"hash"`
	XZURL     string `toml:"xz_url"` // .tar.xz; absent before 2017
	XZHash    string `toml:"xz_hash"`

	// What an installer of the pseudo component "rust" may or must add.
	Components []Member `toml:"components"`
	Extensions []Member `toml:"extensions"`
}

// Member is an element of a target's components or extensions.
type Member struct {
	Package string `toml:"pkg"`
	Target  string `toml:"target"`
}

// ParseManifest decodes a channel manifest. Only version 2 is known; it has
// not changed since 2016.
func ParseManifest(b []byte) (*Manifest, error) {
	if len(b) > maxManifest {
		return nil, fmt.Errorf("channel manifest of %d bytes: more than %d", len(b), maxManifest)
	}
	var m Manifest
	if err := toml.Unmarshal(b, &m); err != nil {
		var at *toml.DecodeError
		if errors.As(err, &at) {
			line, col := at.Position()
			return nil, fmt.Errorf("channel manifest:%d:%d: %s", line, col, at.Error())
		}
		return nil, fmt.Errorf("channel manifest: %w", err)
	}
	if m.Version != "2" {
		return nil, fmt.Errorf("channel manifest of version %q: only version 2 is known", m.Version)
	}
	if m.Packages["rustc"].Version == "" {
		return nil, errors.New("channel manifest without a rustc")
	}
	return &m, nil
}

// name applies the manifest's renames: "clippy" is published as
// "clippy-preview".
func (m *Manifest) name(component string) string {
	if r, ok := m.Renames[component]; ok && r.To != "" {
		return r.To
	}
	return component
}

// target finds a component for a triple; one that is the same everywhere is
// published for "*". The second value is the triple under which it was found.
func (m *Manifest) target(component, triple string) (Target, string, bool) {
	p := m.Packages[component]
	for _, t := range []string{triple, "*"} {
		if found, ok := p.Targets[t]; ok && found.Available {
			return found, t, true
		}
	}
	return Target{}, "", false
}

// available lists the triples for which a component can be had, sorted.
func (m *Manifest) available(component string) []string {
	var out []string
	for t, d := range m.Packages[component].Targets {
		if d.Available {
			out = append(out, t)
		}
	}
	slices.Sort(out)
	return out
}

// archive is the smaller form of a component: its location below a server and
// its digest, whose size the manifest does not tell.
func (t Target) archive() (where string, digest store.Digest, err error) {
	address, hash := t.XZURL, t.XZHash
	if address == "" {
		address, hash = t.URL, t.Hash
	}
	if digest, err = store.ParseDigest("sha256:" + strings.ToLower(hash)); err != nil {
		return "", digest, fmt.Errorf("hash %q of %s: %w", hash, address, err)
	}
	where, err = below(address)
	return where, digest, err
}

// below returns the part of an archive's address that is the same on every
// server: everything from "dist/" on. Mirrors keep it or rewrite only what is
// before it.
func below(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("address of a component: %w", err)
	}
	i := strings.LastIndex(u.Path, "/dist/")
	if i < 0 {
		return "", fmt.Errorf("address %q of a component is not below dist/", address)
	}
	where := u.Path[i+1:]
	if path.Clean(where) != where || strings.HasSuffix(where, "/") {
		return "", fmt.Errorf("address %q of a component is not a plain path", address)
	}
	if !strings.HasSuffix(where, ".tar.xz") && !strings.HasSuffix(where, ".tar.gz") {
		return "", fmt.Errorf("address %q of a component is neither .tar.xz nor .tar.gz", address)
	}
	return where, nil
}
