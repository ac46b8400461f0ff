package rv32

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"espalier.dev/espalier/internal/devtest"
)

// TestGeneratedFilesAreCurrent runs the generator and compares.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	devtest.Long(t, "compiles the generator")
	tool, err := exec.LookPath("go")
	if err != nil {
		devtest.Missing(t, "the program go")
	}
	dir := t.TempDir()
	if out, err := exec.Command(tool, "run", "gen.go", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files, _ := filepath.Glob("z*.go")
	for _, name := range files {
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(name); !bytes.Equal(got, want) {
			t.Errorf("%s is not what gen.go writes: go generate ./rv32", name)
		}
	}
	if len(files) != 3 {
		t.Errorf("%d generated files", len(files))
	}
}
