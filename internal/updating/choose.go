package updating

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/suggest"
	"espalier.dev/espalier/internal/supply/crates"
	"espalier.dev/espalier/internal/tomldoc"
)

// chooseCrates has cargo choose versions in the copy, and writes its Cargo.lock
// and, if the request allows it, new requirements there.
func (pl *Plan) chooseCrates(ctx context.Context, sel selection) error {
	pl.after = pl.p.CargoLock
	if len(sel.crates) == 0 {
		return nil
	}
	moving := siblings(pl.p.CargoLock, sel.crates)
	if pl.req.Alone {
		moving = sel.crates
	}
	reqs, err := requirements(pl.work.Project)
	if err != nil {
		return err
	}
	name := sel.crates[0]
	if pl.req.To != "" && !pl.req.Edit {
		if err := pl.allowed(reqs, name); err != nil {
			return err
		}
	}
	direct := slices.ContainsFunc(reqs, func(r requirement) bool { return r.Crate == name && r.value != nil })
	if pl.req.To != "" && !direct {
		return pl.precise(ctx, name)
	}
	loosened := map[string][]byte{} // the text of manifests as they were
	if pl.req.To != "" || pl.req.Edit {
		for _, r := range slices.Backward(reqs) { // later places first: earlier ones stay valid
			to := ""
			switch {
			case r.value == nil:
			case r.Crate == name && pl.req.To != "":
				to = "=" + pl.req.To
			case pl.req.Edit && slices.Contains(moving, r.Crate):
				to = pl.loose(r.Crate, name)
			}
			if to == "" {
				continue
			}
			if err := pl.setRequirement(r, to, loosened); err != nil {
				return err
			}
		}
	}
	if err := pl.versions(ctx, crates.Change{Packages: specs(pl.p.CargoLock, moving), Any: pl.req.To != ""}); err != nil {
		return pl.noVersions(err, name)
	}
	if len(loosened) == 0 {
		return nil
	}
	// The requirements of the manifests come back, or new ones that have the
	// form of the old ones.
	for file, text := range loosened {
		if err := pl.work.write(file, text); err != nil {
			return err
		}
	}
	written := map[string][]byte{}
	for _, r := range slices.Backward(reqs) {
		version := dependencyVersion(pl.after, r)
		if r.value == nil || version == "" || r.matches(version) {
			continue
		}
		old, _ := cargo.ParseRequirement(r.Req)
		to := old.For(version)
		if err := pl.setRequirement(r, to, written); err != nil {
			return err
		}
		pl.Edits = append(pl.Edits, Edit{At: r.At, Name: r.Crate, From: r.Req, To: to})
		if !slices.Contains(pl.files, r.At.File) {
			pl.files = append(pl.files, r.At.File)
		}
	}
	slices.Reverse(pl.Edits)
	if err := pl.work.reopen(); err != nil {
		return err
	}
	return pl.versions(ctx, crates.Change{}) // keeps what was chosen, checks the requirements
}

// versions runs cargo in the copy and takes over its Cargo.lock. The index of
// the first run, which looks at most crates, is kept.
func (pl *Plan) versions(ctx context.Context, ch crates.Change) error {
	got, err := pl.env.Session.Versions(ctx, pl.work.Project, pl.old, ch)
	if err != nil {
		return err
	}
	if len(got.Index) >= len(pl.index) {
		pl.index = got.Index
	}
	if err := pl.work.write(pl.work.lockName(), got.Lock); err != nil {
		return err
	}
	if err := pl.work.reopen(); err != nil {
		return err
	}
	pl.after = pl.work.CargoLock
	return nil
}

// precise moves one crate that no manifest of the project names.
func (pl *Plan) precise(ctx context.Context, name string) error {
	to := pl.req.To
	if strings.Count(to, ".") < 2 { // cargo wants all of it
		if err := pl.versions(ctx, crates.Change{Packages: []string{name}}); err != nil {
			return err
		}
		req, _ := cargo.ParseRequirement("=" + to)
		for _, v := range pl.index[name] {
			if n, ok := cargo.ParseVersion(v.Version); ok && req.Match(n) && !v.Yanked {
				to = v.Version
				break
			}
		}
		if err := pl.work.write(pl.work.lockName(), pl.p.CargoLock.Bytes); err != nil {
			return err
		}
		if err := pl.work.reopen(); err != nil {
			return err
		}
	}
	err := pl.versions(ctx, crates.Change{Packages: specs(pl.p.CargoLock, []string{name})[:1], Precise: to, Any: true})
	return pl.noVersions(err, name)
}

