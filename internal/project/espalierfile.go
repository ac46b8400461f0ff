package project

import (
	"os"
	"path/filepath"
	"sort"
	"strings"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project/tomldoc"
)

// espalierTables are the tables of espalier.toml and their keys.
var espalierTables = []struct {
	name string
	keys []string
	user bool // allowed in the user file: does not change what is built
}{
	{"build", []string{"package", "bin", "example", "profile", "target", "features", "no-default-features", "all-features", "include", "env"}, false},
	{"image", []string{"flash-mode", "flash-size", "flash-freq", "partition-table", "partition-table-offset", "target-app-partition", "bootloader", "min-chip-rev"}, false},
	{"run", []string{"expect", "fail", "timeout", "for", "log"}, true},
	{"net", []string{"ssid", "passphrase", "channel", "mode", "hosts", "forward", "serve"}, true},
	{"faults", []string{"schedule", "seed"}, true},
	{"supply", []string{"prefixes", "source"}, true},
	{"store", []string{"dir"}, true},
}

// checkEspalier refuses unknown tables and keys, and in the user file those
// that would make the same project build differently for another person.
func checkEspalier(n *tomldoc.Node, user bool) error {
	if n == nil {
		return nil
	}
	r := &tomldoc.Reader{}
	var names []string
	for _, t := range espalierTables {
		names = append(names, t.name)
	}
	r.Known(n, "", names...)
	for _, t := range espalierTables {
		tab := r.Table(n, t.name)
		r.Known(tab, t.name, t.keys...)
		if tab != nil && user && !t.user {
			r.Fail(n.ErrorAt(n.KeyPos(t.name), "[%s] changes what is built and belongs into the project's %s, not into the user's", t.name, FileName))
		}
	}
	return r.Err()
}

// newLayers reads and checks the two files of espalier's own.
func (l *loader) newLayers(w *workspace, opts Options) (*layers, error) {
	x := &layers{l: l, lookup: opts.Lookup}
	if x.lookup == nil {
		x.lookup = func(string) (string, bool) { return "", false }
	}
	var err error
	if x.own, err = l.toml(filepath.Join(w.root.dir, FileName)); err != nil {
		return nil, err
	}
	if opts.UserFile != "" {
		if x.user, err = l.toml(opts.UserFile); err != nil {
			return nil, err
		}
	}
	if err := checkEspalier(x.own, false); err != nil {
		return nil, l.fault(err)
	}
	if err := checkEspalier(x.user, true); err != nil {
		return nil, l.fault(err)
	}
	return x, nil
}

