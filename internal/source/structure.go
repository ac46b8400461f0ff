package source

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
)

// Structure describes what cargo itself uses of the project's files when it
// builds one target: manifests, Cargo.lock, configuration and target
// specifications by their values, and which crate roots exist. Two projects
// with the same structure are the same to cargo; they may differ to the
// compiler, build scripts and procedural macros. It is a text to be hashed.
//
// Of other binaries the names count, since build scripts may name them in
// cargo::rustc-link-arg-bin; of examples, tests and benchmarks whether there
// are any, for the same reason. README files are not included (Readmes).
func Structure(p *project.Project) ([]byte, error) {
	links := p.Links()
	files := cargoFiles(p, links)
	var b bytes.Buffer
	for _, f := range p.Files {
		if f.Target != "" || !files[f.Path] {
			continue
		}
		text, err := os.ReadFile(filepath.Join(p.Root, filepath.FromSlash(f.Path)))
		if err != nil {
			return nil, fault.Wrap(fault.Usage, err, "reading the project")
		}
		fmt.Fprintf(&b, "file %q %x\n", f.Path, sha256.Sum256(values(f.Path, text, nil)))
	}
	named := slices.Collect(maps.Keys(files))
	for _, own := range p.Own {
		fmt.Fprintf(&b, "package %q in %q build %q\n", own.Name, own.Dir, own.Build)
		named = append(named, own.Manifest, own.Build)
		others := map[string]bool{}
		for _, t := range own.Targets {
			switch t.Kind {
			case cargo.KindExample, cargo.KindTest, cargo.KindBench:
				others[t.Kind] = true
			default:
				fmt.Fprintf(&b, "\t%s %q at %q macro %v\n", t.Kind, t.Name, t.Path, t.ProcMacro)
				named = append(named, t.Path)
			}
		}
		fmt.Fprintf(&b, "\t%q\n", slices.Sorted(maps.Keys(others)))
	}
	for _, l := range slices.Sorted(maps.Keys(traversed(links, named))) {
		fmt.Fprintf(&b, "link %q %q\n", l, links[l])
	}
	return b.Bytes(), nil
}

// cargoFiles are the files that cargo reads, after following links.
func cargoFiles(p *project.Project, links project.Links) map[string]bool {
	files := map[string]bool{}
	for _, f := range p.Cargo.Files {
		files[links.Resolve(f)] = true
	}
	for _, own := range p.Own {
		files[links.Resolve(own.Manifest)] = true
	}
	for _, f := range p.Files {
		switch base := path.Base(f.Path); {
		case base == "Cargo.toml", base == "Cargo.lock", isTargetSpec(p, f.Path),
			underCargoDir(f.Path) && (base == "config" || base == "config.toml"):
			files[f.Path] = true
		}
	}
	return files
}

// values returns the values of a manifest or of a configuration of cargo in a
// form that does not depend on comments, spaces and order, and without the
// tables that cargo ignores. Other files, and those that are not TOML, are
// returned as they are. variables are left out of [env] of a configuration.
func values(name string, text []byte, variables map[string]bool) []byte {
	base := path.Base(name)
	if base != "Cargo.toml" && !underCargoDir(name) {
		return text
	}
	var doc map[string]any
	if toml.Unmarshal(text, &doc) != nil {
		return text
	}
	if base == "Cargo.toml" {
		for _, table := range []string{"package", "workspace", "project"} {
			if t, ok := doc[table].(map[string]any); ok {
				delete(t, "metadata")
			}
		}
	}
	if env, ok := doc["env"].(map[string]any); ok && base != "Cargo.toml" {
		for name := range variables {
			if variables[name] {
				delete(env, name)
			}
		}
		if len(env) == 0 {
			delete(doc, "env")
		}
	}
	out, err := toml.Marshal(doc) // keys are sorted
	if err != nil {
		return text
	}
	return out
}

// traversed returns the links that are followed on the way to any of the named
// files, which are paths before following links.
func traversed(links project.Links, named []string) map[string]bool {
	out := map[string]bool{}
	todo := slices.Clone(named)
	for len(todo) > 0 {
		name := path.Clean(todo[len(todo)-1])
		todo = todo[:len(todo)-1]
		elem := strings.Split(name, "/")
		for i := range elem {
			at := strings.Join(elem[:i+1], "/")
			to, ok := links[at]
			if !ok || out[at+"\x00"+name] {
				continue
			}
			out[at+"\x00"+name] = true // links may form a circle
			todo = append(todo, path.Join(path.Dir(at), to, strings.Join(elem[i+1:], "/")))
			break
		}
	}
	found := map[string]bool{}
	for k := range out {
		at, _, _ := strings.Cut(k, "\x00")
		found[at] = true
	}
	return found
}

// Readmes returns the README file that cargo finds for each own package whose
// manifest names none, by the package's directory: cargo passes its name to
// the package's compilers and build scripts in CARGO_PKG_README.
func Readmes(p *project.Project) map[string]string {
	there := map[string]bool{}
	for _, f := range p.Files {
		there[f.Path] = true
	}
	links := p.Links()
	out := map[string]string{}
	for _, own := range p.Own {
		for _, name := range []string{"README.md", "README.txt", "README"} {
			if there[links.Resolve(path.Join(own.Dir, name))] {
				out[own.Dir] = name
				break
			}
		}
	}
	return out
}
