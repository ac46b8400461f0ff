package project

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"espalier.dev/espalier/emu/defaultnet"
	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
)

// settings resolves all settings for p.Member, and with them cargo's
// configuration. Without a workspace the files of the project are missing.
func (o *opening) settings(p *Project) (Config, cargo.Config, error) {
	x, l, root := o.layers, o.Reader, p.Root
	c := Config{}
	if x.own != nil {
		c.Path = x.own.File()
	}
	f := o.opts.Flags
	c.Build.Package = x.str(spec{name: "build.package", env: "ESPALIER_PACKAGE", flag: "package", given: one(o.opts.Package)})
	c.Build.Bin = x.str(spec{name: "build.bin", env: "ESPALIER_BIN", flag: "bin", given: one(f.Bin)})
	c.Build.Example = x.str(spec{name: "build.example", env: "ESPALIER_EXAMPLE", flag: "example", given: one(f.Example)})
	c.Build.Profile = x.str(spec{name: "build.profile", env: "ESPALIER_PROFILE", flag: "profile", given: one(f.Profile), def: "release"})
	target := spec{name: "build.target", env: "ESPALIER_TARGET", flag: "target", given: one(f.Target), def: cargo.DefaultTarget}
	cc, err := o.targetOf(p, target)
	if err != nil {
		return c, cc, err
	}
	if cc.Target.V != "" {
		target.foreign = []raw{{words: []string{cc.Target.V}, origin: cc.Target.Origin}}
	}
	c.Build.Target = x.str(target)
	c.Build.Features = x.list(spec{name: "build.features", env: "ESPALIER_FEATURES", flag: "features", given: f.Features})
	c.Build.NoDefaultFeatures = x.boolean(spec{name: "build.no-default-features", env: "ESPALIER_NO_DEFAULT_FEATURES", flag: "no-default-features", given: oneBool(f.NoDefaultFeatures)})
	c.Build.AllFeatures = x.boolean(spec{name: "build.all-features", env: "ESPALIER_ALL_FEATURES", flag: "all-features", given: oneBool(f.AllFeatures)})
	c.Build.Include = x.list(spec{name: "build.include"})
	c.Secrets = x.secrets()
	c.Build.Env = x.buildEnv(c)
	c.NVS = x.nvs()
	c.Budget = x.budgets()

	flash, err := o.espflash(p)
	if err != nil {
		return c, cc, err
	}
	c.Image.FlashMode = x.oneOf(spec{name: "image.flash-mode", env: "ESPALIER_FLASH_MODE", flag: "flash-mode", given: one(f.FlashMode), foreign: flash["mode"]}, "qio", "qout", "dio", "dout")
	c.Image.FlashSize = x.oneOf(spec{name: "image.flash-size", env: "ESPALIER_FLASH_SIZE", flag: "flash-size", given: one(f.FlashSize), foreign: flash["size"]}, "1MB", "2MB", "4MB", "8MB", "16MB", "32MB", "64MB", "128MB")
	c.Image.FlashFreq = x.oneOf(spec{name: "image.flash-freq", env: "ESPALIER_FLASH_FREQ", flag: "flash-freq", given: one(f.FlashFreq), foreign: flash["frequency"]}, "20MHz", "26MHz", "40MHz", "80MHz")
	c.Image.PartitionTable = x.file(spec{name: "image.partition-table", env: "ESPALIER_PARTITION_TABLE", flag: "partition-table", given: one(f.PartitionTable), foreign: flash["partition_table"]}, l.Dir, root)
	c.Image.PartitionTableOffset = x.integer(spec{name: "image.partition-table-offset", flag: "partition-table-offset", foreign: flash["partition_table_offset"]}, 0, 1<<24)
	c.Image.TargetAppPartition = x.str(spec{name: "image.target-app-partition", flag: "target-app-partition", foreign: flash["target_app_partition"]})
	c.Image.Bootloader = x.file(spec{name: "image.bootloader", flag: "bootloader", foreign: flash["bootloader"]}, l.Dir, root)
	c.Image.MinChipRev = x.integer(spec{name: "image.min-chip-rev", flag: "min-chip-rev"}, 0, 9999)

	c.Run.Expect = x.list(spec{name: "run.expect", env: "ESPALIER_EXPECT", flag: "expect", given: f.Expect})
	c.Run.Fail = x.list(spec{name: "run.fail", env: "ESPALIER_FAIL", flag: "fail", given: f.Fail})
	var timeout, guest []string
	if f.Timeout != nil {
		timeout = []string{f.Timeout.String()}
	}
	if f.For != nil {
		guest = []string{f.For.String()}
	}
	c.Run.Timeout = x.duration(spec{name: "run.timeout", env: "ESPALIER_TIMEOUT", flag: "timeout", given: timeout})
	c.Run.For = x.duration(spec{name: "run.for", env: "ESPALIER_FOR", flag: "for", given: guest})
	c.Run.Log = x.str(spec{name: "run.log", env: "ESPALIER_LOG", flag: "log", given: one(f.Log)})
	c.Net.SSID = x.str(spec{name: "net.ssid", env: "ESPALIER_NET_SSID", foreign: append(x.nvsCredential(c, ssidRank), credential(cc.Env, c.Build.Env, ssidRank)...), def: defaultnet.SSID})
	c.Net.Passphrase = x.str(spec{name: "net.passphrase", env: "ESPALIER_NET_PASSPHRASE", foreign: append(x.nvsCredential(c, passphraseRank), credential(cc.Env, c.Build.Env, passphraseRank)...), def: defaultnet.Passphrase, hidden: true})
	c.Net.Channel = x.integer(spec{name: "net.channel", env: "ESPALIER_NET_CHANNEL", def: "1"}, 1, 13)
	c.Net.Mode = x.oneOf(spec{name: "net.mode", env: "ESPALIER_NET", flag: "net", given: one(f.Net), def: "isolated", renamed: map[string]string{"island": "isolated"}}, "isolated", "host", "none")
	c.Net.Hosts = x.list(spec{name: "net.hosts", flag: "host", given: f.Hosts})
	c.Net.Forward = x.list(spec{name: "net.forward", flag: "forward", given: f.Forward})
	c.Net.Serve = x.str(spec{name: "net.serve", flag: "serve", given: one(f.Serve)})
	c.Faults.Schedule = x.list(spec{name: "faults.schedule", flag: "fault", given: f.Faults})
	c.Faults.Seed = x.integer(spec{name: "faults.seed", env: "ESPALIER_SEED", flag: "seed", given: one(f.Seed), def: "1"}, 0, 1<<62)
	c.Board = x.board(one(f.Board), one(f.ChipRevision))
	c.Supply.RustDist = x.list(spec{name: "supply.rust-dist", env: "ESPALIER_RUST_DIST"})
	c.Supply.RustKeys = x.list(spec{name: "supply.rust-keys", env: "ESPALIER_RUST_KEYS"})
	c.Toolchain.Accept = x.oneOf(spec{name: "toolchain.accept", env: "ESPALIER_ACCEPT"}, "stable")
	c.Supply.Prefixes = x.list(spec{name: "supply.prefixes", env: "ESPALIER_SUPPLY_PREFIXES", flag: "supply-prefix"})
	c.Supply.Sources = x.sources()
	c.Store = o.storeDir(p)
	c.StoreLimit = o.storeLimit()
	c.Remote = o.remote()
	if c.Build.Bin.V != "" && c.Build.Example.V != "" && x.err == nil {
		// A binary in espalier.toml gives way to an example on the command line.
		switch rank(c.Build.Bin.Origin) - rank(c.Build.Example.Origin) {
		case 0:
			x.fail(fault.New(fault.Usage, "build.bin ("+l.Place(c.Build.Bin.Origin)+") and build.example ("+l.Place(c.Build.Example.Origin)+") exclude each other"))
		default:
			if rank(c.Build.Bin.Origin) < rank(c.Build.Example.Origin) {
				c.Build.Example = config.Value[string]{}
			} else {
				c.Build.Bin = config.Value[string]{}
			}
		}
	}
	c.settings = x.out
	if x.err != nil {
		return c, cc, l.Fault(x.err)
	}
	return c, cc, nil
}

