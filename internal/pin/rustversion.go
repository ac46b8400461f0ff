package pin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/supply/crates"
)

// checkRustVersions compares what the locked crates ask for with the chosen
// compiler. A dependency of the user's own manifests that is too new is a
// fault. Others are a note: a lock also holds crates that this target never
// compiles, and cargo decides about the rest.
func (s *Session) checkRustVersions(ctx context.Context, p *project.Project, f *lock.File, tc lock.Toolchain) error {
	vendor, err := crates.Vendor(ctx, s.Store, f.Crates, s.Report)
	if err != nil {
		return err
	}
	have, _, _ := strings.Cut(tc.Rustc, " ")
	direct := directCrates(p)
	for _, c := range f.Crates {
		if len(c.For) == 1 && c.For[0] == forStd {
			continue // the library belongs to the compiler
		}
		e, err := s.Store.Lookup(ctx, vendor, crates.Folder(c)+"/Cargo.toml")
		if err != nil {
			return err
		}
		r, err := s.Store.Open(ctx, e)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			return err
		}
		want := rustVersion(text)
		if !cargo.OlderThan(have, want) {
			continue
		}
		if direct[c.Name+" "+c.Version] {
			return fault.New(fault.Pins,
				fmt.Sprintf("%s %s needs rustc %s; %s offers %s", c.Name, c.Version, want, tc.Supplier, have),
				"espalier lock --toolchain   # takes the newest compiler that the supplier offers",
				fmt.Sprintf("cargo update %s --precise <older version>", c.Name))
		}
		s.Report.Note("%s %s says that it needs rustc %s, the locked one is %s", c.Name, c.Version, want, have)
	}
	return nil
}

// demand raises want to what the locked crates on which the project depends
// ask for, as far as they are in the store: so a compiler that is too old is
// refused before it is downloaded.
func (s *Session) demand(ctx context.Context, p *project.Project, want *compilerRequest) error {
	if p.CargoLock == nil {
		return nil
	}
	direct := directCrates(p)
	for _, pkg := range p.CargoLock.Packages {
		if _, ok := pkg.IsRegistry(); !ok || !direct[pkg.Name+" "+pkg.Version] || pkg.Checksum == "" {
			continue
		}
		c := lock.Crate{Name: pkg.Name, Version: pkg.Version, Digest: store.Digest{Hash: pkg.Checksum, Size: -1}}
		text, err := crates.Manifest(ctx, s.Store, c)
		if errors.Is(err, store.ErrMissing) || errors.Is(err, store.ErrCorrupt) {
			continue
		}
		if err != nil {
			return err
		}
		if v := rustVersion(text); cargo.OlderThan(want.MinRustc, v) {
			want.MinRustc, want.MinFor = v, pkg.Name+" "+pkg.Version
		}
	}
	return nil
}

// directCrates are the registry crates, as "name version", on which own
// packages depend other than for tests.
func directCrates(p *project.Project) map[string]bool {
	versions := map[string][]string{}
	ownLock := map[string][]string{}
	for _, pkg := range p.CargoLock.Packages {
		if pkg.Source == "" {
			ownLock[pkg.Name] = pkg.Dependencies
		}
		versions[pkg.Name] = append(versions[pkg.Name], pkg.Version)
	}
	out := map[string]bool{}
	for _, own := range p.Own {
		used := map[string]bool{}
		for _, d := range own.Depends {
			used[d.Package] = used[d.Package] || d.Kind != "dev"
		}
		for _, dep := range ownLock[own.Name] {
			// "name", or "name version" and "name version (source)" when there are several.
			name, rest, _ := strings.Cut(dep, " ")
			version, _, _ := strings.Cut(rest, " ")
			if version == "" && len(versions[name]) > 0 {
				version = versions[name][0]
			}
			if used[name] {
				out[name+" "+version] = true
			}
		}
	}
	return out
}

// rustVersion reads package.rust-version; empty when there is none.
func rustVersion(manifest []byte) string {
	var t struct {
		Package struct {
			RustVersion any `toml:"rust-version"`
		}
	}
	if toml.Unmarshal(manifest, &t) != nil {
		return ""
	}
	v, _ := t.Package.RustVersion.(string)
	return v
}
