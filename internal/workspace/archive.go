package workspace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"espalier.dev/espalier/internal/archive"
	"espalier.dev/espalier/internal/atomicfile"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/source"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/version"
)

// ArchiveOptions say what goes into an archive besides what the lock names.
type ArchiveOptions struct {
	NoFirmware bool     // nothing is built
	Programs   []string // files, such as espalier for other platforms
}

// Archived is the event "archive".
type Archived struct {
	File     string                  `json:"file"`
	Manifest string                  `json:"manifest"` // "sha256:<hex>": the name of the archive, whatever its file is called
	Files    int                     `json:"files"`
	Bytes    int64                   `json:"bytes"`            // of the file
	Absent   []string                `json:"absent,omitempty"` // evidence that the store no longer has
	Results  map[string]store.Digest `json:"results,omitempty"`
}

// Archive builds the project and writes an archive of it to a file.
func (w *Workspace) Archive(ctx context.Context, name string, o ArchiveOptions) (Archived, error) {
	out := Archived{File: name}
	pins, err := w.results(ctx, o.NoFirmware, &out)
	if err != nil {
		return out, err
	}
	c := archive.Contents{Pins: pins, Config: archive.Config{
		Version: archive.Version, Project: w.Project.Package, Host: lock.Host(), Tool: version.Read().Version,
		Results: out.Results, Workspace: filepath.ToSlash(relative(w.Project.Root, w.Project.Workspace)),
	}}
	if c.Config.Project == "" {
		c.Config.Project = filepath.Base(w.Project.Workspace)
	}
	if len(w.Project.Untracked) == 0 {
		c.Config.Revision = w.Project.Head.Commit
	}
	if c.Config.Source, err = source.Tree(ctx, w.Store, w.Project); err != nil {
		return out, err
	}
	if c.Lock, err = os.ReadFile(lock.Path(w.Project)); err != nil {
		return out, fault.Opening(lock.FileName, err)
	}
	c.Config.Lock = store.DigestOf(c.Lock)
	if err := w.restorable(ctx, c); err != nil {
		return out, err
	}
	if c.Programs, err = programs(o.Programs); err != nil {
		return out, err
	}
	f, err := atomicfile.Create(filepath.Dir(name))
	if err != nil {
		return out, fault.Writing(name, err)
	}
	defer f.Discard()
	made, err := archive.Write(ctx, w.Store, f, c, w.ui)
	if err != nil {
		return out, writing(name, err)
	}
	out.Manifest, out.Files, out.Bytes, out.Absent = made.Manifest, made.Files, made.Bytes, made.Absent
	if err := f.Commit(name, 0o644); err != nil {
		return out, fault.Writing(name, err)
	}
	return out, nil
}

// writing makes errors of the file being written faults; others stay.
func writing(name string, err error) error {
	var path *fs.PathError
	if fault.KindOf(err) == fault.Bug && errors.As(err, &path) {
		return fault.Writing(name, err)
	}
	return err
}

func relative(base, dir string) string {
	rel, err := filepath.Rel(base, dir)
	if err != nil {
		return "."
	}
	return rel
}

// results builds the firmware and names its files. Firmware with secrets or of
// an incomplete sandbox is left out: no one else could make the same.
func (w *Workspace) results(ctx context.Context, none bool, out *Archived) (*lock.File, error) {
	if none {
		return w.Pins(ctx)
	}
	f, err := w.Firmware(ctx)
	if err != nil {
		return nil, err
	}
	if !f.Hermetic || len(f.Plan.Secrets) > 0 {
		w.ui.Note("the firmware is not in the archive: its build is not hermetic")
		return f.Pins, nil
	}
	elf, err := w.Store.PutBytes(ctx, f.ELF)
	if err != nil {
		return nil, err
	}
	image, err := w.Store.PutBytes(ctx, f.Flash.Trimmed())
	if err != nil {
		return nil, err
	}
	out.Results = map[string]store.Digest{f.Name + ".elf": elf, f.Name + ".bin": image}
	return f.Pins, nil
}

// programs are espalier itself, as it runs here, and files that the user names.
func programs(names []string) ([]archive.Program, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "finding the program espalier")
	}
	out := []archive.Program{fileProgram("program/"+runtime.GOOS+"-"+runtime.GOARCH+"/espalier", self)}
	taken := map[string]bool{}
	for _, name := range names {
		title := "program/" + filepath.Base(name)
		if st, err := os.Stat(name); err != nil {
			return nil, fault.Opening(name, err)
		} else if !st.Mode().IsRegular() {
			return nil, fault.New(fault.Usage, name+" is not a plain file")
		}
		if taken[title] {
			return nil, fault.New(fault.Usage, "two programs are called "+filepath.Base(name))
		}
		taken[title] = true
		out = append(out, fileProgram(title, name))
	}
	return out, nil
}

func fileProgram(title, name string) archive.Program {
	return archive.Program{Title: title, Open: func() (io.ReadCloser, error) {
		f, err := os.Open(name)
		if err != nil {
			return nil, fault.Opening(name, err)
		}
		return f, nil
	}}
}

