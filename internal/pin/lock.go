package pin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/order"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/supply/crates"
	"espalier.dev/espalier/internal/supply/debian"
)

// Values of lock.Crate.For.
const (
	forProject = "project"
	forStd     = "std"
)

// Request says which pins may move.
type Request struct {
	Old       *lock.File // nil: there is none
	Toolchain bool       // choose the compiler again although the old one would do
	Version   string     // with Toolchain: this version of it, instead of the channel's newest
	Supplier  string     // Debian or Rust; empty: what the project asks for decides
	ChipFiles bool       // take the chip files that this program pins although the old ones would do
}

// Locked is a new lock.
type Locked struct {
	File      *lock.File
	CargoLock []byte // written by the pinned cargo, because there was none or it was stale; nil otherwise
	Updated   bool   // CargoLock replaces an older one
}

// Preflight reports everything about a project that keeps it from being locked
// and that can be known before anything is fetched, as one fault.
func Preflight(p *project.Project) error {
	return all(p.CheckChip(), checkRegistries(p), checkToolchain(p))
}

// all joins faults into one that names each on a line of its own.
func all(errs ...error) error {
	var found []error
	for _, err := range errs {
		if err != nil {
			found = append(found, err)
		}
	}
	if len(found) < 2 {
		return errors.Join(found...)
	}
	var lines, hints []string
	for _, err := range found {
		lines = append(lines, err.Error())
		hints = append(hints, fault.Hints(err)...)
	}
	return fault.New(fault.KindOf(found[0]), strings.Join(lines, "\n"), hints...)
}

// Lock resolves and pins the names of a project, for all packages of its
// workspace. Pins of the old lock that still fit stay. A Cargo.lock that is
// missing or that does not match the manifests is made or updated by the
// pinned cargo, which keeps every version that can stay. Everything that the
// new lock names is in the store afterwards; no file of the project is
// written.
func (s *Session) Lock(ctx context.Context, p *project.Project, req Request) (Locked, error) {
	if err := Preflight(p); err != nil {
		return Locked{}, err
	}
	env, err := p.EnvNames()
	if err != nil {
		return Locked{}, err
	}
	f := &lock.File{Version: lock.Version, Tool: s.Tool, Blobs: chipFiles(req)}
	f.Project = lock.Project{SourceDateEpoch: s.epoch(p, req.Old), Layout: layout.Version, Env: env}
	if t := p.Target(); t != cargo.DefaultTarget && !p.Cargo.TargetIsFile {
		s.Report.Note("the target %s is not the ESP32-C3's (%s); %s", t, cargo.DefaultTarget, otherTarget(t))
	}
	hadLock := p.CargoLock != nil
	if std := p.Cargo.BuildStd; len(std.V) > 0 && !slices.Contains(std.V, "alloc") && !slices.Contains(std.V, "std") {
		s.Report.Note("%s: build-std lists %s; alloc is built, too", std.Origin.Short(), strings.Join(std.V, ", "))
	}
	stale := !hadLock || len(lock.Manifests(p)) > 0
	if p.CargoLock != nil {
		f.Git, err = s.lockGit(ctx, p, req.Old)
	}
	var heads *[]lock.Git
	if err == nil && stale {
		var found []lock.Git
		found, err = s.heads(ctx, p, f.Git)
		heads = &found
	}
	if err != nil {
		return Locked{}, all(err, s.checkCompiler(ctx, p, f, req))
	}
	tc, root, err := s.toolchain(ctx, p, f, req)
	if err != nil {
		return Locked{}, err
	}
	f.Toolchains = []lock.Toolchain{tc}
	if req.Old != nil {
		for _, other := range req.Old.Toolchains {
			if other.Host != s.Host {
				f.Toolchains = append(f.Toolchains, other)
			}
		}
		order.Sort(f.Toolchains, func(a, b lock.Toolchain) int { return cmp.Compare(a.Host, b.Host) })
	}
	made, err := s.lockCrates(ctx, p, f, tc, root, req, heads)
	if err != nil {
		return Locked{}, err
	}
	s.sizes(f.Crates)
	if err := s.crates(tc.Rootfs).Blobs(ctx, f.Blobs); err != nil {
		return Locked{}, err
	}
	if err := s.checkRustVersions(ctx, p, f, tc); err != nil {
		return Locked{}, err
	}
	s.keepGolden(req.Old, f)
	return Locked{File: f, CargoLock: made, Updated: hadLock && made != nil}, s.keep(ctx, p, f)
}