// espalier resolves all settings. w.current is the member that is built; read
// gives cargo's configuration for a target that a higher layer wants.
func (l *loader) espalier(x *layers, w *workspace, root string, opts Options, read func(want string) (CargoConfig, error)) (Config, CargoConfig, error) {
	c := Config{}
	if x.own != nil {
		c.Path = x.own.File()
	}
	f := opts.Flags
	c.Build.Package = x.str(spec{name: "build.package", env: "ESPALIER_PACKAGE", flag: "package", given: one(opts.Package)})
	c.Build.Bin = x.str(spec{name: "build.bin", env: "ESPALIER_BIN", flag: "bin", given: one(f.Bin)})
	c.Build.Example = x.str(spec{name: "build.example", env: "ESPALIER_EXAMPLE", flag: "example", given: one(f.Example)})
	c.Build.Profile = x.str(spec{name: "build.profile", env: "ESPALIER_PROFILE", flag: "profile", given: one(f.Profile), def: "release"})
	target := spec{name: "build.target", env: "ESPALIER_TARGET", flag: "target", given: one(f.Target), def: DefaultTarget}
	cargo, err := l.targetOf(x, target, read)
	if err != nil {
		return c, cargo, err
	}
	if cargo.Target.V != "" {
		target.foreign = []raw{{words: []string{cargo.Target.V}, origin: cargo.Target.Origin}}
	}
	c.Build.Target = x.str(target)
	c.Build.Features = x.list(spec{name: "build.features", env: "ESPALIER_FEATURES", flag: "features", given: f.Features})
	c.Build.NoDefaultFeatures = x.boolean(spec{name: "build.no-default-features", env: "ESPALIER_NO_DEFAULT_FEATURES", flag: "no-default-features", given: oneBool(f.NoDefaultFeatures)})
	c.Build.AllFeatures = x.boolean(spec{name: "build.all-features", env: "ESPALIER_ALL_FEATURES", flag: "all-features", given: oneBool(f.AllFeatures)})
	c.Build.Include = x.list(spec{name: "build.include"})
	c.Build.Env = x.buildEnv()

	flash, err := l.espflash(w)
	if err != nil {
		return c, cargo, err
	}
	c.Image.FlashMode = x.oneOf(spec{name: "image.flash-mode", env: "ESPALIER_FLASH_MODE", flag: "flash-mode", given: one(f.FlashMode), foreign: flash["mode"]}, "qio", "qout", "dio", "dout")
	c.Image.FlashSize = x.oneOf(spec{name: "image.flash-size", env: "ESPALIER_FLASH_SIZE", flag: "flash-size", given: one(f.FlashSize), foreign: flash["size"]}, "1MB", "2MB", "4MB", "8MB", "16MB", "32MB", "64MB", "128MB")
	c.Image.FlashFreq = x.oneOf(spec{name: "image.flash-freq", env: "ESPALIER_FLASH_FREQ", flag: "flash-freq", given: one(f.FlashFreq), foreign: flash["frequency"]}, "20MHz", "26MHz", "40MHz", "80MHz")
	c.Image.PartitionTable = x.file(spec{name: "image.partition-table", env: "ESPALIER_PARTITION_TABLE", flag: "partition-table", given: one(f.PartitionTable), foreign: flash["partition_table"]}, l.dir, root)
	c.Image.PartitionTableOffset = x.integer(spec{name: "image.partition-table-offset", flag: "partition-table-offset", foreign: flash["partition_table_offset"]}, 0, 1<<24)
	c.Image.TargetAppPartition = x.str(spec{name: "image.target-app-partition", flag: "target-app-partition", foreign: flash["target_app_partition"]})
	c.Image.Bootloader = x.file(spec{name: "image.bootloader", flag: "bootloader", foreign: flash["bootloader"]}, l.dir, root)
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
	c.Net.SSID = x.str(spec{name: "net.ssid", env: "ESPALIER_NET_SSID", foreign: credential(cargo.Env, c.Build.Env, "SSID", "WIFI_SSID"), def: DefaultSSID})
	c.Net.Passphrase = x.str(spec{name: "net.passphrase", env: "ESPALIER_NET_PASSPHRASE", foreign: credential(cargo.Env, c.Build.Env, "PASSWORD", "PASSPHRASE", "WIFI_PASSWORD", "WIFI_PASSPHRASE", "WIFI_PASS", "WIFI_PSK"), def: DefaultPassphrase})
	c.Net.Channel = x.integer(spec{name: "net.channel", env: "ESPALIER_NET_CHANNEL", def: "1"}, 1, 13)
	c.Net.Mode = x.oneOf(spec{name: "net.mode", env: "ESPALIER_NET", flag: "net", given: one(f.Net), def: "isolated", renamed: map[string]string{"island": "isolated"}}, "isolated", "host", "none")
	c.Net.Hosts = x.list(spec{name: "net.hosts", flag: "host", given: f.Hosts})
	c.Net.Forward = x.list(spec{name: "net.forward", flag: "forward", given: f.Forward})
	c.Net.Serve = x.str(spec{name: "net.serve", flag: "serve", given: one(f.Serve)})
	c.Faults.Schedule = x.list(spec{name: "faults.schedule", flag: "fault", given: f.Faults})
	c.Faults.Seed = x.integer(spec{name: "faults.seed", env: "ESPALIER_SEED", flag: "seed", given: one(f.Seed), def: "1"}, 0, 1<<62)
	c.Supply.Prefixes = x.list(spec{name: "supply.prefixes", env: "ESPALIER_SUPPLY_PREFIXES", flag: "supply-prefix"})
	c.Supply.Sources = x.sources()
	c.Store = x.str(spec{name: "store.dir", env: "ESPALIER_STORE", flag: "store", given: one(f.Store)})
	if c.Store.V != "" {
		base := l.dir
		if filepath.IsAbs(c.Store.Origin.File) {
			base = filepath.Dir(c.Store.Origin.File)
		}
		c.Store.V = resolve(base, c.Store.V)
	}
	if c.Build.Bin.V != "" && c.Build.Example.V != "" && x.err == nil {
		// A binary in espalier.toml gives way to an example on the command line.
		switch rank(c.Build.Bin.Origin) - rank(c.Build.Example.Origin) {
		case 0:
			x.fail(fault.New(fault.Usage, "build.bin ("+l.place(c.Build.Bin.Origin)+") and build.example ("+l.place(c.Build.Example.Origin)+") exclude each other"))
		default:
			if rank(c.Build.Bin.Origin) < rank(c.Build.Example.Origin) {
				c.Build.Example = Value[string]{}
			} else {
				c.Build.Bin = Value[string]{}
			}
		}
	}
	c.settings = x.out
	if x.err != nil {
		return c, cargo, l.fault(l.relative(x.err))
	}
	return c, cargo, nil
}

