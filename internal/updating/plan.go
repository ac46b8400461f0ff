package updating

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/order"
	"espalier.dev/espalier/internal/pin"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/supply/crates"
)

// Names that are not crates.
const (
	Toolchain = "toolchain"
	ChipFiles = "chip-files" // also each chip file by its own name
)

// Request says what may move.
type Request struct {
	Names []string // crates, Toolchain, ChipFiles; none: everything that can move
	To    string   // version of the only name; "": the newest that fits
	Edit  bool     // requirements in manifests, and the channel, may change

	Alone bool // of a crate: not its family; for a search that moves one crate at a time
}

// Env is what a plan needs besides the project.
type Env struct {
	Session *pin.Session
	Open    func(dir string) (*project.Project, error) // opens a copy of the project with the options of the project
}

// Kinds of moves.
const (
	KindCrate     = "crate"
	KindGit       = "git"
	KindToolchain = "toolchain"
	KindChipFile  = "chip file"
)

// Move is one pin that moves. From is empty for what is new, To for what is no
// longer needed.
type Move struct {
	Kind        string `json:"kind"`
	Name        string `json:"name"`
	From        string `json:"from,omitempty"`
	To          string `json:"to,omitempty"`
	FromBytes   int64  `json:"from-bytes,omitempty"` // of the download; 0: not known
	ToBytes     int64  `json:"to-bytes,omitempty"`
	RustVersion string `json:"rust-version,omitempty"` // the lowest compiler that To accepts
	Direct      bool   `json:"direct,omitempty"`       // a manifest of the project names it
	Why         string `json:"why"`
}

// Held is a pin that stays although something newer exists.
type Held struct {
	Kind    string   `json:"kind"`
	Name    string   `json:"name"`
	Have    string   `json:"have"`
	Newest  string   `json:"newest"`
	Direct  bool     `json:"direct,omitempty"`
	Reasons []string `json:"reasons"`
	Cure    string   `json:"cure,omitempty"` // a command
}

// Plan is what an update changes.
type Plan struct {
	Moves []Move   `json:"moves"`
	Held  []Held   `json:"held"`
	Edits []Edit   `json:"edits"`
	Rules []Broken `json:"rules"` // that the new versions break

	env   Env
	p     *project.Project
	old   *lock.File
	req   Request
	work  *workCopy
	files []string // manifests and toolchain file that change, relative to Root
	index crates.Index
	after *cargo.Lock // the new Cargo.lock
	lock  pin.Request // for Lock of the copy
	made  *pin.Locked // its result; nil before
}

// New computes a plan. Crates that it needs are fetched, a compiler is not. The
// caller ends with Apply or Discard.
//
// Faults: Usage for a name that nothing has, Pins when a requirement or the
// compiler does not allow what was asked for, with the line that would have to
// change, or when cargo finds no versions that fit together.
func New(ctx context.Context, env Env, p *project.Project, f *lock.File, req Request) (*Plan, error) {
	pl, err := prepare(ctx, env, p, f, req)
	if err != nil {
		return nil, err
	}
	sel, err := pl.selected()
	if err == nil {
		err = pl.compute(ctx, sel)
	}
	if err != nil {
		pl.Discard()
		return nil, err
	}
	return pl, nil
}

// prepare makes an empty plan with a copy of the project.
func prepare(ctx context.Context, env Env, p *project.Project, f *lock.File, req Request) (*Plan, error) {
	if err := lock.Fault(lock.Check(p, f)); err != nil {
		return nil, err
	}
	if p.CargoLock == nil {
		return nil, fault.New(fault.Pins, "there is no Cargo.lock", "espalier lock")
	}
	pl := &Plan{Moves: []Move{}, Held: []Held{}, Edits: []Edit{}, Rules: []Broken{}, env: env, p: p, old: f, req: req}
	pl.lock = pin.Request{Old: f}
	var err error
	pl.work, err = copyProject(ctx, env.Session.Store, p, env.Open)
	return pl, err
}

// selection is what the names of a request mean.
type selection struct {
	crates    []string // of a registry, without their families
	git       []cargo.GitSource
	toolchain bool
	chip      bool
	all       bool
}