// chipFiles are the pins of the chip's files: those of the old lock, as far as
// it has them.
func chipFiles(req Request) []lock.Blob {
	pins := chipfiles.Pins()
	for i, b := range pins {
		if req.Old == nil || req.ChipFiles {
			break
		}
		if old, ok := req.Old.Blob(b.Name); ok {
			pins[i] = old
		}
	}
	return pins
}

// otherTarget says what comes of a target that is not the chip's own.
func otherTarget(triple string) string {
	if strings.HasPrefix(triple, "riscv32im") && strings.HasSuffix(triple, "-unknown-none-elf") {
		return "the firmware has to emulate the instructions that the chip lacks (riscv-atomic-emulation-trap does so for the A extension)"
	}
	return "the firmware will not boot on it"
}

// lockCrates pins the crates of Cargo.lock and of the standard library, and
// fetches them. heads are today's commits of the git dependencies that a
// missing or stale Cargo.lock lacks; nil when it is not known to be stale. The
// bytes are those of a Cargo.lock that had to be made; p has it then.
func (s *Session) lockCrates(ctx context.Context, p *project.Project, f *lock.File, tc lock.Toolchain, root debian.Rootfs, req Request, heads *[]lock.Git) ([]byte, error) {
	var made []byte
	for {
		if heads != nil {
			text, err := s.resolve(ctx, p, f.Git, *heads, tc)
			if err != nil {
				return nil, err
			}
			made = text
			if p.CargoLock, err = cargo.ParseLock("Cargo.lock", made); err != nil {
				return nil, fault.Wrap(fault.Bug, err, "reading the Cargo.lock that cargo made")
			}
			if f.Git, err = s.lockGit(ctx, p, req.Old); err != nil {
				return nil, err
			}
		}
		f.Project.CargoLock = p.CargoLock.Digest()
		std := &cargo.Lock{} // of a ready-made library
		if root.StdSource != "" {
			var err error
			if std, err = s.stdCrates(ctx, f, root); err != nil {
				return nil, err
			}
		}
		var err error
		if f.Crates, err = union(p.CargoLock, std); err != nil {
			return nil, err
		}
		err = s.fetchCrates(ctx, p, f, root, made)
		if err == nil {
			err = s.checkCargoLock(ctx, p, f, tc.Rootfs, made)
		}
		if !errors.Is(err, crates.ErrStale) || made != nil {
			return made, err
		}
		// Cargo sees more than lock.Manifests: it updates the file, once.
		found, err := s.heads(ctx, p, f.Git)
		if err != nil {
			return nil, err
		}
		heads = &found
	}
}

// keepGolden carries the golden results over when no pin moved.
func (s *Session) keepGolden(old, f *lock.File) {
	if old == nil || len(old.Golden) == 0 {
		return
	}
	f.Golden = old.Golden
	if f.Project.CargoLock == old.Project.CargoLock && lock.Compare(old, f).Empty() {
		return
	}
	f.Golden = nil
	s.Report.Note("the golden results of the old lock are dropped, because pins moved; espalier lock --golden makes new ones")
}

// checkRegistries refuses a registry that a manifest names and the project's own
// configuration does not: a build sees no other configuration.
func checkRegistries(p *project.Project) error {
	known := map[string]bool{"": true, "crates-io": true}
	for _, r := range p.Cargo.Registries {
		known[r.Name] = true
	}
	for _, own := range p.Own {
		for _, d := range own.Depends {
			if !known[d.Registry] {
				return fault.New(fault.Usage, fmt.Sprintf("%s: registry %q is not in the project's .cargo/config.toml, and a build does not see your own", d.Origin.Short(), d.Registry),
					fmt.Sprintf("printf '[registries.%s]\\nindex = \"...\"\\n' >> .cargo/config.toml", d.Registry))
			}
		}
	}
	return nil
}

// epoch is the date that firmware may carry: it stays once it is locked, and
// starts as the time of the checked-out commit.
func (s *Session) epoch(p *project.Project, old *lock.File) int64 {
	switch {
	case old != nil && old.Project.SourceDateEpoch > 0:
		return old.Project.SourceDateEpoch
	case !p.Head.Time.IsZero():
		return p.Head.Time.Unix()
	}
	return s.Now().Unix()
}

// sizes fills in the sizes that Cargo.lock does not have.
func (s *Session) sizes(list []lock.Crate) {
	for i := range list {
		if d, err := s.Store.Complete(list[i].Digest); err == nil {
			list[i].Digest = d
		}
	}
}