// storeDir resolves [store] dir to an absolute path. A project's own file may
// place the store inside the project or in the user's cache only: a project
// that was cloned must not write, or read compilers from, anywhere else.
func (o *opening) storeDir(p *Project) config.Value[string] {
	x := o.layers
	s := spec{name: "store.dir", env: "ESPALIER_STORE", flag: "store", given: one(o.opts.Flags.Store)}
	if o.opts.CacheDir != "" {
		s.def = filepath.Join(o.opts.CacheDir, "espalier")
	}
	v := x.str(s)
	if v.V == "" {
		return v
	}
	base := o.Dir
	if filepath.IsAbs(v.Origin.File) {
		base = filepath.Dir(v.Origin.File)
	}
	v.V = config.Join(base, v.V)
	own := x.own != nil && v.Origin.File == x.own.File()
	if own && !config.Within(v.V, p.Workspace) && (o.opts.CacheDir == "" || !config.Within(v.V, o.opts.CacheDir)) {
		x.fail(fault.New(fault.Usage, o.Place(v.Origin)+": store.dir: "+filepath.ToSlash(v.V)+
			" is neither in the project nor in your cache directory", "export ESPALIER_STORE="+filepath.ToSlash(v.V)+"   # your own choice may be anywhere"))
	}
	return v
}

