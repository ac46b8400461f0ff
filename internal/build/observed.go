package build

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/order"
	"espalier.dev/espalier/internal/store"
)

// The input of the application step is the whole project, because its
// compilers, build scripts and macros may read any file. So that a file that
// none of them has used does not cause a recompile, the result is also recorded
// with what the step used (docs/step.md): under a key that has the step's
// inputs without the sources, and of the sources what cargo itself uses
// (source.Structure), a list of the names that the processes of the step have
// passed to the kernel, with the state of each. If a later step has the same
// key, and each of these names has the same state in its sources, its processes
// would see the same and do the same: it has the same result.

const (
	// observedRecipe is increased when the format or the meaning of a record
	// changes.
	observedRecipe = "observed application 1"
	// mostRecords bounds the records of a key: one for each state of the
	// sources, the newest first.
	mostRecords = 8
)

// used is one result of the application step with the state of what it used.
type used struct {
	action  store.Digest
	readmes map[string]string // source.Readmes
	files   []usedFile
}

type usedFile struct {
	read  bool
	path  string // as the process passed it
	state string // of sources.state
}

// observedKey returns the memo key of the records of an application step.
func observedKey(ctx context.Context, st *store.Store, pl Plan, step action.Step) ([]byte, error) {
	step.Inputs = slices.DeleteFunc(slices.Clone(step.Inputs), func(in action.Input) bool { return in.Path == layout.InputSrc })
	id, err := action.Digest(ctx, st, step)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%s\naction %s\nstructure %x\n", observedRecipe, id, sha256.Sum256(pl.structure)), nil
}

// observed returns the result of an earlier application step that used nothing
// that differs in this one's sources; store.ErrMissing when there is none.
// The result is then also stored for this step.
func (r Runner) observed(ctx context.Context, pl Plan, step action.Step) (action.Result, error) {
	if r.Unsandboxed || len(pl.Secrets) > 0 {
		return action.Result{}, store.ErrMissing
	}
	key, err := observedKey(ctx, r.Store, pl, step)
	if err != nil {
		return action.Result{}, err
	}
	records, err := r.records(ctx, key)
	if err != nil || len(records) == 0 {
		return action.Result{}, cmp.Or(err, store.ErrMissing)
	}
	src, err := newSources(ctx, r.Store, pl.sources)
	if err != nil {
		return action.Result{}, err
	}
	for _, u := range records {
		if !src.same(u) {
			continue
		}
		if !maps.Equal(u.readmes, pl.readmes) {
			if named, err := r.namesReadme(ctx, step, src); err != nil || named {
				continue
			}
		}
		res, err := action.Load(ctx, r.Store, u.action, true)
		if err != nil || !r.Store.Has(res.Outputs[pl.Output]) {
			continue
		}
		if res.Digest, err = action.Digest(ctx, r.Store, step); err != nil {
			return action.Result{}, err
		}
		if !r.Store.ReadOnly() {
			err = action.Save(ctx, r.Store, res)
		}
		return res, err
	}
	return action.Result{}, store.ErrMissing
}