func (pl *Plan) selected() (selection, error) {
	var sel selection
	if len(pl.req.Names) == 0 {
		if pl.req.To != "" {
			return sel, fault.New(fault.Usage, "--to "+pl.req.To+": of which name?", "espalier update esp-hal --to "+pl.req.To)
		}
		return pl.everything(), nil
	}
	if pl.req.To != "" && len(pl.req.Names) > 1 {
		return sel, fault.New(fault.Usage, "--to is for one name", "espalier update "+pl.req.Names[0]+" --to "+pl.req.To)
	}
	for _, name := range pl.req.Names {
		switch {
		case name == Toolchain || name == "rustc":
			sel.toolchain = true
		case name == ChipFiles || slices.ContainsFunc(chipfiles.Pins(), func(b lock.Blob) bool { return b.Name == name }):
			sel.chip = true
		default:
			if err := pl.crate(&sel, name); err != nil {
				return sel, err
			}
		}
	}
	return sel, nil
}

func (pl *Plan) everything() selection {
	sel := selection{all: true, chip: true}
	for _, pkg := range pl.p.CargoLock.Packages {
		if _, ok := pkg.IsRegistry(); ok {
			sel.crates = append(sel.crates, pkg.Name)
		} else if src, ok := pkg.Git(); ok {
			sel.git = append(sel.git, cargo.GitSource{URL: src.URL, Ref: src.Ref})
		}
	}
	return sel
}

func (pl *Plan) crate(sel *selection, name string) error {
	var names []string
	found := false
	for _, pkg := range pl.p.CargoLock.Packages {
		names = append(names, pkg.Name)
		if pkg.Name != name {
			continue
		}
		found = true
		if src, ok := pkg.Git(); ok {
			sel.git = append(sel.git, cargo.GitSource{URL: src.URL, Ref: src.Ref})
		} else if pkg.Source != "" {
			sel.crates = append(sel.crates, name)
		} else {
			return fault.New(fault.Usage, name+" is a package of the project: it has no pin")
		}
	}
	if !found {
		return noSuchName(name, append(names, Toolchain, ChipFiles))
	}
	return nil
}

func (pl *Plan) compute(ctx context.Context, sel selection) error {
	if sel.chip {
		pl.lock.ChipFiles = true
	}
	if err := pl.chooseCrates(ctx, sel); err != nil {
		return err
	}
	if len(sel.git) > 0 {
		if err := pl.releaseGit(sel.git); err != nil {
			return err
		}
	}
	if sel.toolchain {
		if err := pl.chooseToolchain(ctx); err != nil {
			return err
		}
	}
	if err := pl.checkCompiler(sel); err != nil {
		return err
	}
	if !sel.toolchain {
		// Everything is fetched now, so that sizes are known and what cannot be
		// locked is not proposed.
		if err := pl.make(ctx); err != nil {
			return err
		}
	}
	pl.listMoves(sel)
	pl.listHeld(sel)
	pl.listRules()
	return nil
}

// make locks the copy.
func (pl *Plan) make(ctx context.Context) error {
	if pl.made != nil {
		return nil
	}
	made, err := pl.env.Session.Lock(ctx, pl.work.Project, pl.lock)
	if err != nil {
		return err
	}
	// The root that Lock registers is that of a directory that will be removed.
	_ = pl.env.Session.Store.DropRoot(pl.work.Workspace + "/" + lock.FileName)
	if made.CargoLock != nil {
		if err := pl.work.write(pl.work.lockName(), made.CargoLock); err != nil {
			return err
		}
		if err := pl.work.reopen(); err != nil {
			return err
		}
	}
	pl.made, pl.after = &made, pl.work.CargoLock
	return nil
}

// Empty reports whether nothing moves.
func (pl *Plan) Empty() bool { return len(pl.Moves) == 0 && len(pl.Edits) == 0 }

// File is the new lock; a new compiler is fetched for it.
func (pl *Plan) File(ctx context.Context) (*lock.File, error) {
	if err := pl.make(ctx); err != nil {
		return nil, err
	}
	return pl.made.File, nil
}

// Project is the copy of the project with the new versions, for a build with
// File. It is valid until Discard.
func (pl *Plan) Project() *project.Project { return pl.work.Project }

