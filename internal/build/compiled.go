package build

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/store"
)

// Compiled is a package that a build compiles: a library, the firmware itself, a
// macro or a build script.
type Compiled struct {
	ID       string   // cargo's: unique in a build
	Name     string   // of the package
	Version  string   //
	Source   string   // "registry+…", "git+…?rev=…", "path+…", without name and version
	Script   string   // path inside a step of the source of its build script; empty: it has none
	Macro    string   // path inside a step of the source of its procedural macros; empty: it is none
	Units    []string // names of its crates, also of those for the machine that builds
	Crates   []string // names of the crates that are compiled for the chip; empty: only for the machine that builds
	Std      bool     // of the standard library
	Features []string // of what is compiled for the chip, else of what is compiled for the host
	Depends  []string // IDs, sorted
	About    cargo.About
}

// Compiled lists the packages of a plan's firmware by the unit graph of cargo,
// sorted by ID. A standard library that is not compiled is not in it.
func (r Runner) Compiled(ctx context.Context, pl Plan) ([]Compiled, error) {
	g, err := r.graph(ctx, pl.graph)
	if err != nil {
		return nil, err
	}
	list, roots := compiled(g)
	for i := range list {
		if list[i].About, err = r.about(ctx, pl, roots[list[i].ID]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// compiled joins the units of each package. roots has a source file of each.
func compiled(g unitGraph) (list []Compiled, roots map[string]string) {
	byID := map[string]*Compiled{}
	roots = map[string]string{}
	for _, u := range g.Units {
		c := byID[u.PkgID]
		if c == nil {
			name, version := packageOf(u.PkgID)
			source, _, _ := strings.Cut(u.PkgID, "#")
			c = &Compiled{ID: u.PkgID, Name: name, Version: version, Source: source, Std: u.IsStd}
			byID[u.PkgID], roots[u.PkgID] = c, u.Target.SrcPath
		}
		chip := u.Platform != "" && u.Mode == "build"
		crate := strings.ReplaceAll(u.Target.Name, "-", "_")
		switch {
		case slices.Contains(u.Target.Kind, "custom-build"):
			c.Script = u.Target.SrcPath
		case slices.Contains(u.Target.Kind, "proc-macro"):
			c.Macro = u.Target.SrcPath
			fallthrough
		default:
			if !slices.Contains(c.Units, crate) {
				c.Units = append(c.Units, crate)
			}
		}
		if chip && !slices.Contains(c.Crates, crate) {
			c.Crates = append(c.Crates, crate)
		}
		if chip || c.Features == nil && !u.runsScript() {
			c.Features = u.Features
		}
		for _, d := range u.Dependencies {
			if id := g.Units[d.Index].PkgID; id != u.PkgID && !slices.Contains(c.Depends, id) {
				c.Depends = append(c.Depends, id)
			}
		}
	}
	for _, c := range byID {
		slices.Sort(c.Crates)
		slices.Sort(c.Depends)
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b Compiled) int { return strings.Compare(a.ID, b.ID) })
	return list, roots
}

// about reads the manifest of a package: the nearest one at or above a source
// file of it. A package whose manifest is not found has an empty About.
func (r Runner) about(ctx context.Context, pl Plan, source string) (cargo.About, error) {
	var text []byte
	for dir := path.Dir(source); len(dir) > 1; dir = path.Dir(dir) {
		name := path.Join(dir, "Cargo.toml")
		b, err := r.SourceFile(ctx, pl, name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return cargo.About{}, err
		case text != nil:
			return cargo.ParseAbout(name, text, b)
		case !cargo.Inherits(b):
			return cargo.ParseAbout(name, b, nil)
		default:
			text = b // the workspace is above
		}
	}
	if text == nil {
		return cargo.About{}, nil
	}
	return cargo.ParseAbout("Cargo.toml", text, nil)
}

// SourceFile reads a file of a plan's inputs by its path inside a step. The error is
// fs.ErrNotExist when no input has it.
func (r Runner) SourceFile(ctx context.Context, pl Plan, name string) ([]byte, error) {
	for range 16 { // symbolic links: those of the rootfs, and of git commits to their members
		name = path.Clean(name)
		tree, rest := pl.place(name)
		if tree.IsZero() {
			return nil, fs.ErrNotExist
		}
		at, names := "", strings.Split(rest, "/")
		followed := false
		for i, n := range names {
			at = path.Join(at, n)
			e, err := r.Store.Lookup(ctx, tree, at)
			if err != nil {
				return nil, err
			}
			switch {
			case e.Type == store.TypeSymlink:
				base := strings.TrimSuffix(name, rest)
				target := e.Target
				if !path.IsAbs(target) {
					target = path.Join(base+path.Dir(at), target)
				}
				name, followed = path.Join(append([]string{target}, names[i+1:]...)...), true
			case i == len(names)-1 && e.Type == store.TypeFile:
				f, err := r.Store.Open(ctx, e)
				if err != nil {
					return nil, err
				}
				text, err := io.ReadAll(io.LimitReader(f, largestRoot))
				return text, errors.Join(err, f.Close())
			}
			if followed {
				break
			}
		}
		if !followed {
			return nil, fs.ErrNotExist
		}
	}
	return nil, fs.ErrNotExist
}

// place returns the input tree that a path inside a step is in, and the path in
// it.
func (pl Plan) place(name string) (store.Digest, string) {
	for _, p := range []struct {
		inside string
		tree   store.Digest
	}{
		{layout.Src, pl.sources},
		{layout.Vendor, inputTree(pl.Deps, layout.InputVendor)},
		{layout.Checkouts, inputTree(pl.Deps, layout.InputGit)},
		{"", inputTree(pl.Deps, layout.InputRootfs)},
	} {
		if rest, ok := strings.CutPrefix(name, p.inside+"/"); ok && !p.tree.IsZero() && rest != "" {
			return p.tree, rest
		}
	}
	return store.Digest{}, ""
}
