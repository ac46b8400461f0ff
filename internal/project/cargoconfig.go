package project

// CargoConfig is what the project's .cargo/config.toml files mean, after
// includes and the discovery order of cargo's hierarchy inside the input tree.
type CargoConfig struct {
	Target           Value[string]   // build.target; the only one that can be meant
	TargetIsFile     bool            // it names a target specification file (*.json), relative to Root
	BuildStd         Value[[]string] // unstable.build-std
	BuildStdFeatures Value[[]string] // unstable.build-std-features
	Rustflags        Value[[]string] // the effective ones for Target, by cargo's precedence
	RustflagsTable   string          // where they live: "build", "target", or "" when there are none
	Linker           Value[string]   // the effective one for Target
	Runner           Value[[]string] // words
	TargetDir        Value[string]   // build.target-dir, relative to Root or absolute
	Env              []EnvVar        // [env], sorted by name
	Alias            map[string]Value[[]string]
	Sources          []Source   // [source.*]
	Registries       []Registry // [registries.*] and [registry]
	Profiles         []string   // names under [profile]
	Files            []string   // files that were read, relative to Root
	Outside          []string   // absolute paths of configurations above Root that cargo would have read and espalier does not
}

// EnvVar is one [env] entry.
type EnvVar struct {
	Name     string
	Value    string
	Force    bool
	Relative bool // Value is a path relative to the directory that holds .cargo
	Origin   Origin
}

// Source is one [source.<name>] table.
type Source struct {
	Name        string
	ReplaceWith string
	Registry    string
	LocalReg    string // local-registry
	Directory   string
	Git         string
	Ref         string
	Origin      Origin
}

// Registry is one [registries.<name>] table; Name is "" for [registry].
type Registry struct {
	Name   string
	Index  string
	Origin Origin
}
