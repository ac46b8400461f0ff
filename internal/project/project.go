package project

import (
	"time"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/config"
)

// Options select among what Open finds. The zero value selects nothing.
type Options struct {
	Package string // -p: the workspace member to build
	Flags   Flags  // what the command line says about settings

	// Lookup reads the environment, as os.LookupEnv does; nil is an empty one.
	// Only ESPALIER_* names, the names under [build] env with from-env and those
	// that sources read with env!() are ever asked for: RUSTFLAGS,
	// RUSTUP_TOOLCHAIN, CARGO_* are not consulted.
	Lookup func(name string) (string, bool)

	// UserFile is the user's own configuration, lowest in rank above the
	// defaults; a missing file is no error, "" means none.
	UserFile string

	// CacheDir is the user's directory of caches, in which the store is unless
	// something else is configured; "" when there is none.
	CacheDir string

	// Emulated says that the firmware is built for a run on the emulated board:
	// Wi-Fi credentials that sources need and nothing declares get the values of
	// the emulated network.
	Emulated bool
}

// Project is an opened cargo project. Root, Workspace and Member are absolute
// directories; every other path is slash-separated and relative to Root unless
// it says otherwise.
type Project struct {
	Root      string // top of the input tree: workspace root, the common root with path dependencies outside it, or what cargo's configuration above is in
	Workspace string // directory of the workspace's Cargo.toml, Cargo.lock and espalier.lock
	Member    string // directory of the package that is built; Workspace while the choice is open
	WorkDir   string // cargo's working directory: Member, or Workspace when a symbolic link leads to Member
	Package   string // its name; empty while the choice is open (see Selected)

	Files     []File    // the input tree, sorted by path
	Untracked []string  // files in the tree that git does not track; empty outside a repository
	Ignored   []Ignored // what .gitignore kept out of the tree
	Head      Head      // the commit that is checked out
	GitDir    string    // of the repository around the project, empty outside of one

	Own       []cargo.Package // workspace members and path dependencies, sorted by Dir
	CargoLock *cargo.Lock     // nil when there is no Cargo.lock yet
	Toolchain cargo.Toolchain
	Cargo     cargo.Config
	Espalier  Config
	MSRV      []MSRV             // rust-version of the own packages that the build compiles
	Patches   []cargo.Dependency // [patch] and [replace] of the workspace

	Binary  string // --bin to build; empty when an example is built or the choice is open (see Artifact)
	Example string // or --example
	Profile string // "release" unless asked otherwise

	Profiles []string // the names that Profile can have: cargo's own and those of the manifest and the configuration

	Notes []config.Note // parent configuration that does not apply, both toolchain files, ...

	candidates []string        // names of the packages that can be the firmware
	netGiven   map[string]bool // keys of [net] that a file or the environment sets
	open       error           // the choice between several packages; nil when Package is selected
}

// Target is the triple that the project is built for, or the path of a target
// specification relative to Root.
func (p *Project) Target() string {
	if t := p.Espalier.Build.Target.V; t != "" {
		return t
	}
	if t := p.Cargo.Target.V; t != "" {
		return t
	}
	return cargo.DefaultTarget
}

// File is one entry of the input tree.
type File struct {
	Path   string // slash-separated, relative to Project.Root
	Target string // for a symlink: its text; empty otherwise
	Exec   bool
	Size   int64
}

// Ignored is a path that .gitignore kept out of the input tree.
type Ignored struct {
	Path string        // a directory ends in "/" and means everything below it
	By   config.Origin // the pattern's line; File "cargo" for a target directory and for cargo's credentials
}

// Head is the checked-out commit of the repository around the project.
type Head struct {
	Commit string    // full object id; empty outside a repository or before the first commit
	Time   time.Time // of the committer; zero likewise
}

// MSRV is a rust-version demand.
type MSRV struct {
	Package string
	Version string
	Origin  config.Origin
}
