package cargo

import (
	"os"
	"path/filepath"
	"sort"
	"strings"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/tomldoc"
)

// crateRoot is a target before its path is relative.
type crateRoot struct {
	name string
	path string // relative to the package, slash-separated, clean
	toml *tomldoc.Node
}

// ownPackage reads what cargo makes of a manifest: fields and crate roots by
// the rules of target auto-discovery (Cargo book, "Cargo Targets"). Paths are
// absolute until finish.
func (l *loader) ownPackage(m *manifest) (Package, error) {
	r := &tomldoc.Reader{}
	p := Package{
		Name:        m.name(),
		Version:     m.text(r, "version", "0.0.0").V,
		Edition:     m.text(r, "edition", "2015").V,
		RustVersion: m.text(r, "rust-version", ""),
		Dir:         m.dir,
		Manifest:    m.path,
		Links:       r.String(m.pkg, "links"),
		DefaultRun:  r.String(m.pkg, "default-run"),
	}
	if r.Err() != nil {
		return p, l.Fault(r.Err())
	}
	if f := m.toml.Get("features"); f != nil && f.Kind == tomldoc.Table {
		p.Features = map[string][]string{}
		for _, k := range f.Keys {
			p.Features[k.Name] = r.Strings(f, k.Name)
		}
	}
	deps, err := m.depend()
	if err != nil {
		return p, l.Fault(err)
	}
	p.Depends = deps
	lib, err := m.lib(p)
	if err != nil {
		return p, l.Fault(err)
	}
	if lib != nil {
		p.Targets = append(p.Targets, *lib)
	}
	for _, k := range []struct{ kind, key, auto, dir string }{
		{KindBin, "bin", "autobins", "src/bin"},
		{KindExample, "example", "autoexamples", "examples"},
		{KindTest, "test", "autotests", "tests"},
		{KindBench, "bench", "autobenches", "benches"},
	} {
		ts, err := m.roots(p, k.kind, k.key, k.auto, k.dir, lib != nil)
		if err != nil {
			return p, l.Fault(err)
		}
		p.Targets = append(p.Targets, ts...)
	}
	scripts, err := m.buildScripts()
	if err != nil {
		return p, l.Fault(err)
	}
	for i, script := range scripts {
		if i == 0 {
			p.Build = filepath.Join(m.dir, filepath.FromSlash(script))
		}
		stem := strings.TrimSuffix(filepath.Base(script), filepath.Ext(script))
		p.Targets = append(p.Targets, Target{Kind: KindCustomBuild, Name: "build-script-" + stem,
			Path: filepath.Join(m.dir, filepath.FromSlash(script)), CrateTypes: []string{"bin"}, Edition: p.Edition})
	}
	for i := range p.Targets {
		p.Targets[i].Package = p.Name
	}
	if r.Err() != nil {
		return p, l.Fault(r.Err())
	}
	return p, nil
}

// auto reads package.auto<kind>; set is false when it is absent.
func (m *manifest) auto(key string) (on, set bool) {
	n := m.pkg.Get(key)
	if n == nil || n.Kind != tomldoc.Bool {
		return true, false
	}
	return n.Bool, true
}

func (m *manifest) lib(p Package) (*Target, error) {
	r := &tomldoc.Reader{}
	t := r.Table(m.toml, "lib")
	if r.Err() != nil {
		return nil, r.Err()
	}
	found := config.IsFile(filepath.Join(m.dir, "src", "lib.rs"))
	on, _ := m.auto("autolib")
	if t == nil && (!found || !on) {
		return nil, nil
	}
	name := r.String(t, "name")
	if name == "" {
		name = strings.ReplaceAll(p.Name, "-", "_")
	}
	path := r.String(t, "path")
	if path == "" {
		path = "src/lib.rs"
		if legacy := "src/" + name + ".rs"; !found && p.Edition == "2015" && config.IsFile(filepath.Join(m.dir, filepath.FromSlash(legacy))) {
			path = legacy
		} else if !found {
			return nil, t.Errorf("can't find library %q: no src/lib.rs and no lib.path", name)
		}
	}
	out, err := m.target(p, KindLib, crateRoot{name, path, t})
	if err != nil {
		return nil, err
	}
	if len(out.CrateTypes) == 0 {
		out.CrateTypes = []string{"lib"}
	}
	return &out, r.Err()
}

// roots are the targets of one kind, declared and discovered, sorted by name.
func (m *manifest) roots(p Package, kind, key, autoKey, dir string, hasLib bool) ([]Target, error) {
	r := &tomldoc.Reader{}
	declared := r.Tables(m.toml, key)
	auto, set := m.auto(autoKey)
	if r.Err() != nil {
		return nil, r.Err()
	}
	inferred := discover(m.dir, dir)
	if kind == KindBin && config.IsFile(filepath.Join(m.dir, "src", "main.rs")) {
		inferred = append([]crateRoot{{name: p.Name, path: "src/main.rs"}}, inferred...)
	}
	var all []crateRoot
	names, paths := map[string]bool{}, map[string]bool{}
	for _, t := range declared {
		c := crateRoot{r.String(t, "name"), r.String(t, "path"), t}
		if r.Err() != nil {
			return nil, r.Err()
		}
		if c.name == "" {
			return nil, t.Errorf("[[%s]] has no name", key)
		}
		if names[c.name] {
			return nil, t.Errorf("[[%s]] %q appears twice", key, c.name)
		}
		names[c.name] = true
		if c.path != "" {
			paths[plainPath(c.path)] = true
		}
		all = append(all, c)
	}
	if m.toml.Get(key) != nil && !set && p.Edition == "2015" {
		auto = false // edition 2015: a declared target switches discovery off
	}
	for _, c := range inferred {
		if auto && !names[c.name] && !paths[plainPath(c.path)] {
			all = append(all, c)
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].name < all[j].name })
	var out []Target
	for _, c := range all {
		if c.path == "" {
			var err error
			if c.path, err = m.rootPath(p, kind, c, inferred, hasLib); err != nil {
				return nil, err
			}
			if c.path == "" {
				continue
			}
		}
		t, err := m.target(p, kind, c)
		if err != nil {
			return nil, err
		}
		if len(t.CrateTypes) == 0 {
			t.CrateTypes = []string{"bin"}
		}
		out = append(out, t)
	}
	return out, nil
}

