package cargo

import (
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/tomldoc"
)

// Package is a package whose sources belong to the user: a workspace member
// or a path dependency.
type Package struct {
	Name        string
	Version     string // "0.0.0" when the manifest has none, as cargo says
	Edition     string
	RustVersion config.Value[string]
	Dir         string   // "." for Root itself
	Manifest    string   // Dir + "/Cargo.toml"
	Member      bool     // of the workspace; false for a path dependency outside it
	Default     bool     // member that cargo builds when no package is named
	Root        string   // manifest of the workspace that it inherits from; empty when there is none
	Texts       []string // files that the manifest names: readme, license-file
	Links       string
	DefaultRun  string
	Build       string // path of the build script; empty when there is none
	Targets     []Target
	Features    map[string][]string // [features] as written
	Depends     []Dependency

	manifest *manifest
}

// Metadata is package.metadata.<keys...>; nil when it is not there.
func (p Package) Metadata(keys ...string) *tomldoc.Node {
	return p.manifest.pkg.Get(append([]string{"metadata"}, keys...)...)
}

// Target kinds, named as cargo metadata names them.
const (
	KindLib         = "lib"
	KindBin         = "bin"
	KindExample     = "example"
	KindTest        = "test"
	KindBench       = "bench"
	KindCustomBuild = "custom-build"
)

// Target is one crate root of an own package.
type Target struct {
	Package          string
	Kind             string // one of the Kind constants
	Name             string
	Path             string // of the source file
	CrateTypes       []string
	ProcMacro        bool
	Edition          string
	RequiredFeatures []string
	Harness          bool // cargo's test harness (libtest) runs its tests
	Test             bool // cargo test builds and runs it
}

// Dependency is one line of an own package's manifest (or of [patch]), with
// workspace inheritance resolved.
type Dependency struct {
	Name              string // as the manifest calls it
	Package           string // real package name, differs from Name when renamed
	Kind              string // "", "dev", "build", "patch", "replace"
	Platform          string // target triple or "cfg(...)"; empty for all
	Req               string // version requirement; empty for any
	Path              string // relative to Root; of a path dependency
	Git               string // URL as written
	Ref               string // "rev=…", "tag=…", "branch=…" or empty for the default branch
	Registry          string
	Patches           string // for Kind "patch": what is patched, "crates-io" or a URL
	Features          []string
	NoDefaultFeatures bool
	Optional          bool
	Origin            config.Origin
}

// TargetsOf returns the targets of one kind.
func (p Package) TargetsOf(kind string) []Target {
	var out []Target
	for _, t := range p.Targets {
		if t.Kind == kind {
			out = append(out, t)
		}
	}
	return out
}
