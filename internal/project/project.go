// Package project is what the user wrote, as one value: manifests, lock,
// cargo configuration, toolchain file, espalier.toml and the files that make
// the input tree, each field with its origin. It only reads the working tree
// and the environment it is given; it never edits, fetches or runs anything.
package project

// Origin says where a value came from: file, line, column (1-based; 0 when it
// has none) or a flag, a variable, or the default.
type Origin struct {
	File string // relative to the root, or "default", "flag --target", "environment ESPALIER_STORE"
	Line int
	Col  int
}

// Value is a configured value with its origin.
type Value[T any] struct {
	V      T
	Origin Origin
}

// Project is an opened cargo project. All paths are absolute unless said
// otherwise.
type Project struct {
	Root      string   // top of the input tree: workspace root, or the common root with path dependencies outside it
	Workspace string   // directory of the workspace's Cargo.toml and Cargo.lock
	Member    string   // directory of the package that is built; cargo's working directory
	Package   string   // its name
	Files     []File   // the input tree, sorted by path
	Untracked []string // files in the tree that git does not track, relative to Root

	CargoLock *CargoLock // nil when there is no Cargo.lock yet
	Toolchain ToolchainRequest
	Cargo     CargoConfig
	Espalier  Config
	MSRV      []MSRV // rust-version of own packages

	Binary  string // --bin to build; empty means the only one
	Example string // or --example
	Profile string // "release" unless asked otherwise
}

// File is one entry of the input tree.
type File struct {
	Path   string // slash-separated, relative to Project.Root
	Target string // for a symlink; empty otherwise
	Exec   bool
	Size   int64
}

// MSRV is a rust-version demand.
type MSRV struct {
	Package string
	Version string
	Origin  Origin
}

// ToolchainRequest is what rust-toolchain(.toml) asks for.
type ToolchainRequest struct {
	Channel    Value[string] // "stable" by default
	Components []string
	Targets    []string
	Profile    string
}
