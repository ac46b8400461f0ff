// Package source makes the input trees of a project's own files: the files
// unchanged, or with stubs in place of the own crate roots, so that an edit of
// the user's code leaves the tree, and every result made from it, unchanged.
//
// Input: a Project. Output: the digest of a tree in the store.
package source

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
)

// Stubs of own crate roots. They only have to compile: the layer is built for
// its dependencies, and the compiled stubs are discarded.
const (
	stubBin = "#![no_std]\n#![no_main]\n#[panic_handler]\nfn panic(_: &core::panic::PanicInfo) -> ! { loop {} }\n"
	stubLib = "#![no_std]\n"
	// A procedural macro runs on the host and has a library of its own.
	stubMacro  = "extern crate proc_macro;\n"
	stubScript = "fn main() {}\n"
)

// Tree puts the project's files into the store.
func Tree(ctx context.Context, st *store.Store, p *project.Project) (store.Digest, error) {
	files, dirs := map[string]bool{}, map[string]bool{}
	for _, f := range p.Files {
		files[f.Path] = true
		for d := path.Dir(f.Path); d != "."; d = path.Dir(d) {
			dirs[d] = true
		}
	}
	// A directory whose files have not changed since the last time is hashed and
	// not written.
	return st.ImportDir(ctx, p.Root, store.ImportOptions{Filter: func(name string, info fs.FileInfo) bool {
		if info.IsDir() {
			return dirs[name]
		}
		return files[name]
	}})
}

// Stubs is the input of the dependency layer and of fetching: manifests,
// Cargo.lock and cargo's configuration as they are, every own crate root as a
// stub, and nothing else. Own packages that replace a dependency of a
// dependency ([patch]) are kept as they are, because they are compiled into
// the layer.
//
// cargoLock, when not nil, is used instead of the project's Cargo.lock.
func Stubs(ctx context.Context, st *store.Store, p *project.Project, cargoLock []byte) (store.Digest, error) {
	return stubs(ctx, st, p, cargoLock, nil, nil)
}

// Layer is the input of the dependency layer for a target: Stubs, reduced to
// what dependencies depend on. Instead of the crate roots of the user's
// programs, examples and tests there is one, which is returned, and manifests
// and configuration have their values only (reduce.go), without the variables
// of [env] that are the project's own.
func Layer(ctx context.Context, st *store.Store, p *project.Project, t cargo.Target, own map[string]bool) (store.Digest, cargo.Target, error) {
	r := reduce(p, t)
	r.variables = own
	tree, err := stubs(ctx, st, p, nil, nil, r)
	return tree, r.target, err
}

// Scripts is Layer with the real build scripts, and with files that may belong
// to them: Rust files outside of the directories of crates.
func Scripts(ctx context.Context, st *store.Store, p *project.Project, t cargo.Target) (store.Digest, error) {
	links := p.Links()
	real := map[string]bool{}
	for _, own := range p.Own {
		if own.Build == "" {
			continue
		}
		real[links.Resolve(own.Build)] = true
		for _, f := range p.Files {
			rel, ok := strings.CutPrefix(f.Path, dirPrefix(inTree(links, own.Dir)))
			if !ok || path.Ext(rel) != ".rs" {
				continue
			}
			top, _, _ := strings.Cut(rel, "/")
			switch top {
			case "src", "examples", "tests", "benches":
			default:
				real[f.Path] = true
			}
		}
	}
	r := reduce(p, t)
	r.scripts = true
	return stubs(ctx, st, p, nil, real, r)
}

