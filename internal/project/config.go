package project

import (
	"time"

	"espalier.dev/espalier/internal/board"
	"espalier.dev/espalier/internal/config"
)

// FileName is the name of espalier's own configuration, beside the workspace's
// Cargo.toml.
const FileName = "espalier.toml"

// Flags are settings from the command line; empty or nil means not given.
type Flags struct {
	Bin, Example, Profile, Target string
	Features                      []string
	NoDefaultFeatures             bool
	AllFeatures                   bool
	Expect, Fail                  []string
	Timeout, For                  *time.Duration
	Log                           string
	Net, Serve, Seed, Board       string
	ChipRevision                  string // of the emulated chip
	Hosts, Forward, Faults        []string
	PartitionTable                string // relative to the directory that is opened, or absolute
	FlashMode                     string
	FlashSize                     string
	FlashFreq                     string
	Store                         string
}

// Config is the effective configuration: flag, then environment (ESPALIER_*),
// then espalier.toml, then files of other tools that say the same
// (.cargo/config.toml, espflash.toml, [package.metadata.espflash]), then the
// user file, then the default.
type Config struct {
	Path      string // of espalier.toml relative to Root; empty when there is none
	Build     BuildConfig
	Image     ImageConfig
	Secrets   []Secret // [secret], sorted by name
	NVS       NVSConfig
	Budget    []Budget
	Run       RunConfig
	Net       NetConfig
	Faults    FaultConfig
	Board     *board.Board // [board]; nil when nothing names one
	Supply    SupplyConfig
	Toolchain ToolchainConfig
	Store     config.Value[string] // [store] dir, absolute; empty when there is no cache directory either

	// StoreLimit is [store] limit, in bytes; 0 is no limit.
	StoreLimit config.Value[int64]

	Remote RemoteConfig

	settings []Setting
}

// BuildConfig is [build].
type BuildConfig struct {
	Package           config.Value[string] // the workspace member to build
	Bin               config.Value[string]
	Example           config.Value[string]
	Profile           config.Value[string] // "release" by default
	Target            config.Value[string] // triple, or a specification file relative to Root
	Features          config.Value[[]string]
	NoDefaultFeatures config.Value[bool]
	AllFeatures       config.Value[bool]
	Include           config.Value[[]string] // ignored files that are inputs nevertheless, gitignore patterns
	Env               []BuildVar             // sorted by name
}

// BuildVar is one variable of [build.env], declared for the build step.
type BuildVar struct {
	Name     string
	Value    string // for from-env and secret: what the caller's environment had at Open
	Set      bool   // false: from-env or secret, and the environment has no such variable
	FromEnv  bool   // taken from the caller's environment, recorded
	Secret   bool   // never recorded, never shared
	From     string // of a secret: its name, see Config.Secret
	Caller   bool   // not declared: sources read it with env!(), see callerEnv
	Emulated bool   // Caller, and the value is a credential of the emulated network
	Origin   config.Origin
}

// ImageConfig is [image].
type ImageConfig struct {
	FlashMode            config.Value[string] // "qio", "qout", "dio", "dout"; empty: the bootloader's own
	FlashSize            config.Value[string] // "4MB"
	FlashFreq            config.Value[string] // "80MHz"
	PartitionTable       config.Value[string] // CSV or binary, relative to Root; empty: the default table
	PartitionTableOffset config.Value[int64]  // bytes; 0: where the default is
	TargetAppPartition   config.Value[string] // label
	Bootloader           config.Value[string] // relative to Root; empty: the locked one
	MinChipRev           config.Value[int64]  // major*100+minor
}

// RunConfig is [run].
type RunConfig struct {
	Expect  config.Value[[]string]      // text or /regex/
	Fail    config.Value[[]string]      // the same
	Timeout config.Value[time.Duration] // wall time; 0: none
	For     config.Value[time.Duration] // guest time; 0: no end
	Log     config.Value[string]        // file; relative to the directory that was opened
}

// NetConfig is [net]: the access point of the emulated board and its network. SSID and passphrase are those that the firmware is built with,
// where the project says them in [env] or [build.env].
type NetConfig struct {
	SSID       config.Value[string]
	Passphrase config.Value[string]   // empty: an open network
	Channel    config.Value[int64]    // of the 2.4 GHz band
	Mode       config.Value[string]   // "isolated", "host", "none"
	Hosts      config.Value[[]string] // name=address
	Forward    config.Value[[]string] // [address:]port:port of the guest
	Serve      config.Value[string]   // directory; relative to the directory that was opened
}

// FaultConfig is [faults]: the faults to inject into the emulated network.
type FaultConfig struct {
	Schedule config.Value[[]string] // as docs/network.md describes it
	Seed     config.Value[int64]
}

// ToolchainConfig is [toolchain]: what rust-toolchain.toml cannot say.
type ToolchainConfig struct {
	Accept config.Value[string] // "stable": a stable compiler will do although the toolchain file asks for a nightly
}

// SupplyConfig is [supply].
type SupplyConfig struct {
	RustDist config.Value[[]string] // servers of the Rust distribution, asked before RUSTUP_DIST_SERVER
	RustKeys config.Value[[]string] // files with OpenPGP keys that must have signed its channel manifests
	Prefixes config.Value[[]string] // base URLs under which location-independent paths are looked up, in order
	Sources  []SupplySource         // [[supply.source]], the project's before the user's
}

// RemoteConfig is [remote]: a shared cache, and a cluster that runs steps. It is
// the user's own setting.
type RemoteConfig struct {
	Cache       config.Value[string] // address; empty: none
	Execute     config.Value[string] // address of the cluster; empty: steps run here
	Runner      config.Value[string] // espalier for the machines of the cluster; empty: this program
	Instance    config.Value[string] // the server's name of the cache
	Mode        config.Value[string] // "read", "read-write"
	TokenFile   config.Value[string] // absolute, as all files; its first line is sent with every request
	TokenHeader config.Value[string] // HTTP header; empty: Authorization
	CA          config.Value[string] // PEM
	Certificate config.Value[string] // PEM, of the client
	Key         config.Value[string] // PEM
}

// SupplySource is one [[supply.source]]: a package archive, in the terms of
// deb822.
type SupplySource struct {
	URI        string
	Suites     []string
	Components []string // "main" when not given
	SignedBy   string   // absolute path of a keyring; empty: the built-in keys
	Origin     config.Origin
}

// Setting is one line of Config.Explain: a value, where it came from and what
// it hides.
type Setting struct {
	Name   string          `json:"name"`          // "build.profile"
	Env    string          `json:"env,omitempty"` // "ESPALIER_PROFILE"
	Value  string          `json:"value"`         // secrets never appear
	Origin config.Origin   `json:"origin"`
	Hidden []config.Origin `json:"hidden,omitempty"` // lower layers that set it too
}

// Explain lists every setting in a fixed order with its value and its origin.
func (c Config) Explain() []Setting { return append([]Setting(nil), c.settings...) }