// credential is what the firmware was built with: the first of several names
// that the project gives to env!().
func credential(cargo []EnvVar, own []BuildVar, names ...string) []raw {
	for _, name := range names {
		for _, v := range own {
			if v.Name == name && v.Set {
				return []raw{{words: []string{v.Value}, origin: v.Origin, hidden: v.Secret}}
			}
		}
		for _, v := range cargo {
			if v.Name == name && !v.Relative {
				return []raw{{words: []string{v.Value}, origin: v.Origin}}
			}
		}
	}
	return nil
}

// rank orders the layers: flag, environment, file.
func rank(o Origin) int {
	switch {
	case strings.HasPrefix(o.File, "flag "):
		return 0
	case strings.HasPrefix(o.File, "environment "):
		return 1
	}
	return 2
}

// place is an origin for a message while paths are still absolute.
func (l *loader) place(o Origin) string {
	if filepath.IsAbs(o.File) {
		o.File = l.show(o.File)
	}
	return o.String()
}

// relative shortens the absolute path at the front of a plain error.
func (l *loader) relative(err error) error {
	if f, rest, ok := strings.Cut(err.Error(), ":"); ok && filepath.IsAbs(f) {
		if _, isTOML := err.(*tomldoc.Error); !isTOML {
			return fault.New(fault.Usage, l.show(f)+":"+rest)
		}
	}
	return err
}

