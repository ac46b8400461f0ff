package source

import (
	"bytes"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/pelletier/go-toml/v2"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
)

// layerTarget is the name of the only program in a reduced tree.
const layerTarget = "espalier-dependencies"

// LayerCrates are the names of crates that only a reduced tree has.
var LayerCrates = []string{layerTarget, "espalier_dependencies"}

// reduction makes the input of the dependency layer independent of everything
// that reaches the user's own crates only, so that all programs and examples of
// a package share a layer, and a comment in a manifest does not make another
// one. Cargo's hash of a dependency contains neither the text of the user's
// manifests nor their targets.
//
// Nothing is reduced in packages that replace a dependency, which are compiled
// into the layer. In a project with such packages, or with artifact
// dependencies, which are programs of its own packages, targets stay as they
// are.
type reduction struct {
	p         *project.Project
	target    cargo.Target             // what is built
	retarget  bool                     // targets are replaced by one
	own       map[string]cargo.Package // by manifest, after following links
	links     map[string]bool          // links that are followed on the way to a file of the tree
	variables map[string]bool          // of [env], which are left out
	scripts   bool                     // build scripts are compiled: they see the manifest's texts
}

func reduce(p *project.Project, t cargo.Target) *reduction {
	links := p.Links()
	r := &reduction{p: p, target: t, own: map[string]cargo.Package{}, retarget: len(patching(p, links)) == 0}
	named := []string{p.Cargo.Target.V}
	named = append(named, p.Cargo.Files...)
	devs := false
	for _, own := range p.Own {
		named = append(named, own.Manifest, own.Build)
		for _, o := range own.Targets {
			named = append(named, o.Path)
		}
		r.own[links.Resolve(own.Manifest)] = own
		for _, d := range own.Depends {
			devs = devs || d.Kind == "dev" && isOf(own, t)
		}
		text, err := os.ReadFile(filepath.Join(p.Root, filepath.FromSlash(own.Manifest)))
		if err != nil || bytes.Contains(text, []byte("artifact")) {
			r.retarget = false
		}
	}
	r.links = traversed(links, named)
	if !r.retarget {
		r.target = firstProgram(p, t)
		return r
	}
	r.target = cargo.Target{Package: t.Package, Name: layerTarget, Kind: cargo.KindBin}
	if t.Kind != cargo.KindBin && devs { // only programs are built without dev-dependencies
		r.target.Kind = cargo.KindExample
	}
	return r
}

func isOf(own cargo.Package, t cargo.Target) bool {
	for _, o := range own.Targets {
		if o.Package == t.Package {
			return true
		}
	}
	return false
}

// firstProgram returns the target for which the layer is built when targets
// stay as they are. The dependencies of a binary are those of its package, so
// all binaries of a package share the layer of the first one; an example also
// has the dev-dependencies.
func firstProgram(p *project.Project, t cargo.Target) cargo.Target {
	if t.Kind != cargo.KindBin {
		return t
	}
	first := t
	for _, own := range p.Own {
		for _, o := range own.Targets {
			if o.Package == t.Package && o.Kind == t.Kind && o.Name < first.Name && len(o.RequiredFeatures) == 0 {
				first = o
			}
		}
	}
	return first
}

// drops reports whether a crate root is not in the tree.
func (r *reduction) drops(t cargo.Target) bool {
	return r != nil && r.retarget && t.Kind != cargo.KindLib && t.Kind != cargo.KindCustomBuild
}

func (r *reduction) keepsLink(name string) bool { return r == nil || r.links[name] }

// roots are the crate roots that only the reduced tree has.
func (r *reduction) roots(links project.Links) map[string]string {
	out := map[string]string{}
	if r == nil || !r.retarget {
		return out
	}
	for _, own := range r.own {
		if r.needsProgram(own) {
			out[path.Join(inTree(links, own.Dir), layerTarget+".rs")] = stubBin
		}
	}
	return out
}

// needsProgram reports whether a package has the program of the reduced tree:
// the one that is built, and each that would have no target without.
func (r *reduction) needsProgram(own cargo.Package) bool {
	return isOf(own, r.target) || len(own.TargetsOf(cargo.KindLib)) == 0
}

// put writes a manifest, configuration or another file that cargo reads.
func (r *reduction) put(put func(string, bool, io.Reader) error, f project.File) error {
	text, err := os.ReadFile(filepath.Join(r.p.Root, filepath.FromSlash(f.Path)))
	if err != nil {
		return fault.Wrap(fault.Usage, err, "reading the project")
	}
	own, ok := r.own[f.Path]
	switch {
	case ok && r.retarget:
		text = r.manifest(own, text)
	case r.retarget && path.Base(f.Path) == "Cargo.toml": // of a workspace, which members inherit from
		text = r.workspace(text)
	}
	text = values(f.Path, text, r.variables)
	return put(f.Path, f.Exec, bytes.NewReader(text))
}

// manifest returns the manifest of an own package with the targets of the
// reduced tree.
func (r *reduction) manifest(own cargo.Package, text []byte) []byte {
	var doc map[string]any
	if toml.Unmarshal(text, &doc) != nil {
		return text
	}
	for _, table := range []string{"bin", "example", "test", "bench"} {
		delete(doc, table)
	}
	for _, table := range []string{"package", "project"} {
		pkg, ok := doc[table].(map[string]any)
		if !ok {
			continue
		}
		delete(pkg, "default-run")
		for _, key := range []string{"autobins", "autoexamples", "autotests", "autobenches"} {
			pkg[key] = false
		}
	}
	if r.needsProgram(own) {
		kind := cargo.KindBin
		if isOf(own, r.target) {
			kind = r.target.Kind
		}
		doc[kind] = []any{map[string]any{"name": layerTarget, "path": layerTarget + ".rs"}}
	}
	return r.marshal(doc, text)
}

// workspace returns the manifest of a workspace without a package of its own.
func (r *reduction) workspace(text []byte) []byte {
	var doc map[string]any
	if toml.Unmarshal(text, &doc) != nil {
		return text
	}
	return r.marshal(doc, text)
}

// ownTexts are the keys of a package that only its own CARGO_PKG_* variables and
// cargo publish have. That the compiler is new enough for rust-version is checked
// with the lock, before anything is compiled.
var ownTexts = [...]string{"description", "homepage", "documentation", "repository", "readme", "keywords",
	"categories", "license", "license-file", "authors", "include", "exclude", "publish", "rust-version"}

// marshal returns a manifest without the texts that only own crates see, also
// those that members inherit; text when it cannot be written.
func (r *reduction) marshal(doc map[string]any, text []byte) []byte {
	workspace, _ := doc["workspace"].(map[string]any)
	for _, table := range []any{doc["package"], doc["project"], workspace["package"]} {
		pkg, ok := table.(map[string]any)
		for _, key := range ownTexts {
			if ok && !r.scripts { // build scripts see them
				delete(pkg, key)
			}
		}
	}
	out, err := toml.Marshal(doc)
	if err != nil {
		return text
	}
	return out
}