// plainPath drops "." components, which cargo does not see when it compares
// paths; ".." it does see.
func plainPath(p string) string {
	var out []string
	for _, c := range strings.Split(p, "/") {
		if c != "." && c != "" {
			out = append(out, c)
		}
	}
	return strings.Join(out, "/")
}

// rootPath finds the file of a declared target that names none. Like cargo
// (1.95) it leaves out a test, bench or example without a file, which published
// crates often declare; only a binary has to be there.
func (m *manifest) rootPath(p Package, kind string, c crateRoot, inferred []crateRoot, hasLib bool) (string, error) {
	var hits []string
	for _, i := range inferred {
		if i.name == c.name {
			hits = append(hits, i.path)
		}
	}
	if len(hits) == 1 {
		return hits[0], nil
	}
	if p.Edition == "2015" {
		var legacy []string
		switch {
		case kind == KindBin && !hasLib:
			legacy = []string{"src/" + c.name + ".rs", "src/main.rs", "src/bin/main.rs"}
		case kind == KindBin:
			legacy = []string{"src/main.rs", "src/bin/main.rs"}
		case kind == KindBench && c.name == "bench":
			legacy = []string{"src/bench.rs"}
		}
		for _, f := range legacy {
			if config.IsFile(filepath.Join(m.dir, filepath.FromSlash(f))) {
				return f, nil
			}
		}
	}
	if len(hits) > 1 {
		return "", c.toml.Errorf("cannot infer the path of %s %q: both %s and %s exist; set path", kind, c.name, hits[0], hits[1])
	}
	if kind != KindBin {
		return "", nil
	}
	return "", c.toml.Errorf("can't find %s %q: no file at the default places and no path", kind, c.name)
}

func (m *manifest) target(p Package, kind string, c crateRoot) (Target, error) {
	r := &tomldoc.Reader{}
	t := Target{Kind: kind, Name: c.name, Path: filepath.Join(m.dir, filepath.FromSlash(c.path)), Edition: p.Edition,
		Harness: true, Test: kind == KindLib || kind == KindBin || kind == KindTest}
	if filepath.IsAbs(filepath.FromSlash(c.path)) {
		t.Path = filepath.Clean(filepath.FromSlash(c.path))
	}
	if c.toml != nil {
		t.RequiredFeatures = r.Strings(c.toml, "required-features")
		if e := r.String(c.toml, "edition"); e != "" {
			t.Edition = e
		}
		if n := c.toml.Get("harness"); n != nil && n.Kind == tomldoc.Bool {
			t.Harness = n.Bool
		}
		if n := c.toml.Get("test"); n != nil && n.Kind == tomldoc.Bool {
			t.Test = n.Bool
		}
		if n := either(c.toml, "proc-macro"); n != nil {
			t.ProcMacro = n.Kind == tomldoc.Bool && n.Bool
		}
		if n := either(c.toml, "crate-type"); n != nil && n.Kind == tomldoc.Array && (kind == KindLib || kind == KindExample) {
			for _, e := range n.Elem {
				t.CrateTypes = append(t.CrateTypes, e.Text)
				t.ProcMacro = t.ProcMacro || e.Text == "proc-macro"
			}
		}
	}
	if kind == KindLib && t.ProcMacro && len(t.CrateTypes) == 0 {
		t.CrateTypes = []string{"proc-macro"}
	}
	return t, r.Err()
}

// buildScripts are the paths of the build script, relative to the package.
// Several are an unstable feature of cargo.
func (m *manifest) buildScripts() ([]string, error) {
	n := m.pkg.Get("build")
	found := config.IsFile(filepath.Join(m.dir, "build.rs"))
	switch {
	case n == nil && found, n != nil && n.Kind == tomldoc.Bool && n.Bool:
		return []string{"build.rs"}, nil
	case n == nil, n.Kind == tomldoc.Bool:
		return nil, nil
	case n.Kind == tomldoc.String:
		return []string{n.Text}, nil
	case n.Kind == tomldoc.Array:
		r := &tomldoc.Reader{}
		return r.Strings(m.pkg, "build"), r.Err()
	}
	return nil, n.Errorf("package.build: want a string or false, found %s", n.Kind)
}

// discover lists the crate roots in a directory: <name>.rs and <name>/main.rs,
// nothing whose name starts with a dot. A link to a directory is not followed.
func discover(pkg, dir string) []crateRoot {
	entries, err := os.ReadDir(filepath.Join(pkg, filepath.FromSlash(dir)))
	if err != nil {
		return nil
	}
	var out []crateRoot
	for _, e := range entries {
		name := e.Name()
		switch {
		case strings.HasPrefix(name, "."):
		case e.IsDir():
			if config.IsFile(filepath.Join(pkg, filepath.FromSlash(dir), name, "main.rs")) {
				out = append(out, crateRoot{name: name, path: dir + "/" + name + "/main.rs"})
			}
		case strings.HasSuffix(name, ".rs"):
			out = append(out, crateRoot{name: strings.TrimSuffix(name, ".rs"), path: dir + "/" + name})
		}
	}
	return out
}