// allowed is a fault when a requirement of the project forbids the version that
// was asked for.
func (pl *Plan) allowed(reqs []requirement, name string) error {
	var lines []string
	for _, r := range reqs {
		if r.Crate == name && r.Req != "" && !allows(r, pl.req.To) {
			old, _ := cargo.ParseRequirement(r.Req)
			lines = append(lines, fmt.Sprintf("%s, which %s does not satisfy; it would have to be %s", r, pl.req.To, old.For(full(pl.req.To))))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return fault.New(fault.Pins, strings.Join(lines, "\n"), fmt.Sprintf("espalier update %s --to %s --edit   # changes the line", name, pl.req.To))
}

// allows is requirement.matches for a version that may be partial: then some
// version that begins with it has to match.
func allows(r requirement, to string) bool {
	if r.matches(full(to)) {
		return true
	}
	if strings.Count(to, ".") >= 2 {
		return false
	}
	req, ok := cargo.ParseRequirement(r.Req)
	return ok && req.Overlaps(to)
}

// full adds the numbers that a version lacks.
func full(version string) string {
	for strings.Count(version, ".") < 2 {
		version += ".0"
	}
	return version
}

// loose is a requirement that lets a member of a family move along: not below
// what is locked, unless the named crate goes back.
func (pl *Plan) loose(crate, name string) string {
	have := newestOf(pl.p.CargoLock, crate)
	if pl.req.To != "" && cargo.CompareVersions(full(pl.req.To), newestOf(pl.p.CargoLock, name)) < 0 || have == "" {
		return "*"
	}
	return ">=" + have
}

// newestOf is the newest version of a crate in a lock; "" without any.
func newestOf(l *cargo.Lock, name string) string {
	newest := ""
	for _, p := range l.Packages {
		if p.Name == name && (newest == "" || cargo.CompareVersions(p.Version, newest) > 0) {
			newest = p.Version
		}
	}
	return newest
}

// specs are cargo's package specifications of all versions of the named crates.
func specs(l *cargo.Lock, names []string) []string {
	count := map[string]int{}
	for _, p := range l.Packages {
		count[p.Name]++
	}
	var out []string
	for _, p := range l.Packages {
		if _, registry := p.IsRegistry(); !registry || !slices.Contains(names, p.Name) {
			continue
		}
		spec := p.Name
		if count[p.Name] > 1 {
			spec += "@" + p.Version
		}
		out = append(out, spec)
	}
	return out
}

// dependencyVersion is the version that an own package depends on.
func dependencyVersion(l *cargo.Lock, r requirement) string {
	for _, own := range l.Packages {
		if own.Name != r.by || own.Source != "" {
			continue
		}
		for _, d := range own.Dependencies {
			// "name", or "name version" and "name version (source)" when there are several.
			name, rest, _ := strings.Cut(d, " ")
			version, _, _ := strings.Cut(rest, " ")
			if name == r.Crate {
				return cmp.Or(version, newestOf(l, name))
			}
		}
	}
	return ""
}

// setRequirement writes a requirement to the copy; before receives the text that
// the file had at first.
func (pl *Plan) setRequirement(r requirement, to string, before map[string][]byte) error {
	text, err := pl.work.read(r.At.File)
	if err != nil {
		return err
	}
	if before[r.At.File] == nil {
		before[r.At.File] = text
	}
	changed, err := setString(text, r.value, to)
	if err != nil {
		return fault.Wrap(fault.Pins, err, "")
	}
	if err := pl.work.write(r.At.File, changed); err != nil {
		return err
	}
	return pl.work.reopen()
}

// noVersions adds to cargo's error what can be done.
func (pl *Plan) noVersions(err error, name string) error {
	if err == nil || fault.KindOf(err) != fault.Pins {
		return err
	}
	hints := fault.Hints(err)
	if strings.Contains(err.Error(), "failed to select a version") {
		hints = nil
		if !pl.req.Edit {
			hints = append(hints, fmt.Sprintf("espalier update %s --edit   # also moves the requirements of the crates that belong to it", name))
		}
		hints = append(hints, "espalier outdated   # what is newer, and whether it would fit")
	}
	return fault.New(fault.Pins, err.Error(), hints...)
}

// releaseGit removes the packages of git sources from the copy's Cargo.lock, so
// that locking takes today's commits.
func (pl *Plan) releaseGit(sources []cargo.GitSource) error {
	blocks := strings.Split(string(pl.work.CargoLock.Bytes), "\n[[package]]\n")
	kept := blocks[:1]
	for _, b := range blocks[1:] {
		l, err := cargo.ParseLock("Cargo.lock", []byte("version = 4\n[[package]]\n"+b))
		if err == nil && len(l.Packages) == 1 {
			src, ok := l.Packages[0].Git()
			if ok && slices.Contains(sources, cargo.GitSource{URL: src.URL, Ref: src.Ref}) && !strings.HasPrefix(src.Ref, "rev=") {
				continue
			}
		}
		kept = append(kept, b)
	}
	if len(kept) == len(blocks) {
		return nil
	}
	if err := pl.work.write(pl.work.lockName(), []byte(strings.Join(kept, "\n[[package]]\n"))); err != nil {
		return err
	}
	if err := pl.work.reopen(); err != nil {
		return err
	}
	return nil
}

// chooseToolchain asks the suppliers what they offer. A channel that is a version
// is a line of the project, which changes only if the request says so.
func (pl *Plan) chooseToolchain(ctx context.Context) error {
	pl.lock.Toolchain, pl.lock.Version = true, pl.req.To
	ch := pl.p.Toolchain.Channel
	if to := pl.req.To; to != "" && pl.p.Toolchain.File != "" && isVersion(ch.V) && !strings.HasPrefix(to+".", ch.V+".") {
		if !pl.req.Edit {
			return fault.New(fault.Pins, fmt.Sprintf("%s asks for channel %s; for rustc %s it would have to be %s", ch.Origin.Short(), ch.V, to, to),
				"espalier update toolchain --to "+to+" --edit   # changes the line")
		}
		if err := pl.setChannel(to); err != nil {
			return err
		}
	}
	tc, version, err := pl.env.Session.Compiler(ctx, pl.work.Project, pl.old, pl.lock)
	if err != nil {
		return err
	}
	old, _ := pl.old.Toolchain(pl.env.Session.Host)
	have, _, _ := strings.Cut(old.Rustc, " ")
	bytes := func(t lock.Toolchain) (n int64) {
		for _, p := range t.Packages {
			n += max(p.Digest.Size, 0)
		}
		return n
	}
	if version != have || tc.Supplier != old.Supplier {
		pl.Moves = append(pl.Moves, Move{Kind: KindToolchain, Name: "rustc", From: have, To: version, FromBytes: bytes(old), ToBytes: bytes(tc),
			Direct: true, Why: "offered by " + tc.Supplier})
	}
	return nil
}

func isVersion(channel string) bool {
	return strings.Trim(channel, "0123456789.") == "" && strings.Contains(channel, ".")
}

// setChannel changes the channel in the copy's toolchain file.
func (pl *Plan) setChannel(to string) error {
	name := pl.work.Toolchain.File
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(pl.work.Root, filepath.FromSlash(name))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fault.Wrap(fault.Usage, err, "reading the toolchain file")
	}
	ch := pl.work.Toolchain.Channel
	if filepath.IsAbs(name) {
		return fault.New(fault.Pins, pl.p.Toolchain.Channel.Origin.Short()+" is above the project: change its channel there to "+to)
	}
	var changed []byte
	if doc, err := tomldoc.Parse(name, text); err == nil && doc.Get("toolchain", "channel") != nil {
		if changed, err = setString(text, doc.Get("toolchain", "channel"), to); err != nil {
			return fault.Wrap(fault.Usage, err, "")
		}
	} else {
		changed = []byte(strings.Replace(string(text), ch.V, to, 1)) // the old form has the channel alone
	}
	if err := pl.work.write(name, changed); err != nil {
		return err
	}
	pl.files = append(pl.files, name)
	pl.Edits = append(pl.Edits, Edit{At: config.Origin{File: name, Line: ch.Origin.Line}, Name: "channel", From: ch.V, To: to})
	return pl.work.reopen()
}

// checkCompiler refuses a crate that the pinned compiler is too old for.
func (pl *Plan) checkCompiler(sel selection) error {
	have := pl.rustc()
	reqs, err := requirements(pl.work.Project)
	if err != nil || sel.toolchain && len(pl.Moves) == 0 {
		return err
	}
	for _, r := range reqs {
		version := dependencyVersion(pl.after, r)
		v, ok := pl.index.Version(r.Crate, version)
		if !ok || !cargo.OlderThan(have, v.RustVersion) || newestOf(pl.p.CargoLock, r.Crate) == version {
			continue
		}
		names := strings.Join(append(slices.Clone(pl.req.Names), Toolchain), " ")
		hints := []string{"espalier update " + names + "   # moves the compiler, too"}
		if pl.req.To != "" {
			hints = []string{"espalier update toolchain", "espalier update " + strings.Join(pl.req.Names, " ") + " --to " + pl.req.To}
		}
		return fault.New(fault.Pins, fmt.Sprintf("%s %s needs rustc %s; the pinned one is %s", r.Crate, version, v.RustVersion, have), hints...)
	}
	return nil
}

func noSuchName(name string, known []string) error {
	var hints []string
	if near := suggest.Nearest(name, known); near != "" {
		hints = append(hints, "espalier update "+near)
	}
	if s, ok := successorOf(name); ok {
		hints = append(hints, fmt.Sprintf("%s goes on as %s", name, s.Next))
	}
	return fault.New(fault.Usage, name+": no crate of that name in Cargo.lock, and neither toolchain nor chip-files", hints...)
}

var errNoIndex = errors.New("the pinned cargo is too old to have an index of its own: cargo 1.70 or newer is needed")
