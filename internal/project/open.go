package project

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"

	"espalier.dev/espalier/internal/fault"
)

// Open reads the project around dir.
//
// Faults of kind Usage: no Cargo.toml above dir, a file that does not parse, a
// member that is missing, an open choice between members, a link that leaves
// the tree. Everything else that can be said is in Notes.
func Open(dir string, opts Options) (*Project, error) {
	abs, err := filepath.Abs(dir)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs) // what getcwd tells cargo
	}
	if err != nil {
		return nil, failf(nil, "opening %s: %w", dir, pathless(err))
	}
	if st, err := os.Stat(abs); err == nil && !st.IsDir() {
		abs = filepath.Dir(abs) // a manifest or any other file of the project
	}
	l := &loader{dir: abs, manifests: map[string]*manifest{}}
	path, err := l.findManifest(abs)
	if err != nil {
		return nil, err
	}
	w, err := l.workspace(path)
	if err != nil {
		return nil, err
	}
	p := &Project{Workspace: w.root.dir}
	if err := l.own(p, w); err != nil {
		return nil, err
	}
	x, err := l.newLayers(w, opts)
	if err != nil {
		return nil, err
	}
	if err := l.choose(p, w, x, opts); err != nil {
		return nil, err
	}
	p.Root = commonRoot(w)
	if err := l.settings(p, w, x, opts); err != nil {
		return nil, err
	}
	if p.Toolchain, err = l.toolchain(p.Member, p.Root); err != nil {
		return nil, err
	}
	if p.CargoLock, err = l.cargoLock(w.root.dir); err != nil {
		return nil, err
	}
	if p.Patches, err = w.root.patches(); err != nil {
		return nil, l.fault(err)
	}
	t, err := l.inputs(p, w)
	if err != nil {
		return nil, err
	}
	l.keepNamed(p, t)
	p.Notes = l.notes
	p.relocate()
	for _, o := range p.Compiled() {
		if o.RustVersion.V != "" {
			p.MSRV = append(p.MSRV, MSRV{o.Name, o.RustVersion.V, o.RustVersion.Origin})
		}
	}
	if err := l.checkProfile(p, w); err != nil {
		return nil, err
	}
	return p, nil
}

// own reads all packages of the workspace.
func (l *loader) own(p *Project, w *workspace) error {
	member := map[*manifest]bool{}
	for _, m := range w.members {
		member[m] = true
	}
	for _, m := range append(append([]*manifest{}, w.members...), w.others...) {
		o, err := l.ownPackage(m)
		if err != nil {
			return err
		}
		o.Member = member[m]
		p.Own = append(p.Own, o)
	}
	sort.SliceStable(p.Own, func(i, j int) bool { return p.Own[i].Dir < p.Own[j].Dir })
	return nil
}

// choose settles which member is built: the one that is named, else the one
// that contains the directory when it makes a firmware, else the only one that
// does, else the only one of those that depends on the chip's crates.
func (l *loader) choose(p *Project, w *workspace, x *layers, opts Options) error {
	probe := *x
	named := probe.str(spec{name: "build.package", env: "ESPALIER_PACKAGE", flag: "package", given: one(opts.Package)})
	bin := probe.str(spec{name: "build.bin", env: "ESPALIER_BIN", flag: "bin", given: one(opts.Flags.Bin)})
	example := probe.str(spec{name: "build.example", env: "ESPALIER_EXAMPLE", flag: "example", given: one(opts.Flags.Example)})
	if probe.err != nil {
		return l.fault(probe.err)
	}
	byDir := map[string]*manifest{}
	for _, m := range w.members {
		byDir[m.dir] = m
	}
	fits := func(o OwnPackage) bool {
		for _, t := range o.Targets {
			switch {
			case bin.V == "" && example.V == "" && t.Kind == KindBin,
				bin.V != "" && t.Kind == KindBin && t.Name == bin.V,
				example.V != "" && t.Kind == KindExample && t.Name == example.V:
				return true
			}
		}
		return false
	}
	var all, fit, chip []string
	var only, onlyChip *manifest
	for _, o := range p.Own {
		if !o.Member {
			continue
		}
		all = append(all, o.Name)
		if named.V == o.Name {
			w.current = byDir[o.Dir]
		}
		if fits(o) && w.isDefault(byDir[o.Dir]) {
			fit, only = append(fit, o.Name), byDir[o.Dir]
			if o.forChip() {
				chip, onlyChip = append(chip, o.Name), byDir[o.Dir]
			}
		}
	}
	switch {
	case named.V != "":
		if w.current.name() != named.V {
			return failf(nil, "no package %q in the workspace (%s); it has %s", named.V, l.place(named.Origin), strings.Join(all, ", "))
		}
	case w.current.pkg != nil && (fits(p.ownOf(w.current)) || len(fit) != 1 && len(chip) != 1):
	case len(fit) == 1:
		w.current = only
	case len(chip) == 1: // beside an xtask or another tool for the host
		w.current = onlyChip
	case len(fit) == 0 && len(all) == 1:
		w.current = w.members[0]
	case len(fit) == 0:
		return failf(nil, "%s: no package of the workspace makes a firmware; it has %s", l.show(w.root.path), strings.Join(all, ", "))
	default:
		var hints []string
		for _, n := range fit[:min(len(fit), 5)] {
			hints = append(hints, "espalier run -p "+n)
		}
		return failf(hints, "%s: several packages make a firmware: %s", l.show(w.root.path), strings.Join(fit, ", "))
	}
	p.Member, p.Package = w.current.dir, w.current.name()
	return nil
}

