package project

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/suggest"
)

// Open reads the project around dir.
//
// Faults of kind Usage: no Cargo.toml above dir, a file that does not parse, a
// member that is missing, a link that leaves the tree. An open choice between
// several firmware packages is not a fault until Selected is called.
// Everything else that can be said is in Notes.
func Open(dir string, opts Options) (*Project, error) {
	o, err := begin(dir, opts)
	if err != nil {
		return nil, err
	}
	if o.workspace == nil {
		if o.workspace, err = cargo.Open(o.Reader); err != nil {
			return nil, err
		}
	}
	w := o.workspace
	p := &Project{Workspace: w.Dir, Own: w.Packages, Patches: w.Patches, CargoLock: w.Lock}
	if p.Root, err = o.root(); err != nil {
		return nil, err
	}
	if err := o.settle(p); err != nil {
		return nil, err
	}
	if commonRoot(w) != p.Workspace {
		o.Note(config.Origin{}, "packages outside the workspace's directory: the input tree begins at "+
			filepath.ToSlash(p.Root)+", and the firmware depends on the relative paths between the packages")
	}
	top := p.Root
	if r := findRepository(top); r != nil {
		top, p.GitDir = r.top, r.gitDir // a clone has the file, too
	}
	if p.Toolchain, err = cargo.ReadToolchain(o.Reader, p.WorkDir, top); err != nil {
		return nil, err
	}
	if err := otherToolchains(o.Reader, p, w, top); err != nil {
		return nil, err
	}
	t, err := inputs(o.Reader, p, w)
	if err != nil {
		return nil, err
	}
	keepNamed(p, t)
	if err := checkSecrets(o.Reader, p, w); err != nil {
		return nil, err
	}
	if err := checkFeatures(o.Reader, p); err != nil {
		return nil, err
	}
	if err := checkProfile(o.Reader, p, w); err != nil {
		return nil, err
	}
	p.Notes = o.Notes()
	p.relocate()
	if err := o.callerEnv(p); err != nil {
		return nil, err
	}
	for _, c := range p.Compiled() {
		if c.RustVersion.V != "" {
			p.MSRV = append(p.MSRV, MSRV{c.Name, c.RustVersion.V, c.RustVersion.Origin})
		}
	}
	return p, nil
}

// Settings is Open for callers that need the configuration and no files: the
// result has Root, Workspace, Own, Cargo, Espalier and Notes. Without a
// Cargo.toml in dir or above, espalier.toml and the files of other tools do not
// count, and Root is dir.
func Settings(dir string, opts Options) (*Project, error) {
	o, err := begin(dir, opts)
	if err != nil {
		return nil, err
	}
	p := &Project{Root: o.Dir}
	if w := o.workspace; w != nil {
		p.Workspace, p.Own = w.Dir, w.Packages
		if p.Root, err = o.root(); err != nil {
			return nil, err
		}
	}
	if err := o.settle(p); err != nil {
		return nil, err
	}
	p.Notes = o.Notes()
	if o.workspace != nil {
		p.relocate()
	}
	return p, nil
}

// opening is the state of Open: the workspace and the layers of the
// configuration. While it works all paths are absolute and in the system's
// form, because the root of the input tree is known only when the last path
// dependency has been read; relocate makes them relative.
type opening struct {
	*config.Reader
	workspace *cargo.Workspace // nil when there is none
	layers    *layers
	opts      Options
}

func begin(dir string, opts Options) (*opening, error) {
	abs, err := filepath.Abs(dir)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs) // what cargo gets from getcwd
	}
	if err != nil {
		return nil, config.Failf(nil, "opening %s: %w", dir, config.Pathless(err))
	}
	if st, err := os.Stat(abs); err == nil && !st.IsDir() {
		abs = filepath.Dir(abs) // a manifest or any other file of the project
	}
	o := &opening{Reader: &config.Reader{Dir: abs}, opts: opts}
	if cargo.Find(abs) != "" {
		if o.workspace, err = cargo.Open(o.Reader); err != nil {
			return nil, err
		}
	}
	o.layers, err = readLayers(o.Reader, o.workspace, opts)
	return o, err
}

