package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	gogit "github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/pelletier/go-toml/v2"

	"espalier.dev/espalier/internal/order"
)

// LinkDir is the directory of links to members inside the tree of a commit. It is
// the directory source that cargo sees: cargo looks for the workspace root
// lexically, so ".espalier/<member>/.." must lie inside the tree.
const LinkDir = ".espalier"

const maxManifest = 1 << 20

var errEOF = io.EOF

// manifest is a Cargo.toml of the commit.
type manifest struct {
	dir       string // "" for the root
	text      []byte
	name      string
	version   string // "" when inherited
	inherits  bool   // version.workspace = true
	workspace bool   // has [workspace]
	wsVersion string // workspace.package.version
	explicit  bool   // has package.workspace
}

// file writes one file; manifests are held back until link knows whether they
// need a line more, LFS pointers until it knows whether a member has them.
func (w *writer) file(ctx context.Context, r *gogit.Repository, entry object.TreeEntry, full string) error {
	blob, err := r.BlobObject(entry.Hash)
	if err != nil {
		return err
	}
	rd, err := blob.Reader()
	if err != nil {
		return err
	}
	defer rd.Close()
	w.task.Add(1)
	if blob.Size < maxPointer && path.Base(full) != "Cargo.toml" {
		text, err := io.ReadAll(rd)
		if err != nil {
			return err
		}
		exec := entry.Mode == filemode.Executable
		if object, ok := parsePointer(text); ok {
			w.pointers = append(w.pointers, pointer{full, exec, text, object})
			return nil
		}
		_, err = w.tree.File(ctx, full, exec, bytes.NewReader(text))
		return err
	}
	if path.Base(full) != "Cargo.toml" || blob.Size > maxManifest {
		_, err = w.tree.File(ctx, full, entry.Mode == filemode.Executable, rd)
		return err
	}
	text, err := io.ReadAll(rd)
	if err != nil {
		return err
	}
	m := parseManifest(text)
	m.dir = path.Dir(full)
	if m.dir == "." {
		m.dir = ""
	}
	w.manifests = append(w.manifests, m)
	return nil
}

func blobText(r *gogit.Repository, h plumbing.Hash) (string, error) {
	blob, err := r.BlobObject(h)
	if err != nil {
		return "", err
	}
	rd, err := blob.Reader()
	if err != nil {
		return "", err
	}
	defer rd.Close()
	b, err := io.ReadAll(io.LimitReader(rd, 64<<10))
	return string(b), err
}

// parseManifest reads what the choice of members needs. A manifest that does
// not parse names no package: repositories hold broken ones as test data.
func parseManifest(text []byte) manifest {
	var t struct {
		Package *struct {
			Name      string
			Version   any
			Workspace any
		}
		Workspace *struct {
			Package struct{ Version string }
		}
	}
	m := manifest{text: text}
	if toml.Unmarshal(text, &t) != nil {
		return m
	}
	if t.Workspace != nil {
		m.workspace = true
		m.wsVersion = t.Workspace.Package.Version
	}
	if t.Package == nil {
		return m
	}
	m.name = t.Package.Name
	m.explicit = t.Package.Workspace != nil
	switch v := t.Package.Version.(type) {
	case string:
		m.version = v
	case map[string]any:
		m.inherits = v["workspace"] == true
	case nil:
		m.version = "0.0.0"
	}
	return m
}

// link writes the manifests, the checksum files of the members and the directory
// of links.
func (w *writer) link(ctx context.Context, src Source, members []Member) error {
	order.Sort(w.manifests, func(a, b manifest) int { return strings.Compare(a.dir, b.dir) })
	chosen := map[string]bool{}
	for _, m := range members {
		mf, err := w.find(m)
		if err != nil {
			return failed(src.URL, err)
		}
		if err := w.tree.Symlink(path.Join(LinkDir, m.Name+"-"+m.Version), path.Join("..", mf.dir)); err != nil {
			return failed(src.URL, err)
		}
		if chosen[mf.dir] {
			continue
		}
		chosen[mf.dir] = true
		if _, err := w.tree.File(ctx, path.Join(mf.dir, ".cargo-checksum.json"), false,
			strings.NewReader(`{"files":{},"package":null}`)); err != nil {
			return failed(src.URL, err)
		}
	}
	for _, mf := range w.manifests {
		text := mf.text
		if chosen[mf.dir] && mf.dir != "" && !mf.workspace && !mf.explicit {
			// Seen from the link directory the only workspace root is the top of the
			// tree; a member of a nested workspace would inherit from the wrong one.
			if root, ok := w.nearestRoot(mf.dir); ok && root != "" {
				var err error
				if text, err = injectWorkspace(text, path.Join("..", root)); err != nil {
					return failed(src.URL, fmt.Errorf("%s/Cargo.toml: %w", mf.dir, err))
				}
			}
		}
		if _, err := w.tree.File(ctx, path.Join(mf.dir, "Cargo.toml"), false, bytes.NewReader(text)); err != nil {
			return failed(src.URL, err)
		}
	}
	return nil
}

