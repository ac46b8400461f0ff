package cargo

import (
	"path"
	"path/filepath"
	"sort"
	"strings"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/tomldoc"
)

// DefaultTarget is the chip's triple, for projects that name none.
const DefaultTarget = "riscv32imc-unknown-none-elf"

// HostTriple is the machine that build scripts and procedural macros run on: that of
// every step.
const HostTriple = "x86_64-unknown-linux-gnu"

// Config is what the project's .cargo/config.toml files mean, after
// includes and the discovery order of cargo's hierarchy inside the input tree.
type Config struct {
	Target           config.Value[string]   // build.target; the only one that can be meant
	TargetIsFile     bool                   // it names a target specification file (*.json), relative to Root
	BuildStd         config.Value[[]string] // unstable.build-std
	BuildStdText     bool                   // unstable.build-std is a string
	BuildStdFeatures config.Value[[]string] // unstable.build-std-features
	Rustflags        config.Value[[]string] // the effective ones for Target, by cargo's precedence
	RustflagsTable   string                 // where they live: "build", "target", or "" when there are none
	Linker           config.Value[string]   // the effective one for Target: a name, or a path: absolute, or "./" and relative to Root
	HostLinker       config.Value[string]   // of build scripts and procedural macros, the same; unset as a rule
	Runner           config.Value[[]string] // words
	TargetDir        config.Value[string]   // build.target-dir, relative to Root or absolute
	Machine          []string               // keys of [build] that name compilers, wrappers or directories of a machine
	Env              []EnvVar               // [env], sorted by name
	Alias            map[string]config.Value[[]string]
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
	Origin   config.Origin
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
	Origin      config.Origin
}

// Registry is one [registries.<name>] table; Name is "" for [registry].
type Registry struct {
	Name   string
	Index  string
	Origin config.Origin
}

// ReadConfig reads the configuration that cargo would use when it starts in
// dir, from the files between dir and root. want is a target that a flag or
// another file asks for; empty is build.target.
func ReadConfig(r *config.Reader, dir, root, want string) (Config, error) {
	l := configReader{r}
	v, files, outside, err := l.files(dir, root)
	if err != nil {
		return Config{}, err
	}
	c := Config{Files: files, Outside: outside}
	l.noteOutside(outside)
	if v == nil {
		return c, nil
	}
	tr := &tomldoc.Reader{}
	if err := c.buildTarget(v, want, tr); err != nil {
		return c, l.Fault(err)
	}
	if err := ownPaths(v); err != nil {
		return c, l.Fault(err, "move it to [patch] in the workspace's Cargo.toml")
	}
	triple := want
	if triple == "" {
		triple = c.Target.V
	}
	if triple == "" {
		triple = DefaultTarget
	}
	c.BuildStd = v.get("unstable", "build-std").commaList(tr, "unstable.build-std")
	if s := v.get("unstable", "build-std"); s != nil {
		c.BuildStdText = s.node.Kind == tomldoc.String
	}
	c.BuildStdFeatures = v.get("unstable", "build-std-features").commaList(tr, "unstable.build-std-features")
	c.TargetDir = v.get("build", "target-dir").str(tr, "build.target-dir")
	if c.TargetDir.V != "" && !filepath.IsAbs(c.TargetDir.V) {
		c.TargetDir.V = filepath.Join(v.get("build", "target-dir").relativeTo(), filepath.FromSlash(c.TargetDir.V))
	}
	for _, key := range machineKeys {
		if s := v.get("build", key).str(tr, "build."+key); s.V != "" {
			c.Machine = append(c.Machine, key)
			l.Note(s.Origin, "build."+key+" "+s.V+" does not apply: a build has the locked compiler, and its own directories")
		}
	}
	l.perTarget(&c, v, triple, tr)
	for _, t := range matchingTables(v.get("target"), HostTriple, targetCfg(HostTriple)) {
		if s := t.get("linker").program(tr, "target.linker"); c.HostLinker.Origin.IsZero() {
			c.HostLinker = s
		}
	}
	c.Env = envTable(v.get("env"), tr)
	c.Alias = map[string]config.Value[[]string]{}
	if t := v.get("alias"); t != nil {
		for _, k := range sortedKeys(t.table) {
			c.Alias[k] = t.table[k].words(tr, "alias."+k)
		}
	}
	c.sources(v, tr)
	if t := v.get("profile"); t != nil {
		c.Profiles = sortedKeys(t.table)
	}
	if tr.Err() != nil {
		return c, l.Fault(tr.Err())
	}
	return c, nil
}

// machineKeys are the keys of [build] that name what a machine has besides its
// toolchain, such as a compiler cache.
var machineKeys = [...]string{"rustc", "rustc-wrapper", "rustc-workspace-wrapper", "build-dir"}