// Apply writes the plan to the project: manifests, Cargo.lock and
// espalier.lock, each replaced in one step. It returns what changed in the lock.
func (pl *Plan) Apply(ctx context.Context) (lock.Diff, error) {
	f, err := pl.File(ctx)
	if err != nil {
		return lock.Diff{}, err
	}
	for _, name := range pl.Written() {
		b, err := pl.work.read(name)
		if err != nil {
			return lock.Diff{}, err
		}
		path := filepath.Join(pl.p.Root, filepath.FromSlash(name))
		if filepath.IsAbs(name) {
			path = name
		}
		if err := atomicfile.WriteChanged(path, b, 0o644); err != nil {
			return lock.Diff{}, fault.Wrap(fault.Usage, err, "writing "+name)
		}
	}
	if err := lock.Write(lock.Path(pl.p), f); err != nil {
		return lock.Diff{}, err
	}
	return lock.Compare(pl.old, f), pl.env.Session.Keep(ctx, pl.p, f)
}

// Written are the files besides espalier.lock that Apply writes, relative to the
// top of the project.
func (pl *Plan) Written() []string {
	return append(slices.Clone(pl.files), pl.work.lockName())
}

// Discard removes the copy of the project. It may be called after Apply.
func (pl *Plan) Discard() {
	if pl.work != nil {
		pl.work.remove()
	}
}

// listMoves compares the old and the new versions.
func (pl *Plan) listMoves(sel selection) {
	direct := map[string]bool{}
	reqs, _ := requirements(pl.p)
	for _, r := range reqs {
		direct[r.Crate] = true
	}
	sizes := map[string]int64{}
	for _, f := range []*lock.File{pl.old, pl.newFile()} {
		for _, c := range f.Crates {
			sizes[c.Name+" "+c.Version] = max(c.Digest.Size, 0)
		}
	}
	for _, m := range moved(pl.p.CargoLock, pl.after) {
		m.Direct = direct[m.Name]
		m.FromBytes, m.ToBytes = sizes[m.Name+" "+m.From], sizes[m.Name+" "+m.To]
		if v, ok := pl.index.Version(m.Name, m.To); ok {
			m.RustVersion = v.RustVersion
		}
		m.Why = pl.why(sel, m)
		pl.Moves = append(pl.Moves, m)
	}
	order.Sort(pl.Moves, func(a, b Move) int {
		return cmp.Or(rankOf(sel, a)-rankOf(sel, b), cmp.Compare(a.Name, b.Name))
	})
	pl.Moves = append(pl.Moves, pl.gitMoves()...)
	if f := pl.newFile(); f != pl.old {
		for _, b := range f.Blobs {
			if o, ok := pl.old.Blob(b.Name); !ok || o.Digest != b.Digest {
				from, _, _ := strings.Cut(o.From, ":")
				to, _, _ := strings.Cut(b.From, ":")
				pl.Moves = append(pl.Moves, Move{Kind: KindChipFile, Name: b.Name, From: from, To: to, FromBytes: max(o.Digest.Size, 0),
					ToBytes: max(b.Digest.Size, 0), Why: pl.chipWhy(sel)})
			}
		}
	}
}

func (pl *Plan) chipWhy(sel selection) string {
	if sel.all {
		return "pinned by this espalier"
	}
	return "requested"
}

func (pl *Plan) newFile() *lock.File {
	if pl.made == nil {
		return pl.old
	}
	return pl.made.File
}

// rankOf sorts moves: what was asked for, then what the project names, then the
// rest.
func rankOf(sel selection, m Move) int {
	switch {
	case !sel.all && slices.Contains(sel.crates, m.Name):
		return 0
	case m.Direct:
		return 1
	case m.To != "":
		return 2
	}
	return 3
}