// restorable unpacks the project's files as Restore will, outside of any
// repository, and opens them: what git tracks in spite of a .gitignore would not
// be part of the project there.
func (w *Workspace) restorable(ctx context.Context, c archive.Contents) error {
	dir, err := os.MkdirTemp("", "espalier-archive-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	top := filepath.Join(dir, "project")
	if err := unpack(ctx, w.Store, c.Config, c.Lock, top); err != nil {
		return err
	}
	return w.opener.same(ctx, w.Store, c.Config, top)
}

// unpack writes an archived project to dir, which does not exist.
func unpack(ctx context.Context, st *store.Store, c archive.Config, lockText []byte, dir string) error {
	if err := st.Materialise(ctx, c.Source, dir, store.MaterialiseOptions{}); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir) // the workspace may be named with a symbolic link that leaves dir
	if err != nil {
		return fault.Opening(dir, err)
	}
	defer root.Close()
	name := filepath.Join(filepath.FromSlash(c.Workspace), lock.FileName)
	if err := root.WriteFile(name, lockText, 0o644); err != nil {
		return fault.Writing(filepath.Join(dir, name), err)
	}
	return nil
}

// same compares the project in an unpacked archive with what was archived.
func (o Opener) same(ctx context.Context, st *store.Store, c archive.Config, dir string) error {
	o.Dir = filepath.Join(dir, filepath.FromSlash(c.Workspace))
	p, err := project.Open(o.dir(), o.Options(project.Flags{}))
	if err != nil {
		return err
	}
	got, err := source.Tree(ctx, st, p)
	if err != nil || got.Hash == c.Source.Hash {
		return err
	}
	var names []string
	err = st.Diff(ctx, c.Source, got, func(d store.Difference) error {
		names = append(names, d.Path)
		return nil
	})
	if err != nil {
		return err
	}
	if len(names) == 0 {
		names = []string{"its top directory"}
	}
	first, more := names[0], ""
	if n := len(names) - 1; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fault.New(fault.Usage, fmt.Sprintf("outside of this repository the project differs: %s%s", first, more),
		"a .gitignore that matches files which git tracks keeps them out of a copy: name them in [build] include of espalier.toml")
}

// Restoration is the event "restore".
type Restoration struct {
	Dir     string                  `json:"dir"` // of the workspace
	Project string                  `json:"project"`
	Results map[string]store.Digest `json:"results,omitempty"` // what a build makes
}

// Restore puts the archive in a file into the store and its project into a
// directory, which must not exist or be empty; "" is one with the project's
// name. Nothing is downloaded.
func (o Opener) Restore(ctx context.Context, name, dir string) (out Restoration, err error) {
	l, err := archive.Open(name)
	if err != nil {
		return out, err
	}
	defer l.Close()
	out.Project, out.Results = l.Config.Project, l.Config.Results
	if dir == "" {
		dir = filepath.Base(l.Config.Project)
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return out, fault.New(fault.Usage, fmt.Sprintf("%s is not empty", dir), "espalier restore "+name+" ANOTHER-DIRECTORY")
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return out, fault.Opening(dir, err)
	}
	settings, err := o.Settings(project.Flags{})
	if err != nil {
		return out, err
	}
	st, err := o.OpenStore(ctx, settings.Espalier)
	if err != nil {
		return out, err
	}
	defer st.Close()
	got, err := archive.Restore(ctx, st, l, o.UI)
	if err != nil {
		return out, err
	}
	if err := o.install(ctx, st, l.Config, got, dir); err != nil {
		return out, err
	}
	out.Dir = filepath.Join(dir, filepath.FromSlash(l.Config.Workspace))
	return out, o.complete(ctx, out.Dir)
}

// install unpacks the project beside dir and renames it.
func (o Opener) install(ctx context.Context, st *store.Store, c archive.Config, got archive.Restored, dir string) error {
	parent := filepath.Dir(filepath.Clean(dir))
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return fault.Writing(dir, err)
	}
	tmp, err := os.MkdirTemp(parent, atomicfile.Prefix)
	if err != nil {
		return fault.Writing(dir, err)
	}
	defer os.RemoveAll(tmp)
	top := filepath.Join(tmp, filepath.Base(dir))
	if err := unpack(ctx, st, c, got.Lock, top); err != nil {
		return err
	}
	if err := o.same(ctx, st, c, top); err != nil {
		return err
	}
	if err := os.Rename(top, dir); err != nil {
		return fault.Writing(dir, err)
	}
	return nil
}

// complete unpacks the compiler from the restored packages, and keeps all that
// the lock names from gc.
func (o Opener) complete(ctx context.Context, dir string) error {
	o.Dir, o.Offline = dir, true
	w, err := o.Open(ctx, Selection{Locked: true})
	if err != nil {
		return err
	}
	defer w.Close()
	f, err := lock.Load(w.Project)
	if err != nil {
		return err
	}
	s, err := w.PinSession()
	if err != nil {
		return err
	}
	return s.Fetch(ctx, w.Project, f)
}

// CheckArchive reads an archive and hashes everything in it.
func (o Opener) CheckArchive(ctx context.Context, name string) (archive.Checked, error) {
	l, err := archive.Open(name)
	if err != nil {
		return archive.Checked{}, err
	}
	defer l.Close()
	return archive.Check(ctx, l, o.UI)
}
