package cli

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/pin"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/ui"
)

// anySupplier is --toolchain without a value.
const anySupplier = "any"

type lockOptions struct {
	work      workOptions
	Toolchain string
	Check     bool
}

func newLock(a *app) *cobra.Command {
	var o lockOptions
	cmd := &cobra.Command{
		Use:   "lock",
		Short: "resolve and pin everything: write espalier.lock",
		Long: `Resolve the project's names to content: compiler, linker and standard library, crates,
git crates, bootloader and mask ROM. Everything is fetched, verified and written to
espalier.lock beside Cargo.lock, for all packages of the workspace; what changed is
printed. Commit both files.

Pins that still fit stay. A Cargo.lock that is missing is made with the pinned cargo;
one that does not match the manifests is brought up to date, and every version that
can stay stays.` + exits(fault.Pins, fault.Sandbox),
		Example: `  espalier lock
  espalier lock --check            exit 6 when anything would change, for CI
  espalier lock --toolchain        take the newest compiler that fits
  espalier lock --toolchain=rust   take it from the official Rust distribution`,
		Args: args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.open(cmd.Context(), o.work)
			if err != nil {
				return err
			}
			defer w.close()
			s, err := w.pinSession()
			if err != nil {
				return err
			}
			if o.Check {
				return checkLock(cmd, w, s)
			}
			noteUntracked(a.ui, w.project)
			noteMissingEnv(a.ui, w.project)
			old, err := oldLock(w.project)
			if err != nil {
				return err
			}
			req := pin.Request{Old: old, Toolchain: o.Toolchain != ""}
			switch o.Toolchain {
			case "", anySupplier:
			case pin.Debian, pin.Rust:
				req.Supplier = o.Toolchain
			default:
				return fault.New(fault.Usage, fmt.Sprintf("--toolchain=%s: want debian or rust", o.Toolchain), "espalier lock --toolchain=rust")
			}
			made, err := s.Lock(cmd.Context(), w.project, req)
			if err != nil {
				return err
			}
			return w.writeLock(old, made)
		},
	}
	cmd.Flags().StringVar(&o.Toolchain, "toolchain", "", "choose the compiler again, from `SUPPLIER` debian or rust if one is named")
	cmd.Flags().Lookup("toolchain").NoOptDefVal = anySupplier
	cmd.Flags().BoolVar(&o.Check, "check", false, "write nothing; fail when anything would change")
	o.work.addSelectionFlags(cmd.Flags())
	o.work.addSandboxFlag(cmd.Flags())
	return cmd
}

// checkLock compares the lock with the project, and Cargo.lock with the
// manifests as cargo does it when everything is in the store.
func checkLock(cmd *cobra.Command, w *workspace, s *pin.Session) error {
	f, err := lock.Load(w.project)
	if err != nil {
		return err
	}
	if a := pin.Missing(cmd.Context(), w.store, f, lock.Host()); a.Files > 0 {
		w.app.ui.Note("%d files are not in the store; Cargo.lock was compared with the manifests without asking cargo", a.Files)
	} else if err := s.Current(cmd.Context(), w.project, f); err != nil {
		return err
	}
	w.app.ui.Event("lock", lock.Compare(f, f))
	w.app.ui.Note("%s is up to date", lock.FileName)
	return nil
}

// oldLock reads the lock that a new one replaces; nil when there is none.
func oldLock(p *project.Project) (*lock.File, error) {
	path := lock.Path(p)
	old, err := lock.Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		// Its own hints would lead back to espalier lock.
		return nil, fault.New(fault.KindOf(err), err.Error(), "git checkout -- "+short(path),
			"rm "+short(path)+" && espalier lock   # gives up its pins")
	}
	return old, nil
}

// writeLock writes a new lock and prints what changed.
func (w *workspace) writeLock(old *lock.File, made pin.Locked) error {
	out := w.app.ui
	if err := made.Write(w.project); err != nil {
		return err
	}
	switch {
	case made.CargoLock == nil:
	case made.Updated:
		out.Note("updated Cargo.lock with the pinned cargo; commit it together with %s", lock.FileName)
	default:
		out.Note("made Cargo.lock with the pinned cargo; commit it together with %s", lock.FileName)
	}
	var err error
	if w.project, err = project.Open(w.app.projectDir(), w.options); err != nil { // Cargo.lock is part of it
		return err
	}
	diff := lock.Compare(old, made.File)
	out.Event("lock", diff)
	for _, l := range diff.Lines() {
		out.Printf("%s", paintChange(out, l))
	}
	if diff.Empty() {
		out.Note("%s is up to date", lock.FileName)
	}
	return nil
}

func paintChange(out *ui.UI, l lock.Line) string {
	colours := map[string]ui.Style{lock.Added: ui.Green, lock.Removed: ui.Red, lock.Moved: ui.Yellow}
	if c, ok := colours[l.Kind]; ok {
		return out.Paint(ui.Stdout, c, l.Text)
	}
	return l.Text
}

// noteUntracked names the files that a clone of the repository would lack. In a
// project that is new to git those are all files, which is one note.
func noteUntracked(out *ui.UI, p *project.Project) {
	if n := len(p.Untracked); n > 1 && n == len(p.Files) {
		out.Note("git tracks nothing of this project yet; all %d files are part of the build", n)
		return
	}
	for _, name := range p.Untracked {
		out.Note("untracked file %s is part of the build", name)
	}
}

// noteMissingEnv names variables that a build will need. A lock does not need
// them, so they are not an error yet.
func noteMissingEnv(out *ui.UI, p *project.Project) {
	if err := p.CheckEnv(); err != nil {
		out.Note("%v", err)
		out.Hints(fault.Hints(err)...)
	}
}

func newFetch(a *app) *cobra.Command {
	var o workOptions
	var check bool
	cmd := &cobra.Command{
		Use:   "fetch",
		Short: "fetch everything that espalier.lock names into the store",
		Long: `Download what espalier.lock names and the store lacks, from any of its locations:
content decides. Afterwards everything works without a network.

With --check, nothing is downloaded: every file that the lock names is hashed. What is
damaged is moved aside, so that espalier fetch downloads it again.` + exits(fault.Pins, fault.Sandbox),
		Example: `  espalier fetch && espalier build --offline
  espalier fetch --check || espalier fetch    look for damage, and mend it`,
		Args: args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.open(cmd.Context(), o)
			if err != nil {
				return err
			}
			defer w.close()
			f, err := lock.Load(w.project)
			if err != nil {
				return err
			}
			if check {
				c, err := pin.Check(cmd.Context(), w.store, f, lock.Host(), a.ui)
				a.ui.Event("fetch-check", c)
				for _, d := range c.Damaged {
					a.ui.Printf("damaged: %s", d.What)
				}
				for _, m := range c.Missing {
					a.ui.Printf("missing: %s", m.What)
				}
				return err
			}
			s, err := w.pinSession()
			if err != nil {
				return err
			}
			return s.Fetch(cmd.Context(), w.project, f)
		},
	}
	o.addSandboxFlag(cmd.Flags())
	cmd.Flags().BoolVar(&check, "check", false, "hash every file that the lock names instead")
	return cmd
}
