package workspace

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/audit"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/updating"
)

// Audited is the event "audit".
type Audited struct {
	Database   string          `json:"database"`
	Commit     string          `json:"commit,omitempty"` // of a database that is a git repository
	Advisories int             `json:"advisories"`
	Crates     int             `json:"crates"`
	Yanked     bool            `json:"yanked"` // the registry's index was asked, too
	Findings   []audit.Finding `json:"findings"`
	Ignored    []audit.Finding `json:"ignored,omitempty"`
}

// AuditOptions say what an audit compares the lock with.
type AuditOptions struct {
	Database string // a directory, a tar archive (also compressed with gzip), or the address of a git repository
	Yanked   bool
	Ignore   []string // IDs and aliases
}

// Audit compares the project's lock with a database of advisories, and with the
// registry's index.
func (w *Workspace) Audit(ctx context.Context, o AuditOptions) (Audited, error) {
	out := Audited{Database: o.Database, Findings: []audit.Finding{}}
	pins, err := lock.Load(w.Project)
	if err != nil {
		return out, err
	}
	out.Crates = len(pins.Crates)
	var db audit.Database
	if out.Commit, err = w.readDatabase(ctx, o.Database, &db); err != nil {
		return out, err
	}
	if out.Advisories = len(db.Advisories); out.Advisories == 0 {
		return out, fault.New(fault.Usage, o.Database+" has no advisories: want crates/NAME/ID.md, as in a checkout of RustSec's advisory-db")
	}
	all := db.Check(pins)
	if o.Yanked {
		env, _, err := w.updating()
		if err != nil {
			return out, err
		}
		list, err := updating.Yanked(ctx, env, w.Project, pins)
		if err != nil {
			return out, err
		}
		all, out.Yanked = audit.OfYanked(all, list), true
	}
	for _, f := range all {
		if slices.Contains(o.Ignore, f.ID) || slices.ContainsFunc(f.Aliases, func(a string) bool { return slices.Contains(o.Ignore, a) }) {
			out.Ignored = append(out.Ignored, f)
		} else {
			out.Findings = append(out.Findings, f)
		}
	}
	return out, nil
}

// readDatabase adds the advisories of a database. commit is that of a git repository.
func (w *Workspace) readDatabase(ctx context.Context, name string, db *audit.Database) (commit string, err error) {
	if strings.Contains(name, "://") || strings.HasPrefix(name, "git@") {
		s, err := w.PinSession()
		if err != nil {
			return "", err
		}
		if s.Offline {
			return "", fault.New(fault.Pins, "the database "+name+" is not on this machine, and --offline forbids to fetch it",
				"git clone "+name+" advisory-db   # where there is a network", "espalier audit --db advisory-db")
		}
		commit, tree, err := s.Snapshot(ctx, name)
		if err != nil {
			return "", err
		}
		return commit, w.Store.Walk(ctx, tree, func(e store.Entry) error {
			if e.Type != store.TypeFile || !audit.IsAdvisory(e.Path) {
				return nil
			}
			r, err := w.Store.Open(ctx, e)
			if err != nil {
				return err
			}
			defer r.Close()
			return add(db, e.Path, r)
		})
	}
	st, err := os.Stat(name)
	if err != nil {
		return "", fault.Opening(name, err)
	}
	if !st.IsDir() {
		return "", readArchive(name, db)
	}
	return "", filepath.WalkDir(name, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return fault.Opening(file, err)
		}
		if d.IsDir() && d.Name() == ".git" {
			return fs.SkipDir
		}
		if rel, err := filepath.Rel(filepath.Dir(filepath.Clean(name)), file); err != nil || !d.Type().IsRegular() || !audit.IsAdvisory(filepath.ToSlash(rel)) {
			return nil
		}
		f, err := os.Open(file)
		if err != nil {
			return fault.Opening(file, err)
		}
		defer f.Close()
		return add(db, filepath.ToSlash(file), f)
	})
}

// largestAdvisory bounds a file of a database, in bytes; the largest has 20 kB.
const largestAdvisory = 1 << 20

func add(db *audit.Database, name string, r io.Reader) error {
	b, err := io.ReadAll(io.LimitReader(r, largestAdvisory))
	if err == nil {
		err = db.Add(name, b)
	}
	if err != nil && fault.KindOf(err) == fault.Bug {
		return fault.Wrap(fault.Usage, err, "reading the database of advisories")
	}
	return err
}

// readArchive reads a tar archive, which may be compressed with gzip.
func readArchive(name string, db *audit.Database) error {
	f, err := os.Open(name)
	if err != nil {
		return fault.Opening(name, err)
	}
	defer f.Close()
	var head [2]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return fault.New(fault.Usage, name+" is neither a directory nor a tar archive")
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fault.Opening(name, err)
	}
	var r io.Reader = f
	if bytes.Equal(head[:], []byte{0x1f, 0x8b}) {
		if r, err = gzip.NewReader(f); err != nil {
			return fault.Wrap(fault.Usage, err, "reading "+name)
		}
	}
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fault.Wrap(fault.Usage, err, "reading "+name, "a database is a directory, a tar archive (.tar, .tar.gz) or the address of a git repository")
		}
		if h.Typeflag != tar.TypeReg || !audit.IsAdvisory(h.Name) {
			continue
		}
		if err := add(db, h.Name, t); err != nil {
			return err
		}
	}
}

// Scope says what was compared.
func (a Audited) Scope() string {
	asked := "yanked versions were not asked for"
	if a.Yanked {
		asked = "yanked versions by the registry's index"
	}
	advisories := "1 advisory"
	if a.Advisories != 1 {
		advisories = fmt.Sprintf("%d advisories", a.Advisories)
	}
	return fmt.Sprintf("%d crates and the compiler, %s, %s", a.Crates, advisories, asked)
}

// Err is the verdict: a fault.Program when there are findings that count. With strict,
// crates without a maintainer and notices count, too.
func (a Audited) Err(strict bool) error {
	n := 0
	for _, f := range a.Findings {
		if strict || f.Kind == audit.Vulnerability || f.Kind == audit.Yanked || f.Kind == "unsound" {
			n++
		}
	}
	switch n {
	case 0:
		return nil
	case 1:
		return fault.New(fault.Program, "1 finding in "+lock.FileName)
	}
	return fault.New(fault.Program, fmt.Sprintf("%d findings in %s", n, lock.FileName))
}