// stubs is Stubs with the files in real unchanged and, unless it is nil,
// reduced.
func stubs(ctx context.Context, st *store.Store, p *project.Project, cargoLock []byte, real map[string]bool, reduced *reduction) (store.Digest, error) {
	links := p.Links()
	replaced := map[string]string{}
	whole := patching(p, links)
	for _, own := range p.Own {
		if whole[inTree(links, own.Dir)] {
			continue
		}
		if own.Build != "" {
			replaced[links.Resolve(own.Build)] = stubScript
		}
		for _, t := range own.Targets {
			replaced[links.Resolve(t.Path)] = stubFor(t)
			if reduced.drops(t) {
				delete(replaced, links.Resolve(t.Path))
			}
		}
	}
	keep := map[string]bool{}
	for _, f := range p.Cargo.Files {
		keep[links.Resolve(f)] = true
	}
	for _, own := range p.Own {
		keep[links.Resolve(own.Manifest)] = true
	}
	extra := map[string][]byte{}
	if cargoLock != nil {
		rel, err := filepath.Rel(p.Root, p.Workspace)
		if err != nil {
			return store.Digest{}, err
		}
		extra[path.Join(filepath.ToSlash(rel), "Cargo.lock")] = cargoLock
	}
	needed := func(name string) bool {
		base := path.Base(name)
		return keep[name] || base == "Cargo.toml" || base == "Cargo.lock" ||
			underCargoDir(name) || isTargetSpec(p, name) || below(whole, name)
	}

	return st.MakeTree(ctx, func(b *store.TreeBuilder) error {
		src := b.Source("the project")
		put := func(name string, exec bool, r io.Reader) error {
			_, err := src.File(ctx, name, exec, r)
			return err
		}
		for name, text := range reduced.roots(links) {
			if err := put(name, false, strings.NewReader(text)); err != nil {
				return err
			}
		}
		for name, text := range extra {
			if err := put(name, false, bytes.NewReader(text)); err != nil {
				return err
			}
		}
		for _, f := range p.Files {
			text, stub := replaced[f.Path]
			var err error
			switch {
			case real[f.Path] && f.Target == "":
				err = putFile(put, p, f)
			case stub:
				err = put(f.Path, false, strings.NewReader(text))
			case f.Target != "":
				if reduced.keepsLink(f.Path) {
					err = src.Symlink(f.Path, f.Target)
				}
			case extra[f.Path] == nil && needed(f.Path):
				if reduced == nil || below(whole, f.Path) {
					err = putFile(put, p, f)
				} else {
					err = reduced.put(put, f)
				}
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func putFile(put func(string, bool, io.Reader) error, p *project.Project, f project.File) error {
	r, err := os.Open(filepath.Join(p.Root, filepath.FromSlash(f.Path)))
	if err != nil {
		return fault.Wrap(fault.Usage, err, "reading the project")
	}
	defer r.Close()
	return put(f.Path, f.Exec, r)
}

// patching are the directories of own packages that replace a dependency by
// [patch] or [replace], and of those that they depend on.
func patching(p *project.Project, links project.Links) map[string]bool {
	dirs := map[string]bool{}
	var visit func(dir string)
	visit = func(dir string) {
		dir = path.Clean(dir)
		for _, own := range p.Own {
			if own.Dir != dir || dirs[inTree(links, dir)] {
				continue
			}
			dirs[inTree(links, dir)] = true
			for _, d := range own.Depends {
				if d.Path != "" && d.Kind != "dev" {
					visit(d.Path)
				}
			}
		}
	}
	for _, d := range p.Patches {
		if d.Path != "" {
			visit(d.Path)
		}
	}
	return dirs
}

func below(dirs map[string]bool, name string) bool {
	for d := path.Dir(name); ; d = path.Dir(d) {
		if dirs[d] {
			return true
		}
		if d == "." {
			return false
		}
	}
}

func stubFor(t cargo.Target) string {
	switch {
	case t.Kind == cargo.KindCustomBuild:
		return stubScript
	case t.ProcMacro:
		return stubMacro
	case t.Kind == cargo.KindLib:
		return stubLib
	}
	return stubBin
}

func underCargoDir(name string) bool {
	return strings.HasPrefix(name, ".cargo/") || strings.Contains(name, "/.cargo/")
}

func isTargetSpec(p *project.Project, name string) bool {
	return p.Cargo.TargetIsFile && name == p.Cargo.Target.V
}

// inTree is the path of a directory of the project after following links.
func inTree(links project.Links, dir string) string {
	return path.Dir(links.Resolve(path.Join(dir, "x")))
}

func dirPrefix(dir string) string {
	if dir == "." || dir == "" {
		return ""
	}
	return dir + "/"
}
