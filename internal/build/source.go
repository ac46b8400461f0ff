package build

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
)

// Stubs of own crate roots. They only have to compile: the layer is built for
// the sake of the dependencies, and what comes of the stubs is thrown away.
const (
	stubBin = "#![no_std]\n#![no_main]\n#[panic_handler]\nfn panic(_: &core::panic::PanicInfo) -> ! { loop {} }\n"
	stubLib = "#![no_std]\n"
	// A procedural macro runs on the host and has a library of its own.
	stubMacro  = "extern crate proc_macro;\n"
	stubScript = "fn main() {}\n"
)

// sourceTree puts the project's files into the store.
func sourceTree(ctx context.Context, st *store.Store, p *project.Project) (store.Digest, error) {
	files, dirs := map[string]bool{}, map[string]bool{}
	for _, f := range p.Files {
		files[f.Path] = true
		for d := path.Dir(f.Path); d != "."; d = path.Dir(d) {
			dirs[d] = true
		}
	}
	// A folder whose files have not changed since the last time is hashed and
	// not written.
	return st.ImportDir(ctx, p.Root, store.ImportOptions{Filter: func(name string, info fs.FileInfo) bool {
		if info.IsDir() {
			return dirs[name]
		}
		return files[name]
	}})
}

// StubTree is the input of the dependency layer: manifests, Cargo.lock and
// cargo's configuration as they are, every own crate root as a stub, and
// nothing else, so that an edit of the user's sources leaves it unchanged.
// The exception are own packages that stand in for a dependency of a
// dependency ([patch]): those are needed as they are.
// cargoLock stands in for a Cargo.lock that the project does not have yet.
func StubTree(ctx context.Context, st *store.Store, p *project.Project, cargoLock []byte) (store.Digest, error) {
	return stubTree(ctx, st, p, cargoLock, nil)
}

// stubTree is StubTree with some files as they are.
func stubTree(ctx context.Context, st *store.Store, p *project.Project, cargoLock []byte, real map[string]bool) (store.Digest, error) {
	stubs := map[string]string{}
	whole := patching(p)
	for _, own := range p.Own {
		if whole[own.Dir] {
			continue
		}
		if own.Build != "" {
			stubs[own.Build] = stubScript
		}
		for _, t := range own.Targets {
			stubs[t.Path] = stubFor(t)
		}
	}
	keep := map[string]bool{}
	for _, f := range p.Cargo.Files {
		keep[f] = true
	}
	for _, own := range p.Own {
		keep[own.Manifest] = true
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
		for name, text := range extra {
			if err := put(name, false, bytes.NewReader(text)); err != nil {
				return err
			}
		}
		for _, f := range p.Files {
			text, stub := stubs[f.Path]
			var err error
			switch {
			case real[f.Path] && f.Target == "":
				err = putFile(put, p, f)
			case stub:
				err = put(f.Path, false, strings.NewReader(text))
			case f.Target != "":
				err = src.Symlink(f.Path, f.Target)
			case extra[f.Path] == nil && needed(f.Path):
				err = putFile(put, p, f)
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

// patching are the folders of own packages that [patch] or [replace] puts in
// the place of a dependency, and of those that they use themselves.
func patching(p *project.Project) map[string]bool {
	dirs := map[string]bool{}
	var visit func(dir string)
	visit = func(dir string) {
		dir = path.Clean(dir)
		for _, own := range p.Own {
			if own.Dir != dir || dirs[dir] {
				continue
			}
			dirs[dir] = true
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

func stubFor(t project.Target) string {
	switch {
	case t.Kind == project.KindCustomBuild:
		return stubScript
	case t.ProcMacro:
		return stubMacro
	case t.Kind == project.KindLib:
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