// ownPaths refuses sources that the configuration brings in by path: they would
// be the user's own packages without being in any manifest, so neither the lock
// nor the input tree would have them.
func ownPaths(v *configValue) error {
	if p := v.get("paths"); p != nil {
		return p.node.Errorf("paths: overrides by path are not supported")
	}
	for _, what := range sortedKeys(v.get("patch").tableOrNil()) {
		for _, name := range sortedKeys(v.get("patch", what).tableOrNil()) {
			if p := v.get("patch", what, name, "path"); p != nil {
				return p.node.Errorf("patch.%s.%s: a path in cargo's configuration is not supported", what, name)
			}
		}
	}
	return nil
}

// buildTarget reads build.target, a string or a list of which one can be meant.
func (c *Config) buildTarget(v *configValue, want string, r *tomldoc.Reader) error {
	t := v.get("build", "target")
	if t == nil {
		return nil
	}
	list := t.words(r, "build.target")
	if r.Err() != nil {
		return r.Err()
	}
	switch {
	case len(list.V) == 0:
		return nil
	case len(list.V) == 1:
		c.Target = config.NewValue(list.V[0], list.Origin)
	default:
		for _, s := range list.V {
			if s == DefaultTarget || s == want {
				c.Target = config.NewValue(s, list.Origin)
			}
		}
		if c.Target.V == "" && want == "" {
			return t.node.Errorf("build.target names several targets (%s); choose one with --target", strings.Join(list.V, ", "))
		}
	}
	if strings.HasSuffix(c.Target.V, ".json") {
		c.TargetIsFile = true
		if !filepath.IsAbs(c.Target.V) {
			c.Target.V = filepath.Join(t.relativeTo(), filepath.FromSlash(c.Target.V))
		}
	}
	return nil
}

// perTarget finds rustflags, linker and runner by cargo's precedence: all
// [target.<triple>] and matching [target.'cfg(…)'] flags joined, the latter in
// the order of their keys; [build] rustflags only when those are empty.
func (l configReader) perTarget(c *Config, v *configValue, triple string, r *tomldoc.Reader) {
	name := triple
	if strings.HasSuffix(name, ".json") {
		name = strings.TrimSuffix(filepath.Base(name), ".json")
	}
	build := v.get("build", "rustflags").words(r, "build.rustflags")
	set := targetCfg(name)
	// Flags may add to the set that selects flags; cargo asks the compiler
	// again with the flags found and stops when nothing changes.
	for round := 0; round < 2; round++ {
		tables := matchingTables(v.get("target"), name, set)
		var flags config.Value[[]string]
		c.Linker, c.Runner = config.Value[string]{}, config.Value[[]string]{}
		for _, t := range tables {
			f := t.get("rustflags").words(r, "target.rustflags")
			if len(f.V) > 0 {
				flags.V, flags.Origin = append(flags.V, f.V...), f.Origin
			}
			if s := t.get("linker").program(r, "target.linker"); c.Linker.Origin.IsZero() {
				c.Linker = s
			}
			if s := t.get("runner").words(r, "target.runner"); c.Runner.Origin.IsZero() {
				c.Runner = s
			}
		}
		c.Rustflags, c.RustflagsTable = flags, "target"
		if len(flags.V) == 0 {
			c.Rustflags, c.RustflagsTable = build, "build"
		}
		if len(c.Rustflags.V) == 0 {
			c.RustflagsTable = ""
		}
		set = targetCfg(name).with(c.Rustflags.V)
	}
	for _, key := range sortedKeys(v.get("target").tableOrNil()) {
		if strings.HasPrefix(key, "cfg(") {
			if _, err := matchCfg(key, set); err != nil {
				l.Note(config.At(v.get("target").table[key].node.File(), v.get("target").keys[key]), "[target."+key+"] never applies: "+err.Error())
			}
		}
	}
	if s := codegenOption(c.Rustflags.V, "linker"); s != "" && (path.IsAbs(s) || !strings.Contains(s, "/")) { // after cargo's own flag, so it wins
		c.Linker = config.NewValue(s, c.Rustflags.Origin)
	}
	if c.RustflagsTable == "target" && len(build.V) > 0 {
		l.Note(build.Origin, "[build] rustflags do not apply: "+c.Rustflags.Origin.String()+" sets rustflags for the target, and cargo takes those alone")
	}
}

// codegenOption is the last value of an option of rustc's -C in flags, "" without.
func codegenOption(flags []string, name string) string {
	value, next := "", false
	for _, f := range flags {
		option := f
		if !next {
			if f == "-C" || f == "--codegen" {
				next = true
				continue
			}
			var ok bool
			if option, ok = strings.CutPrefix(f, "--codegen="); !ok {
				if option, ok = strings.CutPrefix(f, "-C"); !ok {
					continue
				}
			}
		}
		next = false
		if v, ok := strings.CutPrefix(option, name+"="); ok {
			value = v
		}
	}
	return value
}

// matchingTables are the [target] tables that apply: the triple's, then the
// cfg ones sorted by key.
func matchingTables(target *configValue, name string, set cfgSet) []*configValue {
	var out []*configValue
	if t := target.get(name); t != nil {
		out = append(out, t)
	}
	for _, key := range sortedKeys(target.tableOrNil()) {
		if strings.HasPrefix(key, "cfg(") {
			if ok, err := matchCfg(key, set); ok && err == nil {
				out = append(out, target.table[key])
			}
		}
	}
	return out
}