// storeLimit reads [store] limit. All projects of a user share the store, so a
// project's own file cannot set it.
func (o *opening) storeLimit() config.Value[int64] {
	x := o.layers
	v := x.str(spec{name: "store.limit", env: "ESPALIER_STORE_LIMIT", def: defaultStoreLimit})
	if x.own != nil && v.Origin.File == x.own.File() {
		x.fail(fault.New(fault.Usage, o.Place(v.Origin)+": store.limit is for all projects that share the store and belongs into the user's file",
			"export ESPALIER_STORE_LIMIT="+strconv.Quote(v.V)))
		return config.Value[int64]{}
	}
	n, err := parseSize(v.V)
	if err != nil {
		x.fail(fault.Wrap(fault.Usage, err, o.Place(v.Origin)+": store.limit"))
	}
	return config.NewValue(n, v.Origin)
}

// defaultStoreLimit is store.DefaultLimit.
const defaultStoreLimit = "10 GB"

// parseSize reads a size with a decimal unit, such as "10 GB"; "none" is 0.
func parseSize(s string) (int64, error) {
	bad := func() (int64, error) {
		return 0, fmt.Errorf("%q is not a size, such as \"10 GB\" or \"none\"", s)
	}
	if s == "none" {
		return 0, nil
	}
	for _, unit := range []struct {
		name  string
		bytes float64
	}{{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"GIB", 1 << 30}, {"MIB", 1 << 20}} {
		number, ok := strings.CutSuffix(strings.ToUpper(strings.TrimSpace(s)), unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if size := n * unit.bytes; err == nil && size >= 1e6 && size <= 1e18 {
			return int64(size), nil
		}
		return bad()
	}
	return bad()
}

// rank orders the layers: flag, environment, file.
func rank(o config.Origin) int {
	switch {
	case strings.HasPrefix(o.File, "flag "):
		return 0
	case strings.HasPrefix(o.File, "environment "):
		return 1
	}
	return 2
}

// targetOf reads cargo's configuration for the triple that a layer above it
// asks for, else for its own.
func (o *opening) targetOf(p *Project, s spec) (cargo.Config, error) {
	if o.workspace == nil {
		return cargo.Config{}, nil
	}
	probe := *o.layers
	probe.user = nil
	s.def = ""
	want := probe.str(s).V
	if probe.err != nil {
		return cargo.Config{}, o.Fault(probe.err)
	}
	return cargo.ReadConfig(o.Reader, p.WorkDir, p.Root, want)
}

func one(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func oneBool(b bool) []string {
	if !b {
		return nil
	}
	return []string{"true"}
}
