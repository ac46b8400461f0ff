package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/pin"
	"espalier.dev/espalier/internal/ui"
)

type lockOptions struct {
	work      workOptions
	Toolchain bool
}

func newLock(a *app) *cobra.Command {
	var o lockOptions
	cmd := &cobra.Command{
		Use:   "lock",
		Short: "names become bytes: write espalier.lock",
		Long: `Find out what the project's names mean today, down to the last byte: compiler,
linker and standard library, crates, git crates, bootloader and mask ROM. Everything
is fetched on the way, checked, and written to espalier.lock beside Cargo.lock; what
changed is printed. Commit both files.

Pins that still fit stay where they are. A Cargo.lock that is missing is made with
the pinned cargo.` + exits(fault.Pins, fault.Sandbox),
		Example: `  espalier lock
  espalier lock --toolchain        take the newest compiler that the supplier offers`,
		Args: args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.open(cmd.Context(), o.work)
			if err != nil {
				return err
			}
			defer w.close()
			_, err = w.lock(cmd.Context(), o)
			return err
		},
	}
	cmd.Flags().BoolVar(&o.Toolchain, "toolchain", false, "choose the compiler anew, although the locked one would do")
	o.work.addSandboxFlag(cmd.Flags())
	return cmd
}

// nameUntracked names the files that a clone of the repository would lack. In a
// project that is new to git that is all of them, which is one thing to say.
func (w *workspace) nameUntracked() {
	names := w.project.Untracked
	if n := len(names); n > 1 && n == len(w.project.Files) {
		w.app.ui.Note("git tracks nothing of this project yet; all %d files are part of the build", n)
		return
	}
	for _, name := range names {
		w.app.ui.Note("untracked file %s is part of the build", name)
	}
}

// lock makes and writes the project's lock and returns it.
func (w *workspace) lock(ctx context.Context, o lockOptions) (*lock.File, error) {
	w.nameUntracked()
	var old *lock.File
	if _, err := os.Stat(w.lockPath()); !errors.Is(err, fs.ErrNotExist) {
		if old, err = lock.Read(w.lockPath()); err != nil {
			// Its hints would end here again.
			return nil, fault.New(fault.KindOf(err), err.Error(), "git checkout -- "+short(w.lockPath()),
				"rm "+short(w.lockPath())+" && espalier lock   # gives up its pins")
		}
	}
	s, err := w.session()
	if err != nil {
		return nil, err
	}
	locked, err := s.Lock(ctx, w.project, pin.Request{Old: old, Toolchain: o.Toolchain})
	if err != nil {
		return nil, err
	}
	diff := lock.Compare(old, locked.File)
	if locked.CargoLock != nil {
		path := filepath.Join(w.project.Workspace, "Cargo.lock")
		if err := writeFile(path, locked.CargoLock); err != nil {
			return nil, err
		}
		w.app.ui.Note("made Cargo.lock with the pinned cargo; commit it together with %s", lock.FileName)
	}
	if err := lock.Write(w.lockPath(), locked.File); err != nil {
		return nil, err
	}
	if locked.CargoLock != nil {
		if err := w.reopen(); err != nil {
			return nil, err
		}
	}
	w.app.ui.Event("lock", diff)
	for _, l := range diff.Lines() {
		w.app.ui.Printf("%s", w.app.paintChange(l))
	}
	if diff.Empty() {
		w.app.ui.Note("%s is up to date", lock.FileName)
	}
	return locked.File, nil
}

func (a *app) paintChange(l lock.Line) string {
	switch l.Kind {
	case lock.Added:
		return a.ui.Paint(ui.Stdout, ui.Green, l.Text)
	case lock.Removed:
		return a.ui.Paint(ui.Stdout, ui.Red, l.Text)
	case lock.Moved:
		return a.ui.Paint(ui.Stdout, ui.Yellow, l.Text)
	}
	return l.Text
}

// writeFile replaces a file in one step: it is complete or as it was.
func writeFile(path string, b []byte) error {
	return fault.Wrap(fault.Usage, atomicfile.Write(path, b, 0o644), "writing "+path)
}

func newFetch(a *app) *cobra.Command {
	var o workOptions
	cmd := &cobra.Command{
		Use:   "fetch",
		Short: "bring everything that espalier.lock names into the store",
		Long: `Download what espalier.lock names and the store lacks, from wherever it can be had:
content decides. Afterwards everything works without a network.` + exits(fault.Pins, fault.Sandbox),
		Example: `  espalier fetch && espalier build --offline`,
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.open(cmd.Context(), o)
			if err != nil {
				return err
			}
			defer w.close()
			pins, err := w.pins()
			if err != nil {
				return err
			}
			s, err := w.session()
			if err != nil {
				return err
			}
			return s.Fetch(cmd.Context(), w.project, pins)
		},
	}
	o.addSandboxFlag(cmd.Flags())
	return cmd
}
