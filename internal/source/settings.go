package source

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
)

// CompilerSettings describes what the project says about how any crate is
// compiled: profiles, cargo's configuration, target specifications. Variables
// of [env] for which without is true are not included. It is a text to be
// hashed.
func CompilerSettings(p *project.Project, without func(variable string) bool) ([]byte, error) {
	var b bytes.Buffer
	links := p.Links()
	for _, f := range p.Files {
		manifest := path.Base(f.Path) == "Cargo.toml"
		if f.Target != "" || !manifest && (path.Base(f.Path) == "Cargo.lock" || !cargoFiles(p, links)[f.Path]) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(p.Root, filepath.FromSlash(f.Path)))
		if err != nil {
			return nil, fault.Wrap(fault.Usage, err, "reading the project")
		}
		var doc map[string]any
		if isTargetSpec(p, f.Path) || toml.Unmarshal(text, &doc) != nil {
			fmt.Fprintf(&b, "%q %q\n", path.Base(f.Path), text)
			continue
		}
		if manifest {
			doc = map[string]any{"profile": doc["profile"], "cargo-features": doc["cargo-features"]}
			if doc["profile"] == nil && doc["cargo-features"] == nil {
				continue // only the workspace's manifest has profiles
			}
			if doc["cargo-features"] == nil {
				delete(doc, "cargo-features")
			}
		} else if env, ok := doc["env"].(map[string]any); ok {
			for name := range env {
				if without(name) {
					delete(env, name)
				}
			}
			if len(env) == 0 {
				delete(doc, "env")
			}
		}
		out, err := toml.Marshal(doc)
		if err != nil {
			out = text
		}
		fmt.Fprintf(&b, "%q %q\n", path.Base(f.Path), out)
	}
	return b.Bytes(), nil
}

// CompilerVariable reports whether a variable may be meant for cargo, a
// compiler or a build script of the standard library, by its name.
func CompilerVariable(name string) bool {
	for _, prefix := range []string{"CARGO", "RUST", "CC", "CXX", "CFLAGS", "AR", "LD", "LLVM", "TARGET", "HOST", "OPT_LEVEL", "COMPILER", "PATH", "CRATE", "NUM_JOBS", "DEBUG"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
