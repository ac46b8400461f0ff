package project

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
)

// EnvUse is one env!("X") or option_env!("X") in own sources.
type EnvUse struct {
	cargo.EnvMacro
	Origin   config.Origin // of the macro's name
	Package  string
	Declared string // what declares it: "cargo", "espalier.toml", ".cargo/config.toml", "build script"; empty: nothing
}

// ScanEnv finds the variables that own sources read when they are compiled, in
// the order of files and lines. Sources are those of Package and of its path
// dependencies, without tests, benches and the binaries and examples that are
// not built; code under #[cfg(test)] does not count.
func (p *Project) ScanEnv() ([]EnvUse, error) { return p.scanEnv(false) }

// scanEnv is ScanEnv; with all, binaries and examples that are not built count.
func (p *Project) scanEnv(all bool) ([]EnvUse, error) {
	var out []EnvUse
	var target cargo.Target
	if !all {
		target, _ = p.Artifact()
	}
	for _, own := range p.Compiled() {
		decl, err := p.declarations(own)
		if err != nil {
			return nil, err
		}
		for _, f := range p.sources(own, target, all) {
			b, err := os.ReadFile(filepath.Join(p.Root, filepath.FromSlash(f)))
			if err != nil {
				return nil, config.Failf(nil, "reading %s: %w", f, config.Pathless(err))
			}
			for _, m := range cargo.EnvMacros(b) {
				out = append(out, EnvUse{m, config.Origin{File: f, Line: m.Line, Col: m.Col}, own.Name, decl.who(m.Name)})
			}
		}
	}
	return out, nil
}

// CheckEnv is a fault of kind Usage when own sources need a variable that
// nothing declares; its hints are the lines to add. A missing option_env! is
// no fault, nor is a use whose #[cfg] cannot be decided.
func (p *Project) CheckEnv() error {
	uses, err := p.ScanEnv()
	if err != nil {
		return err
	}
	var first *EnvUse
	var names, more []string
	seen := map[string]bool{}
	for _, u := range uses {
		if u.Optional || u.Conditional || u.Declared != "" || seen[u.Name] {
			continue
		}
		seen[u.Name] = true
		names = append(names, u.Name)
		if first == nil {
			first = &u
		} else {
			more = append(more, u.Name+" at "+u.Origin.String())
		}
	}
	if first == nil {
		return nil
	}
	text := first.Origin.String() + ": env!(" + quoted(first.Name) + ") needs a value when it is compiled, and nothing declares " + first.Name
	if len(more) > 0 {
		text += "; nor " + strings.Join(more, ", ")
	}
	return fault.New(fault.Usage, text, append(p.declareHints(names), strings.Join(names, "=… ")+"=… espalier run   # values from the environment")...)
}

// CheckEnvValues is a fault of kind Usage when a variable that espalier.toml
// takes from the environment is not set. A lock does not need the values, a
// build does.
func (p *Project) CheckEnvValues() error {
	for _, v := range p.Espalier.Build.Env {
		if !v.Set {
			name := v.Name
			if v.Secret {
				name = p.Espalier.Secret(v.From).Env
			}
			if name == v.Name {
				return fault.New(fault.Usage, v.Origin.String()+": "+v.Name+" comes from the environment, which does not have it", "export "+v.Name+"=…")
			}
			return fault.New(fault.Usage, v.Origin.String()+": "+v.Name+" comes from "+name+" of the environment, which does not have it", "export "+name+"=…")
		}
	}
	return nil
}

// declareHints are commands that add the missing lines.
func (p *Project) declareHints(names []string) []string {
	line := func(n string) string {
		if secretName(n) {
			return n + " = { secret = true }"
		}
		return n + ` = "value"`
	}
	where := config.Rel(p.Root, filepath.Join(p.Workspace, FileName))
	if len(p.Espalier.Build.Env) > 0 {
		var hints []string
		for _, n := range names {
			hints = append(hints, "under [build.env] in "+filepath.ToSlash(where)+" add: "+line(n))
		}
		return hints
	}
	cmd := `printf '[build.env]\n`
	for _, n := range names {
		cmd += line(n) + `\n`
	}
	hints := []string{cmd + "' >> " + filepath.ToSlash(where)}
	if len(p.Cargo.Files) == 0 || len(p.Cargo.Env) > 0 {
		return hints
	}
	return append(hints, "or, for cargo too: under [env] in "+p.Cargo.Files[0]+" add: "+names[0]+` = "value"`)
}

// Compiled are the own packages that the build of Package compiles, or of any
// package of Firmware while the choice is open.
func (p *Project) Compiled() []cargo.Package {
	byDir := map[string]cargo.Package{}
	for _, o := range p.Own {
		byDir[o.Dir] = o
	}
	var out []cargo.Package
	seen := map[string]bool{}
	var visit func(dir string)
	visit = func(dir string) {
		o, ok := byDir[dir]
		if !ok || seen[dir] {
			return
		}
		seen[dir] = true
		out = append(out, o)
		for _, d := range o.Depends {
			if d.Path != "" && (d.Kind != "dev" || p.Example != "" && o.Name == p.Package) {
				visit(d.Path)
			}
		}
	}
	for _, o := range p.Firmware() {
		visit(o.Dir)
	}
	for _, d := range p.Patches {
		if d.Path != "" {
			visit(d.Path)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Dir < out[j].Dir })
	return out
}

