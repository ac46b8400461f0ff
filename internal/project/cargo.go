package project

// CargoLock is a parsed Cargo.lock (format versions 1 to 4).
type CargoLock struct {
	Path     string // relative to Root
	Bytes    []byte
	Version  int
	Packages []LockedPackage
}

// LockedPackage is one [[package]] of a Cargo.lock.
type LockedPackage struct {
	Name         string
	Version      string
	Source       string // "registry+…", "git+…?rev=…#<commit>", empty for path packages
	Checksum     string // SHA-256 of the .crate, hex; registry packages only
	Dependencies []string
}

// CargoConfig is what the project's .cargo/config.toml files mean, after
// includes and the discovery order of cargo's hierarchy inside the input tree.
type CargoConfig struct {
	Target    Value[string]   // build.target
	BuildStd  Value[[]string] // unstable.build-std
	Rustflags Value[[]string] // the effective ones for Target
	Runner    Value[string]
	Env       []EnvVar // [env], in file order
	Files     []string // files that were read, relative to Root
}

// EnvVar is one [env] entry.
type EnvVar struct {
	Name     string
	Value    string
	Force    bool
	Relative bool
	Origin   Origin
}

// Config is espalier.toml.
type Config struct {
	Path string // relative to Root; empty when there is none
}