// targetOf finds the triple that cargo's configuration is read for: what a
// layer above it says, else its own.
func (l *loader) targetOf(x *layers, s spec, read func(want string) (CargoConfig, error)) (CargoConfig, error) {
	probe := *x
	probe.user = nil
	s.def = ""
	want := probe.str(s).V
	if probe.err != nil {
		return CargoConfig{}, l.fault(probe.err)
	}
	return read(want)
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

// buildEnv reads [build.env]. Values of from-env and secret come from the
// caller's environment at this moment; a secret is never part of an origin, a
// setting or a message.
func (x *layers) buildEnv() []BuildVar {
	t := x.own.Get("build", "env")
	if t == nil || x.err != nil {
		return nil
	}
	if t.Kind != tomldoc.Table {
		x.fail(t.Errorf("build.env: want a table, found %s", t.Kind))
		return nil
	}
	var out []BuildVar
	for _, k := range t.Keys {
		v := BuildVar{Name: k.Name, Origin: at(t.File(), k.Pos)}
		if why := reservedEnv(k.Name); why != "" {
			x.fail(t.ErrorAt(k.Pos, "build.env cannot set %s: %s", k.Name, why))
			return nil
		}
		r := &tomldoc.Reader{}
		shown := ""
		switch k.Value.Kind {
		case tomldoc.String:
			v.Value, v.Set = k.Value.Text, true
			shown = v.Value
		case tomldoc.Table:
			r.Known(k.Value, "build.env."+k.Name, "value", "from-env", "secret")
			v.FromEnv, v.Secret = r.Bool(k.Value, "from-env", false), r.Bool(k.Value, "secret", false)
			if n := k.Value.Get("value"); n != nil {
				v.Value, v.Set = r.String(k.Value, "value"), true
				if v.FromEnv || v.Secret {
					r.Fail(n.Errorf("build.env.%s: value excludes from-env and secret; a secret must not stand in a file", k.Name))
				}
				shown = v.Value
			} else if !v.FromEnv && !v.Secret {
				r.Fail(k.Value.Errorf("build.env.%s: want a string, {from-env = true} or {secret = true}", k.Name))
			} else {
				v.FromEnv = !v.Secret
				v.Value, v.Set = x.lookup(k.Name)
				if shown = v.Value; v.Secret {
					shown = "(secret)"
				}
				if !v.Set {
					shown = "(not set)"
				}
			}
		default:
			r.Fail(k.Value.Errorf("build.env.%s: want a string or a table, found %s", k.Name, k.Value.Kind))
		}
		if r.Err() != nil {
			x.fail(r.Err())
			return nil
		}
		x.out = append(x.out, Setting{Name: "build.env." + k.Name, Value: shown, Origin: v.Origin})
		out = append(out, v)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// reservedEnv says why a variable is not the project's to set.
func reservedEnv(name string) string {
	switch {
	case !envName.MatchString(name):
		return "a name has letters, digits and _ only"
	case name == "RUSTFLAGS" || name == "CARGO_ENCODED_RUSTFLAGS" || strings.HasPrefix(name, "CARGO_BUILD_") || strings.HasPrefix(name, "CARGO_TARGET_") || strings.HasPrefix(name, "CARGO_UNSTABLE_"):
		return "it would replace what .cargo/config.toml says; write it there"
	case name == "RUSTC_BOOTSTRAP":
		return "espalier sets it when the project asks for build-std"
	case name == "CARGO_HOME" || name == "HOME" || name == "PATH" || name == "TMPDIR" || name == "TZ" || strings.HasPrefix(name, "RUSTUP_"):
		return "the sandbox decides it"
	case name == "SOURCE_DATE_EPOCH":
		return "it stands in espalier.lock"
	}
	return ""
}

// sources reads [[supply.source]] of the project, then of the user.
func (x *layers) sources() []SupplySource {
	var out []SupplySource
	for _, n := range []*tomldoc.Node{x.own, x.user} {
		r := &tomldoc.Reader{}
		for _, t := range r.Tables(n.Get("supply"), "source") {
			r.Known(t, "supply.source", "uri", "suites", "components", "signed-by")
			s := SupplySource{URI: r.String(t, "uri"), Suites: r.Strings(t, "suites"), Components: r.Strings(t, "components"),
				SignedBy: r.String(t, "signed-by"), Origin: at(t.File(), t.Pos)}
			if r.Err() == nil && (s.URI == "" || len(s.Suites) == 0) {
				r.Fail(t.Errorf("[[supply.source]] needs uri and suites"))
			}
			if r.Err() == nil && !strings.Contains(s.URI, "://") {
				r.Fail(t.Get("uri").Errorf("uri %q: want an address with a scheme", s.URI))
			}
			if len(s.Components) == 0 {
				s.Components = []string{"main"}
			}
			if s.SignedBy != "" {
				s.SignedBy = resolve(filepath.Dir(t.File()), s.SignedBy)
				if _, err := os.Stat(s.SignedBy); err != nil {
					r.Fail(t.Get("signed-by").Errorf("signed-by: %s: %s", x.l.show(s.SignedBy), pathless(err)))
				}
			}
			out = append(out, s)
		}
		if r.Err() != nil {
			x.fail(r.Err())
		}
	}
	return out
}

// espflash collects what espflash.toml beside the member (else in its parent
// inside the project, else beside the workspace) and [package.metadata.espflash]
// say, by espflash's own key names.
func (l *loader) espflash(w *workspace) (map[string][]raw, error) {
	out := map[string][]raw{}
	take := func(t *tomldoc.Node, keys ...string) error {
		for _, k := range keys {
			n := t.Get(k)
			if n == nil {
				continue
			}
			r := raw{origin: at(n.File(), n.Pos), node: n}
			switch n.Kind {
			case tomldoc.String:
				r.words = []string{n.Text}
			case tomldoc.Integer:
				r.words = []string{n.Text}
			default:
				return n.Errorf("%s: want a string, found %s", k, n.Kind)
			}
			out[k] = append(out[k], r)
		}
		return nil
	}
	seen := map[string]bool{}
	for _, d := range []string{w.current.dir, filepath.Dir(w.current.dir), w.root.dir} {
		if seen[d] || !within(d, w.root.dir) {
			continue
		}
		seen[d] = true
		n, err := l.toml(filepath.Join(d, "espflash.toml"))
		if err != nil {
			return nil, err
		}
		if n == nil {
			continue
		}
		idf := n.Get("idf_format_args")
		if idf == nil {
			idf = n.Get("idf")
		}
		if err := take(idf, "bootloader", "partition_table", "partition_table_offset", "target_app_partition"); err != nil {
			return nil, l.fault(err)
		}
		if err := take(n.Get("flash"), "mode", "size", "frequency"); err != nil {
			return nil, l.fault(err)
		}
		break
	}
	if err := take(w.current.pkg.Get("metadata", "espflash"), "bootloader", "partition_table"); err != nil {
		return nil, l.fault(err)
	}
	return out, nil
}