// sources are the Rust files of a package that a build may compile.
func (p *Project) sources(own cargo.Package, target cargo.Target, all bool) []string {
	links := p.Links()
	skipFile, skipDir := map[string]bool{}, []string{}
	for _, t := range own.Targets {
		switch {
		case t.Kind == cargo.KindLib || t.Kind == cargo.KindCustomBuild,
			t.Kind == target.Kind && t.Name == target.Name && t.Package == target.Package,
			t.Kind == cargo.KindBin && target.Name == "",
			all && (t.Kind == cargo.KindBin || t.Kind == cargo.KindExample):
			continue
		}
		skipFile[links.Resolve(t.Path)] = true
		if path.Base(t.Path) == "main.rs" && path.Dir(t.Path) != path.Join(own.Dir, "src") {
			skipDir = append(skipDir, path.Dir(t.Path)+"/")
		}
	}
	dir := path.Dir(links.Resolve(path.Join(own.Dir, "x")))
	prefix := dir + "/"
	if dir == "." {
		prefix = ""
	}
	for _, d := range []string{"tests/", "benches/"} {
		skipDir = append(skipDir, prefix+d)
	}
	prefixes := []string{prefix}
	for _, t := range own.Targets { // crate roots that a link to another directory leads to
		at := links.Resolve(t.Path)
		if at != t.Path && !skipFile[at] && !strings.HasPrefix(at, prefix) {
			prefixes = append(prefixes, path.Dir(at)+"/")
		}
	}
	below := func(name string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
	}
	for _, o := range p.Own { // packages inside this one have their own turn
		if o.Dir != own.Dir && strings.HasPrefix(o.Dir+"/", prefix) {
			skipDir = append(skipDir, o.Dir+"/")
		}
	}
	var out []string
files:
	for _, f := range p.Files {
		if !strings.HasSuffix(f.Path, ".rs") || f.Target != "" || !below(f.Path) || skipFile[f.Path] {
			continue
		}
		for _, d := range skipDir {
			if strings.HasPrefix(f.Path, d) {
				continue files
			}
		}
		out = append(out, f.Path)
	}
	return out
}

// declarations is who may set a variable for a package.
type declarations struct {
	names map[string]string
	any   string // a build script that prints names which cannot be read off
	conf  bool   // esp-config declares <PREFIX>_CONFIG_<NAME>
	out   bool   // the package has a build script, hence OUT_DIR
}

func (d declarations) who(name string) string {
	if w := d.names[name]; w != "" {
		return w
	}
	switch {
	case strings.HasPrefix(name, "CARGO_PKG_"), strings.HasPrefix(name, "CARGO_BIN_EXE_"), name == "OUT_DIR" && d.out:
		return "cargo"
	case d.conf && strings.Contains(name, "_CONFIG_"):
		return "build script"
	}
	switch name {
	case "CARGO", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_CRATE_NAME", "CARGO_BIN_NAME", "CARGO_PRIMARY_PACKAGE":
		return "cargo"
	case "SOURCE_DATE_EPOCH":
		return "espalier.lock"
	}
	return d.any
}

// silentBuildDeps are build dependencies known to set no variable themselves.
var silentBuildDeps = []string{"cc", "bindgen", "esp-config", "esp-metadata-generated", "chrono", "serde", "serde_json", "toml", "anyhow", "quote", "syn", "proc-macro2", "walkdir", "glob", "regex"}

func (p *Project) declarations(own cargo.Package) (declarations, error) {
	d := declarations{names: map[string]string{}, out: own.Build != ""}
	for _, v := range p.Espalier.Build.Env {
		d.names[v.Name] = FileName
		if v.Caller {
			d.names[v.Name] = "environment"
		}
	}
	for _, v := range p.Cargo.Env {
		d.names[v.Name] = ".cargo/config.toml"
	}
	if own.Build == "" {
		return d, nil
	}
	b, err := os.ReadFile(filepath.Join(p.Root, filepath.FromSlash(own.Build)))
	if err != nil {
		return d, config.Failf(nil, "reading %s: %w", own.Build, config.Pathless(err))
	}
	for _, text := range cargo.Strings(b) {
		for _, line := range strings.Split(text, "\n") {
			rest, ok := strings.CutPrefix(line, "cargo::rustc-env=")
			if !ok {
				rest, ok = strings.CutPrefix(line, "cargo:rustc-env=")
			}
			if !ok {
				continue
			}
			name, _, _ := strings.Cut(rest, "=")
			if name == "" || strings.ContainsAny(name, "{}") {
				d.any = "build script"
			} else {
				d.names[name] = "build script"
			}
		}
	}
dependencies:
	for _, dep := range own.Depends {
		if dep.Kind != "build" {
			continue
		}
		d.conf = d.conf || dep.Package == "esp-config"
		for _, s := range silentBuildDeps {
			if dep.Package == s {
				continue dependencies
			}
		}
		d.any = "build script"
	}
	return d, nil
}
