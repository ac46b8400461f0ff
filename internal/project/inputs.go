package project

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/config"
)

// scopes are the directories whose files are inputs: the workspace, members
// elsewhere, and for a path dependency outside it the workspace or package
// that it belongs to.
func scopes(w *cargo.Workspace) []string {
	all := []string{w.Dir}
	for _, p := range w.Packages {
		d := p.Dir
		if !p.Member && p.Root != "" {
			d = filepath.Dir(p.Root)
		}
		all = append(all, d)
	}
	sort.Slice(all, func(i, j int) bool { return len(all[i]) < len(all[j]) })
	var out []string
next:
	for _, d := range all {
		for _, o := range out {
			if config.Within(d, o) {
				continue next
			}
		}
		out = append(out, d)
	}
	return out
}

// commonRoot is the innermost directory that holds all scopes.
func commonRoot(w *cargo.Workspace) string {
	root := w.Dir
	for _, s := range scopes(w) {
		for !config.Within(s, root) {
			root = filepath.Dir(root)
		}
	}
	return root
}

// inputs collects the input tree.
func inputs(l *config.Reader, p *Project, w *cargo.Workspace) (*tree, error) {
	t := &tree{l: l, root: p.Root, scopes: scopes(w), keepFile: map[string]bool{}, keepDir: map[string]bool{},
		targets: map[string]bool{}, repos: map[string]*repository{}}
	keep := func(paths ...string) {
		for _, f := range paths {
			if f != "" && config.Within(f, p.Root) {
				t.keepFile[f] = true
			}
		}
	}
	t.private = p.Espalier.privateFiles()
	keep(filepath.Join(p.Workspace, "Cargo.lock"), w.Manifest, p.Espalier.Path, p.Toolchain.File,
		p.Espalier.Image.PartitionTable.V, p.Espalier.Image.Bootloader.V)
	keep(p.Cargo.Files...)
	for _, d := range append(config.Parents(p.Member), t.scopes...) {
		if config.Within(d, p.Root) {
			t.keepDir[filepath.Join(d, ".cargo")] = true
			t.targets[filepath.Join(d, "target")] = true
		}
	}
	for _, o := range w.Packages {
		t.keepDir[o.Dir] = true
		t.keepDir[filepath.Join(o.Dir, ".cargo")] = true
		t.targets[filepath.Join(o.Dir, "target")] = true
		keep(o.Manifest, o.Root)
		keep(o.Texts...)
		for _, x := range o.Targets {
			keep(x.Path)
		}
	}
	if p.Cargo.TargetIsFile {
		keep(p.Cargo.Target.V)
	}
	if d := p.Cargo.TargetDir.V; d != "" {
		t.targets[d] = true
	}
	for f := range t.keepFile {
		t.keepAll = append(t.keepAll, f)
	}
	for d := range t.keepDir {
		if config.IsDir(d) {
			t.keepAll = append(t.keepAll, d)
		}
	}
	if inc := p.Espalier.Build.Include.V; len(inc) > 0 {
		t.include = parseIgnore(FileName, "", []byte(strings.Join(inc, "\n")))
	}
	if err := t.collect(); err != nil {
		return nil, err
	}
	if r := t.repository(p.Workspace); r != nil {
		p.Head = r.head()
	}
	p.Files, p.Untracked, p.Ignored = t.files, t.untracked, t.ignored
	return t, nil
}

// keepNamed adds ignored files that own sources name in a string literal, such
// as include_bytes!("../logo.bin") or fs::read("secrets.json"): leaving them
// out would break the build or, worse, quietly change it.
func keepNamed(p *Project, t *tree) {
	if len(t.skipped) == 0 {
		return
	}
	skipped := func(abs string) bool {
		for _, s := range t.skipped {
			if config.Within(abs, s) {
				return true
			}
		}
		return false
	}
	added := map[string]bool{}
	for _, o := range p.Own {
		prefix := filepath.ToSlash(config.Rel(p.Root, o.Dir)) + "/"
		if prefix == "./" {
			prefix = ""
		}
		for _, f := range t.files {
			if !strings.HasSuffix(f.Path, ".rs") || !strings.HasPrefix(f.Path, prefix) || f.Target != "" {
				continue
			}
			abs := filepath.Join(p.Root, filepath.FromSlash(f.Path))
			src, err := os.ReadFile(abs)
			if err != nil {
				continue
			}
			for _, name := range pathLiterals(src) {
				for _, base := range []string{filepath.Dir(abs), o.Dir} {
					c := filepath.Join(base, filepath.FromSlash(name))
					if added[c] || !config.Within(c, p.Root) || !skipped(c) {
						continue
					}
					if info, err := os.Lstat(c); err == nil && info.Mode().IsRegular() {
						added[c] = true
						t.add(c, info)
					}
				}
			}
		}
	}
	if len(added) == 0 {
		return
	}
	for _, c := range slices.Sorted(maps.Keys(added)) {
		if r := t.repository(p.Workspace); r != nil && r.tracked != nil {
			t.untracked = append(t.untracked, filepath.ToSlash(config.Rel(p.Root, c)))
		}
		for i, ig := range t.ignored {
			if ig.Path == c {
				t.ignored = append(t.ignored[:i:i], t.ignored[i+1:]...)
				break
			}
		}
	}
	sort.Slice(t.files, func(i, j int) bool { return t.files[i].Path < t.files[j].Path })
	sort.Strings(t.untracked)
	p.Files, p.Untracked, p.Ignored = t.files, t.untracked, t.ignored
}

// pathLiterals are the string literals of a source that may be a path. A
// leading slash is dropped: concat!(env!("CARGO_MANIFEST_DIR"), "/x.bin").
func pathLiterals(src []byte) []string {
	var out []string
	for _, s := range cargo.Strings(src) {
		s = strings.TrimPrefix(s, "cargo:rerun-if-changed=")
		s = strings.TrimPrefix(strings.TrimPrefix(s, "cargo::rerun-if-changed="), "/")
		if s == "" || len(s) > 255 || !strings.ContainsAny(s, "./") || strings.ContainsAny(s, "\n\x00{}") {
			continue
		}
		out = append(out, s)
	}
	return out
}