// moved pairs the registry crates that are in one of two locks only: by name, the
// newest first.
func moved(from, to *cargo.Lock) []Move {
	only := func(a, b *cargo.Lock) map[string][]string {
		have := map[string]bool{}
		for _, p := range b.Packages {
			have[p.Name+" "+p.Version+" "+p.Source] = true
		}
		out := map[string][]string{}
		for _, p := range a.Packages {
			if _, ok := p.IsRegistry(); ok && !have[p.Name+" "+p.Version+" "+p.Source] {
				out[p.Name] = append(out[p.Name], p.Version)
			}
		}
		for _, v := range out {
			slices.SortFunc(v, func(x, y string) int { return cargo.CompareVersions(y, x) })
		}
		return out
	}
	gone, come := only(from, to), only(to, from)
	names := map[string]bool{}
	for _, m := range []map[string][]string{gone, come} {
		for n := range m {
			names[n] = true
		}
	}
	var out []Move
	for n := range names {
		a, b := gone[n], come[n]
		for i := range max(len(a), len(b)) {
			m := Move{Kind: KindCrate, Name: n}
			if i < len(a) {
				m.From = a[i]
			}
			if i < len(b) {
				m.To = b[i]
			}
			out = append(out, m)
		}
	}
	order.Sort(out, func(a, b Move) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cargo.CompareVersions(b.To, a.To), cargo.CompareVersions(b.From, a.From))
	})
	return out
}

// why says why a crate moves.
func (pl *Plan) why(sel selection, m Move) string {
	if m.To == "" {
		return "no longer needed"
	}
	if !sel.all && slices.Contains(sel.crates, m.Name) {
		return "requested"
	}
	if f, ok := familyOf(m.Name); ok && m.From != "" && !sel.all && !pl.req.Alone {
		for _, n := range sel.crates {
			if f.has(n) {
				return "moves with " + n
			}
		}
	}
	if m.From != "" && sel.all && pl.index != nil {
		return "newer within the requirements"
	}
	for _, pkg := range pl.after.Packages {
		if pkg.Name != m.Name && slices.ContainsFunc(pkg.Dependencies, func(d string) bool { return d == m.Name || strings.HasPrefix(d, m.Name+" "+m.To) }) {
			return strings.TrimSpace("needed by " + pkg.Name + " " + pkg.Version)
		}
	}
	return "needed"
}

// gitMoves are the commits that differ.
func (pl *Plan) gitMoves() []Move {
	var out []Move
	for _, g := range pl.newFile().Git {
		for _, o := range pl.old.Git {
			if o.URL == g.URL && o.Ref == g.Ref && o.Commit != g.Commit {
				out = append(out, Move{Kind: KindGit, Name: strings.Join(g.Crates, ", "), From: fmt.Sprintf("%.9s", o.Commit), To: fmt.Sprintf("%.9s", g.Commit),
					Why: "today's commit of " + cmp.Or(strings.Replace(g.Ref, "=", " ", 1), "the default branch")})
			}
		}
	}
	return out
}

// listRules checks the new versions; a rule that the old ones break already is
// listed, too, since an update is the time to mend it.
func (pl *Plan) listRules() {
	f := FactsOf(pl.after, pl.p.Cargo.Rustflags.V, pl.rustc(), bootloaderVersion(pl.newFile()))
	pl.Rules = append(pl.Rules, Check(f)...)
}

// rustc is the compiler after the update.
func (pl *Plan) rustc() string {
	for _, m := range pl.Moves {
		if m.Kind == KindToolchain {
			return m.To
		}
	}
	tc, _ := pl.old.Toolchain(pl.env.Session.Host)
	v, _, _ := strings.Cut(tc.Rustc, " ")
	return v
}

// bootloaderVersion is the version of the crate that the pinned bootloader is
// from.
func bootloaderVersion(f *lock.File) string {
	b, _ := f.Blob(chipfiles.BootloaderName)
	fields := strings.Fields(b.From)
	if len(fields) < 2 || fields[0] != "espflash" {
		return ""
	}
	return strings.TrimSuffix(fields[1], ":")
}

// Versions are the published versions of a crate that are not yanked, in
// ascending order and without pre-releases.
func (pl *Plan) Versions(crate string) []string {
	var out []string
	for _, v := range pl.index[crate] {
		if n, ok := cargo.ParseVersion(v.Version); ok && n.Pre == "" && !v.Yanked {
			out = append(out, v.Version)
		}
	}
	slices.Reverse(out)
	return out
}