// root is the top of the input tree: the directory that all packages share, or
// the one above it whose .cargo/config.toml is part of the same repository and
// counts for cargo.
func (o *opening) root() (string, error) {
	root := commonRoot(o.workspace)
	r := findRepository(root)
	if r == nil {
		return root, nil
	}
	return cargo.ConfigAbove(o.Reader, root, r.top)
}

// settle selects the package and resolves the settings for it.
func (o *opening) settle(p *Project) error {
	p.Member = p.Workspace
	if o.workspace != nil {
		s, err := o.selectPackage()
		if err != nil {
			return err
		}
		p.open, p.candidates = s.open, s.candidates
		if s.pkg != nil {
			p.Member, p.Package = s.pkg.Dir, s.pkg.Name
		}
	}
	p.WorkDir = p.Member
	if real, err := filepath.EvalSymlinks(p.Member); err == nil && real != p.Member {
		p.WorkDir = p.Workspace // cargo would take the real directory for a package outside the workspace
	}
	var err error
	if p.Espalier, p.Cargo, err = o.settings(p); err != nil {
		return err
	}
	p.netGiven = map[string]bool{}
	for _, key := range []string{"ssid", "passphrase"} {
		_, env := o.layers.lookup("ESPALIER_NET_" + strings.ToUpper(key))
		p.netGiven[key] = env || o.layers.own.Get("net", key) != nil || o.layers.user.Get("net", key) != nil
	}
	p.Profile = p.Espalier.Build.Profile.V
	p.Binary, p.Example = p.Espalier.Build.Bin.V, p.Espalier.Build.Example.V
	if p.Binary == "" && p.Example == "" && p.Package != "" {
		p.Binary = p.selected().DefaultRun
	}
	return nil
}

// otherToolchains names the members whose own toolchain file asks for another
// compiler than the one that decides. rustup would use it for a cargo that is
// started in the member; a workspace has one lock, and that one compiler.
func otherToolchains(r *config.Reader, p *Project, w *cargo.Workspace, top string) error {
	for _, m := range w.Packages {
		if !m.Member || m.Dir == p.WorkDir {
			continue
		}
		other, err := cargo.ReadToolchain(&config.Reader{Dir: r.Dir}, m.Dir, top)
		if err != nil {
			return err
		}
		if other.File == "" || other.File == p.Toolchain.File || other.Channel.V == p.Toolchain.Channel.V {
			continue
		}
		r.Note(other.Channel.Origin, "channel "+other.Channel.V+" of package "+m.Name+" does not apply: the workspace has one lock, with channel "+
			p.Toolchain.Channel.V+toolchainPlace(r, p.Toolchain)+"; build "+m.Name+" as a workspace of its own to use both")
	}
	return nil
}

func toolchainPlace(r *config.Reader, t cargo.Toolchain) string {
	if t.File == "" {
		return ""
	}
	return " (" + r.Show(t.File) + ")"
}

// checkProfile refuses a profile that nothing defines.
func checkProfile(r *config.Reader, p *Project, w *cargo.Workspace) error {
	names := []string{"dev", "release", "test", "bench"}
	names = append(append(names, w.Profiles...), p.Cargo.Profiles...)
	slices.Sort(names)
	names = slices.Compact(names)
	p.Profiles = names
	for _, n := range names {
		if n == p.Profile {
			return nil
		}
	}
	near := suggest.Nearest(p.Profile, names)
	switch {
	case p.Profile == "debug":
		near = "dev" // cargo's name of its directory
	case near == "":
		near = "release"
	}
	return fault.New(fault.Usage, r.Place(p.Espalier.Build.Profile.Origin)+": no profile "+quoted(p.Profile)+" in "+r.Show(w.Manifest),
		"espalier build --profile "+near)
}

func quoted(s string) string { return `"` + s + `"` }
