package cli

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/templates"
)

// TestTemplatesOpen: every template makes a project that opens, under a name
// of its own, with everything that the template's directory has.
func TestTemplatesOpen(t *testing.T) {
	for _, name := range templates.Names() {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "my-blinky")
			if err := templates.Copy(name, dir, "my-blinky"); err != nil {
				t.Fatal(err)
			}
			p, err := project.Open(dir, project.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if p.Package != "my-blinky" || p.CargoLock == nil {
				t.Errorf("package %s, Cargo.lock %v", p.Package, p.CargoLock != nil)
			}
			if a, err := p.Artifact(); err != nil || a.Name != "my-blinky" {
				t.Errorf("artifact %+v, %v", a, err)
			}
			locked := false
			for _, pkg := range p.CargoLock.Packages {
				locked = locked || pkg.Name == "my-blinky"
			}
			if !locked {
				t.Error("Cargo.lock does not know the package's name: the first build would change it")
			}
			have := map[string]bool{}
			for _, f := range p.Files {
				have[f.Path] = true
			}
			err = fs.WalkDir(templates.FS, name, func(path string, d fs.DirEntry, err error) error {
				rel := strings.TrimPrefix(path, name+"/")
				if err == nil && !d.IsDir() && !have[rel] && !strings.HasPrefix(rel, "target/") {
					t.Errorf("%s is not in the project", rel)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
