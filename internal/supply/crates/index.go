package crates

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/order"
)

// Index is what a registry's index says about crates, by name: all published
// versions, newest first.
type Index map[string][]IndexVersion

// IndexVersion is one published version of a crate (The Cargo Book, Index
// Format).
type IndexVersion struct {
	Name        string        `json:"name"`
	Version     string        `json:"vers"`
	Checksum    string        `json:"cksum"`
	Yanked      bool          `json:"yanked"`
	RustVersion string        `json:"rust_version"` // empty: not said
	Links       string        `json:"links"`        // of a native library: one package of a build may have it
	Depends     []IndexDepend `json:"deps"`
}

// IndexDepend is a dependency of a published version.
type IndexDepend struct {
	Name     string `json:"name"`    // as the crate calls it
	Package  string `json:"package"` // the real name if it differs; see Crate
	Req      string `json:"req"`
	Kind     string `json:"kind"` // normal, build or dev
	Optional bool   `json:"optional"`
}

// Crate is the name of the crate that is depended on.
func (d IndexDepend) Crate() string {
	if d.Package != "" {
		return d.Package
	}
	return d.Name
}

// Version returns one version of a crate.
func (ix Index) Version(name, version string) (IndexVersion, bool) {
	for _, v := range ix[name] {
		if v.Version == version {
			return v, true
		}
	}
	return IndexVersion{}, false
}

// Newest returns the newest version of a crate that is not yanked; of
// pre-releases only when there is nothing else or pre is true.
func (ix Index) Newest(name string, pre bool) (IndexVersion, bool) {
	var first IndexVersion
	for _, v := range ix[name] {
		p, ok := cargo.ParseVersion(v.Version)
		switch {
		case !ok || v.Yanked:
		case p.Pre == "" || pre:
			return v, true
		case first.Name == "":
			first = v
		}
	}
	return first, first.Name != ""
}

func (ix Index) sort() {
	for _, list := range ix {
		order.Sort(list, func(a, b IndexVersion) int { return cargo.CompareVersions(b.Version, a.Version) })
	}
}

// maxIndexFile bounds cargo's cache of one crate, in bytes; the largest crates
// have a few megabytes.
const maxIndexFile = 64 << 20

// parseIndexCache reads cargo's cache of one crate (src/cargo/sources/registry/
// index/cache.rs): a format version of one byte, a version of the index of four,
// a revision that ends with a zero byte, then for each version its number and
// the JSON of the index, each with a zero byte at its end.
func parseIndexCache(r io.Reader) ([]IndexVersion, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxIndexFile))
	if err != nil {
		return nil, err
	}
	if len(b) < 5 || b[0] < 1 || b[0] > 9 {
		return nil, errors.New("unknown format of cargo's cache")
	}
	_, rest, ok := bytes.Cut(b[5:], []byte{0})
	if !ok {
		return nil, errors.New("cargo's cache is cut short")
	}
	var out []IndexVersion
	for len(rest) > 0 {
		var version, text []byte
		version, rest, _ = bytes.Cut(rest, []byte{0})
		text, rest, ok = bytes.Cut(rest, []byte{0})
		if !ok {
			return nil, errors.New("cargo's cache is cut short")
		}
		var v IndexVersion
		if err := json.Unmarshal(text, &v); err != nil {
			return nil, fmt.Errorf("version %q: %w", version, err)
		}
		out = append(out, v)
	}
	return out, nil
}