// forChip reports whether a package depends on something of the chip's itself.
func (o OwnPackage) forChip() bool {
	for _, d := range o.Depends {
		if d.Kind == "" && (strings.HasPrefix(d.Package, "esp-") || strings.HasPrefix(d.Package, "esp32c3")) {
			return true
		}
	}
	return false
}

// isDefault reports whether m is built when nothing is named: default-members,
// else all.
func (w *workspace) isDefault(m *manifest) bool {
	list := w.root.ws.Get("default-members")
	if list == nil {
		return true
	}
	for _, e := range list.Elem {
		for _, d := range glob(filepath.Join(w.root.dir, filepath.FromSlash(e.Text))) {
			if d == m.dir {
				return true
			}
		}
	}
	return false
}

func (p *Project) ownOf(m *manifest) OwnPackage {
	for _, o := range p.Own {
		if o.Dir == m.dir {
			return o
		}
	}
	return OwnPackage{}
}

// scopes are the directories whose files are inputs: the workspace, members
// that lie elsewhere, and for a path dependency outside it the workspace or
// package that it belongs to.
func (w *workspace) scopes() []string {
	all := []string{w.root.dir}
	for _, m := range w.members {
		all = append(all, m.dir)
	}
	for _, o := range w.others {
		d := o.dir
		if o.root != nil {
			d = o.root.dir
		}
		all = append(all, d)
	}
	sort.Slice(all, func(i, j int) bool { return len(all[i]) < len(all[j]) })
	var out []string
next:
	for _, d := range all {
		for _, o := range out {
			if within(d, o) {
				continue next
			}
		}
		out = append(out, d)
	}
	return out
}

// commonRoot is the innermost directory that holds all scopes.
func commonRoot(w *workspace) string {
	root := w.root.dir
	for _, s := range w.scopes() {
		for !within(s, root) {
			root = filepath.Dir(root)
		}
	}
	return root
}

// settings resolves the configuration of the chosen member.
func (l *loader) settings(p *Project, w *workspace, x *layers, opts Options) error {
	if p.Root != p.Workspace {
		l.note(Origin{}, "packages outside the workspace's directory: the input tree begins at "+filepath.ToSlash(p.Root)+", and the firmware's bits depend on how the packages lie to each other")
	}
	var err error
	p.Espalier, p.Cargo, err = l.espalier(x, w, p.Root, opts, func(want string) (CargoConfig, error) {
		return l.cargoConfig(p.Member, p.Root, want)
	})
	if err != nil {
		return err
	}
	p.Profile = p.Espalier.Build.Profile.V
	p.Binary, p.Example = p.Espalier.Build.Bin.V, p.Espalier.Build.Example.V
	if p.Binary == "" && p.Example == "" {
		p.Binary = p.ownOf(w.current).DefaultRun
	}
	return nil
}

func (l *loader) cargoLock(dir string) (*CargoLock, error) {
	path := filepath.Join(dir, "Cargo.lock")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, failf(nil, "reading %s: %w", l.show(path), pathless(err))
	}
	lock, err := parseCargoLock(path, b)
	if err != nil {
		return nil, l.fault(err)
	}
	return lock, nil
}