// record stores what a step used, next to the newest records of its key.
func (r Runner) record(ctx context.Context, pl Plan, step action.Step, res action.Result) error {
	if res.Observation == nil || !res.Hermetic {
		return nil
	}
	src, err := newSources(ctx, r.Store, pl.sources)
	if err != nil {
		return err
	}
	u := src.used(res)
	u.readmes = pl.readmes
	key, err := observedKey(ctx, r.Store, pl, step)
	if err != nil {
		return err
	}
	records, err := r.records(ctx, key)
	if err != nil && !errors.Is(err, store.ErrMissing) && !errors.Is(err, store.ErrCorrupt) {
		return err
	}
	records = slices.DeleteFunc(records, func(o used) bool { return o.action == u.action })
	records = append([]used{u}, records...)
	records = records[:min(len(records), mostRecords)]
	tree, err := r.Store.MakeTree(ctx, func(b *store.TreeBuilder) error {
		dir := b.Source("observations")
		for i, u := range records {
			if _, err := dir.File(ctx, strconv.Itoa(i), false, bytes.NewReader(u.encode())); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.Store.PutMemo(ctx, key, tree)
}

func (r Runner) records(ctx context.Context, key []byte) ([]used, error) {
	tree, err := r.Store.Memo(ctx, store.DigestOf(key))
	if err != nil {
		return nil, err
	}
	var out []used
	err = r.Store.Walk(ctx, tree, func(e store.Entry) error {
		if e.Type != store.TypeFile {
			return nil
		}
		f, err := r.Store.Open(ctx, e)
		if err != nil {
			return err
		}
		defer f.Close()
		text, err := io.ReadAll(f)
		if err != nil {
			return err
		}
		u, err := decodeUsed(text)
		if err != nil {
			return err
		}
		out = append(out, u)
		return nil
	})
	return out, err
}

// encode writes a record, one fact per line.
func (u used) encode() []byte {
	b := fmt.Appendf(nil, "action %s\n", u.action)
	for _, dir := range slices.Sorted(maps.Keys(u.readmes)) {
		b = fmt.Appendf(b, "readme %q %q\n", dir, u.readmes[dir])
	}
	for _, f := range u.files {
		how := "looked"
		if f.read {
			how = "read"
		}
		b = fmt.Appendf(b, "%s %q %q\n", how, f.path, f.state)
	}
	return b
}

func decodeUsed(text []byte) (used, error) {
	u := used{readmes: map[string]string{}}
	bad := func(line string) error { return fmt.Errorf("%w: observation: line %q", store.ErrCorrupt, line) }
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		what, rest, _ := strings.Cut(line, " ")
		if what == "action" {
			d, err := store.ParseDigest(rest)
			if err != nil {
				return u, bad(line)
			}
			u.action = d
			continue
		}
		var a, b string
		if n, err := fmt.Sscanf(rest, "%q %q", &a, &b); n != 2 || err != nil {
			return u, bad(line)
		}
		switch what {
		case "readme":
			u.readmes[a] = b
		case "looked", "read":
			u.files = append(u.files, usedFile{what == "read", a, b})
		default:
			return u, bad(line)
		}
	}
	if u.action.IsZero() {
		return u, bad("")
	}
	return u, lines.Err()
}

// sources is a tree of sources as the processes of a step see it at layout.Src.
type sources struct {
	entries map[string]store.Entry
	names   map[string][]string // names and types of the entries of each directory
}

func newSources(ctx context.Context, st *store.Store, tree store.Digest) (*sources, error) {
	s := &sources{entries: map[string]store.Entry{}, names: map[string][]string{}}
	err := st.Walk(ctx, tree, func(e store.Entry) error {
		s.entries[e.Path] = e
		if e.Path != "" {
			dir := path.Dir(e.Path)
			if dir == "." {
				dir = ""
			}
			s.names[dir] = append(s.names[dir], path.Base(e.Path)+" "+e.Type.String())
		}
		return nil
	})
	return s, err
}

// used returns the record of what a step with these sources has used.
func (s *sources) used(res action.Result) used {
	u := used{action: res.Digest}
	for _, f := range res.Observation.Files {
		u.files = append(u.files, usedFile{f.Read, f.Path, s.state(f.Path, f.Read)})
	}
	order.Sort(u.files, func(a, b usedFile) int { return cmp.Compare(a.path, b.path) })
	return u
}

// same reports whether everything that was used has the same state.
func (s *sources) same(u used) bool {
	return !slices.ContainsFunc(u.files, func(f usedFile) bool { return s.state(f.path, f.read) != f.state })
}

// mostLinks bounds the links that are followed, as in the kernel.
const mostLinks = 40

// state describes what a process finds that uses a name: the links on the way,
// then the type and the size of the file, and with read its content, or the
// names in the directory. It is equal for two trees only if no system call with
// that name can tell them apart, except by inode numbers, times that the step
// itself has caused, and the link count of a directory.
func (s *sources) state(name string, read bool) string {
	rest := strings.Split(name, "/")
	var at []string // below the root of the step
	var out strings.Builder
	links := 0
	for len(rest) > 0 {
		elem := rest[0]
		rest = rest[1:]
		switch elem {
		case "", ".":
			continue
		case "..":
			if len(at) > 0 {
				at = at[:len(at)-1]
			}
			continue
		}
		at = append(at, elem)
		e, where := s.lookup(at)
		switch {
		case where == outside:
			// The rest of the input: it is part of the key. Files that the step
			// itself makes follow from the rest.
			continue
		case where == nothing:
			return out.String() + "missing"
		case e.Type == store.TypeSymlink:
			if links++; links > mostLinks {
				return out.String() + "circle"
			}
			fmt.Fprintf(&out, "-> %q ", e.Target)
			at = at[:len(at)-1]
			if path.IsAbs(e.Target) {
				at = nil
			}
			rest = append(strings.Split(e.Target, "/"), rest...)
		case e.Type == store.TypeFile && slices.ContainsFunc(rest, func(r string) bool { return r != "" }):
			return out.String() + "not a directory"
		}
	}
	e, where := s.lookup(at)
	switch {
	case where == outside:
		return out.String() + "outside"
	case e.Type == store.TypeDir && read:
		return fmt.Sprintf("%sdirectory %x", out.String(), sha256.Sum256([]byte(strings.Join(s.names[e.Path], "\n"))))
	case e.Type == store.TypeDir:
		return out.String() + "directory"
	case read:
		return fmt.Sprintf("%sfile %s %v", out.String(), e.Digest, e.Executable)
	}
	return fmt.Sprintf("%sfile of %d bytes %v", out.String(), e.Digest.Size, e.Executable)
}

// place is where a name is.
type place int

const (
	inside  place = iota // in the sources
	outside              // elsewhere in the step
	nothing              // in a directory of the sources that has no such entry
)

func (s *sources) lookup(at []string) (store.Entry, place) {
	if len(at) == 0 || at[0] != strings.TrimPrefix(layout.Src, "/") {
		return store.Entry{}, outside
	}
	e, ok := s.entries[strings.Join(at[1:], "/")]
	if !ok {
		return e, nothing
	}
	return e, inside
}

// readmeMark is the end of the name of the variable by which cargo tells a
// package's README to compilers, macros and build scripts. A compiler may put a
// string of this length into instructions, eight bytes at a time.
var readmeMark = []byte("G_README") // of CARGO_PKG_README

// namesReadme reports whether anything that may use CARGO_PKG_README names it:
// the sources, or the programs of the dependency layer and of build scripts
// (macros among them). Then a README file that appears or disappears counts.
func (r Runner) namesReadme(ctx context.Context, step action.Step, src *sources) (bool, error) {
	for _, e := range src.entries {
		if e.Type != store.TypeFile || path.Ext(e.Path) != ".rs" {
			continue
		}
		if named, err := r.contains(ctx, e, readmeMark); err != nil || named {
			return named, err
		}
	}
	for _, in := range step.Inputs {
		if in.Path != layout.InputTarget && in.Path != layout.InputUnits {
			continue
		}
		if named, err := r.treeNamesReadme(ctx, in.Tree); err != nil || named {
			return named, err
		}
	}
	return false, nil
}

// treeNamesReadme is namesReadme for a tree of compiled programs. The answer is
// stored: an empty tree for no.
func (r Runner) treeNamesReadme(ctx context.Context, tree store.Digest) (bool, error) {
	key := fmt.Appendf(nil, "CARGO_PKG_README in tree %s, 1\n", tree)
	answer, err := r.Store.Memo(ctx, store.DigestOf(key))
	if err == nil {
		return answer != noTree, nil
	}
	if !errors.Is(err, store.ErrMissing) && !errors.Is(err, store.ErrCorrupt) {
		return false, err
	}
	named := false
	err = r.Store.Walk(ctx, tree, func(e store.Entry) error {
		// Programs and libraries for the host; those of the target do not run
		// in the step.
		if e.Type == store.TypeDir && strings.Count(e.Path, "/") == 1 && !strings.HasSuffix(e.Path, "/deps") && !strings.HasSuffix(e.Path, "/build") ||
			e.Type == store.TypeDir && strings.Count(e.Path, "/") == 0 && e.Path != "" && strings.Contains(e.Path, "-none-") {
			return fs.SkipDir
		}
		if named || e.Type != store.TypeFile {
			return nil
		}
		named, err = r.contains(ctx, e, readmeMark)
		return err
	})
	if err != nil {
		return false, err
	}
	return named, putAnswer(ctx, r.Store, key, named)
}

// contains reports whether a file contains a text.
func (r Runner) contains(ctx context.Context, e store.Entry, text []byte) (bool, error) {
	f, err := r.Store.Open(ctx, e)
	if err != nil {
		return false, err
	}
	defer f.Close()
	buf := make([]byte, 256<<10)
	kept, found := 0, false
	for {
		n, err := f.Read(buf[kept:])
		have := buf[:kept+n]
		found = found || bytes.Contains(have, text)
		kept = copy(buf, have[max(0, len(have)-len(text)+1):])
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return false, err
		}
	}
}
