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
// cargoLock stands in for a Cargo.lock that the project does not have yet.
func StubTree(ctx context.Context, st *store.Store, p *project.Project, cargoLock []byte) (store.Digest, error) {
	stubs := map[string]string{}
	for _, own := range p.Own {
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
	return importFiles(ctx, st, p, extra, func(f project.File) (io.ReadCloser, error) {
		if text, ok := stubs[f.Path]; ok {
			return io.NopCloser(strings.NewReader(text)), nil
		}
		base := path.Base(f.Path)
		if keep[f.Path] || base == "Cargo.toml" || base == "Cargo.lock" || underCargoDir(f.Path) || isTargetSpec(p, f.Path) {
			return os.Open(filepath.Join(p.Root, filepath.FromSlash(f.Path)))
		}
		return nil, nil
	})
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

// importFiles makes a tree of the files for which open returns a reader (nil
// leaves a file out) and of the extra ones.
func importFiles(ctx context.Context, st *store.Store, p *project.Project, extra map[string][]byte, open func(project.File) (io.ReadCloser, error)) (store.Digest, error) {
	b, err := st.NewTree()
	if err != nil {
		return store.Digest{}, err
	}
	defer b.Close()
	src := b.Source("the project")
	for name, text := range extra {
		if _, err := src.File(ctx, name, false, bytes.NewReader(text)); err != nil {
			return store.Digest{}, err
		}
	}
	for _, f := range p.Files {
		if f.Target != "" {
			if err := src.Symlink(f.Path, f.Target); err != nil {
				return store.Digest{}, err
			}
			continue
		}
		r, err := open(f)
		if err != nil {
			return store.Digest{}, fault.Wrap(fault.Usage, err, "reading the project")
		}
		if r == nil {
			continue
		}
		_, err = src.File(ctx, f.Path, f.Exec, r)
		r.Close()
		if err != nil {
			return store.Digest{}, err
		}
	}
	return b.Commit(ctx)
}
