// Package lock is espalier.lock: the content to which a project's names were
// resolved. It reads, validates, compares and writes the file; it never fetches
// and never decides what a pin should be.
package lock

import (
	"slices"

	"espalier.dev/espalier/internal/store"
)

// Version is the format of espalier.lock that this package writes; older ones
// are read. A lock with a higher one is refused: it may mean things that this
// program cannot know.
//
//	1  one target for the whole lock
//	2  no target, since a lock is for all packages of the workspace; names of
//	   variables that come from the caller's environment
const Version = 2

// FileName is the lock's name beside the workspace's Cargo.lock.
const FileName = "espalier.lock"

// File is a whole espalier.lock. Slices are sorted by name, then version; the
// encoder keeps one item per line group so that diffs read well.
type File struct {
	Version    int         `toml:"version"`
	Tool       string      `toml:"tool"` // espalier version that wrote it, for people
	Project    Project     `toml:"project"`
	Toolchains []Toolchain `toml:"toolchain"`
	Std        Std         `toml:"std"`
	Crates     []Crate     `toml:"crate"`
	Git        []Git       `toml:"git"`
	Blobs      []Blob      `toml:"blob"`
	Golden     []Golden    `toml:"golden,omitempty"`
}

// Project is what the pins were made for.
type Project struct {
	SourceDateEpoch int64        `toml:"source-date-epoch"` // seconds
	Layout          int          `toml:"layout"`            // layout.Version
	Env             []string     `toml:"env,omitempty"`     // names of variables that builds take from the caller's environment
	CargoLock       store.Digest `toml:"cargo-lock"`        // of the user's Cargo.lock, size included
}

// Toolchain pins the compiler for one host platform.
type Toolchain struct {
	Host     string       `toml:"host"`             // "linux/amd64"
	Supplier string       `toml:"supplier"`         // "debian:bookworm+bookworm-security"
	Channel  string       `toml:"channel"`          // what the project asked for, "stable" when nothing
	Accept   string       `toml:"accept,omitempty"` // "stable" when the user takes a stable compiler for a nightly channel
	Rustc    string       `toml:"rustc"`            // "1.96.0 (ac68faa20 2026-05-25)"
	Prune    int          `toml:"prune"`            // version of the unpacking and pruning rule
	Rootfs   store.Digest `toml:"rootfs"`           // REAPI Directory after unpacking and pruning; zero: not assembled yet
	Index    []Evidence   `toml:"index"`
	Packages []Package    `toml:"package"`
}

// Evidence records what verified the pins on the day of locking.
type Evidence struct {
	File     string       `toml:"file"` // "bookworm-security InRelease"
	Digest   store.Digest `toml:"digest"`
	Signer   string       `toml:"signer,omitempty"` // OpenPGP fingerprint, upper-case hex
	Date     string       `toml:"date,omitempty"`   // RFC 3339
	Verified bool         `toml:"verified"`
}

// Package is one archive of a toolchain.
type Package struct {
	Name    string       `toml:"name"`
	Version string       `toml:"version"`
	Arch    string       `toml:"arch"`
	Digest  store.Digest `toml:"digest"`
	Path    string       `toml:"path"`             // location-independent: pool/main/...; prefixes live in configuration
	Format  string       `toml:"format,omitempty"` // "rust": a component archive of the Rust distribution; empty: a Debian package
}

// Std pins the standard library's own dependencies.
type Std struct {
	Lock store.Digest `toml:"lock"` // std's Cargo.lock as found in rust-src; zero when the library is ready-made
}

// Crate is one registry crate of the project's or std's lock, or of both.
type Crate struct {
	Name    string       `toml:"name"`
	Version string       `toml:"version"`
	Source  string       `toml:"source,omitempty"` // as in Cargo.lock ("registry+…"); empty for the default registry
	Digest  store.Digest `toml:"digest"`           // of the .crate file
	For     []string     `toml:"for"`              // "project", "std"
}

// Git is one commit that crates come from.
type Git struct {
	URL    string       `toml:"url"`           // without query and fragment
	Ref    string       `toml:"ref,omitempty"` // "rev=…", "tag=…", "branch=…" as the manifest says
	Commit string       `toml:"commit"`        // full object id
	Tree   store.Digest `toml:"tree"`          // REAPI Directory of the unpacked commit
	Crates []string     `toml:"crates"`        // "name version" of the members that the lock uses
}

// Blob is a named input that is neither a package nor a crate: bootloader,
// mask ROM, flasher stub.
type Blob struct {
	Name   string       `toml:"name"`   // "bootloader", "rom-rev3", "stub"
	Digest store.Digest `toml:"digest"` // of the file itself
	From   string       `toml:"from"`   // "espflash 4.7.0: resources/bootloaders/esp32c3-bootloader.bin"
	Crate  store.Digest `toml:"crate"`  // of the .crate file that carries it
}

// RequiredBlobs are the names of blobs without which no firmware image boots:
// the second-stage bootloader and the mask ROM (package chipfiles).
func RequiredBlobs() []string { return []string{"bootloader", "rom-rev300"} }

// DebianPrune is the version of the rule by which the Debian supplier turns
// packages into a rootfs (Toolchain.Prune). It is raised when the same packages
// give another tree.
const DebianPrune = 1

// Golden are the results that builds of one firmware must reach again.
type Golden struct {
	Firmware string       `toml:"firmware,omitempty" json:"firmware,omitempty"` // name of the binary or example; empty in locks with a single [golden]: any
	Profile  string       `toml:"profile,omitempty" json:"profile,omitempty"`   // empty: release
	Action   store.Digest `toml:"action,omitempty" json:"action,omitempty"`     // of the step that compiles everything; zero: not known
	ELF      store.Digest `toml:"elf" json:"elf"`
	Image    store.Digest `toml:"image" json:"image"`
}

// GoldenOf returns the golden results of a firmware; profile is empty for release.
func (f *File) GoldenOf(firmware, profile string) (Golden, bool) {
	for _, g := range f.Golden {
		if (g.Firmware == firmware || g.Firmware == "") && g.Profile == profile {
			return g, true
		}
	}
	return Golden{}, false
}

// SetGolden replaces the golden results of a firmware.
func (f *File) SetGolden(g Golden) {
	f.Golden = slices.DeleteFunc(slices.Clone(f.Golden), func(have Golden) bool {
		return have.Profile == g.Profile && (have.Firmware == g.Firmware || have.Firmware == "")
	})
	f.Golden = append(f.Golden, g)
	f.sort()
}