func (v *configValue) tableOrNil() map[string]*configValue {
	if v == nil {
		return nil
	}
	return v.table
}

// commaList is a list; a string is a comma-separated list.
func (v *configValue) commaList(r *tomldoc.Reader, key string) config.Value[[]string] {
	if v != nil && v.node.Kind == tomldoc.String {
		return config.NewValue(strings.FieldsFunc(v.node.Text, func(c rune) bool { return c == ',' || c == ' ' }), v.origin())
	}
	return v.words(r, key)
}

// envTable reads [env]. The three names are refused as cargo refuses them.
func envTable(t *configValue, r *tomldoc.Reader) []EnvVar {
	var out []EnvVar
	for _, name := range sortedKeys(t.tableOrNil()) {
		v := t.table[name]
		where := config.At(v.node.File(), t.keys[name])
		e := EnvVar{Name: name, Origin: where}
		switch {
		case name == "CARGO_HOME" || name == "RUSTUP_HOME" || name == "RUSTUP_TOOLCHAIN":
			r.Fail(v.node.ErrorAt(t.keys[name], "[env] cannot set %s; cargo refuses it", name))
		case v.table != nil:
			if v.get("value") == nil {
				r.Fail(v.node.Errorf("env.%s: the table has no value", name))
			}
			e.Value = v.get("value").str(r, "env."+name+".value").V
			e.Force = v.get("force").boolean(r, "env."+name+".force")
			e.Relative = v.get("relative").boolean(r, "env."+name+".relative")
		default:
			e.Value = v.str(r, "env."+name).V
		}
		out = append(out, e)
	}
	return out
}

func (c *Config) sources(v *configValue, r *tomldoc.Reader) {
	src := v.get("source")
	for _, name := range sortedKeys(src.tableOrNil()) {
		t := src.table[name]
		s := Source{Name: name, Origin: config.At(t.node.File(), src.keys[name])}
		s.ReplaceWith = t.get("replace-with").str(r, "source.replace-with").V
		s.Registry = t.get("registry").str(r, "source.registry").V
		s.LocalReg = t.get("local-registry").str(r, "source.local-registry").V
		s.Directory = t.get("directory").str(r, "source.directory").V
		s.Git = t.get("git").str(r, "source.git").V
		for _, ref := range []string{"rev", "tag", "branch"} {
			if x := t.get(ref).str(r, "source."+ref).V; x != "" {
				s.Ref = ref + "=" + x
			}
		}
		c.Sources = append(c.Sources, s)
	}
	regs := v.get("registries")
	for _, name := range sortedKeys(regs.tableOrNil()) {
		t := regs.table[name]
		c.Registries = append(c.Registries, Registry{name, t.get("index").str(r, "registries.index").V, config.At(t.node.File(), regs.keys[name])})
	}
	if t := v.get("registry"); t.get("default") != nil {
		d := t.get("default")
		c.Registries = append(c.Registries, Registry{"", d.str(r, "registry.default").V, d.origin()})
	}
}

// noteOutside names configurations above the input tree that would have
// changed the build had cargo been called by hand.
func (l configReader) noteOutside(paths []string) {
	for _, p := range paths {
		n, err := l.TOML(p)
		if err != nil || n == nil {
			continue
		}
		if keys := changing(n); len(keys) > 0 {
			l.Note(config.Origin{File: p}, "outside the project and not applied: "+strings.Join(keys, ", ")+"; copy what the build needs into the project's .cargo/config.toml")
		}
	}
}

// changing lists the tables of a configuration that change a build.
func changing(n *tomldoc.Node) []string {
	var keys []string
	for _, k := range []string{"build", "target", "env", "unstable", "profile", "patch", "paths", "include", "source", "registries", "registry"} {
		if n.Get(k) != nil {
			keys = append(keys, "["+k+"]")
		}
	}
	return keys
}

// ConfigAbove is the outermost directory between dir and top whose
// configuration changes a build of the packages in dir, else dir: in a
// repository such a file belongs to every clone. The directory that is the
// user's CARGO_HOME (a home directory can be a repository) does not count.
func ConfigAbove(r *config.Reader, dir, top string) (string, error) {
	l, out := configReader{r}, dir
	for _, d := range config.Parents(dir) {
		if d == dir || !config.Within(d, top) {
			continue
		}
		if home := filepath.Join(d, ".cargo"); config.IsDir(filepath.Join(home, "registry")) || config.IsDir(filepath.Join(home, "bin")) {
			continue
		}
		plain, suffixed := filepath.Join(d, ".cargo", "config"), filepath.Join(d, ".cargo", "config.toml")
		for _, path := range []string{plain, suffixed} {
			if !config.IsFile(path) {
				continue
			}
			n, err := l.TOML(path)
			if err != nil {
				return "", l.Fault(err)
			}
			if n != nil && len(changing(n)) > 0 {
				out = d
			}
		}
	}
	return out, nil
}

// configReader reads the files of the hierarchy.
type configReader struct{ *config.Reader }

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