// inputs collects the input tree.
func (l *loader) inputs(p *Project, w *workspace) (*tree, error) {
	t := &tree{l: l, root: p.Root, scopes: w.scopes(), keepFile: map[string]bool{}, keepDir: map[string]bool{},
		targets: map[string]bool{}, repos: map[string]*repository{}}
	keep := func(paths ...string) {
		for _, f := range paths {
			if f != "" && within(f, p.Root) {
				t.keepFile[f] = true
			}
		}
	}
	keep(filepath.Join(p.Workspace, "Cargo.lock"), w.root.path, p.Espalier.Path, p.Toolchain.File,
		p.Espalier.Image.PartitionTable.V, p.Espalier.Image.Bootloader.V)
	keep(p.Cargo.Files...)
	for _, d := range append(parents(p.Member), t.scopes...) {
		if within(d, p.Root) {
			t.keepDir[filepath.Join(d, ".cargo")] = true
			t.targets[filepath.Join(d, "target")] = true
		}
	}
	for _, m := range append(append([]*manifest{}, w.members...), w.others...) {
		t.keepDir[m.dir] = true
		t.targets[filepath.Join(m.dir, "target")] = true
		keep(m.path)
		if m.root != nil {
			keep(m.root.path)
		}
		for _, k := range []string{"readme", "license-file"} {
			if n, err := m.field(k); err == nil && n != nil && n.Text != "" {
				keep(filepath.Join(m.dir, filepath.FromSlash(n.Text)))
			}
		}
	}
	for _, o := range p.Own {
		for _, x := range o.Targets {
			keep(x.Path)
		}
	}
	if p.Cargo.TargetIsFile {
		keep(p.Cargo.Target.V)
	}
	if d := p.Cargo.TargetDir.V; d != "" {
		t.targets[d] = true
	}
	for f := range t.keepFile {
		t.keepAll = append(t.keepAll, f)
	}
	for d := range t.keepDir {
		if isDir(d) {
			t.keepAll = append(t.keepAll, d)
		}
	}
	if inc := p.Espalier.Build.Include.V; len(inc) > 0 {
		t.include = parseIgnore(FileName, "", []byte(strings.Join(inc, "\n")))
	}
	if err := t.collect(); err != nil {
		return nil, err
	}
	if r := t.repository(p.Workspace); r != nil {
		p.Head = r.head()
	}
	p.Files, p.Untracked, p.Ignored = t.files, t.untracked, t.ignored
	return t, nil
}

// keepNamed adds ignored files that own sources name in a string literal, such
// as include_bytes!("../logo.bin") or fs::read("secrets.json"): leaving them
// out would break the build or, worse, quietly change it.
func (l *loader) keepNamed(p *Project, t *tree) {
	if len(t.skipped) == 0 {
		return
	}
	skipped := func(abs string) bool {
		for _, s := range t.skipped {
			if within(abs, s) {
				return true
			}
		}
		return false
	}
	added := map[string]bool{}
	for _, o := range p.Own {
		prefix := filepath.ToSlash(relTo(p.Root, o.Dir)) + "/"
		if prefix == "./" {
			prefix = ""
		}
		for _, f := range t.files {
			if !strings.HasSuffix(f.Path, ".rs") || !strings.HasPrefix(f.Path, prefix) || f.Target != "" {
				continue
			}
			abs := filepath.Join(p.Root, filepath.FromSlash(f.Path))
			src, err := os.ReadFile(abs)
			if err != nil {
				continue
			}
			for _, name := range pathLiterals(src) {
				for _, base := range []string{filepath.Dir(abs), o.Dir} {
					c := filepath.Join(base, filepath.FromSlash(name))
					if added[c] || !within(c, p.Root) || !skipped(c) {
						continue
					}
					if info, err := os.Lstat(c); err == nil && info.Mode().IsRegular() {
						added[c] = true
						t.add(c, info)
					}
				}
			}
		}
	}
	if len(added) == 0 {
		return
	}
	for _, c := range sortedKeys(added) {
		if r := t.repository(p.Workspace); r != nil && r.tracked != nil {
			t.untracked = append(t.untracked, filepath.ToSlash(relTo(p.Root, c)))
		}
		for i, ig := range t.ignored {
			if ig.Path == c {
				t.ignored = append(t.ignored[:i:i], t.ignored[i+1:]...)
				break
			}
		}
	}
	sort.Slice(t.files, func(i, j int) bool { return t.files[i].Path < t.files[j].Path })
	sort.Strings(t.untracked)
	p.Files, p.Untracked, p.Ignored = t.files, t.untracked, t.ignored
}

