package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/pin"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/sandbox"
	"espalier.dev/espalier/internal/supply/crates"
	"espalier.dev/espalier/internal/supply/hostcargo"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/internal/updating"
	"espalier.dev/espalier/internal/version"
)

// PinSession is what locking and fetching need.
func (w *Workspace) PinSession() (*pin.Session, error) {
	var registries []string
	for _, r := range w.Project.Cargo.Registries {
		if r.Name != "" {
			registries = append(registries, r.Name)
		}
	}
	host, err := crates.ReadHostCargo(w.opener.Lookup, registries...)
	if err != nil {
		return nil, err
	}
	for _, n := range host.Notes {
		w.ui.Note("%s", n)
	}
	home, _ := os.UserHomeDir() // without one, no rustup is looked for
	var one func(context.Context, lock.Crate) error
	if sandbox.Unsupported() != nil {
		cargo := hostcargo.Fetcher{Store: w.Store, Home: hostcargo.Home(w.opener.Lookup), Report: w.ui}
		one = cargo.One
	}
	return &pin.Session{
		Store:    w.Store,
		Executor: w.Box,
		Report:   w.ui,
		Host:     lock.Host(),
		Offline:  w.opener.Offline,
		Tool:     version.Read().Version,
		Root:     "/",
		Lookup:   w.opener.Lookup,
		Now:      time.Now,
		Prefixes: w.Project.Espalier.Supply.Prefixes.V,
		RustDist: w.Project.Espalier.Supply.RustDist.V,
		RustKeys: w.Project.Espalier.Supply.RustKeys.V,
		Home:     home,
		GitDir:   w.Project.GitDir,
		Sources:  pin.SourcesOf(w.Project.Espalier.Supply),
		CargoEnv: host,
		One:      one,
	}, nil
}

// Pins returns the project's pins with everything that they name in the store,
// as far as the selection allows to lock and to fetch.
func (w *Workspace) Pins(ctx context.Context) (*lock.File, error) {
	if err := w.Project.CheckChip(); err != nil {
		return nil, err
	}
	if err := sandbox.Unsupported(); err != nil && w.cluster == nil {
		return nil, err // before a toolchain is downloaded
	}
	s, err := w.PinSession()
	if err != nil {
		return nil, err
	}
	return s.Pins(ctx, w.Project, pin.Policy{Lock: w.selection.MayLock, Locked: w.locked()}, w.writeLock)
}

// locked reports whether the lock must fit as it is: by --locked, or because CI is
// set.
func (w *Workspace) locked() bool {
	v, ok := w.opener.Lookup("CI")
	return w.selection.Locked || ok && v != "" && v != "0" && v != "false"
}

// Lock resolves the project's names again and writes the lock; what changed is
// printed. supplier is that of the compiler: "" keeps the locked one, AnySupplier
// chooses again.
func (w *Workspace) Lock(ctx context.Context, supplier string) error {
	if err := sandbox.Unsupported(); err != nil {
		return err // the pinned cargo resolves names in a step with a network, which no cluster gives
	}
	s, err := w.PinSession()
	if err != nil {
		return err
	}
	w.noteUntracked()
	w.noteMissingEnv()
	old, err := w.oldLock()
	if err != nil {
		return err
	}
	req := pin.Request{Old: old, Toolchain: supplier != ""}
	switch supplier {
	case "", AnySupplier:
	case pin.Debian, pin.Rust:
		req.Supplier = supplier
	default:
		return fault.New(fault.Usage, "--toolchain="+supplier+": want debian or rust", "espalier lock --toolchain=rust")
	}
	made, err := s.Lock(ctx, w.Project, req)
	if err != nil {
		return err
	}
	return w.writeLock(old, made)
}

// AnySupplier lets Lock choose the supplier of the compiler.
const AnySupplier = "any"

// CheckLock compares the lock with the project, and Cargo.lock with the
// manifests as cargo does it when everything is in the store.
func (w *Workspace) CheckLock(ctx context.Context) error {
	s, err := w.PinSession()
	if err != nil {
		return err
	}
	f, err := lock.Load(w.Project)
	if err != nil {
		return err
	}
	if a := pin.Missing(ctx, w.Store, f, lock.Host()); a.Files > 0 {
		w.ui.Note("%d files are not in the store; Cargo.lock was compared with the manifests without asking cargo", a.Files)
	} else if err := s.Current(ctx, w.Project, f); err != nil {
		return err
	}
	w.ui.Event("lock", lock.Compare(f, f))
	w.ui.Note("%s is up to date", lock.FileName)
	return nil
}

// oldLock reads the lock that a new one replaces; nil when there is none.
func (w *Workspace) oldLock() (*lock.File, error) {
	path := lock.Path(w.Project)
	old, err := lock.Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		// Its own hints would lead back to espalier lock.
		return nil, fault.New(fault.KindOf(err), err.Error(), "git checkout -- "+ui.Path(path),
			"rm "+ui.Path(path)+" && espalier lock   # gives up its pins")
	}
	return old, nil
}

// writeLock writes a new lock and prints what changed.
func (w *Workspace) writeLock(old *lock.File, made pin.Locked) error {
	if err := made.Write(w.Project); err != nil {
		return err
	}
	switch {
	case made.CargoLock == nil:
	case made.Updated:
		w.ui.Note("updated Cargo.lock with the pinned cargo; commit it together with %s", lock.FileName)
	default:
		w.ui.Note("made Cargo.lock with the pinned cargo; commit it together with %s", lock.FileName)
	}
	var err error
	if w.Project, err = project.Open(w.opener.dir(), w.options); err != nil { // Cargo.lock is part of it
		return err
	}
	diff := lock.Compare(old, made.File)
	w.ui.Event("lock", diff)
	colours := map[string]ui.Style{lock.Added: ui.Green, lock.Removed: ui.Red, lock.Moved: ui.Yellow}
	for _, l := range diff.Lines() {
		if c, ok := colours[l.Kind]; ok {
			l.Text = w.ui.Paint(ui.Stdout, c, l.Text)
		}
		w.ui.Printf("%s", l.Text)
	}
	if diff.Empty() {
		w.ui.Note("%s is up to date", lock.FileName)
	} else {
		w.noteRisks(made.File)
	}
	return nil
}

// noteRisks names the pins of a new lock that may vanish, as far as the lock alone
// tells: the registry's index and repositories are not asked.
func (w *Workspace) noteRisks(f *lock.File) {
	const most = 3
	var names []string
	for _, r := range updating.Risks(w.Project, f, lock.Host(), nil, nil) {
		names = append(names, r.What)
	}
	if n := len(names); n > most {
		names = append(names[:most], fmt.Sprintf("%d more", n-most))
	}
	if len(names) > 0 {
		w.ui.Note("may vanish: %s; espalier outdated says why, and espalier archive keeps everything", strings.Join(names, ", "))
	}
}

// noteUntracked names the files that a clone of the repository would lack. In a
// project that is new to git those are all files, which is one note.
func (w *Workspace) noteUntracked() {
	p := w.Project
	if n := len(p.Untracked); n > 1 && n == len(p.Files) {
		w.ui.Note("git tracks nothing of this project yet; all %d files are part of the build", n)
		return
	}
	for _, name := range p.Untracked {
		w.ui.Note("untracked file %s is part of the build", name)
	}
}

// noteMissingEnv names variables that a build will need. A lock does not need
// them, so they are not an error yet.
func (w *Workspace) noteMissingEnv() {
	if err := w.Project.CheckEnv(); err != nil {
		w.ui.Note("%v", err)
		w.ui.Hints(fault.Hints(err)...)
	}
}
