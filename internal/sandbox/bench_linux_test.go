package sandbox

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"espalier.dev/espalier/internal/devtest"
)

// BenchmarkStart measures what a sandbox costs around a program that does
// nothing, against the same program started directly, and against bubblewrap
// where it is installed.
func BenchmarkStart(b *testing.B) {
	root := rootfs(b)
	trees := map[string]string{
		"rootfs": root, "src": folder(b, map[string]string{"a": "a"}), "cargo": folder(b, map[string]string{"config.toml": "c"}),
		"vendor": folder(b, map[string]string{"crate/lib.rs": "v"}), "target": folder(b, map[string]string{"old": "t"}),
	}
	b.Run("direct", func(b *testing.B) {
		for b.Loop() {
			must(b, exec.Command(filepath.Join(root, "inside"), "true").Run())
		}
	})
	b.Run("sandbox", func(b *testing.B) {
		base := b.TempDir()
		for b.Loop() {
			s, err := newScratch(base)
			must(b, err)
			null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
			must(b, err)
			j := &job{scratch: s, trees: trees, stdio: [3]*os.File{null, null, null}}
			j.step.Argv = []string{"/inside", "true"}
			if code, _, err := j.run(b.Context()); code != 0 || err != nil {
				b.Fatal(code, err)
			}
			null.Close()
			s.remove()
		}
	})
	b.Run("bubblewrap", func(b *testing.B) {
		bwrap := devtest.Tool(b, "bwrap")
		for b.Loop() {
			must(b, exec.Command(bwrap, "--unshare-all", "--bind", root, "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "/inside", "true").Run())
		}
	})
}