// objects writes the files that the repository keeps in LFS: those in the
// directory of a member with their content, the others as the pointers that
// they are in the commit. Cargo leaves all of them pointers, which no crate that
// needs such a file can be built from.
func (w *writer) objects(ctx context.Context, src Source, members []Member) error {
	within := func(p pointer) bool {
		for _, m := range members {
			if mf, err := w.find(m); err == nil && (mf.dir == "" || strings.HasPrefix(p.path, mf.dir+"/")) {
				return true
			}
		}
		return false
	}
	var need []pointer
	for _, p := range w.pointers {
		if within(p) {
			need = append(need, p)
		}
	}
	if err := w.fetcher.lfs(ctx, src.URL, need); err != nil {
		return failed(src.URL, err)
	}
	for _, p := range w.pointers {
		if !slices.ContainsFunc(need, func(n pointer) bool { return n.path == p.path }) {
			if _, err := w.tree.File(ctx, p.path, p.exec, bytes.NewReader(p.text)); err != nil {
				return err
			}
			continue
		}
		r, err := w.fetcher.Store.Get(ctx, p.object)
		if err != nil {
			return err
		}
		_, err = w.tree.File(ctx, p.path, p.exec, r)
		if err = errors.Join(err, r.Close()); err != nil {
			return err
		}
	}
	return nil
}

// all lists every package of the commit; of several with one name and version
// the one that find prefers.
func (w *writer) all() []Member {
	var out []Member
	for _, mf := range w.manifests {
		v := w.versionOf(mf)
		m := Member{mf.name, v}
		if mf.name != "" && v != "" && !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}

func (w *writer) versionOf(mf manifest) string {
	if mf.inherits {
		if root, ok := w.nearestRoot(mf.dir); ok {
			return w.at(root).wsVersion
		}
	}
	return mf.version
}

// find returns the manifest of a locked package. When several have its name,
// the version decides; when that leaves several, the one nearest to the top.
func (w *writer) find(m Member) (manifest, error) {
	var found []manifest
	for _, mf := range w.manifests {
		if mf.name != m.Name {
			continue
		}
		if w.versionOf(mf) == m.Version {
			found = append(found, mf)
		}
	}
	if len(found) == 0 {
		return manifest{}, fmt.Errorf("no package %s %s in the commit", m.Name, m.Version)
	}
	order.Sort(found, func(a, b manifest) int {
		return strings.Count(a.dir, "/") - strings.Count(b.dir, "/")
	})
	return found[0], nil
}

func (w *writer) at(dir string) manifest {
	for _, mf := range w.manifests {
		if mf.dir == dir {
			return mf
		}
	}
	return manifest{}
}

// nearestRoot returns the directory of the closest [workspace] at or above dir.
func (w *writer) nearestRoot(dir string) (string, bool) {
	for {
		for _, mf := range w.manifests {
			if mf.dir == dir && mf.workspace {
				return dir, true
			}
		}
		if dir == "" {
			return "", false
		}
		if dir = path.Dir(dir); dir == "." {
			dir = ""
		}
	}
}

// injectWorkspace adds package.workspace to a manifest, right after [package],
// or at the top when package is written with dotted keys.
func injectWorkspace(text []byte, root string) ([]byte, error) {
	var candidates [][]byte
	for end, rest := 0, text; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		end, rest = len(text)-len(after), after
		head, _, _ := bytes.Cut(line, []byte("#"))
		head = bytes.TrimSpace(head)
		if n := len(head); n > 2 && head[0] == '[' && string(bytes.TrimSpace(head[1:n-1])) == "package" {
			candidates = append(candidates, insert(text, end, fmt.Sprintf("workspace = %q\n", root)))
		}
	}
	candidates = append(candidates, insert(text, 0, fmt.Sprintf("package.workspace = %q\n", root)))
	want := parseManifest(text)
	for _, c := range candidates {
		if got := parseManifest(c); got.explicit && got.name == want.name && got.version == want.version && got.inherits == want.inherits {
			return c, nil
		}
	}
	return nil, errors.New("member of a nested workspace whose [package] is written in a way that cannot be completed")
}

func insert(text []byte, at int, line string) []byte {
	var out bytes.Buffer
	out.Write(text[:at])
	if at > 0 && text[at-1] != '\n' {
		out.WriteByte('\n')
	}
	out.WriteString(line)
	out.Write(text[at:])
	return out.Bytes()
}
