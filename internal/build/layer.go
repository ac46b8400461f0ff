package build

import (
	"io"
	"io/fs"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/elfstrip"
	"espalier.dev/espalier/internal/source"
)

// ownUnits is the set of files in the first step's target directory that are
// excluded from the dependency layer: everything that cargo made for the user's
// own packages (fingerprints, build script runs, compiled crates, linked
// programs). Cargo compares times with <=, so it could take own units that
// remain for fresh (docs/step.md, condition 5).
type ownUnits struct {
	packages map[string]bool // "hello": names of .fingerprint/<name>-<hash>, build/<name>-<hash>
	crates   map[string]bool // "hello", "libhello": names of deps/<name>-<hash>[.ext], and uplifted <name>[.ext]

	// dependency reports whether cargo has named the unit <name>-<hash> as one of a
	// dependency, which can have the name of an own package or library. Nil
	// without messages.
	dependency func(unit string) bool
}

func newOwnUnits(own []cargo.Package) ownUnits {
	u := ownUnits{packages: map[string]bool{}, crates: map[string]bool{}}
	for _, name := range source.LayerCrates {
		u.crates[name] = true
	}
	for _, p := range own {
		u.packages[p.Name] = true
		for _, t := range p.Targets {
			crate := strings.ReplaceAll(t.Name, "-", "_")
			if t.Kind == cargo.KindCustomBuild {
				continue // its crates are in build/<package>-<hash>
			}
			u.crates[crate], u.crates[t.Name] = true, true
			if t.Kind == cargo.KindLib { // a program can have the name of a dependency's library
				u.crates["lib"+crate] = true
			}
		}
	}
	return u
}

// keep is a store.ImportOptions filter; name is relative to /target. Profile
// directories are release (host) and <triple>/release; deeper files are outputs
// of build scripts and kept whatever their names.
func (u ownUnits) keep(name string, info fs.FileInfo) bool {
	elem := strings.Split(strings.TrimSuffix(name, "/"), "/")
	for at, dir := range elem {
		if at == 0 || at > 2 || at+1 >= len(elem) {
			continue
		}
		base := elem[at+1]
		switch dir {
		case ".fingerprint", "build":
			stem, ok := cutHash(base)
			return !ok || !u.packages[stem] || u.ofDependency(base)
		case "deps", "examples":
			unit := stripExt(base)
			stem, _ := cutHash(unit)
			return !u.crates[stem] || u.ofDependency(unit)
		}
	}
	// Cargo writes the tag when it makes the directory, so a layer that starts
	// with a part of another one would not have it.
	if base := elem[len(elem)-1]; base == "CACHEDIR.TAG" && len(elem) <= 2 {
		return false
	}
	// Uplifted files are next to deps: <triple>/<profile>/hello, hello.d.
	if base := elem[len(elem)-1]; !info.IsDir() && len(elem) > 1 && len(elem) <= 3 {
		return !u.crates[stripExt(base)]
	}
	return true
}

func (u ownUnits) ofDependency(unit string) bool { return u.dependency != nil && u.dependency(unit) }

// rewrites is the action.RunOptions.Rewrite of the steps that make the layer and
// the units: what cargo compiled for the host loses its debug information, which
// is nine tenths of it, and what is not used again all of its content
// (leftout.go). Rustc loads procedural macros and cargo runs build scripts;
// neither reads debug information, and cargo compares times, not content.
// Programs and libraries of the firmware keep theirs: it becomes that of the ELF.
func (pl Plan) rewrites(needs func() hostNeeds) map[string]func(string, io.ReaderAt, int64) (io.Reader, bool) {
	return map[string]func(string, io.ReaderAt, int64) (io.Reader, bool){
		layerOutput: func(name string, src io.ReaderAt, size int64) (io.Reader, bool) {
			if !isHostUnit(name, pl.triple) {
				return nil, false
			}
			if needs().leavesOut(name, pl.triple) {
				return strings.NewReader(leftOut), true
			}
			stripped, _, ok := elfstrip.Strip(src, size)
			return stripped, ok
		},
	}
}

// isHostUnit reports whether a file of the target directory is what cargo
// compiled for the host: <profile>/deps/<file>, <profile>/build/<unit>/<file>.
// The output of a build script is deeper.
func isHostUnit(name, triple string) bool {
	elem := strings.Split(name, "/")
	return elem[0] != triple && (len(elem) == 3 && elem[1] == "deps" || len(elem) == 4 && elem[1] == "build")
}

// cutHash removes "-<16 hex digits>", cargo's unit hash.
func cutHash(s string) (string, bool) {
	i := strings.LastIndexByte(s, '-')
	if i < 0 || len(s)-i-1 != 16 {
		return s, false
	}
	for _, c := range s[i+1:] {
		if !strings.ContainsRune("0123456789abcdef", c) {
			return s, false
		}
	}
	return s[:i], true
}

// stripExt removes everything after the first dot: "libx-0123.rmeta", and
// object files such as "hello-0123.hello.7f3a-cgu.0.rcgu.o".
func stripExt(s string) string {
	stem, _, _ := strings.Cut(s, ".")
	return stem
}
