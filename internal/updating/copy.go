package updating

import (
	"context"
	"io"
	"os"
	"path/filepath"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
)

// workCopy is a copy of a project's input tree in the store's temporary
// directory, opened as a project of its own.
type workCopy struct {
	*project.Project
	dir  string // what remove removes
	open func(dir string) (*project.Project, error)
	at   string // the directory that open is called with
}

// copyProject copies what a build of p uses. open opens the copy with the
// options that p was opened with.
func copyProject(ctx context.Context, st *store.Store, p *project.Project, open func(dir string) (*project.Project, error)) (*workCopy, error) {
	dir, err := st.TempDir("update")
	if err != nil {
		return nil, err
	}
	w := &workCopy{dir: dir, open: open}
	if err := w.fill(ctx, p); err != nil {
		w.remove()
		return nil, err
	}
	return w, w.reopen()
}

func (w *workCopy) fill(ctx context.Context, p *project.Project) error {
	// A directory above that is a repository must not say what is ignored.
	if err := os.MkdirAll(filepath.Join(w.dir, ".git"), 0o777); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(w.dir, ".git", "HEAD"), []byte("ref: refs/heads/main\n"), 0o666); err != nil {
		return err
	}
	root := w.dir
	if f := p.Toolchain.File; filepath.IsAbs(f) { // in a directory above the input tree
		rel, err := filepath.Rel(filepath.Dir(f), p.Root)
		if err == nil && filepath.IsLocal(rel) {
			root = filepath.Join(w.dir, rel)
			if err := copyFile(f, filepath.Join(w.dir, filepath.Base(f)), 0o666); err != nil {
				return err
			}
		}
	}
	w.at = filepath.Join(root, config.Rel(p.Root, p.Member))
	if err := os.MkdirAll(w.at, 0o777); err != nil {
		return err
	}
	for _, f := range p.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		from, to := filepath.Join(p.Root, filepath.FromSlash(f.Path)), filepath.Join(root, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
			return err
		}
		var err error
		if f.Target != "" {
			err = os.Symlink(f.Target, to)
		} else {
			mode := os.FileMode(0o666)
			if f.Exec {
				mode = 0o777
			}
			err = copyFile(from, to, mode)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string, mode os.FileMode) error {
	r, err := os.Open(from)
	if err != nil {
		return fault.Wrap(fault.Usage, err, "copying the project")
	}
	defer r.Close()
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return fault.Wrap(fault.Usage, err, "copying the project")
	}
	_, err = io.Copy(f, r)
	if e := f.Close(); err == nil {
		err = e
	}
	return fault.Wrap(fault.Usage, err, "copying the project")
}

// write replaces a file of the copy; name is relative to Root.
func (w *workCopy) write(name string, b []byte) error {
	path := filepath.Join(w.Root, filepath.FromSlash(name))
	return fault.Wrap(fault.Usage, os.WriteFile(path, b, 0o666), "writing the copy of the project")
}

func (w *workCopy) read(name string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(w.Root, filepath.FromSlash(name)))
	return b, fault.Wrap(fault.Usage, err, "reading the copy of the project")
}

// lockName is Cargo.lock, relative to Root.
func (w *workCopy) lockName() string {
	return filepath.ToSlash(filepath.Join(config.Rel(w.Root, w.Workspace), "Cargo.lock"))
}

// reopen reads the copy again after its files have changed.
func (w *workCopy) reopen() error {
	p, err := w.open(w.at)
	if err != nil {
		w.remove()
		return err
	}
	w.Project = p
	return nil
}

func (w *workCopy) remove() { os.RemoveAll(w.dir) }
