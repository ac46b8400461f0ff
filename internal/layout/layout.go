// Package layout is the directory layout inside a step: which input tree is
// mounted where, which directories a step can write, and the fixed paths that
// command lines and configuration files name. It is facts only and imports
// nothing.
//
//	input root    mounted at                    how
//	rootfs        /                             read-only
//	src           /src                          overlay, writes are discarded
//	cargo         /cargo (CARGO_HOME)           overlay, writes are discarded
//	vendor        /cargo/registry/src/v         read-only
//	git           /cargo/git/checkouts          read-only
//	target        /target (CARGO_TARGET_DIR)    overlay; an empty directory without an input
//	units         /target                       overlay, above target and below what is written
//	-             /out /tmp /home/espalier      empty, writable
//
// The paths are part of what is compiled: crates below CARGO_HOME/registry/src
// are not checked for changes by cargo and keep the same panic locations on
// every machine (docs/step.md).
package layout

import (
	"path"
	"path/filepath"
)

// Version is the number of this layout; it is the platform property "layout"
// of every step. Cargo does not notice when absolute paths change under a
// dependency layer, so every change of the layout takes a new number.
const Version = 1

// Names of input trees, the first level of the input root.
const (
	InputRootfs = "rootfs"
	InputSrc    = "src"
	InputCargo  = "cargo"
	InputVendor = "vendor"
	InputGit    = "git"
	InputTarget = "target"
	InputUnits  = "units"
)

// Absolute paths inside a step.
const (
	Src       = "/src"                  // the project; mtimes are 2
	Target    = "/target"               // CARGO_TARGET_DIR
	Out       = "/out"                  // relative outputs of a step are below it
	Home      = "/home/espalier"        // HOME
	CargoHome = "/cargo"                // CARGO_HOME
	Vendor    = "/cargo/registry/src/v" // every registry crate, a directory source
	Checkouts = "/cargo/git/checkouts"  // one directory for each git commit
	Config    = "/cargo/espalier.toml"  // the configuration that cargo gets with --config
	Cargo     = "/usr/bin/cargo"        // programs of the toolchain
	Rustc     = "/usr/bin/rustc"
)

// Place is one mount besides the rootfs.
type Place struct {
	Input    string // name of the input tree; "" for a directory that is never an input
	At       string // relative to the root inside
	Writable bool
}

// Places returns the mounts in the order in which they are made.
func Places() []Place {
	return []Place{
		{InputSrc, "src", true},
		{InputCargo, "cargo", true},
		{InputVendor, "cargo/registry/src/v", false},
		{InputGit, "cargo/git/checkouts", false},
		{InputTarget, "target", true},
		{"", "out", true},
	}
}

// Inside returns the path inside a step of dir, which is root or a directory
// below it on the host. Both are absolute. It panics when dir is outside root.
func Inside(root, dir string) string {
	rel, err := filepath.Rel(root, dir)
	if err != nil || !filepath.IsLocal(rel) {
		panic("layout: " + dir + " is outside " + root)
	}
	return path.Join(Src, filepath.ToSlash(rel))
}

// Inputs returns the names of all input trees.
func Inputs() []string {
	return []string{InputRootfs, InputSrc, InputCargo, InputVendor, InputGit, InputTarget, InputUnits}
}