// pathLiterals are the string literals of a source that may be a path. A
// leading slash is dropped: concat!(env!("CARGO_MANIFEST_DIR"), "/x.bin").
func pathLiterals(src []byte) []string {
	var out []string
	for x := newRustLexer(src); ; {
		t, ok := x.next()
		if !ok {
			return out
		}
		s := strings.TrimPrefix(t.text, "cargo:rerun-if-changed=")
		s = strings.TrimPrefix(strings.TrimPrefix(s, "cargo::rerun-if-changed="), "/")
		if t.kind != rustString || s == "" || len(s) > 255 || !strings.ContainsAny(s, "./") || strings.ContainsAny(s, "\n\x00{}") {
			continue
		}
		out = append(out, s)
	}
}

// checkProfile refuses a profile that nothing defines.
func (l *loader) checkProfile(p *Project, w *workspace) error {
	names := []string{"dev", "release", "test", "bench"}
	if t := w.root.toml.Get("profile"); t != nil {
		for _, k := range t.Keys {
			names = append(names, k.Name)
		}
	}
	names = append(names, p.Cargo.Profiles...)
	for _, n := range names {
		if n == p.Profile {
			return nil
		}
	}
	hint := "espalier build --profile release"
	if p.Profile == "debug" {
		hint = "espalier build --profile dev"
	}
	return fault.New(fault.Usage, p.Espalier.Build.Profile.Origin.String()+": no profile "+quoted(p.Profile)+" in "+l.show(w.root.path), hint)
}

// relocate makes every path relative to Root, now that Root is known. Origins
// above Root (the user's file, a configuration that does not apply) stay
// absolute.
func (p *Project) relocate() {
	rel := func(path string) string {
		if !filepath.IsAbs(path) || !within(path, p.Root) {
			return filepath.ToSlash(path)
		}
		return filepath.ToSlash(relTo(p.Root, path))
	}
	origin := reflect.TypeFor[Origin]()
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			if v.Type() == origin {
				o := v.Addr().Interface().(*Origin)
				o.File = rel(o.File)
				return
			}
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					walk(v.Field(i))
				}
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem())
			}
		}
	}
	walk(reflect.ValueOf(p).Elem())
	for i := range p.Espalier.settings {
		walk(reflect.ValueOf(&p.Espalier.settings[i]))
	}
	for k, v := range p.Cargo.Alias {
		v.Origin.File = rel(v.Origin.File)
		p.Cargo.Alias[k] = v
	}
	for i := range p.Own {
		o := &p.Own[i]
		o.Dir, o.Manifest = rel(o.Dir), rel(o.Manifest)
		if o.Build != "" {
			o.Build = rel(o.Build)
		}
		for j := range o.Targets {
			o.Targets[j].Path = rel(o.Targets[j].Path)
		}
		for j := range o.Depends {
			if o.Depends[j].Path != "" {
				o.Depends[j].Path = rel(o.Depends[j].Path)
			}
		}
	}
	for i := range p.Patches {
		if p.Patches[i].Path != "" {
			p.Patches[i].Path = rel(p.Patches[i].Path)
		}
	}
	for i := range p.Ignored {
		dir := strings.HasSuffix(p.Ignored[i].Path, "/")
		p.Ignored[i].Path = rel(strings.TrimSuffix(p.Ignored[i].Path, "/"))
		if dir {
			p.Ignored[i].Path += "/"
		}
	}
	for i, f := range p.Cargo.Files {
		p.Cargo.Files[i] = rel(f)
	}
	for _, s := range []*string{&p.Toolchain.File, &p.Espalier.Path, &p.Espalier.Image.PartitionTable.V, &p.Espalier.Image.Bootloader.V, &p.Cargo.TargetDir.V, &p.Cargo.Target.V} {
		if *s != "" {
			*s = rel(*s)
		}
	}
	if p.Espalier.Build.Target.V != "" {
		p.Espalier.Build.Target.V = rel(p.Espalier.Build.Target.V)
	}
	if p.CargoLock != nil {
		p.CargoLock.Path = rel(p.CargoLock.Path)
	}
}
